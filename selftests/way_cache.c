// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through the page cache: what a read has to fetch, and what is read ahead of
 * it, belongs to the flow that caused it and comes home to it; a page that is
 * there needs nothing; what is written back later belongs to nobody, unless the
 * write is to wait for that.
 */
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t_harness.h"

#define KIB 1024
#define AHEAD_KIB 128

FIXTURE(cache)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(cache)
{
	unsigned int flags;
	enum t_queues queues;
};

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

T_VARIANT(cache, ring_null_blk, .flags = 0, .queues = T_ONE_QUEUE);
T_VARIANT(cache, ring_drive, .flags = 0, .queues = T_DRIVE);
T_VARIANT(cache, defer_drive, .flags = DEFER, .queues = T_DRIVE);

static alignas(4096) char buf[64 * KIB];

FIXTURE_SETUP(cache)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_way_dev(&self->dev, variant->queues));
	if (t_queue_set(&self->dev, "scheduler", "none"))
		T_SKIP("no I/O scheduler 'none' on %s", self->dev.name);
	ASSERT_EQ(0, t_queue_set(&self->dev, "read_ahead_kb",
				 t_text("%d", AHEAD_KIB)));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->fd = open(self->dev.path,
			t_way_writable(variant->queues) ? O_RDWR : O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	self->nr = t_cpus(self->cpus);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, variant->flags));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(cache)
{
	t_undo_all();
}

static int go(FIXTURE_DATA(cache) * self, unsigned int op, unsigned int bytes,
	      __u64 off, unsigned int rw_flags, __u32 flow)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, flow);
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, op, self->fd, buf, bytes, off);
	t_sqe_hint(sqe, &hint);
	sqe->rw_flags = rw_flags;
	return t_submit_res(&self->ring);
}

/* What was read ahead may still be on its way: wait for all that was asked for. */
static void settle(struct __test_metadata *_metadata,
		   FIXTURE_DATA(cache) * self)
{
	long long end = t_now_ms() + T_TIMEOUT * 1000LL / 2;

	while (t_inflight(&self->dev) && t_now_ms() < end)
		usleep(1000);
	ASSERT_EQ(0, t_inflight(&self->dev));
	T_OK(t_trace_load(&self->trace));
}

/* All of it completed on a CPU. */
static void check_cpu(struct __test_metadata *_metadata,
		      FIXTURE_DATA(cache) * self, int cpu)
{
	for (size_t i = 0; i < self->trace.nr; i++)
		if (!strcmp(self->trace.events[i].name, "block_rq_complete") &&
		    t_field(&self->trace.events[i], "dev", -1) ==
			    (long long)self->dev.dev)
			EXPECT_EQ(cpu, self->trace.events[i].cpu);
}

T_TEST_F(cache, reads_and_what_is_read_ahead)
{
	for (int i = 0; i < self->nr; i++) {
		long long sectors;

		ASSERT_EQ(0, t_pin(self->cpus[i]));
		t_trace_start(&self->trace);
		/* From the start, which is taken for the first of many. */
		ASSERT_EQ(0,
			  posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
		ASSERT_EQ(16 * KIB,
			  go(self, IORING_OP_READ, 16 * KIB, 0, 0, 1 + i));
		settle(_metadata, self);
		sectors = t_sectors(&self->trace, &self->dev);
		T_EXPECT_TRUE(sectors > 16 * 2, "nothing was read ahead");
		EXPECT_EQ(sectors,
			  t_sectors_of(&self->trace, &self->dev, 1 + i));
		check_cpu(_metadata, self, self->cpus[i]);
	}
}

/* It was fetched for another flow, and nobody has to wait. */
T_TEST_F(cache, a_page_that_is_there)
{
	ASSERT_EQ(16 * KIB, go(self, IORING_OP_READ, 16 * KIB, 0, 0, 1));
	settle(_metadata, self);
	t_trace_start(&self->trace);
	ASSERT_EQ(4 * KIB, go(self, IORING_OP_READ, 4 * KIB, 4 * KIB, 0, 2));
	settle(_metadata, self);
	EXPECT_EQ(0, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/*
 * A read of what was read ahead has more read ahead, for whoever reads: the
 * second flow on another CPU has caused that, though it has all it asked for.
 */
T_TEST_F(cache, who_reads_on_is_read_ahead_for)
{
	long long sectors;

	ASSERT_EQ(0, t_pin(self->cpus[0]));
	ASSERT_EQ(16 * KIB, go(self, IORING_OP_READ, 16 * KIB, 0, 0, 1));
	settle(_metadata, self);
	EXPECT_EQ(0, t_sectors_of(&self->trace, &self->dev, 2));

	ASSERT_EQ(0, t_pin(self->cpus[self->nr - 1]));
	t_trace_start(&self->trace);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(16 * KIB, go(self, IORING_OP_READ, 16 * KIB,
				       (1 + i) * 16 * KIB, 0, 2));
	settle(_metadata, self);
	sectors = t_sectors(&self->trace, &self->dev);
	EXPECT_LT(0, sectors);
	EXPECT_EQ(sectors, t_sectors_of(&self->trace, &self->dev, 2));
	check_cpu(_metadata, self, self->cpus[self->nr - 1]);
}

/* A hinted write ends in the page cache. */
T_TEST_F(cache, written_back_later)
{
	if (!t_way_writable(variant->queues))
		T_SKIP("set CPROV_SCRATCH_DEV to a drive to write to");
	ASSERT_EQ(64 * KIB, go(self, IORING_OP_WRITE, 64 * KIB, 0, 0, 7));
	/* Not by the ring: what that waits for is its own, see carry_sync. */
	ASSERT_EQ(0, fsync(self->fd));
	settle(_metadata, self);
	EXPECT_LE(64 * 2, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/*
 * A worker writes and waits for the device, so the writeback is its own, and comes home to
 * it. It may run where the task that made it was pinned.
 */
T_TEST_F(cache, written_through)
{
	const struct t_event *event;

	if (!t_way_writable(variant->queues))
		T_SKIP("set CPROV_SCRATCH_DEV to a drive to write to");
	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		t_trace_start(&self->trace);
		ASSERT_EQ(64 * KIB, go(self, IORING_OP_WRITE, 64 * KIB, 0,
				       RWF_DSYNC, 1 + i));
		settle(_metadata, self);
		EXPECT_EQ(64 * 2, t_sectors(&self->trace, &self->dev));
		EXPECT_EQ(64 * 2,
			  t_sectors_of(&self->trace, &self->dev, 1 + i));
		event = t_decision(&self->trace, &self->dev, 1 + i);
		ASSERT_NE(NULL, event);
		EXPECT_EQ(t_field(event, "submit_cpu", -1),
			  t_field(event, "home_cpu", -2));
		check_cpu(_metadata, self, t_field(event, "submit_cpu", -1));
	}
}

TEST_HARNESS_MAIN
