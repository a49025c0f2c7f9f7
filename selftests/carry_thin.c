// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through dm-thin: what is mapped is remapped on the spot; what has no block
 * yet, or shares one with a snapshot, is remapped by the pool's worker. The bio
 * is the same and carries what it had. What the worker does besides, zeroing
 * and copying blocks and writing metadata, is nobody's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define BYTES T_THIN_BLOCK
#define SECTORS (BYTES / 512)
#define PART 4096
#define OFFSET 1048576
#define FLOW 321

FIXTURE(thin)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev thin, pool, data, meta;
	char *buf;
	int fd;
};

FIXTURE_SETUP(thin)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->data, "memory_backed=1"));
	T_OK(t_null_blk(&self->meta, "memory_backed=1"));
	T_OR_SKIP(
		t_dm_thin(&self->thin, &self->pool, &self->data, &self->meta));
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	self->fd = t_dev_open(&self->thin, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
}

FIXTURE_TEARDOWN(thin)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(thin) * self, unsigned int op,
		    unsigned int bytes)
{
	t_trace_start(&self->trace);
	t_prep_rw(t_sqe(&self->ring), op, self->fd, self->buf, bytes, OFFSET);
	return t_submit_res(&self->ring);
}

/* All that the data device did was of the flow; the metadata's never is. */
static void check(struct __test_metadata *_metadata, FIXTURE_DATA(thin) * self)
{
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->data));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->data, FLOW));
	EXPECT_EQ(0, t_sectors_of(&self->trace, &self->meta, FLOW));
}

T_TEST_F(thin, write_of_a_new_block)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, BYTES));
	check(_metadata, self);
}

/* The rest of the block is zeroed first. */
T_TEST_F(thin, write_into_a_new_block)
{
	ASSERT_EQ(PART, transfer(self, IORING_OP_WRITE, PART));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(PART / 512, t_sectors_of(&self->trace, &self->data, FLOW));
	EXPECT_LT(PART / 512, t_sectors(&self->trace, &self->data));
	EXPECT_EQ(0, t_sectors_of(&self->trace, &self->meta, FLOW));
}

T_TEST_F(thin, read_and_write_of_a_mapped_block)
{
	ASSERT_EQ(BYTES, pwrite(self->fd, self->buf, BYTES, OFFSET));
	memset(self->buf, 0, BYTES);
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, BYTES));
	EXPECT_EQ('x', self->buf[BYTES - 1]);
	check(_metadata, self);
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, BYTES));
	check(_metadata, self);
}

/* Nothing writes meanwhile, so the volume need not be suspended for it. */
T_TEST_F(thin, read_of_a_shared_block)
{
	ASSERT_EQ(BYTES, pwrite(self->fd, self->buf, BYTES, OFFSET));
	T_OK(t_dm_message(&self->pool, "create_snap 1 0"));
	memset(self->buf, 0, BYTES);
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, BYTES));
	EXPECT_EQ('x', self->buf[BYTES - 1]);
	check(_metadata, self);
}

/* The block is copied first. */
T_TEST_F(thin, write_into_a_shared_block)
{
	ASSERT_EQ(BYTES, pwrite(self->fd, self->buf, BYTES, OFFSET));
	T_OK(t_dm_message(&self->pool, "create_snap 1 0"));
	ASSERT_EQ(PART, transfer(self, IORING_OP_WRITE, PART));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(PART / 512, t_sectors_of(&self->trace, &self->data, FLOW));
	EXPECT_LE(2 * SECTORS + PART / 512,
		  t_sectors(&self->trace, &self->data));
}

/* Of what is not there zeroes are read, and no device. */
T_TEST_F(thin, read_of_no_block)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, BYTES));
	EXPECT_EQ(0, self->buf[BYTES - 1]);
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(0, t_sectors(&self->trace, &self->data));
}

TEST_HARNESS_MAIN
