// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through a file system: direct reads and writes, and reads through the page
 * cache, whose bios outlive the call that made them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>

#include "t_harness.h"

#define BYTES (1024 * 1024)
#define SECTORS (BYTES / 512)
#define FLOW 77

FIXTURE(ext4)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	char path[80];
	char *buf;
};

FIXTURE_VARIANT(ext4)
{
	bool drive;
};

T_VARIANT(ext4, null_blk, .drive = false);
T_VARIANT(ext4, drive, .drive = true);

FIXTURE_SETUP(ext4)
{
	const char *drive = getenv("CPROV_SCRATCH_DEV");
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	char dir[64];
	int fd;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	if (!variant->drive) {
		T_OK(t_null_blk(&self->dev, "memory_backed=1"));
	} else {
		if (!drive)
			T_SKIP("set CPROV_SCRATCH_DEV to a drive to write to");
		T_OK(t_dev_find(&self->dev, drive));
	}
	T_OR_SKIP(t_ext4(&self->dev, dir));
	snprintf(self->path, sizeof(self->path), "%s/file", dir);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	fd = open(self->path, O_RDWR | O_CREAT | O_EXCL, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(BYTES, write(fd, self->buf, BYTES));
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

FIXTURE_TEARDOWN(ext4)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(ext4) * self, unsigned int op, int open_flags,
		    unsigned int flags)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	int fd = open(self->path, open_flags | O_CLOEXEC), ret;

	if (fd < 0)
		return fd;
	t_prep_rw(sqe, op, fd, self->buf, BYTES, 0);
	t_sqe_flags(sqe, flags);
	ret = t_submit_res(&self->ring);
	close(fd);
	return ret;
}

T_TEST_F(ext4, direct_read)
{
	ASSERT_EQ(BYTES,
		  transfer(self, IORING_OP_READ, O_RDONLY | O_DIRECT, 0));
	EXPECT_EQ('x', self->buf[BYTES - 1]);
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
}

T_TEST_F(ext4, direct_write)
{
	ASSERT_EQ(BYTES,
		  transfer(self, IORING_OP_WRITE, O_WRONLY | O_DIRECT, 0));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
}

/* Readahead is part of it; so may be the blocks that say where the file is. */
T_TEST_F(ext4, buffered_read)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, O_RDONLY, 0));
	EXPECT_EQ('x', self->buf[BYTES - 1]);
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW));
	EXPECT_EQ(t_sectors(&self->trace, &self->dev),
		  t_sectors_of(&self->trace, &self->dev, FLOW));
}

/* What is written back later is nobody's completion. */
T_TEST_F(ext4, writeback_carries_nothing)
{
	int fd;

	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, O_WRONLY, 0));
	fd = open(self->path, O_RDWR);
	ASSERT_EQ(0, fsync(fd));
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(SECTORS, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(0, t_sectors_of(&self->trace, &self->dev, FLOW));
}

T_TEST_F(ext4, no_hint_carries_nothing)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, O_RDONLY | O_DIRECT,
				  IO_LOCALITY_SQE_NONE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

TEST_HARNESS_MAIN
