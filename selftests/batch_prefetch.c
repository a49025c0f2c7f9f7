// SPDX-License-Identifier: GPL-2.0-only
/*
 * A prefetch that completes does not wake the waiter while something else is in
 * flight, and is never the reason why a waiter is not woken.
 */
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
#define SLOW "irqmode=2 completion_nsec=50000000"

static alignas(4096) char buf[4096];

FIXTURE(prefetch)
{
	struct t_ring ring;
	struct t_dev dev;
	int pipe[2];
	int fd;
};

FIXTURE_SETUP(prefetch)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev,
			"irqmode=2 completion_nsec=100000 submit_queues=2"));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(0, t_ring_init(&self->ring, 2 * BATCH, DEFER));
	ASSERT_EQ(0, t_enable_batch(&self->ring));
}

FIXTURE_TEARDOWN(prefetch)
{
	t_undo_all();
}

/* A read of the device, or of the pipe, which has nothing to read. */
static struct io_uring_sqe *queue(FIXTURE_DATA(prefetch) * self, int fd,
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
static long long wait_for(FIXTURE_DATA(prefetch) * self, unsigned int nr,
			  unsigned int ms)
{
	long long begin = t_now_ms();
	int ret = t_wait_ms(&self->ring, nr, ms);

	return ret ? ret : t_now_ms() - begin;
}

/* How many completions are there, all of them good. */
static unsigned int reap(struct __test_metadata *_metadata,
			 FIXTURE_DATA(prefetch) * self)
{
	struct io_uring_cqe cqe;
	unsigned int nr;

	for (nr = 0; t_cqe(&self->ring, &cqe); nr++)
		EXPECT_EQ((int)sizeof(buf), cqe.res);
	return nr;
}

/* One that takes 50 ms, and so completes when the wait has begun. */
static struct io_uring_sqe *queue_slow(struct __test_metadata *_metadata,
				       FIXTURE_DATA(prefetch) * self)
{
	struct t_dev slow;
	int fd;

	EXPECT_EQ(NULL, (void *)t_null_blk(&slow, SLOW));
	fd = t_dev_open(&slow, O_RDONLY);
	EXPECT_LE(0, fd);
	return queue(self, fd, IO_LOCALITY_CLASS_PREFETCH, 0, 0);
}

T_TEST_F(prefetch, leaves_the_waiter_alone)
{
	queue_slow(_metadata, self);
	queue(self, self->pipe[0], IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_LE(SOON, wait_for(self, 1, SOON));
	/* It was done long before, and is reaped all the same. */
	EXPECT_EQ(1, reap(_metadata, self));
}

T_TEST_F(prefetch, wakes_the_waiter_when_alone)
{
	for (int i = 0; i < 100; i++) {
		queue(self, self->fd, IO_LOCALITY_CLASS_PREFETCH, 0, 0);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		ASSERT_GT(NEVER, wait_for(self, 1, NEVER));
		ASSERT_EQ(1, reap(_metadata, self));
	}
}

/* What has no hint is not known to be in flight. */
T_TEST_F(prefetch, wakes_the_waiter_with_unhinted_ones_in_flight)
{
	t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, self->pipe[0], buf,
		  sizeof(buf), 0);
	queue(self, self->fd, IO_LOCALITY_CLASS_PREFETCH, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_GT(NEVER, wait_for(self, 1, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
}

/* Whatever comes last wakes it, in whatever order they come. */
T_TEST_F(prefetch, no_wait_is_lost)
{
	const char *text = getenv("CPROV_TRIALS");
	int trials = text ? atoi(text) : 10000;

	srand(1);
	for (int trial = 0; trial < trials; trial++) {
		unsigned int nr = 1 + rand() % 8, want = 1 + rand() % nr;
		unsigned int got = 0;

		for (unsigned int i = 0; i < nr; i++)
			queue(self, self->fd,
			      rand() % 2 ? IO_LOCALITY_CLASS_PREFETCH :
					   IO_LOCALITY_CLASS_THROUGHPUT,
			      0, 0);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		while (got < nr) {
			long long ms = wait_for(self, want, NEVER);

			ASSERT_LE(0, ms);
			T_ASSERT_LE(ms, NEVER - 1, "trial %d: %u of %u", trial,
				    got, nr);
			got += reap(_metadata, self);
			want = nr - got;
		}
	}
}

T_TEST_F(prefetch, a_drained_request_gets_its_turn)
{
	struct io_uring_sqe *sqe;

	queue_slow(_metadata, self);
	sqe = queue(self, self->fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	sqe->flags = IOSQE_IO_DRAIN;
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	/* Waiting for both would not even end without a hint. */
	EXPECT_GT(NEVER, wait_for(self, 1, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
	EXPECT_GT(NEVER, wait_for(self, 1, NEVER));
	EXPECT_EQ(1, reap(_metadata, self));
}

T_TEST_F(prefetch, a_linked_request_gets_its_turn)
{
	struct io_uring_sqe *sqe;

	sqe = queue_slow(_metadata, self);
	sqe->flags = IOSQE_IO_LINK;
	queue(self, self->fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_GT(NEVER, wait_for(self, 2, NEVER));
	EXPECT_EQ(2, reap(_metadata, self));
}

TEST_HARNESS_MAIN
