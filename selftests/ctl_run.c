// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl run: a program that knows nothing of hints has one, so have those
 * that it starts, and its exit status is the program's.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534
#define SYSCTL "/proc/sys/kernel/completion_provenance"

FIXTURE(run)
{
	struct t_output o;
	struct t_dev dev;
	struct t_trace trace;
	const char *plain;
};

FIXTURE_SETUP(run)
{
	T_NEED(T_KERNEL | T_ROOT | T_CTL | T_POLICY | T_TRACE | T_NULL_BLK |
	       T_TASK_DEFAULT);
	T_OK(t_null_blk(&self->dev, ""));
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	self->plain = t_own_program("plain_read");
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(run)
{
	t_undo_all();
}

/* All that was read had the flow. */
static void check_flow(struct __test_metadata *_metadata,
		       FIXTURE_DATA(run) * self, __u32 flow)
{
	long long sectors;

	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("", self->o.err);
	T_OK(t_trace_load(&self->trace));
	sectors = t_sectors(&self->trace, &self->dev);
	EXPECT_NE(0, sectors);
	EXPECT_EQ(sectors, t_sectors_of(&self->trace, &self->dev, flow));
}

T_TEST_F(run, gives_a_hint)
{
	const struct t_event *event;

	t_sh(&self->o,
	     "cprovctl run --class step_critical --budget 60s --flow 77 -- %s %s",
	     self->plain, self->dev.path);
	check_flow(_metadata, self, 77);
	event = t_find(&self->trace, "cprov_complete", "flow_id", 77);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(IO_LOCALITY_CLASS_STEP_CRITICAL, t_field(event, "class", -1));
}

T_TEST_F(run, needs_no_dashes)
{
	t_sh(&self->o, "cprovctl run --flow 77 %s %s", self->plain,
	     self->dev.path);
	check_flow(_metadata, self, 77);
}

T_TEST_F(run, is_inherited)
{
	/* By exec of a shell, by its fork, and by exec again. */
	t_sh(&self->o,
	     "cprovctl run --flow 77 -- sh -c '%s %s; (%s %s) & wait'",
	     self->plain, self->dev.path, self->plain, self->dev.path);
	check_flow(_metadata, self, 77);
}

T_TEST_F(run, ends_with_the_program)
{
	t_sh(&self->o, "cprovctl run --flow 77 -- true; %s %s", self->plain,
	     self->dev.path);
	EXPECT_EQ(0, self->o.status);
	T_OK(t_trace_load(&self->trace));
	EXPECT_NE(0, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(0, t_sectors_of(&self->trace, &self->dev, 77));
}

/* The inner one has the last word. */
T_TEST_F(run, can_be_nested)
{
	t_sh(&self->o,
	     "cprovctl run --flow 77 -- cprovctl run --flow 78 -- %s %s",
	     self->plain, self->dev.path);
	check_flow(_metadata, self, 78);
}

T_TEST_F(run, is_for_anybody)
{
	ASSERT_EQ(0, chmod(self->dev.path, 0644));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	t_sh(&self->o, "cprovctl run --class latency --flow 77 -- %s %s",
	     self->plain, self->dev.path);
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("", self->o.err);
	ASSERT_EQ(0, setresuid(-1, NOBODY, -1));
	/* But not all of it: the program does not run without what was asked. */
	t_sh(&self->o, "cprovctl run --class step_critical -- echo ran");
	EXPECT_EQ(1, self->o.status);
	EXPECT_STREQ("", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "CAP_SYS_NICE"));
}

T_TEST_F(run, anybody_s_hint_reaches_the_device)
{
	t_sh(&self->o,
	     "chmod 644 %s && setpriv --reuid %d --clear-groups cprovctl run --flow 77 -- %s %s",
	     self->dev.path, NOBODY, self->plain, self->dev.path);
	check_flow(_metadata, self, 77);
}

T_TEST_F(run, passes_on_the_exit_status)
{
	t_sh(&self->o, "cprovctl run -- sh -c 'exit 42'");
	EXPECT_EQ(42, self->o.status);
	t_sh(&self->o, "cprovctl run -- sh -c 'kill -9 $$'");
	EXPECT_EQ(128 + 9, self->o.status);
	t_sh(&self->o, "cprovctl run -- cprov-not-there");
	EXPECT_EQ(127, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "cprov-not-there"));
	t_sh(&self->o, "cprovctl run -- /dev/null");
	EXPECT_EQ(126, self->o.status);
	t_sh(&self->o, "cprovctl run -- /");
	EXPECT_EQ(126, self->o.status);
}

