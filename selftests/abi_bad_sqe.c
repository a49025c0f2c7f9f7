// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a ring that opted in, an SQE whose hint bytes are wrong completes with an
 * error and does nothing else, for every opcode that takes hints.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "t_harness.h"

#define NR_SLOTS 2
#define BYTES 16

/* As of Linux 6.7; not in the headers of older distributions. */
#define OP_READ_MULTISHOT 49

FIXTURE(bad_sqe)
{
	struct t_ring ring;
	struct io_locality_hint hint;
	char buf[BYTES];
	struct iovec iov;
	int fd;
	int pipe[2];
};

FIXTURE_VARIANT(bad_sqe)
{
	unsigned int op;
	bool writes;
};

T_VARIANT(bad_sqe, read, .op = IORING_OP_READ);
T_VARIANT(bad_sqe, readv, .op = IORING_OP_READV);
T_VARIANT(bad_sqe, read_fixed, .op = IORING_OP_READ_FIXED);
T_VARIANT(bad_sqe, read_multishot, .op = OP_READ_MULTISHOT);
T_VARIANT(bad_sqe, write, .op = IORING_OP_WRITE, .writes = true);
T_VARIANT(bad_sqe, writev, .op = IORING_OP_WRITEV, .writes = true);
T_VARIANT(bad_sqe, write_fixed, .op = IORING_OP_WRITE_FIXED, .writes = true);

FIXTURE_SETUP(bad_sqe)
{
	struct io_locality_slot slots[NR_SLOTS];
	struct io_uring_sqe *sqe;
	static char pool[BYTES];

	T_NEED(T_KERNEL);
	self->hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 1);
	slots[0] = t_slot_of(&self->hint);
	slots[1] = slots[0];
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &self->hint, slots, NR_SLOTS));

	self->fd = memfd_create("file", 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, BYTES));
	self->iov.iov_base = self->buf;
	self->iov.iov_len = BYTES;
	memset(self->buf, 'x', BYTES);
	ASSERT_EQ(0, syscall(__NR_io_uring_register, self->ring.fd,
			     IORING_REGISTER_BUFFERS, &self->iov, 1));
	ASSERT_EQ(0, pipe(self->pipe));
	ASSERT_EQ(BYTES, write(self->pipe[1], self->buf, BYTES));
	/* One buffer in group 0, for the multishot read. */
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_PROVIDE_BUFFERS, 1, pool, BYTES, 0);
	ASSERT_EQ(0, t_submit_res(&self->ring));
}

FIXTURE_TEARDOWN(bad_sqe)
{
	t_undo_all();
}

/* A request that would do. */
static struct io_uring_sqe *prepare(FIXTURE_DATA(bad_sqe) * self,
				    const FIXTURE_VARIANT(bad_sqe) * variant)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, variant->op, self->fd, self->buf, BYTES, 0);
	switch (variant->op) {
	case IORING_OP_READV:
	case IORING_OP_WRITEV:
		sqe->addr = (uintptr_t)&self->iov;
		sqe->len = 1;
		break;
	case OP_READ_MULTISHOT:
		sqe->fd = self->pipe[0];
		sqe->addr = 0;
		sqe->len = 0;
		sqe->flags = IOSQE_BUFFER_SELECT;
		break;
	}
	return sqe;
}

/* What it would have read or written is as it was. */
static void check_unchanged(struct __test_metadata *_metadata,
			    FIXTURE_DATA(bad_sqe) * self)
{
	char byte = 'y';

	ASSERT_EQ(1, pread(self->fd, &byte, 1, 0));
	EXPECT_EQ('\0', byte);
	EXPECT_EQ('x', self->buf[0]);
}

T_TEST_F(bad_sqe, good_ones_are_good)
{
	struct io_uring_sqe *sqe;

	sqe = prepare(self, variant);
	switch (variant->op) {
	case OP_READ_MULTISHOT:
		/* Only one buffer: one way is enough. */
		t_sqe_slot(sqe, NR_SLOTS);
		EXPECT_EQ(BYTES, t_submit_res(&self->ring));
		return;
	}
	/* The default, either slot, a struct, overrides. */
	EXPECT_EQ(BYTES, t_submit_res(&self->ring));
	for (unsigned int slot = 1; slot <= NR_SLOTS; slot++) {
		sqe = prepare(self, variant);
		t_sqe_slot(sqe, slot);
		EXPECT_EQ(BYTES, t_submit_res(&self->ring));
	}
	sqe = prepare(self, variant);
	t_sqe_hint(sqe, &self->hint);
	EXPECT_EQ(BYTES, t_submit_res(&self->ring));
	for (unsigned int flags = 0; flags <= IO_LOCALITY_SQE_ALL; flags++) {
		if (flags & IO_LOCALITY_SQE_NONE &&
		    flags != IO_LOCALITY_SQE_NONE)
			continue;
		sqe = prepare(self, variant);
		t_sqe_flags(sqe, flags);
		T_EXPECT_EQ(BYTES, t_submit_res(&self->ring),
			    "override flags %#x", flags);
	}
}

