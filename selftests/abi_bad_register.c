// SPDX-License-Identifier: GPL-2.0-only
/*
 * A registration with one field wrong is refused, with the errno that the
 * interface promises.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "t_harness.h"

FIXTURE(bad_register)
{
	struct t_ring ring;
	struct io_locality_register reg;
	struct io_locality_slot slots[2];
};

FIXTURE_SETUP(bad_register)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 0);

	T_NEED(T_KERNEL);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	self->slots[0] = t_slot_of(&hint);
	self->slots[1] = self->slots[0];
	/* A registration that would do. */
	self->reg.op = IO_LOCALITY_ENABLE;
	self->reg.flags = IO_LOCALITY_F_DEFAULT;
	self->reg.hint = hint;
	self->reg.slots = (uintptr_t)self->slots;
	self->reg.nr_slots = 2;
}

FIXTURE_TEARDOWN(bad_register)
{
	t_undo_all();
}

T_TEST_F(bad_register, good_one_is_good)
{
	EXPECT_EQ(0, t_locality(self->ring.fd, &self->reg));
}

T_TEST_F(bad_register, unknown_op)
{
	static const __u32 ops[] = { 5, 0x100, 0xffffffff };

	for (size_t i = 0; i < T_ARRAY_SIZE(ops); i++) {
		self->reg.op = ops[i];
		EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
	}
}

T_TEST_F(bad_register, unknown_flag)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		if (1U << bit & IO_LOCALITY_F_ALL)
			continue;
		self->reg.flags = IO_LOCALITY_F_DEFAULT | 1U << bit;
		T_EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg),
			    "bit %u", bit);
	}
}

T_TEST_F(bad_register, reserved)
{
	for (size_t i = 0; i < T_ARRAY_SIZE(self->reg.__reserved); i++) {
		self->reg.__reserved[i] = 1;
		EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
		self->reg.__reserved[i] = 0;
	}
}

T_TEST_F(bad_register, too_many_slots)
{
	size_t size =
		(IO_LOCALITY_MAX_SLOTS + 1) * sizeof(struct io_locality_slot);
	struct io_locality_slot *slots;

	slots = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, slots);
	for (unsigned int i = 0; i <= IO_LOCALITY_MAX_SLOTS; i++)
		slots[i] = self->slots[0];
	self->reg.slots = (uintptr_t)slots;
	self->reg.nr_slots = IO_LOCALITY_MAX_SLOTS + 1;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
	self->reg.nr_slots = 0xffffffff;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
	self->reg.nr_slots = IO_LOCALITY_MAX_SLOTS;
	EXPECT_EQ(0, t_locality(self->ring.fd, &self->reg));
}

T_TEST_F(bad_register, first_slot_at_enable)
{
	self->reg.first_slot = 1;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
}

T_TEST_F(bad_register, hint_without_flag)
{
	self->reg.flags = 0;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
}

T_TEST_F(bad_register, address_without_slots)
{
	self->reg.nr_slots = 0;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
}

T_TEST_F(bad_register, unreadable_registration)
{
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, NULL));
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, (void *)-4096UL));
}

T_TEST_F(bad_register, unreadable_slots)
{
	struct io_locality_slot *end;
	char *pages;

	self->reg.slots = 0;
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, &self->reg));
	self->reg.slots = -4096UL;
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, &self->reg));

	/* The first is readable, the second is not. */
	pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + 4096, 4096));
	end = (struct io_locality_slot *)(pages + 4096);
	end[-1] = self->slots[0];
	self->reg.slots = (uintptr_t)&end[-1];
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, &self->reg));
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
}

T_TEST_F(bad_register, other_counts)
{
	for (unsigned int nr = 0; nr <= 2; nr += 2) {
		EXPECT_EQ(-1,
			  syscall(__NR_io_uring_register, self->ring.fd,
				  IORING_REGISTER_LOCALITY, &self->reg, nr));
		EXPECT_EQ(EINVAL, errno);
	}
}

/* Opcodes are a byte in restrictions: 200 plus 256 must not become 200. */
T_TEST_F(bad_register, opcode_is_not_truncated)
{
	EXPECT_EQ(-1, syscall(__NR_io_uring_register, self->ring.fd,
			      IORING_REGISTER_LOCALITY + 256, &self->reg, 1));
	EXPECT_EQ(EINVAL, errno);
}

T_TEST_F(bad_register, enable_twice)
{
	ASSERT_EQ(0, t_locality(self->ring.fd, &self->reg));
	EXPECT_EQ(-EBUSY, t_locality(self->ring.fd, &self->reg));
	ASSERT_EQ(0, t_disable(&self->ring));
	EXPECT_EQ(0, t_locality(self->ring.fd, &self->reg));
}

T_TEST_F(bad_register, update_and_disable_before_enable)
{
	self->reg.op = IO_LOCALITY_UPDATE;
	EXPECT_EQ(-ENXIO, t_locality(self->ring.fd, &self->reg));
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
}

/* An update that updates nothing is a mistake. */
T_TEST_F(bad_register, update_with_nothing)
{
	ASSERT_EQ(0, t_locality(self->ring.fd, &self->reg));
	EXPECT_EQ(-EINVAL, t_update(&self->ring, NULL, 0, NULL, 0));
}

/* No slot, no default, no table to find: a request may still bring its own. */
T_TEST_F(bad_register, enable_with_nothing)
{
	EXPECT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	EXPECT_EQ(0, t_disable(&self->ring));
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
}

T_TEST_F(bad_register, update_out_of_range)
{
	ASSERT_EQ(0, t_locality(self->ring.fd, &self->reg));
	EXPECT_EQ(-EINVAL, t_update(&self->ring, NULL, 1, self->slots, 2));
	EXPECT_EQ(-EINVAL, t_update(&self->ring, NULL, 2, self->slots, 1));
	/* The sum of these is 1. */
	EXPECT_EQ(-EINVAL,
		  t_update(&self->ring, NULL, 0xffffffff, self->slots, 2));
	EXPECT_EQ(0, t_update(&self->ring, NULL, 1, self->slots, 1));
	EXPECT_EQ(0, t_update(&self->ring, NULL, 0, self->slots, 2));
}

T_TEST_F(bad_register, update_with_one_field_wrong)
{
	struct io_locality_register good = self->reg;

	ASSERT_EQ(0, t_locality(self->ring.fd, &good));
	good.op = IO_LOCALITY_UPDATE;
	EXPECT_EQ(0, t_locality(self->ring.fd, &good));

	self->reg = good;
	self->reg.flags |= 2;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
	self->reg = good;
	self->reg.flags = 0;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
	self->reg = good;
	self->reg.__reserved[2] = 1;
	EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &self->reg));
	self->reg = good;
	self->reg.slots = 0;
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, &self->reg));
	self->reg = good;
	self->reg.slots = -4096UL;
	EXPECT_EQ(-EFAULT, t_locality(self->ring.fd, &self->reg));
}

/* All it has is its op. */
T_TEST_F(bad_register, disable_with_anything_else)
{
	struct io_locality_register reg;
	unsigned char *bytes = (unsigned char *)&reg;

	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	for (size_t i = sizeof(reg.op); i < sizeof(reg); i++) {
		memset(&reg, 0, sizeof(reg));
		reg.op = IO_LOCALITY_DISABLE;
		bytes[i] = 1;
		T_EXPECT_EQ(-EINVAL, t_locality(self->ring.fd, &reg),
			    "byte %zu", i);
	}
	EXPECT_EQ(0, t_disable(&self->ring));
}

TEST_HARNESS_MAIN