/* Its options are its own. */
T_TEST_F(run, passes_on_the_arguments)
{
	t_sh(&self->o, "cprovctl run echo --class --strict --help -- x");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("--class --strict --help -- x\n", self->o.out);
}

T_TEST_F(run, goes_on_without_hints_but_says_so)
{
	ASSERT_EQ(0, t_set(SYSCTL, "0"));
	t_sh(&self->o, "cprovctl run -- echo ran");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("ran\n", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "kernel.completion_provenance"));
	EXPECT_NE(NULL, strstr(self->o.err, "running without a hint"));
	t_sh(&self->o, "cprovctl run --strict -- echo ran");
	EXPECT_EQ(1, self->o.status);
	EXPECT_STREQ("", self->o.out);
	ASSERT_EQ(0, t_set(SYSCTL, "1"));
	t_sh(&self->o, "cprovctl run --strict -- echo ran");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("", self->o.err);
}

#define DISABLED "/proc/sys/kernel/io_uring_disabled"

/* Where no ring can be there can be no hint. */
T_TEST_F(run, says_that_rings_are_disabled)
{
	ASSERT_EQ(0, t_set(DISABLED, "2"));
	t_sh(&self->o, "cprovctl run -- echo ran");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("ran\n", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "kernel.io_uring_disabled"));
	t_sh(&self->o, "cprovctl run --strict -- echo ran");
	EXPECT_EQ(1, self->o.status);
	EXPECT_STREQ("", self->o.out);
}

/* They may be for root and one group. */
T_TEST_F(run, says_that_rings_are_for_others)
{
	ASSERT_EQ(0, t_set(DISABLED, "1"));
	ASSERT_EQ(0, t_set("/proc/sys/kernel/io_uring_group", "4242"));
	t_sh(&self->o, "cprovctl run --strict -- echo ran");
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	t_sh(&self->o,
	     "setpriv --reuid %d --regid 4242 --clear-groups cprovctl run --strict -- echo ran",
	     NOBODY);
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	t_sh(&self->o,
	     "setpriv --reuid %d --regid %d --groups 7,4242 cprovctl run --strict -- echo ran",
	     NOBODY, NOBODY);
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	t_sh(&self->o,
	     "setpriv --reuid %d --regid %d --clear-groups cprovctl run --strict -- echo ran",
	     NOBODY, NOBODY);
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "kernel.io_uring_disabled"));
}

T_TEST_F(run, says_that_nothing_acts_on_hints)
{
	T_OK(t_policy_unload());
	t_sh(&self->o, "cprovctl run -- echo ran");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("ran\n", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "modprobe completion_provenance"));
	T_OK(t_policy_load());
}

T_TEST_F(run, refuses_a_home_that_is_none)
{
	t_sh(&self->o, "cprovctl run --home-cpu 32767 -- echo ran");
	EXPECT_EQ(1, self->o.status);
	EXPECT_STREQ("", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "32767"));
	t_sh(&self->o, "cprovctl run --home-node 1023 -- echo ran");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "1023"));
}

T_TEST_F(run, brings_the_completion_home)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);
	const struct t_event *event;

	T_NEED(T_TWO_CPUS);
	t_sh(&self->o, "cprovctl run --flow 77 --home-cpu %d -- %s %s",
	     cpus[nr - 1], self->plain, self->dev.path);
	check_flow(_metadata, self, 77);
	event = t_find(&self->trace, "cprov_complete", "flow_id", 77);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(cpus[nr - 1], t_field(event, "home_cpu", -1));
}

TEST_HARNESS_MAIN
