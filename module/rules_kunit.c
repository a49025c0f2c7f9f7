// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules: which make sense, which is asked first, and whom each means.
 */
#include <kunit/test.h>
#include <linux/cpumask.h>
#include <linux/nodemask.h>
#include <linux/string.h>
#include <linux/topology.h>

#include "rules.h"

#define UID	1000

/* A process "db" of user UID in /apps/db/io. */
static const char *cprov_ancestor(const struct cprov_creator *who,
				  unsigned int level)
{
	static const char *const names[] = { "apps", "db", "io" };

	/* Level 0 is the root, whose name says nothing. */
	return level >= 1 && level <= ARRAY_SIZE(names) ? names[level - 1] :
							  NULL;
}

static const struct cprov_creator cprov_db = {
	.comm		= "db",
	.euid		= KUIDT_INIT(UID),
	.ancestor	= cprov_ancestor,
};

static const char *cprov_no_ancestor(const struct cprov_creator *who,
				     unsigned int level)
{
	return NULL;
}

/* One that matches nobody in particular, with a hint that is in order. */
static struct cprov_rule cprov_rule(void)
{
	return (struct cprov_rule) {
		.name	= "rule",
		.euid	= INVALID_UID,
		.hint	= {
			.io_class	= IO_LOCALITY_CLASS_LATENCY,
			.home_cpu	= -1,
			.home_node	= -1,
		},
	};
}

/* ---- conditions ---- */

static void cprov_test_match_comm(struct kunit *test)
{
	struct cprov_creator long_name = cprov_db;
	struct cprov_rule rule = cprov_rule();

	strscpy(rule.comm, "db");
	KUNIT_EXPECT_TRUE(test, cprov_rule_matches(&rule, &cprov_db));
	strscpy(rule.comm, "d");
	KUNIT_EXPECT_FALSE(test, cprov_rule_matches(&rule, &cprov_db));
	strscpy(rule.comm, "dbx");
	KUNIT_EXPECT_FALSE(test, cprov_rule_matches(&rule, &cprov_db));
	strscpy(rule.comm, "DB");
	KUNIT_EXPECT_FALSE(test, cprov_rule_matches(&rule, &cprov_db));

	/* All that a name can have. */
	long_name.comm = "0123456789abcde";
	strscpy(rule.comm, "0123456789abcde");
	KUNIT_EXPECT_TRUE(test, cprov_rule_matches(&rule, &long_name));
	strscpy(rule.comm, "0123456789abcdx");
	KUNIT_EXPECT_FALSE(test, cprov_rule_matches(&rule, &long_name));
}

static void cprov_test_match_uid(struct kunit *test)
{
	struct cprov_creator root = cprov_db;
	struct cprov_rule rule = cprov_rule();

	rule.euid = KUIDT_INIT(UID);
	KUNIT_EXPECT_TRUE(test, cprov_rule_matches(&rule, &cprov_db));
	rule.euid = KUIDT_INIT(UID + 1);
	KUNIT_EXPECT_FALSE(test, cprov_rule_matches(&rule, &cprov_db));
	/* 0 is a user like any other, not the absence of one. */
	rule.euid = GLOBAL_ROOT_UID;
	KUNIT_EXPECT_FALSE(test, cprov_rule_matches(&rule, &cprov_db));
	root.euid = GLOBAL_ROOT_UID;
	KUNIT_EXPECT_TRUE(test, cprov_rule_matches(&rule, &root));
}

static const struct cprov_group {
	const char	*path;
	bool		matches;
} cprov_groups[] = {
	{ "/", true },
	{ "/apps", true },
	{ "/apps/db", true },
	{ "/apps/db/io", true },
	{ "/apps/db/io/deeper", false },
	{ "/app", false },
	{ "/appsx", false },
	{ "/db", false },
	{ "/apps/d", false },
	{ "/apps/dbx", false },
	{ "/apps/io", false },
	{ "/apps/db/i", false },
};

static void cprov_test_match_cgroup(struct kunit *test)
{
	struct cprov_creator at_root = cprov_db;
	struct cprov_rule rule = cprov_rule();
	unsigned int i;

	at_root.ancestor = cprov_no_ancestor;
	for (i = 0; i < ARRAY_SIZE(cprov_groups); i++) {
		const char *path = cprov_groups[i].path;

		KUNIT_ASSERT_TRUE(test, cprov_cgroup_path_valid(path));
		rule.cgroup = path;
		KUNIT_EXPECT_EQ_MSG(test, cprov_rule_matches(&rule, &cprov_db),
				    cprov_groups[i].matches, "%s", path);
		KUNIT_EXPECT_EQ_MSG(test, cprov_rule_matches(&rule, &at_root),
				    !strcmp(path, "/"), "%s", path);
	}
}

/* Of three conditions each alone can fail. */
static void cprov_test_match_all(struct kunit *test)
{
	unsigned int fails;

	for (fails = 0; fails < 8; fails++) {
		struct cprov_rule rule = cprov_rule();

		strscpy(rule.comm, fails & 1 ? "web" : "db");
		rule.euid = KUIDT_INIT(fails & 2 ? UID + 1 : UID);
		rule.cgroup = fails & 4 ? "/services" : "/apps";
		KUNIT_EXPECT_EQ_MSG(test, cprov_rule_matches(&rule, &cprov_db),
				    !fails, "conditions that fail: %u", fails);
	}
}

/* ---- what makes sense ---- */