T_TEST_F(bad_sqe, slot_out_of_range)
{
	static const unsigned int slots[] = { NR_SLOTS + 1,
					      IO_LOCALITY_MAX_SLOTS, 0xffff };

	for (size_t i = 0; i < T_ARRAY_SIZE(slots); i++) {
		t_sqe_slot(prepare(self, variant), slots[i]);
		T_EXPECT_EQ(-EINVAL, t_submit_res(&self->ring), "slot %u",
			    slots[i]);
	}
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, slot_without_table)
{
	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(0, t_enable(&self->ring, &self->hint, NULL, 0));
	t_sqe_slot(prepare(self, variant), 1);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, unknown_override_flag)
{
	for (unsigned int bit = 0; bit < 8; bit++) {
		if (IO_LOCALITY_SQE_ALL & 1U << bit)
			continue;
		t_sqe_flags(prepare(self, variant), 1U << bit);
		T_EXPECT_EQ(-EINVAL, t_submit_res(&self->ring), "bit %u", bit);
	}
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, slot_and_no_hint)
{
	struct io_uring_sqe *sqe = prepare(self, variant);

	t_sqe_flags(sqe, IO_LOCALITY_SQE_NONE);
	t_sqe_slot(sqe, 1);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	check_unchanged(_metadata, self);
}

/* No hint, and something that says more about it. */
T_TEST_F(bad_sqe, override_of_no_hint)
{
	static const unsigned int flags[] = { IO_LOCALITY_SQE_HOME_SUBMITTER,
					      IO_LOCALITY_SQE_PREFETCH };
	struct io_uring_sqe *sqe;

	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		t_sqe_flags(prepare(self, variant),
			    IO_LOCALITY_SQE_NONE | flags[i]);
		T_EXPECT_EQ(-EINVAL, t_submit_res(&self->ring), "flags %#x",
			    flags[i]);
	}
	sqe = prepare(self, variant);
	t_sqe_flags(sqe, IO_LOCALITY_SQE_NONE);
	t_sqe_hint(sqe, &self->hint);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));

	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	for (size_t i = 0; i < T_ARRAY_SIZE(flags); i++) {
		t_sqe_flags(prepare(self, variant), flags[i]);
		T_EXPECT_EQ(-EINVAL, t_submit_res(&self->ring),
			    "flags %#x without a default", flags[i]);
	}
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, unknown_mask_bit)
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		__u64 mask = 1ULL << bit;

		if (mask == IORING_RW_ATTR_FLAG_LOCALITY)
			continue;
		t_sqe_attr(prepare(self, variant), &self->hint, mask);
		T_EXPECT_EQ(-EINVAL, t_submit_res(&self->ring), "bit %u", bit);
		t_sqe_attr(prepare(self, variant), &self->hint,
			   mask | IORING_RW_ATTR_FLAG_LOCALITY);
		T_EXPECT_EQ(-EINVAL, t_submit_res(&self->ring),
			    "bit %u and the hint's", bit);
	}
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, pointer_without_mask)
{
	t_sqe_attr(prepare(self, variant), &self->hint, 0);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, slot_and_struct)
{
	struct io_uring_sqe *sqe = prepare(self, variant);

	t_sqe_hint(sqe, &self->hint);
	t_sqe_slot(sqe, 1);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	check_unchanged(_metadata, self);
}

T_TEST_F(bad_sqe, unreadable_struct)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + 4096, 4096));
	t_sqe_hint(prepare(self, variant), NULL);
	EXPECT_EQ(-EFAULT, t_submit_res(&self->ring));
	t_sqe_hint(prepare(self, variant), (void *)-4096UL);
	EXPECT_EQ(-EFAULT, t_submit_res(&self->ring));
	/* All but its last byte. */
	pages += 4096 - sizeof(struct io_locality_hint) + 1;
	t_sqe_attr(prepare(self, variant), pages, IORING_RW_ATTR_FLAG_LOCALITY);
	EXPECT_EQ(-EFAULT, t_submit_res(&self->ring));
	check_unchanged(_metadata, self);
}

TEST_HARNESS_MAIN
