// SPDX-License-Identifier: GPL-2.0-only
/*
 * A completion with BOUNDED_BATCH waits for others as long as its budget, not
 * for ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)
/* More than any wait has completions. */
#define BATCH 32
/* Milliseconds: one that nothing reaches, and one that is waited for. */
#define NEVER 60000
#define SOON 200

static alignas(4096) char buf[4096];

#define B IO_LOCALITY_BOUNDED_BATCH

FIXTURE(budget)
{
	struct t_ring ring;
	struct t_dev dev;
	int pipe[2];
	int fd;
};

FIXTURE_SETUP(budget)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev, "irqmode=2 completion_nsec=50000000"));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, t_ring_init(&self->ring, 2 * BATCH, DEFER));
	ASSERT_EQ(0, t_enable_batch(&self->ring));
}

FIXTURE_TEARDOWN(budget)
{
	t_undo_all();
}

/* A read of the device, or of the pipe, which has nothing to read. */
static struct io_uring_sqe *queue(FIXTURE_DATA(budget) * self, int fd,
				  unsigned int cls, unsigned int flags,
				  unsigned int budget_us)
{
	static struct io_locality_hint hints[2 * BATCH];
	static unsigned int nr;
	struct io_locality_hint *hint = &hints[nr++ % (2 * BATCH)];
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	*hint = t_hint_of(cls, -1, 0);
	hint->flags = flags;
	hint->budget_us = budget_us;
	t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, hint);
	return sqe;
}

/* Waits for a whole batch; how many milliseconds that took, or -errno. */
static long long wait_for(FIXTURE_DATA(budget) * self, unsigned int nr,
			  unsigned int ms)
{
	long long begin = t_now_ms();
	int ret = t_wait_ms(&self->ring, nr, ms);

	return ret ? ret : t_now_ms() - begin;
}

/* How many completions are there, all of them good. */
static unsigned int reap(struct __test_metadata *_metadata,
			 FIXTURE_DATA(budget) * self)
{
	struct io_uring_cqe cqe;
	unsigned int nr;

	for (nr = 0; t_cqe(&self->ring, &cqe); nr++)
		EXPECT_EQ((int)sizeof(buf), cqe.res);
	return nr;
}

/* 50 ms is what the device takes. */
T_TEST_F(budget, held_no_longer)
{
	queue(self, self->pipe[0], IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_GT(NEVER, wait_for(self, BATCH, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
}

T_TEST_F(budget, held_until_then)
{
	queue(self, self->pipe[0], IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_LE(SOON, wait_for(self, BATCH, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
}

/* Past the budget the first completion will do. */
T_TEST_F(budget, over_before_it_completes)
{
	queue(self, self->pipe[0], IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_GT(NEVER, wait_for(self, BATCH, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
}

/* Nor does it need a timeout of the program's to work. */
T_TEST_F(budget, without_a_timeout)
{
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->ring, BATCH));
	EXPECT_EQ(1, reap(_metadata, self));
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->ring, BATCH));
	EXPECT_EQ(1, reap(_metadata, self));
}

/* The program's own timeout counts if it is shorter, and after the budget. */
T_TEST_F(budget, the_timeout_stays)
{
	queue(self, self->pipe[0], IO_LOCALITY_CLASS_LATENCY, B, NEVER * 1000);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_EQ(-ETIME, wait_for(self, BATCH, SOON));
	queue(self, self->pipe[0], IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_EQ(-ETIME, wait_for(self, BATCH, SOON));
}

T_TEST_F(budget, forgotten_when_done)
{
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->ring, 1));
	EXPECT_EQ(1, reap(_metadata, self));
	queue(self, self->fd, IO_LOCALITY_CLASS_LATENCY, 0, 1);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_LE(SOON, wait_for(self, BATCH, SOON));
	EXPECT_EQ(1, reap(_metadata, self));
}

TEST_HARNESS_MAIN
