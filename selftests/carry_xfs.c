// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through XFS, which goes by iomap: direct reads and writes, reads through the
 * page cache, and fsync, for which the log is written as well. Where the work
 * runs that ends a direct write is for steer_stack to say.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "t_harness.h"

#define BYTES (1024 * 1024)
#define SECTORS (BYTES / 512)
#define FLOW 78

FIXTURE(xfs)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	char path[80];
	char *buf;
};

FIXTURE_SETUP(xfs)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	char dir[64];
	int fd;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev,
			t_text("memory_backed=1 size=%d", T_XFS_MIB)));
	T_OR_SKIP(t_xfs(&self->dev, dir));
	snprintf(self->path, sizeof(self->path), "%s/file", dir);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	fd = open(self->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(BYTES, write(fd, self->buf, BYTES));
	/* Blocks that are there, and that read as zeroes until written to. */
	ASSERT_EQ(0, fallocate(fd, 0, BYTES, BYTES));
	/* Written back now, so that no writeback comes between later. */
	sync();
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	close(fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	memset(self->buf, 0, BYTES);
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(xfs)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(xfs) * self, unsigned int op, int open_flags,
		    __u64 off, unsigned int flags)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	int fd = open(self->path, open_flags | O_CLOEXEC), ret;

	if (fd < 0)
		return fd;
	t_prep_rw(sqe, op, fd, self->buf, BYTES, off);
	t_sqe_flags(sqe, flags);
	ret = t_submit_res(&self->ring);
	close(fd);
	return ret;
}

T_TEST_F(xfs, direct_read)
{
	ASSERT_EQ(BYTES,
		  transfer(self, IORING_OP_READ, O_RDONLY | O_DIRECT, 0, 0));
	EXPECT_EQ('x', self->buf[BYTES - 1]);
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
}

T_TEST_F(xfs, direct_write)
{
	ASSERT_EQ(BYTES,
		  transfer(self, IORING_OP_WRITE, O_WRONLY | O_DIRECT, 0, 0));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
}

/* The extent is to be converted before anybody may know. */
T_TEST_F(xfs, direct_write_into_new_blocks)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, O_WRONLY | O_DIRECT,
				  BYTES, 0));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
}

/* Readahead is part of it; so may be the blocks that say where the file is. */
T_TEST_F(xfs, buffered_read)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, O_RDONLY, 0, 0));
	EXPECT_EQ('x', self->buf[BYTES - 1]);
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
	EXPECT_EQ(t_sectors(&self->trace, &self->dev),
		  t_sectors_of(&self->trace, &self->dev, FLOW));
}

/* The data is written back by who waits. The log may be left to a worker. */
T_TEST_F(xfs, fsync)
{
	struct io_uring_sqe *sqe;
	int fd;

	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, O_WRONLY, BYTES,
				  IO_LOCALITY_SQE_NONE));
	t_trace_start(&self->trace);
	fd = open(self->path, O_RDWR);
	ASSERT_LE(0, fd);
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_FSYNC;
	sqe->fd = fd;
	ASSERT_EQ(0, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
}

/* What is written back later is nobody's completion. */
T_TEST_F(xfs, writeback_carries_nothing)
{
	int fd;

	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, O_WRONLY, 0, 0));
	fd = open(self->path, O_RDWR);
	ASSERT_EQ(0, fsync(fd));
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(SECTORS, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(0, t_sectors_of(&self->trace, &self->dev, FLOW));
}

T_TEST_F(xfs, no_hint_carries_nothing)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, O_RDONLY | O_DIRECT, 0,
				  IO_LOCALITY_SQE_NONE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

TEST_HARNESS_MAIN
