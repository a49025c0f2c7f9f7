// SPDX-License-Identifier: GPL-2.0-only
/*
 * A hint with one field wrong is refused wherever a hint can be given, and the
 * call or the request that brought it has no effect.
 */
#include <errno.h>
#include <sys/mman.h>

#include "t_harness.h"

FIXTURE(bad_hint)
{
	struct t_ring ring;
	struct io_locality_hint good, bad;
	int fd;
};

/* Values that depend on the machine. */
enum { NR_CPU_IDS = 0x10000, NR_NODES, NODE_OF_ANOTHER_CPU };

/* All fields that can be wrong are 16 bits wide. */
FIXTURE_VARIANT(bad_hint)
{
	size_t field;
	int value;
};

#define FIELD(name) .field = offsetof(struct io_locality_hint, name)

T_VARIANT(bad_hint, class_first_unknown, FIELD(io_class), .value = 4);
T_VARIANT(bad_hint, class_not_truncated, FIELD(io_class), .value = 0x101);
T_VARIANT(bad_hint, class_largest, FIELD(io_class), .value = 0xffff);
T_VARIANT(bad_hint, flag_first_unknown, FIELD(flags), .value = 0x10);
T_VARIANT(bad_hint, flag_last, FIELD(flags), .value = 0x8000);
T_VARIANT(bad_hint, flag_among_known, FIELD(flags), .value = 0x400f);
T_VARIANT(bad_hint, cpu_below_minus_one, FIELD(home_cpu), .value = -2);
T_VARIANT(bad_hint, cpu_smallest, FIELD(home_cpu), .value = -32768);
T_VARIANT(bad_hint, cpu_nr_cpu_ids, FIELD(home_cpu), .value = NR_CPU_IDS);
T_VARIANT(bad_hint, cpu_largest, FIELD(home_cpu), .value = 32767);
T_VARIANT(bad_hint, node_below_minus_one, FIELD(home_node), .value = -2);
T_VARIANT(bad_hint, node_smallest, FIELD(home_node), .value = -32768);
T_VARIANT(bad_hint, node_impossible, FIELD(home_node), .value = NR_NODES);
T_VARIANT(bad_hint, node_largest, FIELD(home_node), .value = 32767);
T_VARIANT(bad_hint, node_of_another_cpu, FIELD(home_node),
	  .value = NODE_OF_ANOTHER_CPU);

/* Both are fine by themselves. */
static const char *name_cpu_of_another_node(struct io_locality_hint *hint)
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

/* A reason not to test this here, or NULL. */
static const char *spoil(struct io_locality_hint *hint, size_t field, int value)
{
	__u16 bits = value;

	if (value == NODE_OF_ANOTHER_CPU)
		return name_cpu_of_another_node(hint);
	if (value == NR_CPU_IDS)
		bits = t_nr_cpu_ids();
	if (value == NR_NODES)
		bits = t_nr_nodes();
	memcpy((char *)hint + field, &bits, sizeof(bits));
	return NULL;
}

FIXTURE_SETUP(bad_hint)
{
	T_NEED(T_KERNEL);
	/* Of a class that anybody may use. */
	self->good = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 1);
	self->bad = self->good;
	T_OR_SKIP(spoil(&self->bad, variant->field, variant->value));
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
