// SPDX-License-Identifier: GPL-2.0-only
/*
 * Neighbours on the device that different consumers wait for stay two requests;
 * those of one token may become one. Looked at where merging happens: in a
 * plug, and in each I/O scheduler.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

#define BYTES 4096
#define SECTORS (BYTES / 512)
#define NR 8

FIXTURE(merge)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	char *buf;
	int fd;
};

FIXTURE_VARIANT(merge)
{
	const char *scheduler;
	unsigned int op;
};

T_VARIANT(merge, none_read, "none", IORING_OP_READ);
T_VARIANT(merge, none_write, "none", IORING_OP_WRITE);
T_VARIANT(merge, mq_deadline_read, "mq-deadline", IORING_OP_READ);
T_VARIANT(merge, mq_deadline_write, "mq-deadline", IORING_OP_WRITE);
T_VARIANT(merge, kyber_read, "kyber", IORING_OP_READ);
T_VARIANT(merge, kyber_write, "kyber", IORING_OP_WRITE);
T_VARIANT(merge, bfq_read, "bfq", IORING_OP_READ);
T_VARIANT(merge, bfq_write, "bfq", IORING_OP_WRITE);

FIXTURE_SETUP(merge)
{
	/* No policy: it is not asked about merging. */
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK);
	T_OK(t_null_blk(&self->dev, ""));
	if (t_queue_set(&self->dev, "scheduler", variant->scheduler))
		T_SKIP("no I/O scheduler %s", variant->scheduler);
	ASSERT_EQ(0, t_queue_set(&self->dev, "nomerges", "0"));
	T_OK(t_trace_open_dev(&self->trace, "block:block_rq_issue",
			      &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, NR * BYTES));
	ASSERT_EQ(0, t_ring_init(&self->ring, NR, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(merge)
{
	t_undo_all();
}

/* Neighbours, submitted at once: io_uring plugs. */
static void submit(struct __test_metadata *_metadata,
		   FIXTURE_DATA(merge) * self,
		   const FIXTURE_VARIANT(merge) * variant,
		   struct io_locality_hint *hints)
{
	t_trace_start(&self->trace);
	for (int i = 0; i < NR; i++) {
		struct io_uring_sqe *sqe = t_sqe(&self->ring);

		t_prep_rw(sqe, variant->op, self->fd, self->buf + i * BYTES,
			  BYTES, (1 << 20) + i * BYTES);
		if (hints[i].flow_id)
			t_sqe_hint(sqe, &hints[i]);
	}
	ASSERT_EQ(0, t_submit(&self->ring, NR));
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
}

/* How large the requests were: each its own size, or in part larger. */
static void check_not_merged(struct __test_metadata *_metadata,
			     FIXTURE_DATA(merge) * self)
{
	EXPECT_EQ(NR, self->trace.nr);
	EXPECT_EQ(NR, t_count(&self->trace, "block_rq_issue", "nr_sector",
			      SECTORS));
}

T_TEST_F(merge, one_token_may)
{
	struct io_locality_hint hints[NR];

	for (int i = 0; i < NR; i++)
		hints[i] = t_hint_of(IO_LOCALITY_CLASS_LATENCY, 0, 5);
	submit(_metadata, self, variant, hints);
	EXPECT_GT(NR, self->trace.nr);
}

/* The control: without hints all is as ever. */
T_TEST_F(merge, no_token_may)
{
	struct io_locality_hint hints[NR];

	memset(hints, 0, sizeof(hints));
	submit(_metadata, self, variant, hints);
	EXPECT_GT(NR, self->trace.nr);
}

T_TEST_F(merge, different_flows_do_not)
{
	struct io_locality_hint hints[NR];

	for (int i = 0; i < NR; i++)
		hints[i] = t_hint_of(IO_LOCALITY_CLASS_LATENCY, 0, 5 + i % 2);
	submit(_metadata, self, variant, hints);
	check_not_merged(_metadata, self);
}

T_TEST_F(merge, different_classes_do_not)
{
	struct io_locality_hint hints[NR];

	for (int i = 0; i < NR; i++)
		hints[i] = t_hint_of(i % 2 ? IO_LOCALITY_CLASS_LATENCY :
					     IO_LOCALITY_CLASS_THROUGHPUT,
				     0, 5);
	submit(_metadata, self, variant, hints);
	check_not_merged(_metadata, self);
}

T_TEST_F(merge, hinted_and_unhinted_do_not)
{
	struct io_locality_hint hints[NR];

	for (int i = 0; i < NR; i++)
		hints[i] =
			t_hint_of(IO_LOCALITY_CLASS_LATENCY, 0, i % 2 ? 5 : 0);
	submit(_metadata, self, variant, hints);
	check_not_merged(_metadata, self);
}

/*
 * Two requests that are already there must not become one because of the bio
 * that fills the gap: that is a place of its own in the kernel. Flow 5 goes to
 * places 0 and 1, flow 6 to 2 and 3, and so on, out of order.
 */
T_TEST_F(merge, filling_a_gap_does_not)
{
	static const int order[NR] = { 0, 2, 4, 6, 1, 3, 5, 7 };
	long long sectors;

	t_trace_start(&self->trace);
	for (int i = 0; i < NR; i++) {
		struct io_uring_sqe *sqe = t_sqe(&self->ring);
		static struct io_locality_hint hints[NR];

		hints[i] = t_hint_of(IO_LOCALITY_CLASS_LATENCY, 0,
				     5 + order[i] / 2);
		t_prep_rw(sqe, variant->op, self->fd, self->buf, BYTES,
			  (1 << 20) + order[i] * BYTES);
		t_sqe_hint(sqe, &hints[i]);
	}
	ASSERT_EQ(0, t_submit(&self->ring, NR));
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(NR / 2, self->trace.nr);
	for (size_t i = 0; i < self->trace.nr; i++) {
		sectors = t_field(&self->trace.events[i], "nr_sector", 0);
		EXPECT_GE(2 * SECTORS, sectors);
	}
}

TEST_HARNESS_MAIN
