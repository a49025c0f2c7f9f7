// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that fails completes exactly once, with its error, and at home like
 * any other: whoever waits for it is as blocked as with good news.
 */
#include <errno.h>
#include <fcntl.h>

#include "t_harness.h"

#define BAD_SECTOR 0
#define BAD_SECTORS ((16 << 20) / 512) /* all that a shot may hit */

FIXTURE(error)
{
	struct t_ring ring;
	struct t_trace trace;
	int cpus[T_MAX_CPUS], nr;
};

FIXTURE_SETUP(error)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 32, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(error)
{
	t_undo_all();
}

T_TEST_F(error, of_the_device)
{
	struct t_shot shots[2 * IO_LOCALITY_NR_CLASSES] = {};
	struct t_dev dev;
	int fd, home = self->cpus[self->nr - 1];
	size_t nr = 0;

	T_OK(t_null_blk(&dev, t_text("badblocks=+%d-%d", BAD_SECTOR,
				     BAD_SECTORS - 1)));
	fd = t_dev_open(&dev, O_RDWR);
	ASSERT_LE(0, fd);
	for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
		for (int write = 0; write < 2; write++) {
			shots[nr].hint = t_hint_of(cls, home, 0);
			shots[nr].submit_cpu = self->cpus[0];
			shots[nr++].write = write;
		}
	}
	T_OK(t_shoot(&self->ring, fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++) {
		EXPECT_EQ(-EIO, shots[i].res);
		EXPECT_EQ(1, shots[i].nr_decided);
		EXPECT_EQ(1, shots[i].nr_done);
		if (shots[i].hint.io_class == IO_LOCALITY_CLASS_STEP_CRITICAL)
			EXPECT_EQ(home, shots[i].done_cpu);
	}
	t_check_no_more(_metadata, &self->ring);
}

/* Good and bad neighbours, submitted at once. */
T_TEST_F(error, of_some)
{
	static alignas(4096) char buf[32 * 4096];
	struct io_locality_hint hints[32];
	struct io_uring_cqe cqe;
	unsigned int base = 0;
	struct t_dev dev;
	int fd;

	/* Sectors 64 to 127: the requests 8 to 15. */
	T_OK(t_null_blk(&dev, "badblocks=+64-127"));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	for (int i = 0; i < 32; i++) {
		struct io_uring_sqe *sqe = t_sqe(&self->ring);

		if (!i)
			base = sqe->user_data;
		hints[i] = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				     self->cpus[i % self->nr], 1 + i);
		t_prep_rw(sqe, IORING_OP_READ, fd, buf + i * 4096, 4096,
			  (__u64)i * 4096);
		t_sqe_hint(sqe, &hints[i]);
	}
	ASSERT_EQ(0, t_submit(&self->ring, 32));
	for (int i = 0; i < 32; i++) {
		unsigned int which;

		ASSERT_TRUE(t_cqe(&self->ring, &cqe));
		which = cqe.user_data - base;
		ASSERT_GT(32, which);
		T_EXPECT_EQ(which / 8 == 1 ? -EIO : 4096, cqe.res, "request %u",
			    which);
	}
	t_check_no_more(_metadata, &self->ring);
}

/* A split request of which one piece fails. */
T_TEST_F(error, of_a_piece)
{
	static alignas(4096) char buf[65536];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[0], 1);
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	struct t_dev dev;
	int fd;

	T_OK(t_null_blk(&dev, "max_sectors=8 badblocks=+64-71"));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, &hint);
	EXPECT_EQ(-EIO, t_submit_res(&self->ring));
	t_check_no_more(_metadata, &self->ring);
}

/* Of device-mapper, where no request comes to be. */
T_TEST_F(error, of_a_target)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[0], 1);
	struct io_uring_sqe *sqe;
	struct t_dev dev;
	int fd;

	T_OR_SKIP(t_dm(&dev, 2048, "error", ""));
	fd = t_dev_open(&dev, O_RDWR);
	ASSERT_LE(0, fd);
	for (int write = 0; write < 2; write++) {
		sqe = t_sqe(&self->ring);
		t_prep_rw(sqe, write ? IORING_OP_WRITE : IORING_OP_READ, fd,
			  buf, sizeof(buf), 0);
		t_sqe_hint(sqe, &hint);
		EXPECT_EQ(-EIO, t_submit_res(&self->ring));
	}
	t_check_no_more(_metadata, &self->ring);
}

TEST_HARNESS_MAIN
