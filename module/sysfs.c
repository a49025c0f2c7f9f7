// SPDX-License-Identifier: GPL-2.0-only
#include "sysfs.h"

#include <linux/bits.h>
#include <linux/kobject.h>
#include <linux/limits.h>
#include <linux/sysfs.h>
#include <linux/time64.h>

#include "counters.h"
#include "names.h"
#include "parse.h"

/* Documentation/policy.rst says where the numbers come from. */
struct cprov_knobs cprov_knobs __read_mostly = {
	.enabled	= true,
	.steer_classes	= BIT(IO_LOCALITY_CLASS_LATENCY) |
			  BIT(IO_LOCALITY_CLASS_STEP_CRITICAL),
	.bind_classes	= BIT(IO_LOCALITY_CLASS_LATENCY) |
			  BIT(IO_LOCALITY_CLASS_STEP_CRITICAL),
	.exact_classes	= BIT(IO_LOCALITY_CLASS_LATENCY) |
			  BIT(IO_LOCALITY_CLASS_STEP_CRITICAL),
	.window_us = {
		[IO_LOCALITY_CLASS_THROUGHPUT]	  = 10 * USEC_PER_MSEC,
		[IO_LOCALITY_CLASS_LATENCY]	  = 10 * USEC_PER_MSEC,
		[IO_LOCALITY_CLASS_STEP_CRITICAL] = 100 * USEC_PER_MSEC,
		[IO_LOCALITY_CLASS_PREFETCH]	  = 10 * USEC_PER_MSEC,
	},
	.limits.per_second = {
		[CPROV_PAYER_USER] = {
			[CPROV_LIMIT_STEP_CRITICAL]	= 100000,
			[CPROV_LIMIT_STEERED]		= 200000,
		},
		[CPROV_PAYER_CGROUP] = {
			[CPROV_LIMIT_STEP_CRITICAL]	= 100000,
			[CPROV_LIMIT_STEERED]		= 200000,
		},
	},
	.cpu_steered	= 250000,
};

/* A file that is one of many: @index says which. */
struct cprov_attribute {
	struct kobj_attribute	kattr;
	unsigned int		index;
};

static unsigned int cprov_attribute_index(struct kobj_attribute *attr)
{
	return container_of(attr, struct cprov_attribute, kattr)->index;
}

/* ---- knobs ---- */

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(cprov_knobs.enabled));
}

static ssize_t enabled_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	unsigned int value;
	int ret;

	ret = cprov_parse_uint(buf, 1, &value);
	if (ret)
		return ret;
	cprov_switch(value);
	return count;
}

static struct kobj_attribute cprov_enabled_attr = __ATTR_RW(enabled);

/* A file that is a set of classes. */
struct cprov_classes_attribute {
	struct kobj_attribute	kattr;
	unsigned int		*knob;
};

static unsigned int *cprov_classes_of(struct kobj_attribute *attr)
{
	return container_of(attr, struct cprov_classes_attribute, kattr)->knob;
}

static ssize_t classes_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	unsigned int mask = READ_ONCE(*cprov_classes_of(attr));
	unsigned int class;
	int len = 0;

	for (class = 0; class < IO_LOCALITY_NR_CLASSES; class++) {
		if (mask & BIT(class))
			len += sysfs_emit_at(buf, len, "%s%s", len ? " " : "",
					     cprov_class_names[class]);
	}
	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t classes_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	unsigned int mask;
	int ret;

	ret = cprov_parse_classes(buf, &mask);
	if (ret)
		return ret;
	/* Read by decisions on any CPU. */
	WRITE_ONCE(*cprov_classes_of(attr), mask);
	return count;
}

static struct cprov_classes_attribute cprov_steer_classes_attr = {
	.kattr	= __ATTR(steer_classes, 0644, classes_show, classes_store),
	.knob	= &cprov_knobs.steer_classes,
};

