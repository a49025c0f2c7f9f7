// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slot with one field wrong, its hint aside, is refused at registration.
 */
#include <errno.h>

#include "t_harness.h"

FIXTURE(bad_slot) {
	struct t_ring ring;
	struct io_locality_slot good, bad;
};

FIXTURE_VARIANT(bad_slot) {
	void (*spoil)(struct io_locality_slot *slot);
};

#define BAD_SLOT(name, statement)					\
static void name(struct io_locality_slot *slot)				\
{									\
	statement;							\
}									\
FIXTURE_VARIANT_ADD(bad_slot, name) { .spoil = name }

BAD_SLOT(confidence_above_100, slot->prefetch_confidence = 101);
BAD_SLOT(confidence_largest, slot->prefetch_confidence = 0xffff);
BAD_SLOT(temperature_above_100, slot->temperature = 101);
BAD_SLOT(temperature_largest, slot->temperature = 0xffff);
BAD_SLOT(reserved_after_temperature, slot->__reserved0 = 1);
BAD_SLOT(reserved_first, slot->__reserved[0] = 1);
BAD_SLOT(reserved_second, slot->__reserved[1] = 1ULL << 32);
BAD_SLOT(reserved_third, slot->__reserved[2] = 1);
BAD_SLOT(reserved_last, slot->__reserved[3] = 1ULL << 63);

FIXTURE_SETUP(bad_slot)
{
	struct io_locality_hint hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 0);

	T_NEED(T_KERNEL);
	self->good = self->bad = t_slot_of(&hint);
	variant->spoil(&self->bad);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
}

FIXTURE_TEARDOWN(bad_slot)
{
	t_undo_all();
}

T_TEST_F(bad_slot, at_enable)
{
	EXPECT_EQ(-EINVAL, t_enable(&self->ring, NULL, &self->bad, 1));
	EXPECT_EQ(-ENXIO, t_disable(&self->ring));
}

T_TEST_F(bad_slot, at_update)
{
	ASSERT_EQ(0, t_enable(&self->ring, NULL, &self->good, 1));
	EXPECT_EQ(-EINVAL, t_update(&self->ring, NULL, 0, &self->bad, 1));
	EXPECT_EQ(0, t_update(&self->ring, NULL, 0, &self->good, 1));
}

TEST_HARNESS_MAIN
