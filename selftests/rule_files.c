// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the files of a rule take and show: a rule is changed only while it is
 * not active, a bad value changes nothing, and a rule that makes no sense does
 * not become active.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534
#define R "cprov-test"

T_FIXTURE(rule, T_KERNEL | T_ROOT | T_RULE)

static const char *get(const char *attr)
{
	return t_rule_get(R, attr);
}

static int set(const char *attr, const char *value)
{
	return t_rule_set(R, attr, value);
}

static const struct {
	const char *attr, *def, *good, *other;
} attrs[] = {
	{ "order", "100", "0", "65535" },
	{ "comm", "", "db", "0123456789abcde" },
	{ "uid", "", "0", "4294967294" },
	{ "cgroup", "", "/", "/system.slice/db@1.service" },
	{ "class", "latency", "step_critical", "prefetch" },
	{ "budget_us", "0", "1", "4294967295" },
	{ "home_cpu", "-1", "0", "32767" },
	{ "home_node", "-1", "0", "32767" },
	{ "flow_id", "0", "1", "4294967295" },
	{ "flags", "", "follow_task", "anti_migrate bounded_batch" },
	{ "active", "0", "0", "0" },
};

T_TEST_F(rule, begins_empty)
{
	ASSERT_EQ(0, t_rule_make(R));
	for (size_t i = 0; i < T_ARRAY_SIZE(attrs); i++)
		EXPECT_STREQ(attrs[i].def, get(attrs[i].attr));
	EXPECT_EQ(0, t_rule_rings(R));
}

T_TEST_F(rule, shows_what_it_was_told)
{
	ASSERT_EQ(0, t_rule_make(R));
	for (size_t i = 0; i < T_ARRAY_SIZE(attrs); i++) {
		EXPECT_EQ(0, set(attrs[i].attr, attrs[i].good));
		EXPECT_STREQ(attrs[i].good, get(attrs[i].attr));
		EXPECT_EQ(0,
			  set(attrs[i].attr, t_text("%s\n", attrs[i].other)));
		EXPECT_STREQ(attrs[i].other, get(attrs[i].attr));
		/* An empty line takes a condition away. */
		EXPECT_EQ(0, set(attrs[i].attr,
				 *attrs[i].def ? attrs[i].def : "\n"));
		EXPECT_STREQ(attrs[i].def, get(attrs[i].attr));
	}
}

static const struct {
	const char *attr, *value;
} bad[] = {
	{ "order", "-1" },
	{ "order", "65536" },
	{ "order", "\n" },
	{ "order", "1 2" },
	{ "comm", "0123456789abcdef" },
	{ "comm", "a\nb" },
	{ "uid", "4294967295" },
	{ "uid", "-1" },
	{ "uid", "root" },
	{ "cgroup", "system.slice" },
	{ "cgroup", "/a/" },
	{ "cgroup", "/a//b" },
	{ "cgroup", "/a/../b" },
	{ "cgroup", "/.\n" },
	{ "cgroup", "/a\n/b" },
	{ "class", "\n" },
	{ "class", "fast" },
	{ "class", "1" },
	{ "class", "latency prefetch" },
	{ "budget_us", "4294967296" },
	{ "budget_us", "200us" },
	{ "budget_us", "-1" },
	{ "home_cpu", "-2" },
	{ "home_cpu", "32768" },
	{ "home_cpu", "\n" },
	{ "home_node", "-2" },
	{ "home_node", "x" },
	{ "flow_id", "-1" },
	{ "flow_id", "4294967296" },
	{ "flags", "follow_task fast" },
	{ "flags", "8" },
	{ "active", "2" },
	{ "active", "yes" },
	{ "active", "\n" },
};

T_TEST_F(rule, refuses_bad_values)
{
	ASSERT_EQ(0, t_rule_make(R));
	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		const char *before = get(bad[i].attr);

		T_EXPECT_EQ(-EINVAL, set(bad[i].attr, bad[i].value),
			    "%s of '%s'", bad[i].attr, bad[i].value);
		EXPECT_STREQ(before, get(bad[i].attr));
	}
	EXPECT_EQ(-EACCES, set("rings", "0"));
}

