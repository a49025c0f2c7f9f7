/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of classes, reasons and the like: the enumerators in lower case.
 */
#ifndef _CPROV_NAMES_H
#define _CPROV_NAMES_H

#include <linux/completion_provenance.h>

extern const char *const cprov_class_names[IO_LOCALITY_NR_CLASSES];
extern const char *const cprov_reason_names[CPROV_NR_REASONS];
extern const char *const cprov_deferral_names[CPROV_NR_DEFERRALS];

int cprov_parse_classes(const char *text, unsigned int *mask);

#endif /* _CPROV_NAMES_H */
