// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include <kunit/visibility.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/string.h>

const char *const cprov_class_names[IO_LOCALITY_NR_CLASSES] = {
	[IO_LOCALITY_CLASS_THROUGHPUT]		= "throughput",
	[IO_LOCALITY_CLASS_LATENCY]		= "latency",
	[IO_LOCALITY_CLASS_STEP_CRITICAL]	= "step_critical",
	[IO_LOCALITY_CLASS_PREFETCH]		= "prefetch",
};
EXPORT_SYMBOL_IF_KUNIT(cprov_class_names);

const char *const cprov_reason_names[CPROV_NR_REASONS] = {
	[CPROV_STEERED]		= "steered",
	[CPROV_AT_HOME]		= "at_home",
	[CPROV_SHARED_CACHE]	= "shared_cache",
	[CPROV_SAME_NODE]	= "same_node",
	[CPROV_CLASS]		= "class",
	[CPROV_EXPIRED]		= "expired",
	[CPROV_OFFLINE]		= "offline",
	[CPROV_POLLED]		= "polled",
	[CPROV_THREADED_IRQS]	= "threaded_irqs",
	[CPROV_RQ_AFFINITY]	= "rq_affinity",
	[CPROV_ISOLATED]	= "isolated",
	[CPROV_DISABLED]	= "disabled",
	[CPROV_SWAMPED]		= "swamped",
};
EXPORT_SYMBOL_IF_KUNIT(cprov_reason_names);

const char *const cprov_deferral_names[CPROV_NR_DEFERRALS] = {
	[CPROV_DEFER_SOFTIRQ]	= "softirq",
	[CPROV_DEFER_KBLOCKD]	= "kblockd",
};
EXPORT_SYMBOL_IF_KUNIT(cprov_deferral_names);

const char *const cprov_flag_names[CPROV_NR_FLAGS] = {
	[const_ilog2(IO_LOCALITY_ANTI_MIGRATE)]		= "anti_migrate",
	[const_ilog2(IO_LOCALITY_BOUNDED_BATCH)]	= "bounded_batch",
	[const_ilog2(IO_LOCALITY_REUSE_REGISTRATION)]	= "reuse_registration",
	[const_ilog2(IO_LOCALITY_FOLLOW_TASK)]		= "follow_task",
};
EXPORT_SYMBOL_IF_KUNIT(cprov_flag_names);
static_assert(BIT(CPROV_NR_FLAGS) - 1 == IO_LOCALITY_FLAGS_ALL);

static const char cprov_space[] = " \t\n";

static int cprov_lookup(const char *const *names, unsigned int nr,
			const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (strlen(names[i]) == len && !strncmp(names[i], name, len))
			return i;
	}
	return -EINVAL;
}

/* Names separated by white space, in any order, as a mask of their indices. */
static int cprov_parse_names(const char *const *names, unsigned int nr,
			     const char *text, unsigned int *mask)
{
	unsigned int found = 0;

	text += strspn(text, cprov_space);
	while (*text) {
		size_t len = strcspn(text, cprov_space);
		int index = cprov_lookup(names, nr, text, len);

		if (index < 0)
			return index;
		found |= BIT(index);
		text += len;
		text += strspn(text, cprov_space);
	}
	*mask = found;
	return 0;
}

/**
 * cprov_parse_classes - read a list of class names
 * @text: names separated by white space, in any order; none is a list too
 * @mask: set to BIT(class) of each; unchanged on error
 *
 * Context: Any.
 * Return: 0, or -EINVAL if @text has anything but names of classes.
 */
int cprov_parse_classes(const char *text, unsigned int *mask)
{
	return cprov_parse_names(cprov_class_names, IO_LOCALITY_NR_CLASSES,
				 text, mask);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_parse_classes);

/**
 * cprov_parse_class - read the name of a class
 * @text: a name, with or without a line's end, and nothing else
 * @class: set to the class; unchanged on error
 *
 * Context: Any.
 * Return: 0, or -EINVAL if @text is not the name of a class.
 */
int cprov_parse_class(const char *text, unsigned int *class)
{
	size_t len = strcspn(text, "\n");
	int found = cprov_lookup(cprov_class_names, IO_LOCALITY_NR_CLASSES,
				 text, len);

	if (found < 0 || (text[len] && text[len + 1]))
		return -EINVAL;
	*class = found;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_parse_class);

/**
 * cprov_parse_flags - read a list of names of hint flags
 * @text: names separated by white space, in any order; none is a list too
 * @flags: set to the flags, IO_LOCALITY_*; unchanged on error
 *
 * Context: Any.
 * Return: 0, or -EINVAL if @text has anything but names of flags.
 */
int cprov_parse_flags(const char *text, unsigned int *flags)
{
	return cprov_parse_names(cprov_flag_names, CPROV_NR_FLAGS, text, flags);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_parse_flags);
