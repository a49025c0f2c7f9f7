// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hint with one field wrong is refused wherever a hint can be given, and the
 * call or the request that brought it has no effect.
 */
#include <errno.h>
#include <sys/mman.h>

#include "t_harness.h"

FIXTURE(bad_hint) {
	struct t_ring ring;
	struct io_locality_hint good, bad;
	int fd;
};

/* Returns a reason not to test this field here, or NULL. */
FIXTURE_VARIANT(bad_hint) {
	const char *(*spoil)(struct io_locality_hint *hint);
};

#define BAD_HINT(name, statement)					\
static const char *name(struct io_locality_hint *hint)			\
{									\
	statement;							\
	return NULL;							\
}									\
FIXTURE_VARIANT_ADD(bad_hint, name) { .spoil = name }

BAD_HINT(class_first_unknown, hint->io_class = IO_LOCALITY_NR_CLASSES);
BAD_HINT(class_not_truncated, hint->io_class = 0x100 | IO_LOCALITY_CLASS_LATENCY);
BAD_HINT(class_largest, hint->io_class = 0xffff);
BAD_HINT(flag_first_unknown, hint->flags = IO_LOCALITY_FLAGS_ALL + 1);
BAD_HINT(flag_last, hint->flags = 0x8000);
BAD_HINT(flag_among_known, hint->flags = IO_LOCALITY_FLAGS_ALL | 0x4000);
BAD_HINT(cpu_below_minus_one, hint->home_cpu = -2);
BAD_HINT(cpu_smallest, hint->home_cpu = -32768);
BAD_HINT(cpu_nr_cpu_ids, hint->home_cpu = t_nr_cpu_ids());
BAD_HINT(cpu_largest, hint->home_cpu = 32767);
BAD_HINT(node_below_minus_one, hint->home_node = -2);
BAD_HINT(node_smallest, hint->home_node = -32768);
BAD_HINT(node_not_possible, hint->home_node = t_nr_nodes());
BAD_HINT(node_largest, hint->home_node = 32767);

/* Both are fine by themselves. */
static const char *cpu_of_another_node(struct io_locality_hint *hint)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);

	for (int i = 1; i < nr; i++) {
		if (t_node_of(cpus[i]) == t_node_of(cpus[0]))
			continue;
		hint->home_cpu = cpus[i];
		hint->home_node = t_node_of(cpus[0]);
		return NULL;
	}
	return "needs two nodes with CPUs";
}

FIXTURE_VARIANT_ADD(bad_hint, cpu_of_another_node) { .spoil = cpu_of_another_node };

FIXTURE_SETUP(bad_hint)
{
	T_NEED(T_KERNEL);
	/* Of a class that anybody may use. */
	self->good = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 1);
	self->bad = self->good;
	T_OR_SKIP(variant->spoil(&self->bad));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	self->fd = memfd_create("file", 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, ftruncate(self->fd, 4096));
}

FIXTURE_TEARDOWN(bad_hint)
{
	t_undo_all();
}

T_TEST_F(bad_hint, as_default)
{
	ASSERT_EQ(-EINVAL, t_enable(&self->ring, &self->bad, NULL, 0));
	/* Nothing of it took effect: the ring did not opt in. */
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
	ASSERT_EQ(0, t_enable(&self->ring, &self->good, NULL, 0));
	EXPECT_EQ(-EINVAL, t_update(&self->ring, &self->bad, 0, NULL, 0));
	EXPECT_EQ(0, t_update(&self->ring, &self->good, 0, NULL, 0));
}

T_TEST_F(bad_hint, in_slot)
{
	struct io_locality_slot slots[3], good = t_slot_of(&self->good);

	for (size_t i = 0; i < T_ARRAY_SIZE(slots); i++)
		slots[i] = good;
	/* The last, so that the others were looked at before. */
	slots[2].hint = self->bad;
	ASSERT_EQ(-EINVAL, t_enable(&self->ring, NULL, slots, 3));
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
	slots[2] = good;
	ASSERT_EQ(0, t_enable(&self->ring, NULL, slots, 3));
	slots[2].hint = self->bad;
	EXPECT_EQ(-EINVAL, t_update(&self->ring, NULL, 0, slots, 3));
	EXPECT_EQ(-EINVAL, t_update(&self->ring, NULL, 1, &slots[2], 1));
	EXPECT_EQ(0, t_update(&self->ring, NULL, 0, slots, 2));
}

T_TEST_F(bad_hint, of_request)
{
	struct io_uring_sqe *sqe;
	char buf[8] = "";

	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	ASSERT_EQ(2, pwrite(self->fd, "ab", 2, 0));

	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, 2, 0);
	t_sqe_hint(sqe, &self->bad);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	EXPECT_EQ('\0', buf[0]);

	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_WRITE, self->fd, "cd", 2, 0);
	t_sqe_hint(sqe, &self->bad);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));

	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, 2, 0);
	t_sqe_hint(sqe, &self->good);
	EXPECT_EQ(2, t_submit_res(&self->ring));
	EXPECT_STREQ("ab", buf);
}

TEST_HARNESS_MAIN
