/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers, as the files in sysfs and configfs take them.
 */
#ifndef _CPROV_PARSE_H
#define _CPROV_PARSE_H

#include <linux/errno.h>
#include <linux/kstrtox.h>

/**
 * cprov_parse_uint - read a number
 * @buf: a decimal number, with or without a line's end, and nothing else
 * @max: the largest that is allowed
 * @value: set to it; unchanged on error
 *
 * Context: Any.
 * Return: 0, or -EINVAL if @buf has anything but a number of at most @max.
 */
static inline int cprov_parse_uint(const char *buf, unsigned int max,
				   unsigned int *value)
{
	unsigned int parsed;

	if (kstrtouint(buf, 10, &parsed) || parsed > max)
		return -EINVAL;
	*value = parsed;
	return 0;
}

#endif /* _CPROV_PARSE_H */
