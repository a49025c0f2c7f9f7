// SPDX-License-Identifier: GPL-2.0-only
/*
 * Without the policy requests complete as if they had no hint, also if it was
 * there when they were submitted.
 */
#include <fcntl.h>

#include "t_harness.h"

#define DEPTH 32

FIXTURE(policy)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(policy)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, DEPTH, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(policy)
{
	t_undo_all();
}

T_TEST_F(policy, absent)
{
	struct t_shot shots[8] = {};
	int nr = self->nr < 8 ? self->nr : 8;

	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	T_OK(t_policy_unload());
	for (int i = 0; i < nr; i++) {
		shots[i].hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  self->cpus[i], 0);
		shots[i].submit_cpu = self->cpus[0];
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (int i = 0; i < nr; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(0, shots[i].nr_decided);
		EXPECT_EQ(-1, shots[i].queue_reason);
		EXPECT_EQ(self->cpus[0], shots[i].done_cpu);
	}
	/* It left nothing behind that keeps it from coming back. */
	T_OK(t_policy_load());
}

/* Submitted with a policy, completed without one. */
T_TEST_F(policy, unloaded_in_flight)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint;
	bool in_flight = false;

	for (unsigned long long s = 1; s <= 16 && !in_flight; s *= 2) {
		T_OR_SKIP(t_slow_dev(&self->dev, s * 1000000000));
		self->fd = t_dev_open(&self->dev, O_RDONLY);
		ASSERT_LE(0, self->fd);
		t_trace_start(&self->trace);
		for (int i = 0; i < self->nr && i < DEPTH; i++) {
			struct io_uring_sqe *sqe = t_sqe(&self->ring);

			hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					 self->cpus[i], 1 + i);
			t_prep_rw(sqe, IORING_OP_READ, self->fd, buf,
				  sizeof(buf), i * 8192);
			t_sqe_hint(sqe, &hint);
			ASSERT_EQ(0, t_submit(&self->ring, 0));
		}
		T_OK(t_policy_unload());
		T_OK(t_trace_load(&self->trace));
		in_flight = !t_find(&self->trace, "block_rq_complete", "dev",
				    self->dev.dev);
		for (int i = 0; i < self->nr && i < DEPTH; i++)
			EXPECT_EQ(4096, t_wait_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		T_OK(t_policy_load());
	}
	ASSERT_TRUE(in_flight);
	EXPECT_EQ(NULL,
		  t_find(&self->trace, "cprov_complete", "dev", self->dev.dev));
}

TEST_HARNESS_MAIN