static struct cprov_classes_attribute cprov_bind_classes_attr = {
	.kattr	= __ATTR(bind_classes, 0644, classes_show, classes_store),
	.knob	= &cprov_knobs.bind_classes,
};

static struct cprov_classes_attribute cprov_exact_classes_attr = {
	.kattr	= __ATTR(exact_classes, 0644, classes_show, classes_store),
	.knob	= &cprov_knobs.exact_classes,
};

static struct attribute *cprov_knob_attrs[] = {
	&cprov_enabled_attr.attr,
	&cprov_steer_classes_attr.kattr.attr,
	&cprov_bind_classes_attr.kattr.attr,
	&cprov_exact_classes_attr.kattr.attr,
	NULL
};

static const struct attribute_group cprov_knob_group = {
	.attrs = cprov_knob_attrs,
};

static ssize_t window_us_show(struct kobject *kobj, struct kobj_attribute *attr,
			      char *buf)
{
	unsigned int class = cprov_attribute_index(attr);

	return sysfs_emit(buf, "%u\n", READ_ONCE(cprov_knobs.window_us[class]));
}

static ssize_t window_us_store(struct kobject *kobj,
			       struct kobj_attribute *attr, const char *buf,
			       size_t count)
{
	unsigned int class = cprov_attribute_index(attr);
	unsigned int value;
	int ret;

	ret = cprov_parse_uint(buf, UINT_MAX, &value);
	if (ret)
		return ret;
	WRITE_ONCE(cprov_knobs.window_us[class], value);
	return count;
}

static struct cprov_attribute cprov_windows[IO_LOCALITY_NR_CLASSES];
static struct attribute *cprov_window_attrs[IO_LOCALITY_NR_CLASSES + 1];

static const struct attribute_group cprov_window_group = {
	.name	= "window_us",
	.attrs	= cprov_window_attrs,
};

/* The files' index is that of the limit in all payers' limits; the CPUs' is the last. */
#define CPROV_CPU_LIMIT		(CPROV_NR_PAYERS * CPROV_NR_LIMITS)
#define CPROV_LIMIT_FILES	(CPROV_CPU_LIMIT + 1)

static unsigned int *cprov_limit_of(unsigned int index)
{
	if (index == CPROV_CPU_LIMIT)
		return &cprov_knobs.cpu_steered;
	return &cprov_knobs.limits.per_second[index / CPROV_NR_LIMITS]
					     [index % CPROV_NR_LIMITS];
}

static ssize_t limit_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	unsigned int *limit = cprov_limit_of(cprov_attribute_index(attr));

	return sysfs_emit(buf, "%u\n", READ_ONCE(*limit));
}

static ssize_t limit_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned int *limit = cprov_limit_of(cprov_attribute_index(attr));
	unsigned int value;
	int ret;

	ret = cprov_parse_uint(buf, UINT_MAX, &value);
	if (ret)
		return ret;
	WRITE_ONCE(*limit, value);
	return count;
}

static const char *const cprov_limit_names[CPROV_LIMIT_FILES] = {
	[CPROV_PAYER_USER * CPROV_NR_LIMITS +
	 CPROV_LIMIT_STEP_CRITICAL]	= "user_step_critical",
	[CPROV_PAYER_USER * CPROV_NR_LIMITS +
	 CPROV_LIMIT_STEERED]		= "user_steered",
	[CPROV_PAYER_CGROUP * CPROV_NR_LIMITS +
	 CPROV_LIMIT_STEP_CRITICAL]	= "cgroup_step_critical",
	[CPROV_PAYER_CGROUP * CPROV_NR_LIMITS +
	 CPROV_LIMIT_STEERED]		= "cgroup_steered",
	[CPROV_CPU_LIMIT]		= "cpu_steered",
};

static struct cprov_attribute cprov_limits[CPROV_LIMIT_FILES];
static struct attribute *cprov_limit_attrs[CPROV_LIMIT_FILES + 1];

