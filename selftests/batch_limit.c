// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request over its limit is one without a hint to the waiter of a batch, too: it
 * does not end the wait, and its budget bounds nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "t_batch.h"

#define LIMITS T_KNOBS "/limits/"
#define OVER T_KNOBS "/counters/over_limit/user"

/* Milliseconds that are waited for. */
#define SOON 200

FIXTURE(limit)
{
	struct t_batch b;
	struct t_trace trace;
};

FIXTURE_VARIANT(limit)
{
	unsigned int cls;
};

T_VARIANT(limit, step_critical, .cls = IO_LOCALITY_CLASS_STEP_CRITICAL);
T_VARIANT(limit, latency, .cls = IO_LOCALITY_CLASS_LATENCY);

FIXTURE_SETUP(limit)
{
	const long long budget = t_function("io_cqring_budget_wakeup");

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	if (!budget)
		T_SKIP("/proc/kallsyms has no io_cqring_budget_wakeup");
	t_batch_open(_metadata, &self->b, "irqmode=2 completion_nsec=100000");
	T_OK(t_trace_open(&self->trace, "timer:hrtimer_start"));
	T_OK(t_trace_filter(&self->trace, "timer:hrtimer_start",
			    "function == 0x%llx", budget));
	/* One may have been saved, and no more come while this runs. */
	ASSERT_EQ(0, t_set(LIMITS "user_step_critical", "1"));
	ASSERT_EQ(0, t_set(LIMITS "user_steered", "1"));
}

FIXTURE_TEARDOWN(limit)
{
	t_undo_all();
}

T_TEST_F(limit, bounds_no_batch)
{
	bool over = false;
	long long before;

	for (int i = 0; i < 100 && !over; i++) {
		before = t_read_num(-1, OVER);
		t_batch_queue(&self->b, self->b.pipe[0], variant->cls,
			      IO_LOCALITY_BOUNDED_BATCH, 1);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		over = t_read_num(-1, OVER) > before;
		if (over)
			break;
		/* What is admitted is not to be in flight with it. */
		ASSERT_TRUE(t_batch_fill(&self->b, 1));
		ASSERT_EQ(0, t_submit(&self->b.ring, 1));
		ASSERT_EQ(1, t_batch_reap(_metadata, &self->b));
	}
	ASSERT_TRUE(over);
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	t_trace_start(&self->trace);
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	T_OK(t_trace_load(&self->trace));
	T_EXPECT_EQ(0, t_count(&self->trace, "hrtimer_start", NULL, 0),
		    "its budget was waited for");
	/* Nor does its own completion end a wait. */
	ASSERT_TRUE(t_batch_fill(&self->b, 1));
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

TEST_HARNESS_MAIN
