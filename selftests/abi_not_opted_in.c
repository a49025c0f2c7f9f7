// SPDX-License-Identifier: GPL-2.0-only
/*
 * Until a ring opts in, and again after it opted out, the bytes that hold hints
 * mean nothing: old programs may have left anything there.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "t_harness.h"

#define BYTES 16

FIXTURE(not_opted_in)
{
	struct t_ring ring;
	char buf[BYTES];
	struct iovec iov;
	int fd;
};

FIXTURE_SETUP(not_opted_in)
{
	T_NEED(T_KERNEL);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	self->fd = memfd_create("file", 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, BYTES));
	self->iov.iov_base = self->buf;
	self->iov.iov_len = BYTES;
	ASSERT_EQ(0, syscall(__NR_io_uring_register, self->ring.fd,
			     IORING_REGISTER_BUFFERS, &self->iov, 1));
}

FIXTURE_TEARDOWN(not_opted_in)
{
	t_undo_all();
}

static void check_ignored(struct __test_metadata *_metadata,
			  FIXTURE_DATA(not_opted_in) * self)
{
	static const unsigned int ops[] = {
		IORING_OP_READ,	 IORING_OP_READV,  IORING_OP_READ_FIXED,
		IORING_OP_WRITE, IORING_OP_WRITEV, IORING_OP_WRITE_FIXED,
	};
	/* What would be a bad slot, bad flags, a bad mask, a bad pointer. */
	static const struct {
		unsigned int slot, flags;
		uintptr_t ptr;
		__u64 mask;
	} garbage[] = {
		{ 0xffff, 0, 0, 0 },
		{ 0, 0xff, 0, 0 },
		{ 0, 0, 1, 0 },
		{ 0, 0, 1, IORING_RW_ATTR_FLAG_LOCALITY },
		{ 0xffff, 0xff, -1UL, ~0ULL },
	};

	for (size_t op = 0; op < T_ARRAY_SIZE(ops); op++) {
		for (size_t i = 0; i < T_ARRAY_SIZE(garbage); i++) {
			struct io_uring_sqe *sqe = t_sqe(&self->ring);
			bool vectored = ops[op] == IORING_OP_READV ||
					ops[op] == IORING_OP_WRITEV;

			t_prep_rw(sqe, ops[op], self->fd,
				  vectored ? (void *)&self->iov : self->buf,
				  vectored ? 1 : BYTES, 0);
			t_sqe_slot(sqe, garbage[i].slot);
			t_sqe_flags(sqe, garbage[i].flags);
			t_sqe_attr(sqe, (void *)garbage[i].ptr,
				   garbage[i].mask);
			T_EXPECT_EQ(BYTES, t_submit_res(&self->ring),
				    "opcode %u, garbage %zu", ops[op], i);
		}
	}
}

T_TEST_F(not_opted_in, yet)
{
	check_ignored(_metadata, self);
}

/* A refused registration is none. */
T_TEST_F(not_opted_in, after_refusal)
{
	struct io_locality_hint bad = t_hint_of(IO_LOCALITY_NR_CLASSES, -1, 0);

	ASSERT_NE(0, t_enable(&self->ring, &bad, NULL, 0));
	check_ignored(_metadata, self);
}

T_TEST_F(not_opted_in, any_more)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 0);
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, self->buf, BYTES, 0);
	t_sqe_slot(sqe, 1);
	ASSERT_GT(0, t_submit_res(&self->ring));
	ASSERT_EQ(0, t_disable(&self->ring));
	check_ignored(_metadata, self);
}

/* One ring's choice is not another's. */
T_TEST_F(not_opted_in, next_to_one_that_did)
{
	struct t_ring other;

	ASSERT_EQ(0, t_ring_init(&other, 1, 0));
	ASSERT_EQ(0, t_enable(&other, NULL, NULL, 0));
	check_ignored(_metadata, self);
}

TEST_HARNESS_MAIN
