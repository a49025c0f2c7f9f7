// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may be step-critical: a ring that was enabled with CAP_SYS_NICE, or any
 * if the administrator says so.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "t_harness.h"

#define NOBODY 65534
#define SYSCTL "/proc/sys/kernel/completion_provenance_step_critical"

FIXTURE(step_critical)
{
	struct t_ring ring;
	struct io_locality_hint critical, other;
	int fd;
};

FIXTURE_SETUP(step_critical)
{
	T_NEED(T_KERNEL | T_ROOT);
	ASSERT_EQ(0, t_set(SYSCTL, "0"));
	self->critical = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	self->other = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 1);
	self->fd = memfd_create("file", 0);
	ASSERT_EQ(1, write(self->fd, "a", 1));
}

FIXTURE_TEARDOWN(step_critical)
{
	t_undo_all();
}

static void become_nobody(struct __test_metadata *_metadata,
			  FIXTURE_DATA(step_critical) * self)
{
	ASSERT_EQ(0, setresgid(NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
}

static int request(FIXTURE_DATA(step_critical) * self,
		   const struct io_locality_hint *hint)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	static char byte;

	t_prep_rw(sqe, IORING_OP_READ, self->fd, &byte, 1, 0);
	if (hint)
		t_sqe_hint(sqe, hint);
	return t_submit_res(&self->ring);
}

T_TEST_F(step_critical, refused_to_nobody)
{
	struct io_locality_slot critical = t_slot_of(&self->critical);
	struct io_locality_slot other = t_slot_of(&self->other);

	become_nobody(_metadata, self);
	EXPECT_EQ(-EPERM, t_enable(&self->ring, &self->critical, NULL, 0));
	EXPECT_EQ(-EPERM, t_enable(&self->ring, NULL, &critical, 1));
	ASSERT_EQ(0, t_enable(&self->ring, &self->other, &other, 1));
	EXPECT_EQ(-EPERM, t_update(&self->ring, &self->critical, 0, NULL, 0));
	EXPECT_EQ(-EPERM, t_update(&self->ring, NULL, 0, &critical, 1));
	EXPECT_EQ(-EPERM, request(self, &self->critical));
	EXPECT_EQ(1, request(self, &self->other));
}

/* Bad input comes first: it is wrong whoever sends it. */
T_TEST_F(step_critical, other_classes_are_free)
{
	become_nobody(_metadata, self);
	for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
		struct io_locality_hint hint = t_hint_of(cls, -1, 1);
		int expected = cls == IO_LOCALITY_CLASS_STEP_CRITICAL ? -EPERM :
									0;

		T_EXPECT_EQ(expected, t_enable(&self->ring, &hint, NULL, 0),
			    "class %s", t_class_name(cls));
		if (!expected)
			EXPECT_EQ(0, t_disable(&self->ring));
	}
}

T_TEST_F(step_critical, granted_by_the_administrator)
{
	struct io_locality_slot critical = t_slot_of(&self->critical);

	ASSERT_EQ(0, t_set(SYSCTL, "1"));
	become_nobody(_metadata, self);
	EXPECT_EQ(0, t_enable(&self->ring, &self->critical, &critical, 1));
	EXPECT_EQ(1, request(self, NULL));
	EXPECT_EQ(1, request(self, &self->critical));
}

T_TEST_F(step_critical, granted_to_root)
{
	struct io_locality_slot critical = t_slot_of(&self->critical);

	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	EXPECT_EQ(0, t_enable(&self->ring, &self->critical, &critical, 1));
	EXPECT_EQ(0, t_update(&self->ring, &self->critical, 0, &critical, 1));
	EXPECT_EQ(1, request(self, &self->critical));
}

/* It is the capability, not the user. */
T_TEST_F(step_critical, refused_to_root_without_the_capability)
{
	ASSERT_EQ(0, prctl(PR_SET_KEEPCAPS, 0));
	ASSERT_EQ(0, seteuid(NOBODY));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	EXPECT_EQ(-EPERM, t_enable(&self->ring, &self->critical, NULL, 0));
	ASSERT_EQ(0, seteuid(0));
	EXPECT_EQ(0, t_enable(&self->ring, &self->critical, NULL, 0));
}

/* What the ring was enabled with counts, not who happens to submit. */
T_TEST_F(step_critical, belongs_to_the_ring)
{
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &self->critical, NULL, 0));
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	EXPECT_EQ(1, request(self, NULL));
	EXPECT_EQ(1, request(self, &self->critical));
}

TEST_HARNESS_MAIN