static const struct attribute_group cprov_limit_group = {
	.name	= "limits",
	.attrs	= cprov_limit_attrs,
};

static const struct attribute_group *cprov_root_groups[] = {
	&cprov_knob_group,
	&cprov_window_group,
	&cprov_limit_group,
	NULL
};

/* ---- counters ---- */

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  cprov_counter_read(cprov_attribute_index(attr)));
}

static ssize_t reset_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned int value;

	if (cprov_parse_uint(buf, 1, &value) || !value)
		return -EINVAL;
	cprov_counters_reset();
	return count;
}

static struct kobj_attribute cprov_reset_attr = __ATTR_WO(reset);

static struct attribute *cprov_reset_attrs[] = {
	&cprov_reset_attr.attr,
	NULL
};

static const struct attribute_group cprov_reset_group = {
	.attrs = cprov_reset_attrs,
};

static struct cprov_attribute cprov_deferrals[CPROV_NR_DEFERRALS];
static struct attribute *cprov_deferral_attrs[CPROV_NR_DEFERRALS + 1];

static const struct attribute_group cprov_deferral_group = {
	.name	= "deferred",
	.attrs	= cprov_deferral_attrs,
};

static const char *const cprov_payer_names[CPROV_NR_PAYERS] = {
	[CPROV_PAYER_USER]	= "user",
	[CPROV_PAYER_CGROUP]	= "cgroup",
};

static struct cprov_attribute cprov_over_limits[CPROV_NR_PAYERS];
static struct attribute *cprov_over_limit_attrs[CPROV_NR_PAYERS + 1];

static const struct attribute_group cprov_over_limit_group = {
	.name	= "over_limit",
	.attrs	= cprov_over_limit_attrs,
};

static const struct attribute_group *cprov_counter_groups[] = {
	&cprov_reset_group,
	&cprov_deferral_group,
	&cprov_over_limit_group,
	NULL
};

/* A directory of each kind, in it one of each class, in it one file a reason. */
struct cprov_class_dir {
	struct cprov_attribute	files[CPROV_NR_REASONS];
	struct attribute	*attrs[CPROV_NR_REASONS + 1];
	struct attribute_group	group;
};

struct cprov_kind_dir {
	struct kobject			*kobj;
	struct cprov_class_dir		classes[IO_LOCALITY_NR_CLASSES];
	const struct attribute_group	*groups[IO_LOCALITY_NR_CLASSES + 1];
};

static struct cprov_kind_dir cprov_kind_dirs[CPROV_NR_KINDS];

static const char *const cprov_kind_names[CPROV_NR_KINDS] = {
	[CPROV_KIND_QUEUE]	= "queue",
	[CPROV_KIND_COMPLETE]	= "complete",
};

/* ---- all of it ---- */

static struct attribute *cprov_counter_file(struct cprov_attribute *file,
					    const char *name,
					    unsigned int counter)
{
	file->kattr = (struct kobj_attribute) {
		.attr = { .name = name, .mode = 0444 },
		.show = counter_show,
	};
	file->index = counter;
	return &file->kattr.attr;
}

static struct attribute *cprov_window_file(struct cprov_attribute *file,
					   unsigned int class)
{
	file->kattr = (struct kobj_attribute) {
		.attr = { .name = cprov_class_names[class], .mode = 0644 },
		.show = window_us_show,
		.store = window_us_store,
	};
	file->index = class;
	return &file->kattr.attr;
}

static struct attribute *cprov_limit_file(struct cprov_attribute *file,
					  unsigned int index)
{
	file->kattr = (struct kobj_attribute) {
		.attr = { .name = cprov_limit_names[index], .mode = 0644 },
		.show = limit_show,
		.store = limit_store,
	};
	file->index = index;
	return &file->kattr.attr;
}

static void cprov_fill_class_dir(struct cprov_class_dir *dir,
				 enum cprov_kind kind, unsigned int class)
{
	unsigned int reason;

