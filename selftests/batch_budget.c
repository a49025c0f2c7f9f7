// SPDX-License-Identifier: GPL-2.0-only
/*
 * A completion with BOUNDED_BATCH waits for others as long as its budget, not
 * for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "t_batch.h"

/* Milliseconds: one that nothing reaches, and one that is waited for. */
#define NEVER 60000
#define SOON 200

#define B IO_LOCALITY_BOUNDED_BATCH

FIXTURE(budget)
{
	struct t_batch b;
};

FIXTURE_SETUP(budget)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	t_batch_open(_metadata, &self->b, "irqmode=2 completion_nsec=50000000");
}

FIXTURE_TEARDOWN(budget)
{
	t_undo_all();
}

/* 50 ms is what the device takes. */
T_TEST_F(budget, held_no_longer)
{
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, B,
		      SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

T_TEST_F(budget, held_until_then)
{
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, B,
		      SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* Past the budget the first completion will do. */
T_TEST_F(budget, over_before_it_completes)
{
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* Nor does it need a timeout of the program's to work. */
T_TEST_F(budget, without_a_timeout)
{
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, B,
		      SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* The program's own timeout counts if it is shorter, and after the budget. */
T_TEST_F(budget, the_timeout_stays)
{
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_LATENCY, B,
		      NEVER * 1000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, SOON));
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_LATENCY, B,
		      1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, SOON));
}

T_TEST_F(budget, forgotten_when_done)
{
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_LATENCY, 0, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

TEST_HARNESS_MAIN
