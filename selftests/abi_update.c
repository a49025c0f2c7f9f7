// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO_LOCALITY_UPDATE takes effect whole or not at all, on requests that come
 * later. What hint a request has is seen at the device, by its flow.
 */
#include <errno.h>
#include <fcntl.h>

#include "t_harness.h"

#define NR_SLOTS 4

FIXTURE(update)
{
	struct t_ring ring;
	struct t_trace trace;
	struct io_locality_hint hint;
	struct io_locality_slot slots[NR_SLOTS];
	int fd;
};

/* The default is flow 1, slot n is flow 10 + n. */
FIXTURE_SETUP(update)
{
	struct t_dev dev;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&dev, ""));
	T_OK(t_trace_open_dev(&self->trace, "cprov:cprov_complete", &dev));
	self->fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, self->fd);

	self->hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 1);
	for (int i = 0; i < NR_SLOTS; i++) {
		self->slots[i] = t_slot_of(&self->hint);
		self->slots[i].hint.flow_id = 10 + i;
	}
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &self->hint, self->slots, NR_SLOTS));
}

FIXTURE_TEARDOWN(update)
{
	t_undo_all();
}

static void prepare(FIXTURE_DATA(update) * self, unsigned int slot)
{
	static alignas(4096) char buf[4096];
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	t_sqe_slot(sqe, slot);
}

/* The flows that the ring's default and its slots stand for now. */
static void check_flows(struct __test_metadata *_metadata,
			FIXTURE_DATA(update) * self,
			const __u32 expected[1 + NR_SLOTS])
{
	for (unsigned int slot = 0; slot <= NR_SLOTS; slot++) {
		t_trace_start(&self->trace);
		prepare(self, slot);
		ASSERT_EQ(4096, t_submit_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		EXPECT_EQ(1, self->trace.nr);
		T_EXPECT_EQ(1,
			    t_count(&self->trace, NULL, "flow_id",
				    expected[slot]),
			    "slot %u: expected flow %u", slot, expected[slot]);
	}
}

T_TEST_F(update, replaces_what_it_names)
{
	__u32 expected[] = { 1, 10, 11, 12, 13 };

	check_flows(_metadata, self, expected);

	self->slots[0].hint.flow_id = 21;
	self->slots[1].hint.flow_id = 22;
	ASSERT_EQ(0, t_update(&self->ring, NULL, 1, self->slots, 2));
	expected[2] = 21;
	expected[3] = 22;
	check_flows(_metadata, self, expected);

	self->hint.flow_id = 2;
	expected[0] = 2;
	ASSERT_EQ(0, t_update(&self->ring, &self->hint, 0, NULL, 0));
	check_flows(_metadata, self, expected);
}

/* The last slot is bad: neither the ones before it nor the default change. */
T_TEST_F(update, all_or_nothing)
{
	const __u32 expected[] = { 1, 10, 11, 12, 13 };

	self->hint.flow_id = 2;
	for (int i = 0; i < NR_SLOTS; i++)
		self->slots[i].hint.flow_id = 20 + i;
	self->slots[NR_SLOTS - 1].__reserved0 = 1;
	ASSERT_EQ(-EINVAL,
		  t_update(&self->ring, &self->hint, 0, self->slots, NR_SLOTS));
	check_flows(_metadata, self, expected);

	/* The slots are good, the default is not. */
	self->slots[NR_SLOTS - 1].__reserved0 = 0;
	self->hint.io_class = IO_LOCALITY_NR_CLASSES;
	ASSERT_EQ(-EINVAL,
		  t_update(&self->ring, &self->hint, 0, self->slots, NR_SLOTS));
	check_flows(_metadata, self, expected);

	/* One is named, and there is none to put there. */
	self->hint.io_class = IO_LOCALITY_CLASS_LATENCY;
	ASSERT_EQ(-EINVAL, t_update(&self->ring, &self->hint, 1, NULL, 0));
	check_flows(_metadata, self, expected);

	/* All are good, but one is past the table. */
	ASSERT_EQ(-EINVAL,
		  t_update(&self->ring, &self->hint, 1, self->slots, NR_SLOTS));
	check_flows(_metadata, self, expected);
}

/*
 * A read waits behind a link for the pipe to become readable; its slot changes
 * meanwhile. It was submitted before.
 */
T_TEST_F(update, not_for_what_was_submitted)
{
	struct t_held held;

	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_hold_next(&self->ring, &held));
	prepare(self, 2);
	ASSERT_EQ(0, t_submit(&self->ring, 0));

	self->slots[1].hint.flow_id = 99;
	ASSERT_EQ(0, t_update(&self->ring, NULL, 1, &self->slots[1], 1));
	ASSERT_EQ(1, t_let_go(&self->ring, &held));
	ASSERT_EQ(4096, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(1, t_count(&self->trace, NULL, "flow_id", 11));
	EXPECT_EQ(0, t_count(&self->trace, NULL, "flow_id", 99));
}

/* The same, and the whole table goes. */
T_TEST_F(update, disable_leaves_what_was_submitted)
{
	struct t_held held;

	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_hold_next(&self->ring, &held));
	prepare(self, 2);
	ASSERT_EQ(0, t_submit(&self->ring, 0));

	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(1, t_let_go(&self->ring, &held));
	ASSERT_EQ(4096, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_GE(1, t_count(&self->trace, NULL, "flow_id", 11));
	EXPECT_EQ(self->trace.nr, t_count(&self->trace, NULL, "flow_id", 11));
}

TEST_HARNESS_MAIN
