// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring's default means of each request what the same hint would mean that the
 * request has of its own: of the first, and of those after it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

#define NR 4
#define FLOW 7

FIXTURE(by_default)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int first, last; /* CPUs */
	int fd;
};

FIXTURE_SETUP(by_default)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS);
	T_OR_SKIP(t_slow_dev(&self->dev, 200000000));
	T_OK(t_trace_open_dev(&self->trace, "cprov:cprov_complete",
			      &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	nr = t_cpus(cpus);
	self->first = cpus[0];
	self->last = cpus[nr - 1];
	ASSERT_EQ(0, t_ring_init(&self->ring, NR, 0));
}

FIXTURE_TEARDOWN(by_default)
{
	t_undo_all();
}

/* They are not to merge. */
static int submit(FIXTURE_DATA(by_default) * self)
{
	static alignas(4096) char buf[NR][4096];

	for (int i = 0; i < NR; i++)
		t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, self->fd, buf[i],
			  sizeof(buf[i]), i << 20);
	return t_submit(&self->ring, 0);
}

static void wait_for_all(struct __test_metadata *_metadata,
			 FIXTURE_DATA(by_default) * self)
{
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(4096, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
}

T_TEST_F(by_default, names_a_home)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->last, FLOW);

	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_stand_on(self->first, self->last));
	ASSERT_EQ(0, submit(self));
	wait_for_all(_metadata, self);
	EXPECT_EQ(NR, t_count(&self->trace, "cprov_complete", "home_cpu",
			      self->last));
	EXPECT_EQ(NR, t_count(&self->trace, "cprov_complete", "flow_id", FLOW));
}

T_TEST_F(by_default, names_none)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	for (int i = 0; i < 2; i++) {
		const int cpu = i ? self->last : self->first;

		t_trace_start(&self->trace);
		ASSERT_EQ(0, t_pin(cpu));
		ASSERT_EQ(0, submit(self));
		wait_for_all(_metadata, self);
		EXPECT_EQ(NR, t_count(&self->trace, "cprov_complete",
				      "home_cpu", cpu));
	}
}

/* While the device is busy the task goes. */
T_TEST_F(by_default, follows_the_task)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, FLOW);
	struct io_uring_cqe cqe;
	bool late = true;

	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	for (int attempt = 0; attempt < 20 && late; attempt++) {
		ASSERT_EQ(0, t_pin(self->first));
		t_trace_start(&self->trace);
		ASSERT_EQ(0, submit(self));
		ASSERT_EQ(0, t_pin(self->last));
		/* On a busy machine the device may have been faster. */
		late = t_cqe(&self->ring, &cqe);
		for (int i = late; i < NR; i++)
			ASSERT_EQ(4096, t_wait_res(&self->ring));
	}
	ASSERT_FALSE(late);
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(NR, t_count(&self->trace, "cprov_complete", "home_cpu",
			      self->last));
}

TEST_HARNESS_MAIN
