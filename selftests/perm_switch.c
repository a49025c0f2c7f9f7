// SPDX-License-Identifier: GPL-2.0-only
/*
 * The administrator's switch, kernel.completion_provenance: while it is off no
 * ring opts in, and no hint is taken from those that have.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "t_harness.h"

#define SYSCTL "/proc/sys/kernel/completion_provenance"

FIXTURE(off_switch)
{
	struct t_ring ring;
	struct io_locality_hint hint;
	struct io_locality_slot slot;
	int fd;
};

FIXTURE_SETUP(off_switch)
{
	T_NEED(T_KERNEL | T_ROOT);
	ASSERT_EQ(0, t_set(SYSCTL, "1"));
	self->hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 1);
	self->slot = t_slot_of(&self->hint);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	self->fd = memfd_create("file", 0);
	ASSERT_EQ(1, write(self->fd, "a", 1));
}

FIXTURE_TEARDOWN(off_switch)
{
	t_undo_all();
}

static struct io_uring_sqe *read_byte(FIXTURE_DATA(off_switch) * self)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	static char byte;

	t_prep_rw(sqe, IORING_OP_READ, self->fd, &byte, 1, 0);
	return sqe;
}

T_TEST_F(off_switch, refuses_registration)
{
	ASSERT_EQ(0, t_set(SYSCTL, "0"));
	EXPECT_EQ(-EPERM, t_enable(&self->ring, &self->hint, NULL, 0));
	EXPECT_EQ(-EPERM, t_enable(&self->ring, NULL, &self->slot, 1));
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
	ASSERT_EQ(0, t_set(SYSCTL, "1"));
	EXPECT_EQ(0, t_enable(&self->ring, &self->hint, &self->slot, 1));
}

/*
 * A ring that opted in before is no way around, but its programs go on: a
 * switch that made their reads fail would not be used.
 */
T_TEST_F(off_switch, requests_carry_nothing)
{
	static alignas(4096) char buf[4096];
	struct t_trace trace;
	struct t_dev dev;
	int fd;

	T_NEED(T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&dev, ""));
	T_OK(t_trace_open(&trace, T_CARRY_EVENTS));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_enable(&self->ring, &self->hint, &self->slot, 1));
	for (int on = 1; on >= 0; on--) {
		ASSERT_EQ(0, t_set(SYSCTL, "%d", on));
		t_trace_start(&trace);
		t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, fd, buf,
			  sizeof(buf), 0);
		EXPECT_EQ(sizeof(buf), t_submit_res(&self->ring));
		T_OK(t_trace_load(&trace));
		EXPECT_EQ(8, t_sectors(&trace, &dev));
		EXPECT_EQ(on ? 8 : 0, t_sectors_of(&trace, &dev, 1));
	}
	EXPECT_EQ(-EPERM, t_update(&self->ring, &self->hint, 0, NULL, 0));
	t_sqe_slot(read_byte(self), 1);
	EXPECT_EQ(1, t_submit_res(&self->ring));
	t_sqe_hint(read_byte(self), &self->hint);
	EXPECT_EQ(1, t_submit_res(&self->ring));
}

T_TEST_F(off_switch, lets_a_ring_opt_out)
{
	ASSERT_EQ(0, t_enable(&self->ring, &self->hint, NULL, 0));
	ASSERT_EQ(0, t_set(SYSCTL, "0"));
	t_sqe_flags(read_byte(self), IO_LOCALITY_SQE_NONE);
	EXPECT_EQ(1, t_submit_res(&self->ring));
	EXPECT_EQ(0, t_disable(&self->ring));
	read_byte(self);
	EXPECT_EQ(1, t_submit_res(&self->ring));
}

TEST_HARNESS_MAIN
