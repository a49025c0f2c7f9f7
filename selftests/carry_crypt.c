// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through dm-crypt: a read is a clone that a worker decrypts in place, a write
 * is a bio of its own that a worker encrypts and a thread submits. Both carry
 * what their parent had, with workers and without.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define BYTES 65536
#define SECTORS (BYTES / 512)
#define OFFSET 1048576
#define FLOW 123

FIXTURE(crypt)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev crypt, below;
	char *plain, *buf;
	int fd;
};

FIXTURE_VARIANT(crypt)
{
	const char *options;
};

T_VARIANT(crypt, workers, .options = "");
T_VARIANT(crypt, worker_on_same_cpu, .options = "1 same_cpu_crypt");
T_VARIANT(crypt, no_workers,
	  .options = "2 no_read_workqueue no_write_workqueue");

FIXTURE_SETUP(crypt)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->below, "memory_backed=1"));
	T_OR_SKIP(t_dm_crypt(&self->crypt, &self->below, variant->options));
	ASSERT_EQ(0, posix_memalign((void **)&self->plain, 4096, BYTES));
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	for (int i = 0; i < BYTES; i++)
		self->plain[i] = i / 512 + i;
	memset(self->buf, 0, BYTES);
	self->fd = t_dev_open(&self->crypt, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
}

FIXTURE_TEARDOWN(crypt)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(crypt) * self, unsigned int op,
		    unsigned int flags)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_trace_start(&self->trace);
	t_prep_rw(sqe, op, self->fd,
		  op == IORING_OP_WRITE ? self->plain : self->buf, BYTES,
		  OFFSET);
	t_sqe_flags(sqe, flags);
	return t_submit_res(&self->ring);
}

T_TEST_F(crypt, read)
{
	ASSERT_EQ(BYTES, pwrite(self->fd, self->plain, BYTES, OFFSET));
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, 0));
	EXPECT_EQ(0, memcmp(self->plain, self->buf, BYTES));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->below));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->below, FLOW));
}

T_TEST_F(crypt, write)
{
	int fd = t_dev_open(&self->below, O_RDONLY);

	ASSERT_LE(0, fd);
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, 0));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->below));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->below, FLOW));
	ASSERT_EQ(BYTES, pread(fd, self->buf, BYTES, OFFSET));
	EXPECT_NE(0, memcmp(self->plain, self->buf, BYTES));
	ASSERT_EQ(BYTES, pread(self->fd, self->buf, BYTES, OFFSET));
	EXPECT_EQ(0, memcmp(self->plain, self->buf, BYTES));
}

/* Workers and the thread serve many. */
T_TEST_F(crypt, workers_forget)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, 0));
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, 0));
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, IO_LOCALITY_SQE_NONE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->below));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, IO_LOCALITY_SQE_NONE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->below));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

TEST_HARNESS_MAIN
