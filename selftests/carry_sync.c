// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsync with the ring's default: what it writes back and the flush belong to
 * who waits for them. Writeback that nobody waits for belongs to nobody.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define BYTES (1024 * 1024)
#define FLOW 31337

FIXTURE(sync)
{
	struct t_trace trace;
	struct t_ring ring;
	struct t_dev dev;
	char *buf;
	int fd;
};

/* The device's own file: no file system whose journal has a thread. */
FIXTURE_SETUP(sync)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev, "memory_backed=1 cache_size=4"));
	self->fd = open(self->dev.path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(sync)
{
	t_undo_all();
}

static int fsync_by_ring(FIXTURE_DATA(sync) * self, int fd)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	sqe->opcode = IORING_OP_FSYNC;
	sqe->fd = fd;
	return t_submit_res(&self->ring);
}

T_TEST_F(sync, what_is_waited_for)
{
	ASSERT_EQ(BYTES, pwrite(self->fd, self->buf, BYTES, 4 << 20));
	ASSERT_EQ(0, fsync_by_ring(self, self->fd));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(BYTES / 512, t_sectors_of(&self->trace, &self->dev, FLOW));
	/* The flush moves no sector, but completes as well. */
	EXPECT_LE(2, t_count(&self->trace, "cprov_complete", "flow_id", FLOW));
}

/*
 * The worker that issues it waits for it, and is home, wherever its task is, and where
 * it is itself as it submits each part.
 */
T_TEST_F(sync, home_is_the_worker)
{
	/* As it is of a file that is read and written without a worker, too. */
	int direct = t_dev_open(&self->dev, O_RDWR);
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);

	ASSERT_LE(0, direct);
	for (int i = 0; i < nr; i++) {
		unsigned int nr_decided = 0;

		ASSERT_EQ(0, t_pin(cpus[i]));
		ASSERT_EQ(BYTES, pwrite(self->fd, self->buf, BYTES, 4 << 20));
		/* Its worker is to be one that is not pinned. */
		ASSERT_EQ(0, t_unpin());
		t_trace_start(&self->trace);
		ASSERT_EQ(0, fsync_by_ring(self, direct));
		T_OK(t_trace_load(&self->trace));
		for (size_t e = 0; e < self->trace.nr; e++) {
			const struct t_event *event = &self->trace.events[e];

			if (strcmp(event->name, "cprov_complete") ||
			    t_field(event, "flow_id", -1) != FLOW)
				continue;
			EXPECT_EQ(t_field(event, "submit_cpu", -1),
				  t_field(event, "home_cpu", -2));
			nr_decided++;
		}
		/* The data, and the flush. */
		EXPECT_LE(2, nr_decided);
	}
}

T_TEST_F(sync, what_is_not)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	/* A hinted write into the page cache, which others write back. */
	t_prep_rw(sqe, IORING_OP_WRITE, self->fd, self->buf, BYTES, 4 << 20);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	ASSERT_EQ(0, fsync(self->fd));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(BYTES / 512, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/* A ring without a default has none for fsync either. */
T_TEST_F(sync, no_default)
{
	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	ASSERT_EQ(BYTES, pwrite(self->fd, self->buf, BYTES, 4 << 20));
	ASSERT_EQ(0, fsync_by_ring(self, self->fd));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

TEST_HARNESS_MAIN
