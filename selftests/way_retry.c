// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that cannot be issued at once is issued again, by a worker or by
 * task_work, and one that was done in part goes on: it is still whose it was, and
 * comes home to the submitter; or it has no home, as what a worker does for an SQ thread.
 */
#include <fcntl.h>
#include <sys/uio.h>

#include "t_harness.h"

#define BYTES 65536
#define SECTORS (BYTES / 512)

FIXTURE(retry)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int sq_cpu;
};

FIXTURE_VARIANT(retry)
{
	unsigned int flags;
};

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

T_VARIANT(retry, ring, .flags = 0);
T_VARIANT(retry, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(retry, defer, .flags = DEFER);
T_VARIANT(retry, sqpoll, .flags = IORING_SETUP_SQPOLL);

static alignas(4096) char buf[BYTES];

FIXTURE_SETUP(retry)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	/* 64 KiB are four requests, which takes a task that may sleep. */
	T_OK(t_null_blk(&self->dev, "max_sectors=32 memory_backed=1"));
	T_OK(t_trace_open(&self->trace,
			  T_WAY_EVENTS " io_uring:io_uring_queue_async_work"));
	self->nr = t_cpus(self->cpus);
	self->sq_cpu = variant->flags & IORING_SETUP_SQPOLL ?
			       self->cpus[self->nr - 1] :
			       -1;
	ASSERT_EQ(0,
		  t_ring_init_on(&self->ring, 4, variant->flags, self->sq_cpu));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(retry)
{
	t_undo_all();
}

/* One request of @bytes at 0; its result. */
static int go(FIXTURE_DATA(retry) * self, unsigned int op, int fd,
	      unsigned int bytes, unsigned int rw_flags, unsigned int nr)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, nr);
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, op, fd, buf, bytes, 0);
	t_sqe_hint(sqe, &hint);
	sqe->rw_flags = rw_flags;
	sqe->user_data = nr;
	return t_submit_res(&self->ring);
}

/*
 * All that the device did was of the flow, and completed where the CQE was made, unless
 * it was left where it was.
 */
static void check(struct __test_metadata *_metadata, FIXTURE_DATA(retry) * self,
		  unsigned int nr, int home, bool left, long long sectors)
{
	struct t_way way;

	EXPECT_EQ(sectors, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(sectors, t_sectors_of(&self->trace, &self->dev, nr));
	t_way_find(&way, &self->trace, &self->dev, nr);
	EXPECT_EQ(1, way.nr_cqes);
	EXPECT_EQ(home, way.cqe_cpu);
	if (left) {
		/* null_blk completes it where it was issued, and there it stays. */
		EXPECT_TRUE(t_homeless(&self->trace));
		EXPECT_EQ(t_count(&self->trace, "cprov_complete", NULL, 0),
			  t_count(&self->trace, "cprov_complete", "reason",
				  T_AT_HOME));
		return;
	}
	for (size_t i = 0; i < self->trace.nr; i++)
		if (!strcmp(self->trace.events[i].name, "block_rq_complete"))
			EXPECT_EQ(home, self->trace.events[i].cpu);
}

/* A bio that has to be split may not be by a task that is not to sleep. */
T_TEST_F(retry, after_eagain)
{
	static const unsigned int ops[] = { IORING_OP_WRITE, IORING_OP_READ };
	int fd = t_dev_open(&self->dev, O_RDWR);

	ASSERT_LE(0, fd);
	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		for (size_t op = 0; op < T_ARRAY_SIZE(ops); op++) {
			unsigned int nr = t_way_next();

			t_trace_start(&self->trace);
			ASSERT_EQ(BYTES, go(self, ops[op], fd, BYTES, 0, nr));
			T_OK(t_trace_load(&self->trace));
			/* It went the long way, or this is no test of it. */
			EXPECT_EQ(1, t_count(&self->trace,
					     "io_uring_queue_async_work",
					     "user_data", nr));
			check(_metadata, self, nr,
			      self->sq_cpu >= 0 ? self->sq_cpu : self->cpus[i],
			      self->sq_cpu >= 0, SECTORS);
		}
	}
}

/* Asked not to be tried again: nothing is done, and nothing is left behind. */
T_TEST_F(retry, not_with_nowait)
{
	int fd = t_dev_open(&self->dev, O_RDONLY);
	struct io_uring_sqe *sqe;

	ASSERT_LE(0, fd);
	t_trace_start(&self->trace);
	ASSERT_EQ(-EAGAIN, go(self, IORING_OP_READ, fd, BYTES, RWF_NOWAIT,
			      t_way_next()));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(0, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
	/* By the same task, and without a hint. */
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, fd, buf, 4096, 0);
	ASSERT_EQ(4096, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(8, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/* The first page is there: the read is done in part, and goes on. */
T_TEST_F(retry, after_a_part)
{
	char page[4096];
	int fd;

	for (int i = 0; i < self->nr; i++) {
		unsigned int nr = t_way_next();

		fd = open(self->dev.path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
		ASSERT_EQ(sizeof(page), pread(fd, page, sizeof(page), 0));
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		t_trace_start(&self->trace);
		ASSERT_EQ(BYTES, go(self, IORING_OP_READ, fd, BYTES, 0, nr));
		T_OK(t_trace_load(&self->trace));
		check(_metadata, self, nr,
		      self->sq_cpu >= 0 ? self->sq_cpu : self->cpus[i], false,
		      SECTORS - 8);
		close(fd);
	}
}

TEST_HARNESS_MAIN
