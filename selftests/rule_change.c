// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that come, go and change: a ring keeps what it got, nobody ever gets
 * half of a rule, and the module stays as long as there is one.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define R "cprov-test"
#define CHANGES 100

T_FIXTURE(rule, T_KERNEL | T_ROOT | T_RULE | T_TASK_DEFAULT)

T_TEST_F(rule, holds_for_rings_made_from_now_on)
{
	struct io_locality_hint hint;
	struct t_ring before, with, after;

	ASSERT_EQ(0, t_ring_init(&before, 1, 0));
	T_OK(t_rule(R, "cgroup=/ flow_id=7"));
	ASSERT_EQ(0, t_ring_init(&with, 1, 0));
	ASSERT_EQ(0, t_rule_del(R));
	ASSERT_EQ(0, t_ring_init(&after, 1, 0));
	EXPECT_FALSE(t_ring_default(&before, &hint));
	EXPECT_FALSE(t_ring_default(&after, &hint));
	ASSERT_TRUE(t_ring_default(&with, &hint));
	EXPECT_EQ(7, hint.flow_id);
}

/* The ring has the hint, not the rule. */
T_TEST_F(rule, that_is_gone_leaves_rings_that_work)
{
	struct io_locality_hint hint;
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	static char buf[4096] __attribute__((aligned(4096)));
	int fd;

	T_NEED(T_TRACE | T_NULL_BLK);
	T_OK(t_null_blk(&dev, ""));
	fd = t_dev_open(&dev, 0);
	ASSERT_LE(0, fd);
	T_OK(t_trace_open(&trace, T_CARRY_EVENTS));
	T_OK(t_rule(R, "cgroup=/ flow_id=7"));
	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	ASSERT_EQ(0, t_rule_del(R));
	/* With nobody left who could have made the rule. */
	T_OK(t_policy_unload());
	ASSERT_TRUE(t_ring_default(&ring, &hint));
	T_OK(t_policy_load());
	t_trace_start(&trace);
	t_prep_rw(t_sqe(&ring), IORING_OP_READ, fd, buf, sizeof(buf), 0);
	EXPECT_EQ((int)sizeof(buf), t_submit_res(&ring));
	T_OK(t_trace_load(&trace));
	EXPECT_EQ((int)sizeof(buf) / 512, t_sectors_of(&trace, &dev, 7));
}

T_TEST_F(rule, keeps_the_module)
{
	ASSERT_EQ(0, t_rule_make(R));
	EXPECT_NE(NULL, t_policy_unload());
	EXPECT_TRUE(t_policy_loaded());
	EXPECT_TRUE(t_exists(T_RULES "/" R));
	ASSERT_EQ(0, t_rule_del(R));
	T_OK(t_policy_unload());
	EXPECT_FALSE(t_exists(T_RULES));
	T_OK(t_policy_load());
	EXPECT_TRUE(t_exists(T_RULES));
	EXPECT_FALSE(t_exists(T_RULES "/" R));
}

/* Creates rings until it is killed; a status other than that is a finding. */
static void __noreturn make_rings(int pipe)
{
	for (;;) {
		struct io_locality_hint hint;
		const char *why = t_new_ring(&hint);
		unsigned char flow = 0;

		if (why && strcmp(why, "none"))
			_exit(1);
		if (!why) {
			flow = hint.flow_id;
			/* All that belongs to the flow, or it is torn. */
			if (hint.io_class != hint.flow_id % 4 ||
			    hint.budget_us != hint.flow_id * 1000 ||
			    hint.flow_id < 1 || hint.flow_id > 100)
				_exit(2);
		}
		if (write(pipe, &flow, 1) != 1)
			_exit(3);
	}
}

/* One that holds and one that does not, each in all of its states. */
T_TEST_F(rule, is_whole_or_not_there_while_it_changes)
{
	int fds[2], status, none = 0, some = 0;
	unsigned char flow;
	pid_t pid;

	ASSERT_EQ(0, t_rule_make(R));
	ASSERT_EQ(0, t_rule_set(R, "cgroup", "/"));
	ASSERT_EQ(0, pipe(fds));
	pid = t_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		make_rings(fds[1]);
	close(fds[1]);
	for (int i = 1; i <= CHANGES; i++) {
		ASSERT_EQ(0, t_rule_set(R, "active", "0"));
		ASSERT_EQ(0, t_rule_set(R, "flow_id", t_text("%d", i)));
		ASSERT_EQ(0, t_rule_set(R, "class", t_class_name(i % 4)));
		ASSERT_EQ(0,
			  t_rule_set(R, "budget_us", t_text("%d", i * 1000)));
		ASSERT_EQ(0, t_rule_set(R, "active", "1"));
		/* A ring in each state, or nothing was tried. */
		for (flow = 0; flow != i;) {
			ASSERT_EQ(1, read(fds[0], &flow, 1));
			none += !flow;
			some += !!flow;
		}
		if (i % 10 == 0) {
			ASSERT_EQ(0, t_rule_del(R));
			for (flow = 1; flow;)
				ASSERT_EQ(1, read(fds[0], &flow, 1));
			ASSERT_EQ(0, t_rule_make(R));
			ASSERT_EQ(0, t_rule_set(R, "cgroup", "/"));
		}
	}
	TH_LOG("%d rings with a hint, %d without", some, none);
	ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_HARNESS_MAIN
