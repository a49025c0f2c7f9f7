// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restrictions and rings that are still disabled: who may register hints when.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "t_harness.h"

FIXTURE(restricted)
{
	struct t_ring ring;
	struct io_locality_hint hint;
};

FIXTURE_SETUP(restricted)
{
	T_NEED(T_KERNEL);
	self->hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 0);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, IORING_SETUP_R_DISABLED));
}

FIXTURE_TEARDOWN(restricted)
{
	t_undo_all();
}

static int reg(struct t_ring *ring, unsigned int op, void *arg, unsigned int nr)
{
	return syscall(__NR_io_uring_register, ring->fd, op, arg, nr) < 0 ?
		       -errno :
		       0;
}

/* Allows reads, and one register op. */
static int restrict_to(struct t_ring *ring, unsigned int register_op)
{
	struct io_uring_restriction res[2];

	memset(res, 0, sizeof(res));
	res[0].opcode = IORING_RESTRICTION_SQE_OP;
	res[0].sqe_op = IORING_OP_READ;
	res[1].opcode = IORING_RESTRICTION_REGISTER_OP;
	res[1].register_op = register_op;
	return reg(ring, IORING_REGISTER_RESTRICTIONS, res, 2);
}

/* Nothing that is not named: that is what restrictions are for. */
T_TEST_F(restricted, refused_unless_allowed)
{
	struct io_locality_probe probe;

	ASSERT_EQ(0, restrict_to(&self->ring, IORING_REGISTER_BUFFERS));
	ASSERT_EQ(0, reg(&self->ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	EXPECT_EQ(-EACCES, t_enable(&self->ring, &self->hint, NULL, 0));
	EXPECT_EQ(-EACCES, t_update(&self->ring, &self->hint, 0, NULL, 0));
	EXPECT_EQ(-EACCES, t_disable(&self->ring));
	EXPECT_EQ(-EACCES, t_probe(self->ring.fd, &probe));
	/* The machine may still be asked. */
	EXPECT_EQ(0, t_probe(-1, &probe));
}

T_TEST_F(restricted, granted_if_allowed)
{
	struct io_locality_probe probe;
	struct io_uring_sqe *sqe;
	char byte;
	int fd;

	ASSERT_EQ(0, restrict_to(&self->ring, IORING_REGISTER_LOCALITY));
	ASSERT_EQ(0, reg(&self->ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	EXPECT_EQ(0, t_probe(self->ring.fd, &probe));
	EXPECT_EQ(0, t_enable(&self->ring, &self->hint, NULL, 0));
	EXPECT_EQ(0, t_update(&self->ring, &self->hint, 0, NULL, 0));
	/* The permission is for this op, not for its neighbours. */
	EXPECT_EQ(-EACCES,
		  reg(&self->ring, IORING_UNREGISTER_BUFFERS, NULL, 0));

	fd = memfd_create("file", 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, "a", 1));
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, fd, &byte, 1, 0);
	t_sqe_hint(sqe, &self->hint);
	EXPECT_EQ(1, t_submit_res(&self->ring));
	EXPECT_EQ(0, t_disable(&self->ring));
}

/* Only restricting has to happen while the ring is disabled; this may. */
T_TEST_F(restricted, disabled_ring_may_opt_in)
{
	struct io_locality_slot slot = t_slot_of(&self->hint);
	struct io_uring_sqe *sqe;
	char byte;
	int fd;

	EXPECT_EQ(0, t_enable(&self->ring, NULL, &slot, 1));
	EXPECT_EQ(0, t_update(&self->ring, &self->hint, 0, NULL, 0));
	ASSERT_EQ(0, reg(&self->ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0));

	fd = memfd_create("file", 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, write(fd, "a", 1));
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, fd, &byte, 1, 0);
	t_sqe_slot(sqe, 2);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, fd, &byte, 1, 0);
	t_sqe_slot(sqe, 1);
	EXPECT_EQ(1, t_submit_res(&self->ring));
}

TEST_HARNESS_MAIN
