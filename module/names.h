/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of classes, flags, reasons and the like: the enumerators in lower case.
 */
#ifndef _CPROV_NAMES_H
#define _CPROV_NAMES_H

#include <linux/completion_provenance.h>
#include <linux/log2.h>

/* Each bit from 0 on is a flag. */
#define CPROV_NR_FLAGS	(const_ilog2(IO_LOCALITY_FLAGS_ALL) + 1)

extern const char *const cprov_class_names[IO_LOCALITY_NR_CLASSES];
extern const char *const cprov_reason_names[CPROV_NR_REASONS];
extern const char *const cprov_deferral_names[CPROV_NR_DEFERRALS];
extern const char *const cprov_flag_names[CPROV_NR_FLAGS];

int cprov_parse_classes(const char *text, unsigned int *mask);
int cprov_parse_class(const char *text, unsigned int *class);
int cprov_parse_flags(const char *text, unsigned int *flags);

#endif /* _CPROV_NAMES_H */
