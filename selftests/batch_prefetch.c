// SPDX-License-Identifier: GPL-2.0-only
/*
 * A prefetch that completes does not wake the waiter while something else is in
 * flight, and is never the reason why a waiter is not woken.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t_batch.h"

/* Milliseconds: one that nothing reaches, and one that is waited for. */
#define NEVER 60000
#define SOON 200
#define SLOW "irqmode=2 completion_nsec=50000000"

/* How many wake the waiter, and a device that has not done the first when it sleeps. */
#define MANY 8192
#define MANY_MS 3000
#define VERY_SLOW "irqmode=2 completion_nsec=3000000000 hw_queue_depth=8192"

FIXTURE(prefetch)
{
	struct t_batch b;
};

FIXTURE_SETUP(prefetch)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	t_batch_open(_metadata, &self->b,
		     "irqmode=2 completion_nsec=100000 submit_queues=2");
}

FIXTURE_TEARDOWN(prefetch)
{
	t_undo_all();
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
	return t_batch_queue(&self->b, fd, IO_LOCALITY_CLASS_PREFETCH, 0, 0);
}

T_TEST_F(prefetch, leaves_the_waiter_alone)
{
	queue_slow(_metadata, self);
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_LE(SOON, t_batch_wait(&self->b, 1, SOON));
	/* It was done long before, and is reaped all the same. */
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

T_TEST_F(prefetch, wakes_the_waiter_when_alone)
{
	for (int i = 0; i < 100; i++) {
		t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_PREFETCH,
			      0, 0);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		ASSERT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
		ASSERT_EQ(1, t_batch_reap(_metadata, &self->b));
	}
}

/* What has no hint is not known to be in flight. */
T_TEST_F(prefetch, wakes_the_waiter_with_unhinted_ones_in_flight)
{
	t_prep_rw(t_sqe(&self->b.ring), IORING_OP_READ, self->b.pipe[0],
		  t_batch_buf, sizeof(t_batch_buf), 0);
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_PREFETCH, 0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* Who has opted out waits as without hints, for what was submitted before as well. */
T_TEST_F(prefetch, wakes_who_has_opted_out)
{
	queue_slow(_metadata, self);
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	ASSERT_EQ(0, t_disable(&self->b.ring));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* A read of any class, or without a hint. */
static void queue_any(FIXTURE_DATA(prefetch) * self, unsigned int nr_kinds)
{
	static const unsigned int classes[] = {
		IO_LOCALITY_CLASS_PREFETCH,
		IO_LOCALITY_CLASS_THROUGHPUT,
		IO_LOCALITY_CLASS_STEP_CRITICAL,
	};
	unsigned int kind = rand() % nr_kinds;

	if (kind < T_ARRAY_SIZE(classes))
		t_batch_queue(&self->b, self->b.fd, classes[kind], 0, 0);
	else
		t_prep_rw(t_sqe(&self->b.ring), IORING_OP_READ, self->b.fd,
			  t_batch_buf, sizeof(t_batch_buf), 0);
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

		/* Often enough there is nothing but what may be held, and holds. */
		for (unsigned int i = 0; i < nr; i++)
			queue_any(self, trial % 2 ? 4 : 2);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		while (got < nr) {
			long long ms = t_batch_wait(&self->b, want, NEVER);

			ASSERT_LE(0, ms);
			T_ASSERT_LE(ms, NEVER - 1, "trial %d: %u of %u", trial,
				    got, nr);
			got += t_batch_reap(_metadata, &self->b);
			want = nr - got;
		}
	}
}

/* Of what is held there is not more than can be counted. */
T_TEST_F(prefetch, so_many_wake_the_waiter)
{
	struct t_batch many = self->b;
	struct t_dev slow;
	long long ms;

	T_OK(t_null_blk(&slow, VERY_SLOW));
	many.fd = t_dev_open(&slow, O_RDONLY);
	ASSERT_LE(0, many.fd);
	ASSERT_EQ(0, t_ring_init(&many.ring, MANY, T_DEFER));
	ASSERT_EQ(0, t_enable_batch(&many.ring));
	t_batch_queue(&many, many.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&many.ring, 0));
	for (int i = 0; i < MANY; i++)
		t_batch_queue(&many, many.fd, IO_LOCALITY_CLASS_PREFETCH, 0, 0);
	ms = t_now_ms();
	ASSERT_EQ(0, t_submit(&many.ring, 0));
	if (t_now_ms() - ms >= MANY_MS / 2)
		SKIP(return, "the first may be done before this sleeps");
	ms = t_batch_wait(&many, 1, NEVER);
	EXPECT_LE(0, ms);
	EXPECT_GT(NEVER, ms);
	EXPECT_EQ(MANY, t_batch_reap(_metadata, &many));
}

/* Who does that waits for their requests alone. */
T_TEST_F(prefetch, buffers_can_be_unregistered)
{
	struct iovec iov = { t_batch_buf, sizeof(t_batch_buf) };

	ASSERT_EQ(0,
		  t_register(&self->b.ring, IORING_REGISTER_BUFFERS, &iov, 1));
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	queue_slow(_metadata, self)->opcode = IORING_OP_READ_FIXED;
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_EQ(0, t_register(&self->b.ring, IORING_UNREGISTER_BUFFERS, NULL,
				0));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

T_TEST_F(prefetch, a_drained_request_gets_its_turn)
{
	struct io_uring_sqe *sqe;

	queue_slow(_metadata, self);
	sqe = t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_THROUGHPUT,
			    0, 0);
	sqe->flags = IOSQE_IO_DRAIN;
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	/* Waiting for both would not even end without a hint. */
	EXPECT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* It counts what completes, whatever that is. */
T_TEST_F(prefetch, a_timeout_that_counts_gets_its_turn)
{
	struct __kernel_timespec ts = { .tv_sec = NEVER / 1000 };
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;

	queue_slow(_metadata, self);
	sqe = t_sqe(&self->b.ring);
	sqe->opcode = IORING_OP_TIMEOUT;
	sqe->fd = -1;
	sqe->addr = (uintptr_t)&ts;
	sqe->len = 1;
	sqe->off = 1;
	sqe->flags = IOSQE_IO_LINK;
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	/* The prefetch, the timeout that it ends, and what was linked to that. */
	for (int i = 0; i < 3; i++) {
		EXPECT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
		ASSERT_TRUE(t_cqe(&self->b.ring, &cqe));
		EXPECT_LE(0, cqe.res);
	}
}

/*
 * A poll for it is no completion: who writes may have more to write, and others wait
 * for that.
 */
T_TEST_F(prefetch, what_is_polled_for_gets_read)
{
	const pid_t waiter = getpid();
	struct rusage usage;
	int data[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(data));
	t_batch_queue(&self->b, data[0], IO_LOCALITY_CLASS_PREFETCH, 0, 0);
	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	getrusage(RUSAGE_SELF, &usage);
	pid = t_fork();
	if (!pid) {
		while (t_asleep(waiter) <= usage.ru_nvcsw)
			usleep(1000);
		_exit(write(data[1], t_batch_buf, sizeof(t_batch_buf)) !=
		      sizeof(t_batch_buf));
	}
	EXPECT_GT(NEVER, t_batch_wait(&self->b, 1, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
}

T_TEST_F(prefetch, a_linked_request_gets_its_turn)
{
	struct io_uring_sqe *sqe;

	sqe = queue_slow(_metadata, self);
	sqe->flags = IOSQE_IO_LINK;
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, 2, NEVER));
	EXPECT_EQ(2, t_batch_reap(_metadata, &self->b));
}

TEST_HARNESS_MAIN
