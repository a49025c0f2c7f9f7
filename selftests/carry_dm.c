// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through device-mapper: linear remaps a clone, striped splits one over two
 * devices. Every child carries what its parent had.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

#define BYTES 65536
#define SECTORS (BYTES / 512)
#define FLOW 99
#define LENGTH (32 << 11) /* of each target: 32 MiB, in sectors */

FIXTURE(dm)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dm, below[2];
	char *buf;
	int fd;
};

FIXTURE_VARIANT(dm)
{
	const char *target;
	/* Devices below, and sectors that each gets of BYTES from the start. */
	unsigned int nr_below;
	long long sectors;
};

T_VARIANT(dm, linear, .target = "linear", .nr_below = 1, .sectors = SECTORS);

/* Chunks of 4 KiB, eight on each side. */
T_VARIANT(dm, striped, .target = "striped", .nr_below = 2,
	  .sectors = SECTORS / 2);

FIXTURE_SETUP(dm)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	const char *params;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	for (unsigned int i = 0; i < variant->nr_below; i++)
		T_OK(t_null_blk(&self->below[i],
				"memory_backed=1 cache_size=4"));
	params = variant->nr_below == 1 ?
			 t_text("%s 2048", self->below[0].path) :
			 t_text("2 8 %s 0 %s 0", self->below[0].path,
				self->below[1].path);
	T_OR_SKIP(t_dm(&self->dm, LENGTH, variant->target, params));
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);
	self->fd = t_dev_open(&self->dm, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(dm)
{
	t_undo_all();
}

static int transfer(FIXTURE_DATA(dm) * self, unsigned int op,
		    unsigned int flags)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, op, self->fd, self->buf, BYTES, 0);
	t_sqe_flags(sqe, flags);
	return t_submit_res(&self->ring);
}

static void check(struct __test_metadata *_metadata, FIXTURE_DATA(dm) * self,
		  const FIXTURE_VARIANT(dm) * variant)
{
	T_OK(t_trace_load(&self->trace));
	for (unsigned int i = 0; i < variant->nr_below; i++) {
		EXPECT_EQ(variant->sectors,
			  t_sectors(&self->trace, &self->below[i]));
		EXPECT_EQ(variant->sectors,
			  t_sectors_of(&self->trace, &self->below[i], FLOW));
	}
}

T_TEST_F(dm, read)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, 0));
	check(_metadata, self, variant);
}

T_TEST_F(dm, write)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_WRITE, 0));
	check(_metadata, self, variant);
}

/* Of which dm makes one for each device, from none that was submitted. */
T_TEST_F(dm, flush)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	sqe->opcode = IORING_OP_FSYNC;
	sqe->fd = self->fd;
	ASSERT_EQ(0, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	for (unsigned int i = 0; i < variant->nr_below; i++)
		EXPECT_NE(NULL,
			  t_decision(&self->trace, &self->below[i], FLOW));
}

T_TEST_F(dm, no_hint_carries_nothing)
{
	ASSERT_EQ(BYTES, transfer(self, IORING_OP_READ, IO_LOCALITY_SQE_NONE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(variant->sectors, t_sectors(&self->trace, &self->below[0]));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

TEST_HARNESS_MAIN
