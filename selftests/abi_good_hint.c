// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every value that the interface allows is accepted, up to the edges: what
 * abi_bad_hint refuses begins right behind.
 */
#include "t_harness.h"

T_FIXTURE(good_hint, T_KERNEL | T_ROOT)

static void check(struct __test_metadata *_metadata,
		  const struct io_locality_hint *hint, const char *what)
{
	struct io_locality_slot slot = t_slot_of(hint);
	struct t_ring ring;

	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	T_EXPECT_EQ(0, t_enable(&ring, hint, &slot, 1), "%s", what);
	T_EXPECT_EQ(0, t_update(&ring, hint, 0, &slot, 1), "%s", what);
	t_ring_exit(&ring);
}

T_TEST_F(good_hint, all_classes)
{
	struct io_locality_hint hint;

	for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
		hint = t_hint_of(cls, -1, 0);
		check(_metadata, &hint, t_class_name(cls));
	}
}

T_TEST_F(good_hint, all_flags)
{
	struct io_locality_hint hint = t_hint();

	for (unsigned int flags = 0; flags <= IO_LOCALITY_FLAGS_ALL; flags++) {
		hint.flags = flags;
		check(_metadata, &hint, t_text("flags %#x", flags));
	}
}

T_TEST_F(good_hint, all_cpus)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);
	struct io_locality_hint hint = t_hint();

	for (int i = 0; i < nr; i++) {
		hint.home_cpu = cpus[i];
		hint.home_node = -1;
		check(_metadata, &hint, t_text("CPU %d", cpus[i]));
		hint.home_node = t_node_of(cpus[i]);
		check(_metadata, &hint, t_text("CPU %d and its node", cpus[i]));
		hint.home_cpu = -1;
		check(_metadata, &hint, t_text("the node of CPU %d", cpus[i]));
	}
}

T_TEST_F(good_hint, all_numbers)
{
	static const __u32 numbers[] = { 0,  1,		 15,	    16,
					 17, 0x7fffffff, 0xffffffff };
	struct io_locality_hint hint = t_hint();

	for (size_t i = 0; i < T_ARRAY_SIZE(numbers); i++) {
		hint.flow_id = numbers[i];
		hint.budget_us = numbers[i];
		check(_metadata, &hint,
		      t_text("flow and budget %u", numbers[i]));
	}
}

T_TEST_F(good_hint, all_slot_fields)
{
	struct io_locality_hint hint = t_hint();
	struct io_locality_slot slot = t_slot_of(&hint);
	struct t_ring ring;

	slot.prefetch_confidence = 100;
	slot.temperature = 100;
	slot.consumer_dev = ~0ULL;
	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	EXPECT_EQ(0, t_enable(&ring, NULL, &slot, 1));
}

TEST_HARNESS_MAIN
