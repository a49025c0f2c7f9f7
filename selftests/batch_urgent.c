// SPDX-License-Identifier: GPL-2.0-only
/*
 * A step-critical completion ends the wait for a batch that it is part of, and
 * no other completion does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)
/* More than any wait has completions. */
#define BATCH 32
/* Milliseconds: one that nothing reaches, and one that is waited for. */
#define NEVER 60000
#define SOON 200

static alignas(4096) char buf[4096];

FIXTURE(urgent)
{
	struct t_ring ring;
	struct t_dev dev;
	int pipe[2];
	int fd;
};

FIXTURE_SETUP(urgent)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev, "irqmode=2 completion_nsec=100000"));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, t_ring_init(&self->ring, 2 * BATCH, DEFER));
	ASSERT_EQ(0, t_enable_batch(&self->ring));
}

FIXTURE_TEARDOWN(urgent)
{
	t_undo_all();
}

/* A read of the device, or of the pipe, which has nothing to read. */
static struct io_uring_sqe *queue(FIXTURE_DATA(urgent) * self, int fd,
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
static long long wait_for(FIXTURE_DATA(urgent) * self, unsigned int nr,
			  unsigned int ms)
{
	long long begin = t_now_ms();
	int ret = t_wait_ms(&self->ring, nr, ms);

	return ret ? ret : t_now_ms() - begin;
}

/* How many completions are there, all of them good. */
static unsigned int reap(struct __test_metadata *_metadata,
			 FIXTURE_DATA(urgent) * self)
{
	struct io_uring_cqe cqe;
	unsigned int nr;

	for (nr = 0; t_cqe(&self->ring, &cqe); nr++)
		EXPECT_EQ((int)sizeof(buf), cqe.res);
	return nr;
}

/* Others are in flight for ever, and one or two that come may come first. */
T_TEST_F(urgent, ends_the_wait)
{
	const char *text = getenv("CPROV_TRIALS");
	int trials = text ? atoi(text) : 10000;

	for (int i = 0; i < 4; i++)
		queue(self, self->pipe[0], IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	for (int trial = 0; trial < trials; trial++) {
		unsigned int others = trial % 3, got = 0;
		long long ms;

		for (unsigned int i = 0; i < others; i++)
			queue(self, self->fd, IO_LOCALITY_CLASS_THROUGHPUT, 0,
			      0);
		queue(self, self->fd, IO_LOCALITY_CLASS_STEP_CRITICAL, 0, 0);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		ms = wait_for(self, BATCH, NEVER);
		ASSERT_LE(0, ms);
		/* Had it taken longer, it could have been the timeout. */
		T_ASSERT_LE(ms, NEVER - 1, "trial %d", trial);
		got = reap(_metadata, self);
		ASSERT_LE(1, got);
		while (got < 1 + others) {
			ASSERT_EQ(0, t_wait_ms(&self->ring, 1 + others - got,
					       NEVER));
			got += reap(_metadata, self);
		}
	}
}

T_TEST_F(urgent, throughput_waits_for_the_batch)
{
	queue(self, self->fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_LE(SOON, wait_for(self, BATCH, SOON));
	EXPECT_EQ(1, reap(_metadata, self));
}

/* What is waited for on any other ring is what was asked for. */
T_TEST_F(urgent, only_on_a_ring_that_opted_in)
{
	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	queue(self, self->fd, IO_LOCALITY_CLASS_STEP_CRITICAL, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_LE(SOON, wait_for(self, BATCH, SOON));
	EXPECT_EQ(1, reap(_metadata, self));
}

/* Its completion may have been there before the wait. */
T_TEST_F(urgent, no_wait_begins_while_it_is_there)
{
	queue(self, self->fd, IO_LOCALITY_CLASS_STEP_CRITICAL, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 1));
	for (int i = 0; i < 3; i++)
		EXPECT_GT(NEVER, wait_for(self, BATCH, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
	/* Once it is reaped it is forgotten. */
	queue(self, self->fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_LE(SOON, wait_for(self, BATCH, SOON));
	EXPECT_EQ(1, reap(_metadata, self));
}

T_TEST_F(urgent, an_error_is_urgent_too)
{
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;

	sqe = queue(self, self->fd, IO_LOCALITY_CLASS_STEP_CRITICAL, 0, 0);
	/* Not aligned for direct I/O. */
	sqe->off = 1;
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_GT(NEVER, wait_for(self, BATCH, NEVER));
	ASSERT_TRUE(t_cqe(&self->ring, &cqe));
	EXPECT_EQ(-EINVAL, cqe.res);
}

TEST_HARNESS_MAIN
