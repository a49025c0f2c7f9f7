// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each CQE of a multishot read does to the wait for a batch what one of its class
 * does: a step-critical one ends it, a throughput one does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "t_batch.h"

#ifndef IORING_OP_READ_MULTISHOT
#define IORING_OP_READ_MULTISHOT 49
#endif

/* Milliseconds: one that nothing reaches, and one that is waited for. */
#define NEVER 20000
#define SOON 200

#define GROUP 7
#define BUFFERS 8
#define BYTES 64

FIXTURE(multishot)
{
	struct t_batch b;
	int data[2];
};

FIXTURE_SETUP(multishot)
{
	static char bufs[BUFFERS * BYTES];
	struct io_uring_sqe *sqe;

	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	t_batch_open(_metadata, &self->b, "irqmode=2 completion_nsec=100000");
	ASSERT_EQ(0, pipe(self->data));
	sqe = t_sqe(&self->b.ring);
	sqe->opcode = IORING_OP_PROVIDE_BUFFERS;
	sqe->fd = BUFFERS;
	sqe->addr = (uintptr_t)bufs;
	sqe->len = BYTES;
	sqe->buf_group = GROUP;
	ASSERT_EQ(0, t_submit_res(&self->b.ring));
}

FIXTURE_TEARDOWN(multishot)
{
	t_undo_all();
}

static void submit(struct __test_metadata *_metadata,
		   FIXTURE_DATA(multishot) * self, unsigned int cls)
{
	struct io_locality_hint hint = t_hint_of(cls, -1, 1);
	struct io_uring_sqe *sqe = t_sqe(&self->b.ring);

	sqe->opcode = IORING_OP_READ_MULTISHOT;
	sqe->fd = self->data[0];
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	t_sqe_hint(sqe, &hint);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
}

static void feed(struct __test_metadata *_metadata,
		 FIXTURE_DATA(multishot) * self)
{
	ASSERT_EQ(1, write(self->data[1], "", 1));
}

/* One byte that has been read, and the next is still to come. */
static void check_cqe(struct __test_metadata *_metadata,
		      FIXTURE_DATA(multishot) * self)
{
	struct io_uring_cqe cqe;

	ASSERT_TRUE(t_cqe(&self->b.ring, &cqe));
	EXPECT_EQ(1, cqe.res);
	EXPECT_TRUE(cqe.flags & IORING_CQE_F_MORE);
	EXPECT_FALSE(t_cqe(&self->b.ring, &cqe));
}

T_TEST_F(multishot, ends_the_wait)
{
	submit(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL);
	for (int i = 0; i < 3; i++) {
		feed(_metadata, self);
		ASSERT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
		check_cqe(_metadata, self);
	}
}

/* Read as it is submitted. */
T_TEST_F(multishot, no_wait_begins_while_it_is_there)
{
	feed(_metadata, self);
	submit(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL);
	ASSERT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
	check_cqe(_metadata, self);
	/* Once it is reaped it is forgotten. */
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, SOON));
}

/* Somebody writes while this one is asleep. */
T_TEST_F(multishot, wakes_who_waits)
{
	const pid_t waiter = getpid();
	struct rusage usage;
	pid_t pid;

	submit(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL);
	for (int i = 0; i < 3; i++) {
		getrusage(RUSAGE_SELF, &usage);
		pid = t_fork();
		if (!pid) {
			while (t_asleep(waiter) <= usage.ru_nvcsw)
				usleep(1000);
			_exit(write(self->data[1], "", 1) != 1);
		}
		ASSERT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
		check_cqe(_metadata, self);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
}

T_TEST_F(multishot, throughput_waits_for_the_batch)
{
	submit(_metadata, self, IO_LOCALITY_CLASS_THROUGHPUT);
	feed(_metadata, self);
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	check_cqe(_metadata, self);
}

TEST_HARNESS_MAIN
