// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that poll for completions: each completes on the CPU that polls, where its
 * CQE is made, whoever submits and whatever the home. What the policy is asked
 * about it declines as "polled", and never as anything else.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(polled)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int sq_cpu;
	int fd;
};

FIXTURE_VARIANT(polled)
{
	unsigned int flags;
};

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

T_VARIANT(polled, ring, .flags = IORING_SETUP_IOPOLL);
T_VARIANT(polled, defer, .flags = IORING_SETUP_IOPOLL | DEFER);
T_VARIANT(polled, sqpoll, .flags = IORING_SETUP_SQPOLL);

FIXTURE_SETUP(polled)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS);
	self->nr = t_cpus(self->cpus);
	T_OR_SKIP(t_null_blk_polled(&self->dev, self->nr, self->nr));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->sq_cpu = variant->flags & IORING_SETUP_SQPOLL ?
			       self->cpus[self->nr - 1] :
			       -1;
	ASSERT_EQ(0, t_ring_init_on(&self->ring, 4,
				    variant->flags | IORING_SETUP_IOPOLL,
				    self->sq_cpu));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(polled)
{
	t_undo_all();
}

/* How often a reason was given, for the class and at both points. */
static long long given(int reason)
{
	return t_counter("queue", IO_LOCALITY_CLASS_STEP_CRITICAL, reason) +
	       t_counter("complete", IO_LOCALITY_CLASS_STEP_CRITICAL, reason);
}

T_TEST_F(polled, where_it_is_polled)
{
	static alignas(4096) char buf[T_WAY_BYTES];
	struct io_locality_hint hint;
	long long before[T_NR_REASONS];
	struct t_way way;

	for (int i = 0; i < self->nr; i++) {
		/* Home is here, or elsewhere: pinned, that is here as well. */
		unsigned int nr = t_way_next();
		int cpu = self->sq_cpu >= 0 ? self->sq_cpu : self->cpus[i];
		struct io_uring_sqe *sqe = t_sqe(&self->ring);

		ASSERT_EQ(0, t_pin(self->cpus[i]));
		for (int r = 0; r < T_NR_REASONS; r++)
			before[r] = given(r);
		t_trace_start(&self->trace);
		hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				 self->cpus[(i + 1) % self->nr], nr);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf),
			  t_way_off(nr));
		t_sqe_hint(sqe, &hint);
		sqe->user_data = nr;
		ASSERT_EQ(T_WAY_BYTES, t_submit_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		t_way_find(&way, &self->trace, &self->dev, nr);
		EXPECT_EQ(1, way.nr_done);
		EXPECT_EQ(cpu, way.done_cpu);
		EXPECT_EQ(cpu, way.cqe_cpu);
		for (int r = 0; r < T_NR_REASONS; r++)
			if (r != T_POLLED)
				T_EXPECT_EQ(before[r], given(r), "%s",
					    t_reason_name(r));
	}
}

/* Free to go to a home that has another queue: it is asked about, and stays. */
T_TEST_F(polled, accounted)
{
	static alignas(4096) char buf[T_WAY_BYTES];
	long long before = given(T_POLLED), asked = 0;
	struct io_locality_hint hint;

	if (self->sq_cpu >= 0)
		T_SKIP("an SQ thread's home is where it is");
	t_trace_start(&self->trace);
	for (int i = 0; i < self->nr * 4; i++) {
		unsigned int nr = t_way_next();
		struct io_uring_sqe *sqe = t_sqe(&self->ring);

		ASSERT_EQ(0, t_unpin());
		hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				 self->cpus[i % self->nr], nr);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf),
			  t_way_off(nr));
		t_sqe_hint(sqe, &hint);
		ASSERT_EQ(T_WAY_BYTES, t_submit_res(&self->ring));
	}
	T_OK(t_trace_load(&self->trace));
	for (size_t i = 0; i < self->trace.nr; i++)
		if (!strncmp(self->trace.events[i].name, "cprov_", 6)) {
			asked++;
			EXPECT_EQ(T_POLLED, t_field(&self->trace.events[i],
						    "reason", -1));
			EXPECT_EQ(-1,
				  t_field(&self->trace.events[i], "cpu", 0));
		}
	/* One home of each round is not where the task was. */
	EXPECT_LT(0, asked);
	EXPECT_EQ(asked, given(T_POLLED) - before);
}

TEST_HARNESS_MAIN
