/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of batches share: a ring that bounds them, a device that takes
 * its time, and a pipe that has nothing to read unless it is filled.
 */
#ifndef CPROV_T_BATCH_H
#define CPROV_T_BATCH_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
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
static inline void t_batch_open_plain(struct __test_metadata *_metadata,
				      struct t_batch *batch,
				      const char *null_blk)
{
	T_OK(t_null_blk(&batch->dev, null_blk));
	batch->fd = t_dev_open(&batch->dev, O_RDONLY);
	ASSERT_LE(0, batch->fd);
	ASSERT_EQ(0, pipe(batch->pipe));
	/* Nobody who fills it has to wait for who reads. */
	ASSERT_LE((int)(T_BATCH * sizeof(t_batch_buf)),
		  fcntl(batch->pipe[1], F_SETPIPE_SZ,
			T_BATCH * sizeof(t_batch_buf)));
	ASSERT_EQ(0, t_ring_init(&batch->ring, 2 * T_BATCH, T_DEFER));
}

/* And the ring has opted in. */
static inline void t_batch_open(struct __test_metadata *_metadata,
				struct t_batch *batch, const char *null_blk)
{
	t_batch_open_plain(_metadata, batch, null_blk);
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

/* Has so many reads of the pipe complete. */
static inline bool t_batch_fill(struct t_batch *batch, unsigned int nr)
{
	while (nr && write(batch->pipe[1], t_batch_buf, sizeof(t_batch_buf)) ==
			     sizeof(t_batch_buf))
		nr--;
	return !nr;
}

/*
 * Submits what is queued, and waits for a whole batch without a timeout. Once
 * the device is done, and this sleeps all the same, somebody fills the pipe for
 * @nr reads: whether that is what ended the wait. No clock has a say in it.
 */
static inline bool t_batch_wait_told(struct __test_metadata *_metadata,
				     struct t_batch *batch, unsigned int nr)
{
	struct {
		long long slept;
		bool waits, told;
	} * shared;
	pid_t waiter = getpid(), pid;
	struct rusage usage;
	bool told;

	shared = t_shared(sizeof(*shared));
	EXPECT_NE(NULL, shared);
	pid = t_fork();
	EXPECT_LE(0, pid);
	if (!pid) {
		/* Who was woken by the device is not asleep when that is done. */
		while (!__atomic_load_n(&shared->waits, __ATOMIC_ACQUIRE) ||
		       t_inflight(&batch->dev) ||
		       t_asleep(waiter) <= shared->slept)
			usleep(1000);
		__atomic_store_n(&shared->told, true, __ATOMIC_SEQ_CST);
		_exit(t_batch_fill(batch, nr) ? 0 : 1);
	}
	EXPECT_EQ(0, t_submit(&batch->ring, 0));
	getrusage(RUSAGE_SELF, &usage);
	shared->slept = usage.ru_nvcsw;
	__atomic_store_n(&shared->waits, true, __ATOMIC_RELEASE);
	EXPECT_EQ(0, t_submit(&batch->ring, T_BATCH));
	told = __atomic_load_n(&shared->told, __ATOMIC_SEQ_CST);
	if (!told)
		kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(shared, sizeof(*shared));
	return told;
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
