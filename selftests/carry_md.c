// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through md raid1: a read goes to one leg, a write to both, and each leg's
 * request carries the hint.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

#define BYTES 65536
#define SECTORS (BYTES / 512)
#define FLOW 111

FIXTURE(raid1)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev md, legs[2];
	char *buf;
	int fd;
};

FIXTURE_SETUP(raid1)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	for (int i = 0; i < 2; i++)
		T_OK(t_null_blk(&self->legs[i], ""));
	T_OR_SKIP(t_md(&self->md, 1, self->legs, 2));
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	self->fd = t_dev_open(&self->md, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(raid1)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(raid1) * self, unsigned int op)
{
	t_prep_rw(t_sqe(&self->ring), op, self->fd, self->buf, BYTES, 1 << 20);
	return t_submit_res(&self->ring);
}

T_TEST_F(raid1, read_from_one_leg)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->legs[0]) +
				   t_sectors(&self->trace, &self->legs[1]));
	EXPECT_EQ(SECTORS,
		  t_sectors_of(&self->trace, &self->legs[0], FLOW) +
			  t_sectors_of(&self->trace, &self->legs[1], FLOW));
}

T_TEST_F(raid1, write_to_both_legs)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE));
	T_OK(t_trace_load(&self->trace));
	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->legs[i]));
		EXPECT_EQ(SECTORS,
			  t_sectors_of(&self->trace, &self->legs[i], FLOW));
	}
}

TEST_HARNESS_MAIN
