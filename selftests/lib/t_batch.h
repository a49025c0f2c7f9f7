/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of batches share: a ring that bounds them, a device that takes its
 * time, and a pipe that never has anything to read.
 */
#ifndef CPROV_T_BATCH_H
#define CPROV_T_BATCH_H

#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

#define T_DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)
/* More than any wait has completions. */
#define T_BATCH 32

static alignas(4096) char t_batch_buf[4096];

struct t_batch {
	struct t_ring ring;
	struct t_dev dev;
	int pipe[2];
	int fd;
};

/* @null_blk: options of the device. */
static inline void t_batch_open(struct __test_metadata *_metadata,
				struct t_batch *batch, const char *null_blk)
{
	T_OK(t_null_blk(&batch->dev, null_blk));
	batch->fd = t_dev_open(&batch->dev, O_RDONLY);
	ASSERT_LE(0, batch->fd);
	ASSERT_EQ(0, pipe(batch->pipe));
	ASSERT_EQ(0, t_ring_init(&batch->ring, 2 * T_BATCH, T_DEFER));
	ASSERT_EQ(0, t_enable_batch(&batch->ring));
}

/* A read of the device, or of the pipe, which has nothing to read. */
static inline struct io_uring_sqe *t_batch_queue(struct t_batch *batch, int fd,
						 unsigned int cls,
						 unsigned int flags,
						 unsigned int budget_us)
{
	static struct io_locality_hint hints[2 * T_BATCH];
	static unsigned int nr;
	struct io_locality_hint *hint = &hints[nr++ % (2 * T_BATCH)];
	struct io_uring_sqe *sqe = t_sqe(&batch->ring);

	*hint = t_hint_of(cls, -1, 0);
	hint->flags = flags;
	hint->budget_us = budget_us;
	t_prep_rw(sqe, IORING_OP_READ, fd, t_batch_buf, sizeof(t_batch_buf), 0);
	t_sqe_hint(sqe, hint);
	return sqe;
}

/* Waits for a whole batch; how many milliseconds that took, or -errno. */
static inline long long t_batch_wait(struct t_batch *batch, unsigned int nr,
				     unsigned int ms)
{
	long long begin = t_now_ms();
	int ret = t_wait_ms(&batch->ring, nr, ms);

	return ret ? ret : t_now_ms() - begin;
}

/* How many completions are there, all of them good. */
static inline unsigned int t_batch_reap(struct __test_metadata *_metadata,
					struct t_batch *batch)
{
	struct io_uring_cqe cqe;
	unsigned int nr;

	for (nr = 0; t_cqe(&batch->ring, &cqe); nr++)
		EXPECT_EQ((int)sizeof(t_batch_buf), cqe.res);
	return nr;
}

#endif /* CPROV_T_BATCH_H */
