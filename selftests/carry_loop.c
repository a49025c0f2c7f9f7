// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through a loop device, whose worker submits for somebody else: both its own
 * request and the one that the worker makes of it carry the hint.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

#define BYTES (256 << 10)
#define SECTORS (BYTES / 512)
#define FLOW 88

FIXTURE(loop)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev loop, below;
	char *buf;
	int fd;
};

FIXTURE_VARIANT(loop)
{
	bool direct;
};

T_VARIANT(loop, direct, .direct = true);
T_VARIANT(loop, buffered, .direct = false);

/* A file of ext4 of null_blk. */
FIXTURE_SETUP(loop)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	char dir[64], path[80];
	int fd;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->below, "memory_backed=1"));
	T_OR_SKIP(t_ext4(&self->below, dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_LE(0, fd);
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(BYTES, write(fd, self->buf, BYTES));
	sync();
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	T_OR_SKIP(t_loop(&self->loop, path, variant->direct));
	self->fd = t_dev_open(&self->loop, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(loop)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(loop) * self, unsigned int op,
		    unsigned int flags)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	/* Not where the kernel has looked for partitions. */
	t_prep_rw(sqe, op, self->fd, self->buf, BYTES, 2 << 20);
	t_sqe_flags(sqe, flags);
	return t_submit_res(&self->ring);
}

T_TEST_F(loop, read)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, 0));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->loop, FLOW));
	EXPECT_LE(SECTORS, t_sectors_of(&self->trace, &self->below, FLOW));
}

T_TEST_F(loop, write)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, 0));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->loop, FLOW));
	/* The page cache is where a buffered write ends. */
	if (variant->direct)
		EXPECT_EQ(SECTORS,
			  t_sectors_of(&self->trace, &self->below, FLOW));
}

/* A worker serves many: it forgets one hint before it takes up the next. */
T_TEST_F(loop, worker_forgets)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, 0));
	t_trace_start(&self->trace);
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, IO_LOCALITY_SQE_NONE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->loop));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

TEST_HARNESS_MAIN
