// SPDX-License-Identifier: GPL-2.0-only
/*
 * The names that files in sysfs and configfs have and take.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "names.h"

static const struct cprov_list {
	const char	*text;
	int		ret;
	unsigned int	mask;
} cprov_lists[] = {
	{ "", 0, 0 },
	{ "\n", 0, 0 },
	{ " \t\n", 0, 0 },
	{ "throughput", 0, BIT(IO_LOCALITY_CLASS_THROUGHPUT) },
	{ "latency\n", 0, BIT(IO_LOCALITY_CLASS_LATENCY) },
	{ "latency step_critical\n", 0, BIT(IO_LOCALITY_CLASS_LATENCY) |
					BIT(IO_LOCALITY_CLASS_STEP_CRITICAL) },
	{ "\tprefetch  latency ", 0, BIT(IO_LOCALITY_CLASS_PREFETCH) |
				     BIT(IO_LOCALITY_CLASS_LATENCY) },
	{ "latency latency", 0, BIT(IO_LOCALITY_CLASS_LATENCY) },
	{ "late", -EINVAL },
	{ "latencyx", -EINVAL },
	{ "LATENCY", -EINVAL },
	{ "latency,prefetch", -EINVAL },
	{ "latency 2", -EINVAL },
	{ "latency none", -EINVAL },
	{ "none latency", -EINVAL },
};

static void cprov_test_parse_classes(struct kunit *test)
{
	const unsigned int before = 0x5a5a;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cprov_lists); i++) {
		const struct cprov_list *list = &cprov_lists[i];
		unsigned int mask = before;

		KUNIT_EXPECT_EQ_MSG(test, cprov_parse_classes(list->text, &mask),
				    list->ret, "'%s'", list->text);
		KUNIT_EXPECT_EQ_MSG(test, mask, list->ret ? before : list->mask,
				    "'%s'", list->text);
	}
}

static void cprov_test_parse_class(struct kunit *test)
{
	static const char *const bad[] = {
		"", "\n", " latency", "latency ", "latency\n\n", "latency\nx",
		"late", "latencyx", "LATENCY", "1", "latency prefetch",
	};
	const unsigned int before = 0x5a5a;
	unsigned int i, class;
	char line[32];

	for (i = 0; i < IO_LOCALITY_NR_CLASSES; i++) {
		class = before;
		KUNIT_EXPECT_EQ(test, cprov_parse_class(cprov_class_names[i],
							&class), 0);
		KUNIT_EXPECT_EQ(test, class, i);
		class = before;
		snprintf(line, sizeof(line), "%s\n", cprov_class_names[i]);
		KUNIT_EXPECT_EQ(test, cprov_parse_class(line, &class), 0);
		KUNIT_EXPECT_EQ(test, class, i);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		class = before;
		KUNIT_EXPECT_EQ_MSG(test, cprov_parse_class(bad[i], &class),
				    -EINVAL, "'%s'", bad[i]);
		KUNIT_EXPECT_EQ(test, class, before);
	}
}

static void cprov_test_parse_flags(struct kunit *test)
{
	unsigned int flags = 0x5a5a;

	KUNIT_EXPECT_EQ(test, cprov_parse_flags("latency", &flags), -EINVAL);
	KUNIT_EXPECT_EQ(test, cprov_parse_flags("follow_task 8", &flags),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, flags, 0x5a5a);
	KUNIT_EXPECT_EQ(test, cprov_parse_flags("\n", &flags), 0);
	KUNIT_EXPECT_EQ(test, flags, 0);
	KUNIT_EXPECT_EQ(test, cprov_parse_flags("follow_task anti_migrate\n",
						&flags), 0);
	KUNIT_EXPECT_EQ(test, flags, IO_LOCALITY_FOLLOW_TASK |
				     IO_LOCALITY_ANTI_MIGRATE);
	KUNIT_EXPECT_EQ(test, cprov_parse_flags("bounded_batch", &flags), 0);
	KUNIT_EXPECT_EQ(test, flags, IO_LOCALITY_BOUNDED_BATCH);
	KUNIT_EXPECT_EQ(test, cprov_parse_flags("reuse_registration", &flags),
			0);
	KUNIT_EXPECT_EQ(test, flags, IO_LOCALITY_REUSE_REGISTRATION);
}

static void cprov_expect_names(struct kunit *test, const char *const *names,
			       unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_NOT_NULL_MSG(test, names[i], "name %u", i);
		/* Each is a file's name and a word of a list. */
		KUNIT_EXPECT_GT(test, strlen(names[i]), 0);
		KUNIT_EXPECT_NULL_MSG(test, strpbrk(names[i], "/. \t\n"),
				      "%s", names[i]);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, names[i], names[j]);
	}
}

static void cprov_test_names(struct kunit *test)
{
	cprov_expect_names(test, cprov_class_names, IO_LOCALITY_NR_CLASSES);
	cprov_expect_names(test, cprov_reason_names, CPROV_NR_REASONS);
	cprov_expect_names(test, cprov_deferral_names, CPROV_NR_DEFERRALS);
	cprov_expect_names(test, cprov_flag_names, CPROV_NR_FLAGS);
}

static struct kunit_case cprov_names_cases[] = {
	KUNIT_CASE(cprov_test_parse_classes),
	KUNIT_CASE(cprov_test_parse_class),
	KUNIT_CASE(cprov_test_parse_flags),
	KUNIT_CASE(cprov_test_names),
	{}
};

static struct kunit_suite cprov_names_suite = {
	.name		= "cprov-names",
	.test_cases	= cprov_names_cases,
};

kunit_test_suite(cprov_names_suite);
