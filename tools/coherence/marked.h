/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * marked.h - find the markers of marker.h in what QEMU translates, in whichever
 * version of its plugin interface
 */
#ifndef COHERENCE_MARKED_H
#define COHERENCE_MARKED_H

#include "marker.h"
#include "plugin-api.h"

/* Says what is wrong if it returns false. */
bool marked_init(const char *plugin, const struct qemu_info_t *info);

/* @which: the marker's op, shifted by 8, and its region. */
bool marked(const struct qemu_plugin_insn *insn, uint32_t *which);

#endif