	for (reason = 0; reason < CPROV_NR_REASONS; reason++)
		dir->attrs[reason] =
			cprov_counter_file(&dir->files[reason],
					   cprov_reason_names[reason],
					   cprov_decision_counter(kind, class,
								  reason));
	dir->group.name = cprov_class_names[class];
	dir->group.attrs = dir->attrs;
}

/* The tables of attributes, from the tables of names. */
static void cprov_fill_tables(void)
{
	unsigned int class, kind, where, limit, payer;

	for (class = 0; class < IO_LOCALITY_NR_CLASSES; class++)
		cprov_window_attrs[class] =
			cprov_window_file(&cprov_windows[class], class);

	for (where = 0; where < CPROV_NR_DEFERRALS; where++)
		cprov_deferral_attrs[where] =
			cprov_counter_file(&cprov_deferrals[where],
					   cprov_deferral_names[where],
					   cprov_deferral_counter(where));

	for (limit = 0; limit < CPROV_LIMIT_FILES; limit++)
		cprov_limit_attrs[limit] =
			cprov_limit_file(&cprov_limits[limit], limit);

	for (payer = 0; payer < CPROV_NR_PAYERS; payer++)
		cprov_over_limit_attrs[payer] =
			cprov_counter_file(&cprov_over_limits[payer],
					   cprov_payer_names[payer],
					   cprov_over_limit_counter(payer));

	for (kind = 0; kind < CPROV_NR_KINDS; kind++) {
		struct cprov_kind_dir *dir = &cprov_kind_dirs[kind];

		for (class = 0; class < IO_LOCALITY_NR_CLASSES; class++) {
			cprov_fill_class_dir(&dir->classes[class], kind, class);
			dir->groups[class] = &dir->classes[class].group;
		}
	}
}

static struct kobject *cprov_root;
static struct kobject *cprov_counter_root;

/* On error nothing is left, and *@kobj is NULL. */
static int cprov_create_dir(struct kobject **kobj, const char *name,
			    struct kobject *parent,
			    const struct attribute_group **groups)
{
	int ret;

	*kobj = kobject_create_and_add(name, parent);
	if (!*kobj)
		return -ENOMEM;
	ret = sysfs_create_groups(*kobj, groups);
	if (ret) {
		kobject_put(*kobj);
		*kobj = NULL;
	}
	return ret;
}

/*
 * The memory of a kobject may be freed later, since it is the core's. Its files
 * are this module's, so they must go now; that waits for readers and writers.
 */
static void cprov_remove_dir(struct kobject **kobj)
{
	kobject_del(*kobj);
	kobject_put(*kobj);
	*kobj = NULL;
}

/**
 * cprov_sysfs_init - create the directory
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative error; then nothing is left of it.
 */
int cprov_sysfs_init(void)
{
	unsigned int kind;
	int ret;

	cprov_fill_tables();
	ret = cprov_create_dir(&cprov_root, "completion_provenance",
			       kernel_kobj, cprov_root_groups);
	if (!ret)
		ret = cprov_create_dir(&cprov_counter_root, "counters",
				       cprov_root, cprov_counter_groups);
	for (kind = 0; !ret && kind < CPROV_NR_KINDS; kind++)
		ret = cprov_create_dir(&cprov_kind_dirs[kind].kobj,
				       cprov_kind_names[kind],
				       cprov_counter_root,
				       cprov_kind_dirs[kind].groups);
	if (ret)
		cprov_sysfs_exit();
	return ret;
}

/**
 * cprov_sysfs_exit - remove as much of the directory as there is
 *
 * When it returns no file of it is being read or written.
 *
 * Context: Process context. May sleep.
 */
void cprov_sysfs_exit(void)
{
	unsigned int kind;

	for (kind = 0; kind < CPROV_NR_KINDS; kind++)
		cprov_remove_dir(&cprov_kind_dirs[kind].kobj);
	cprov_remove_dir(&cprov_counter_root);
	cprov_remove_dir(&cprov_root);
}
