// SPDX-License-Identifier: GPL-2.0-only
#include "names.h"

#include <kunit/visibility.h>
#include <linux/bits.h>
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
};
EXPORT_SYMBOL_IF_KUNIT(cprov_reason_names);

const char *const cprov_deferral_names[CPROV_NR_DEFERRALS] = {
	[CPROV_DEFER_SOFTIRQ]	= "softirq",
	[CPROV_DEFER_KBLOCKD]	= "kblockd",
};
EXPORT_SYMBOL_IF_KUNIT(cprov_deferral_names);

static int cprov_class_by_name(const char *name, size_t len)
{
	int class;

	for (class = 0; class < IO_LOCALITY_NR_CLASSES; class++) {
		if (strlen(cprov_class_names[class]) == len &&
		    !strncmp(cprov_class_names[class], name, len))
			return class;
	}
	return -EINVAL;
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
	static const char space[] = " \t\n";
	unsigned int found = 0;

	text += strspn(text, space);
	while (*text) {
		size_t len = strcspn(text, space);
		int class = cprov_class_by_name(text, len);

		if (class < 0)
			return class;
		found |= BIT(class);
		text += len;
		text += strspn(text, space);
	}
	*mask = found;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_parse_classes);