static void cprov_test_paths(struct kunit *test)
{
	static const char *const good[] = {
		"/", "/a", "/a/b", "/system.slice/db@1.service", "/...",
		"/.a", "/a.", "/..a", "/a b",
	};
	static const char *const bad[] = {
		"", "a", "a/b", "//", "/a/", "/a//b", "//a", "/.", "/..",
		"/a/.", "/a/..", "/a/../b", "/a/./b", "/a\n", "\n",
	};
	char *path;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_TRUE_MSG(test, cprov_cgroup_path_valid(good[i]),
				      "'%s'", good[i]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, cprov_cgroup_path_valid(bad[i]),
				       "'%s'", bad[i]);

	path = kunit_kzalloc(test, CPROV_MAX_CGROUP_PATH + 2, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, path);
	memset(path, 'a', CPROV_MAX_CGROUP_PATH);
	path[0] = '/';
	KUNIT_EXPECT_TRUE(test, cprov_cgroup_path_valid(path));
	path[CPROV_MAX_CGROUP_PATH] = 'a';
	KUNIT_EXPECT_FALSE(test, cprov_cgroup_path_valid(path));
}

static void cprov_test_rule_names(struct kunit *test)
{
	static const char *const bad[] = {
		"", " ", "a b", "a\tb", "a\n", "\x7f", "\xc3\xa4",
	};
	unsigned int i;

	KUNIT_EXPECT_TRUE(test, cprov_rule_name_valid("a"));
	KUNIT_EXPECT_TRUE(test, cprov_rule_name_valid("50-db.x_@"));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE_MSG(test, cprov_rule_name_valid(bad[i]),
				       "'%s'", bad[i]);
}

static void cprov_test_check_conditions(struct kunit *test)
{
	struct cprov_rule rule = cprov_rule();

	/* For everybody: only by saying so. */
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), -EINVAL);
	rule.cgroup = "/";
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), 0);
	rule.cgroup = "db";
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), -EINVAL);
	rule.cgroup = NULL;
	rule.euid = GLOBAL_ROOT_UID;
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), 0);
	rule.euid = INVALID_UID;
	strscpy(rule.comm, "db");
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), 0);
}

static int cprov_check_with(int cpu, int node)
{
	struct cprov_rule rule = cprov_rule();

	strscpy(rule.comm, "db");
	rule.hint.home_cpu = cpu;
	rule.hint.home_node = node;
	return cprov_rule_check(&rule);
}

static void cprov_test_check_home(struct kunit *test)
{
	unsigned int cpu;
	int node;

	for_each_possible_cpu(cpu) {
		KUNIT_EXPECT_EQ(test, cprov_check_with(cpu, -1), 0);
		for (node = 0; node < MAX_NUMNODES; node++)
			KUNIT_EXPECT_EQ_MSG(test, cprov_check_with(cpu, node),
					    node == cpu_to_node(cpu) ? 0 :
								       -EINVAL,
					    "CPU %u, node %d", cpu, node);
	}
	for (node = 0; node < MAX_NUMNODES; node++)
		KUNIT_EXPECT_EQ_MSG(test, cprov_check_with(-1, node),
				    node_possible(node) ? 0 : -EINVAL,
				    "node %d", node);
	KUNIT_EXPECT_EQ(test, cprov_check_with(nr_cpu_ids, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, cprov_check_with(S16_MAX, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, cprov_check_with(-2, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, cprov_check_with(-1, -2), -EINVAL);
	KUNIT_EXPECT_EQ(test, cprov_check_with(-1, MAX_NUMNODES), -EINVAL);
}

static void cprov_test_check_hint(struct kunit *test)
{
	struct cprov_rule rule = cprov_rule();

	strscpy(rule.comm, "db");
	rule.hint.flags = IO_LOCALITY_FLAGS_ALL;
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), 0);
	rule.hint.flags = IO_LOCALITY_FLAGS_ALL + 1;
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), -EINVAL);
	rule.hint.flags = 0;
	rule.hint.io_class = IO_LOCALITY_NR_CLASSES - 1;
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), 0);
	rule.hint.io_class = IO_LOCALITY_NR_CLASSES;
	KUNIT_EXPECT_EQ(test, cprov_rule_check(&rule), -EINVAL);
}

/* ---- the order ---- */

/* In the order in which they are asked. */
static const struct cprov_rule cprov_in_order[] = {
	{ .name = "z", .order = 0 },
	{ .name = "10", .order = 9 },
	{ .name = "9", .order = 9 },
	{ .name = "A", .order = 9 },
	{ .name = "a", .order = 9 },
	{ .name = "ab", .order = 9 },
	{ .name = "b", .order = 9 },
	{ .name = "a", .order = 10 },
	{ .name = "a", .order = 65535 },
};

static void cprov_test_order(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(cprov_in_order); i++) {
		for (j = 0; j < ARRAY_SIZE(cprov_in_order); j++)
			KUNIT_EXPECT_EQ_MSG(test,
					    cprov_rule_before(&cprov_in_order[i],
							      &cprov_in_order[j]),
					    i < j, "%u, %u", i, j);
	}
}

static struct kunit_case cprov_rules_cases[] = {
	KUNIT_CASE(cprov_test_match_comm),
	KUNIT_CASE(cprov_test_match_uid),
	KUNIT_CASE(cprov_test_match_cgroup),
	KUNIT_CASE(cprov_test_match_all),
	KUNIT_CASE(cprov_test_paths),
	KUNIT_CASE(cprov_test_rule_names),
	KUNIT_CASE(cprov_test_check_conditions),
	KUNIT_CASE(cprov_test_check_home),
	KUNIT_CASE(cprov_test_check_hint),
	KUNIT_CASE(cprov_test_order),
	{}
};

static struct kunit_suite cprov_rules_suite = {
	.name		= "cprov-rules",
	.test_cases	= cprov_rules_cases,
};

kunit_test_suite(cprov_rules_suite);
