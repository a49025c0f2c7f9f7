// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slot with one field wrong, its hint aside, is refused at registration.
 */
#include <errno.h>

#include "t_harness.h"

FIXTURE(bad_slot)
{
	struct t_ring ring;
	struct io_locality_slot good, bad;
};

/* One byte is changed: the value in the field's first, or 1 in its last. */
FIXTURE_VARIANT(bad_slot)
{
	size_t byte;
	unsigned char value;
};

#define FIRST(field) .byte = offsetof(struct io_locality_slot, field)
#define BEFORE(field) .byte = offsetof(struct io_locality_slot, field) - 1

T_VARIANT(bad_slot, confidence_101, FIRST(prefetch_confidence), .value = 101);
T_VARIANT(bad_slot, confidence_256, BEFORE(temperature), .value = 1);
T_VARIANT(bad_slot, temperature_101, FIRST(temperature), .value = 101);
T_VARIANT(bad_slot, temperature_256, BEFORE(__reserved0), .value = 1);
T_VARIANT(bad_slot, reserved0_first_byte, FIRST(__reserved0), .value = 1);
T_VARIANT(bad_slot, reserved0_last_byte, BEFORE(consumer_dev), .value = 1);
T_VARIANT(bad_slot, reserved_first_byte, FIRST(__reserved), .value = 1);
T_VARIANT(bad_slot, reserved_second_word, FIRST(__reserved[1]), .value = 1);
T_VARIANT(bad_slot, reserved_third_word, FIRST(__reserved[2]), .value = 1);
T_VARIANT(bad_slot, reserved_last_byte, .byte = 63, .value = 1);

FIXTURE_SETUP(bad_slot)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 0);

	T_NEED(T_KERNEL);
	self->good = t_slot_of(&hint);
	self->bad = self->good;
	((unsigned char *)&self->bad)[variant->byte] = variant->value;
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