/* Nothing behind a byte that ends the text. */
T_TEST_F(rule, refuses_binary)
{
	static const char binary[] = "db\0x";
	int fd;

	ASSERT_EQ(0, t_rule_make(R));
	fd = open(T_RULES "/" R "/comm", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, write(fd, binary, sizeof(binary)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_STREQ("", get("comm"));
}

/* More than a page takes is not cut to what fits. */
T_TEST_F(rule, refuses_long_paths)
{
	static char path[4096];
	int fd;

	ASSERT_EQ(0, t_rule_make(R));
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	fd = open(T_RULES "/" R "/cgroup", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (size_t len = 4001; len <= sizeof(path); len++)
		T_EXPECT_EQ(-1, write(fd, path, len), "%zu bytes", len);
	EXPECT_STREQ("", get("cgroup"));
	EXPECT_EQ(4000, write(fd, path, 4000));
}

T_TEST_F(rule, refuses_bad_names)
{
	EXPECT_EQ(-EINVAL, t_rule_make("two words"));
	EXPECT_EQ(-EINVAL, t_rule_make("new\nline"));
	EXPECT_EQ(-EINVAL, t_rule_make("\xc3\xa4"));
	ASSERT_EQ(0, t_rule_make("50-of_any.other@sort"));
	EXPECT_EQ(-EEXIST, t_rule_make("50-of_any.other@sort"));
}

T_TEST_F(rule, is_not_changed_while_it_holds)
{
	T_OK(t_rule(R, "comm=cprov-nobody flow_id=7"));
	EXPECT_STREQ("1", get("active"));
	for (size_t i = 0; i < T_ARRAY_SIZE(attrs) - 1; i++) {
		const char *before = get(attrs[i].attr);

		T_EXPECT_EQ(-EBUSY, set(attrs[i].attr, attrs[i].good), "%s",
			    attrs[i].attr);
		EXPECT_STREQ(before, get(attrs[i].attr));
	}
	/* It is already: no change. */
	EXPECT_EQ(0, set("active", "1"));
	EXPECT_EQ(0, set("active", "0"));
	EXPECT_EQ(0, set("active", "0"));
	EXPECT_EQ(0, set("flow_id", "8"));
	EXPECT_EQ(0, set("active", "1"));
	EXPECT_STREQ("8", get("flow_id"));
}

T_TEST_F(rule, needs_a_condition)
{
	ASSERT_EQ(0, t_rule_make(R));
	EXPECT_EQ(-EINVAL, set("active", "1"));
	EXPECT_STREQ("0", get("active"));
	ASSERT_EQ(0, set("uid", "12345"));
	EXPECT_EQ(0, set("active", "1"));
	ASSERT_EQ(0, set("active", "0"));
	ASSERT_EQ(0, set("uid", "\n"));
	EXPECT_EQ(-EINVAL, set("active", "1"));
}

T_TEST_F(rule, needs_a_home_that_is_possible)
{
	int nr = t_nr_cpu_ids();

	ASSERT_EQ(0, t_rule_make(R));
	ASSERT_EQ(0, set("comm", "cprov-nobody"));
	ASSERT_EQ(0, set("home_cpu", t_text("%d", nr)));
	EXPECT_EQ(-EINVAL, set("active", "1"));
	ASSERT_EQ(0, set("home_cpu", t_text("%d", nr - 1)));
	EXPECT_EQ(0, set("active", "1"));
	ASSERT_EQ(0, set("active", "0"));
	ASSERT_EQ(0, set("home_cpu", "-1"));
	ASSERT_EQ(0, set("home_node", "1023"));
	EXPECT_EQ(-EINVAL, set("active", "1"));
	EXPECT_STREQ("0", get("active"));
}

T_TEST_F(rule, needs_a_home_that_agrees_with_its_node)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), here = t_node_of(cpus[0]);

	while (nr-- && t_node_of(cpus[nr]) == here)
		;
	if (nr < 0)
		T_SKIP("needs two nodes with CPUs");
	ASSERT_EQ(0, t_rule_make(R));
	ASSERT_EQ(0, set("comm", "cprov-nobody"));
	ASSERT_EQ(0, set("home_cpu", t_text("%d", cpus[nr])));
	ASSERT_EQ(0, set("home_node", t_text("%d", here)));
	EXPECT_EQ(-EINVAL, set("active", "1"));
	ASSERT_EQ(0, set("home_cpu", t_text("%d", cpus[0])));
	EXPECT_EQ(0, set("active", "1"));
}

/* Each is asked at every ring that is made, so there is a limit. */
T_TEST_F(rule, there_may_not_be_too_many)
{
	int made, ret = 0;

	for (made = 0; made < 300 && !ret; made++)
		ret = t_rule_make(t_text("cprov-many-%d", made));
	made--;
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_LE(100, made);
	/* One that goes makes room for one. */
	ASSERT_EQ(0, t_rule_del("cprov-many-0"));
	EXPECT_EQ(0, t_rule_make("cprov-many-0"));
	EXPECT_EQ(-ENOSPC, t_rule_make(R));
}

/* But may look. */
T_TEST_F(rule, is_for_root_to_make)
{
	T_OK(t_rule(R, "comm=cprov-nobody"));
	ASSERT_EQ(0, setresgid(NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	EXPECT_EQ(-EACCES, t_rule_make("cprov-of-nobody"));
	EXPECT_EQ(-EACCES, t_rule_del(R));
	EXPECT_EQ(-EACCES, set("active", "0"));
	EXPECT_EQ(-EACCES, set("flow_id", "1"));
	EXPECT_STREQ("cprov-nobody", get("comm"));
	EXPECT_STREQ("1", get("active"));
}

TEST_HARNESS_MAIN
