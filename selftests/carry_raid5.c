// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through md raid5: a read of a complete array is one clone for each chunk, and
 * carries the hint. What goes through the stripe cache does not: all writes, and
 * every read as long as a leg is missing. There the legs' bios are the stripe's,
 * which may serve several at once, and raid5d submits them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define LEGS 3
#define BYTES T_MD_CHUNK
#define SECTORS (BYTES / 512)
#define FLOW 555

/* Chunks 0 and 1 are on legs 0 and 1, and parity is on leg 2. */
FIXTURE(raid5)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev md, legs[LEGS];
	char *data, *buf;
	int fd;
};

FIXTURE_SETUP(raid5)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	for (int i = 0; i < LEGS; i++)
		T_OK(t_null_blk(&self->legs[i], "memory_backed=1"));
	T_OR_SKIP(t_md(&self->md, 5, self->legs, LEGS));
	ASSERT_EQ(0, posix_memalign((void **)&self->data, 4096, 2 * BYTES));
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	for (int i = 0; i < 2 * BYTES; i++)
		self->data[i] = i / 512 + i;
	self->fd = t_dev_open(&self->md, O_RDWR);
	ASSERT_LE(0, self->fd);
	/* More than the stripe cache holds, which is 1 MiB of each leg. */
	for (int i = 0; i < 32; i++)
		ASSERT_EQ(2 * BYTES, pwrite(self->fd, self->data, 2 * BYTES,
					    (off_t)i * 2 * BYTES));
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(raid5)
{
	t_undo_all();
}

static void read_at(struct __test_metadata *_metadata,
		    FIXTURE_DATA(raid5) * self, unsigned int off)
{
	t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, self->fd, self->buf,
		  BYTES, off);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	EXPECT_EQ(0, memcmp(self->data + off, self->buf, BYTES));
	T_OK(t_trace_load(&self->trace));
}

T_TEST_F(raid5, read_of_a_chunk)
{
	read_at(_metadata, self, BYTES);
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->legs[1]));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->legs[1], FLOW));
	EXPECT_EQ(0, t_sectors(&self->trace, &self->legs[0]));
	EXPECT_EQ(0, t_sectors(&self->trace, &self->legs[2]));
}

T_TEST_F(raid5, read_over_two_chunks)
{
	read_at(_metadata, self, BYTES / 2);
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(SECTORS / 2, t_sectors(&self->trace, &self->legs[i]));
		EXPECT_EQ(SECTORS / 2,
			  t_sectors_of(&self->trace, &self->legs[i], FLOW));
	}
}

T_TEST_F(raid5, degraded_read_carries_nothing)
{
	T_OK(t_md_fail(&self->md, &self->legs[0]));
	t_trace_start(&self->trace);
	read_at(_metadata, self, 0);
	EXPECT_EQ(0, t_sectors(&self->trace, &self->legs[0]));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->legs[1]));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->legs[2]));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/* Not even from a leg that is there. */
T_TEST_F(raid5, read_beside_the_missing_leg_carries_nothing)
{
	T_OK(t_md_fail(&self->md, &self->legs[0]));
	t_trace_start(&self->trace);
	read_at(_metadata, self, BYTES);
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->legs[1]));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

T_TEST_F(raid5, write_carries_nothing)
{
	memset(self->buf, 'y', BYTES);
	t_prep_rw(t_sqe(&self->ring), IORING_OP_WRITE, self->fd, self->buf,
		  BYTES, 0);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(SECTORS, t_sectors(&self->trace, &self->legs[0]));
	EXPECT_LE(SECTORS, t_sectors(&self->trace, &self->legs[2]));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
	memset(self->data, 0, BYTES);
	ASSERT_EQ(BYTES, pread(self->fd, self->data, BYTES, 0));
	EXPECT_EQ(0, memcmp(self->data, self->buf, BYTES));
}

TEST_HARNESS_MAIN
