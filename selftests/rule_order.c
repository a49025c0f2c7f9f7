// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which rule decides: the first that matches, by order and then by name,
 * whatever order they were made in.
 */
#include <errno.h>

#include "t_harness.h"

T_FIXTURE(rule, T_KERNEL | T_ROOT | T_RULE | T_TASK_DEFAULT)

static int flow(void)
{
	const struct t_who who = { .comm = "cprov-any" };

	return t_new_ring_as(&who);
}

static int off(const char *rule)
{
	return t_rule_set(rule, "active", "0");
}

T_TEST_F(rule, the_lowest_order_first)
{
	T_OK(t_rule("cprov-b", "cgroup=/ order=20 flow_id=20"));
	T_OK(t_rule("cprov-a", "cgroup=/ order=100 flow_id=100"));
	T_OK(t_rule("cprov-d", "cgroup=/ order=3 flow_id=3"));
	T_OK(t_rule("cprov-c", "cgroup=/ order=10 flow_id=10"));
	EXPECT_EQ(3, flow());
	ASSERT_EQ(0, off("cprov-d"));
	EXPECT_EQ(10, flow());
	ASSERT_EQ(0, t_rule_del("cprov-c"));
	EXPECT_EQ(20, flow());
	ASSERT_EQ(0, off("cprov-b"));
	EXPECT_EQ(100, flow());
	ASSERT_EQ(0, off("cprov-a"));
	EXPECT_EQ(0, flow());
	/* Back to its place, not to the end. */
	ASSERT_EQ(0, t_rule_set("cprov-a", "active", "1"));
	ASSERT_EQ(0, t_rule_set("cprov-d", "active", "1"));
	ASSERT_EQ(0, t_rule_set("cprov-b", "active", "1"));
	EXPECT_EQ(3, flow());
}

T_TEST_F(rule, of_the_same_order_by_name)
{
	T_OK(t_rule("cprov-9", "cgroup=/ flow_id=9"));
	T_OK(t_rule("cprov-10", "cgroup=/ flow_id=10"));
	T_OK(t_rule("cprov-a", "cgroup=/ flow_id=1"));
	T_OK(t_rule("cprov-A", "cgroup=/ flow_id=2"));
	EXPECT_EQ(10, flow());
	ASSERT_EQ(0, off("cprov-10"));
	EXPECT_EQ(9, flow());
	ASSERT_EQ(0, off("cprov-9"));
	EXPECT_EQ(2, flow());
	ASSERT_EQ(0, off("cprov-A"));
	EXPECT_EQ(1, flow());
}

/* An exception from a rule is a rule before it. */
T_TEST_F(rule, one_that_does_not_match_is_passed_by)
{
	T_OK(t_rule("cprov-a", "comm=cprov-other order=1 flow_id=1"));
	T_OK(t_rule("cprov-b", "cgroup=/ order=2 flow_id=2"));
	EXPECT_EQ(2, flow());
	EXPECT_EQ(0, t_rule_rings("cprov-a"));
	EXPECT_EQ(1, t_rule_rings("cprov-b"));
}

T_TEST_F(rule, only_the_first_counts)
{
	T_OK(t_rule("cprov-a", "cgroup=/ order=1 flow_id=1"));
	T_OK(t_rule("cprov-b", "cgroup=/ order=2 flow_id=2"));
	for (int i = 0; i < 5; i++)
		EXPECT_EQ(1, flow());
	EXPECT_EQ(5, t_rule_rings("cprov-a"));
	EXPECT_EQ(0, t_rule_rings("cprov-b"));
}

TEST_HARNESS_MAIN
