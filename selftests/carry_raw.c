// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an SQE to a device: every opcode that takes hints, every way to give one,
 * and the ways in which a request gets there later or in pieces.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "t_harness.h"

#define BYTES 65536
#define SECTORS (BYTES / 512)

/* The default's flow, those of two slots, and that of a request's own hint. */
enum { FLOW_DEFAULT = 1, FLOW_SLOT = 10, FLOW_OTHER_SLOT, FLOW_OWN = 20 };

FIXTURE(raw)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	struct io_locality_hint own;
	struct iovec iov[2];
	char *buf;
	int fd;
};

FIXTURE_VARIANT(raw)
{
	unsigned int op;
};

T_VARIANT(raw, read, .op = IORING_OP_READ);
T_VARIANT(raw, readv, .op = IORING_OP_READV);
T_VARIANT(raw, read_fixed, .op = IORING_OP_READ_FIXED);
T_VARIANT(raw, write, .op = IORING_OP_WRITE);
T_VARIANT(raw, writev, .op = IORING_OP_WRITEV);
T_VARIANT(raw, write_fixed, .op = IORING_OP_WRITE_FIXED);

FIXTURE_SETUP(raw)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW_DEFAULT);
	struct io_locality_slot slots[2];
	struct iovec all;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	/* 64 KiB are four requests. */
	T_OK(t_null_blk(&self->dev, "max_sectors=32"));
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	memset(self->buf, 'x', BYTES);

	slots[0] = t_slot_of(&hint);
	slots[1] = slots[0];
	slots[0].hint.flow_id = FLOW_SLOT;
	slots[1].hint.flow_id = FLOW_OTHER_SLOT;
	self->own = hint;
	self->own.flow_id = FLOW_OWN;
	ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, slots, 2));

	self->iov[0].iov_base = self->buf;
	self->iov[1].iov_base = self->buf + BYTES / 2;
	self->iov[0].iov_len = BYTES / 2;
	self->iov[1].iov_len = BYTES / 2;
	all.iov_base = self->buf;
	all.iov_len = BYTES;
	ASSERT_EQ(0, syscall(__NR_io_uring_register, self->ring.fd,
			     IORING_REGISTER_BUFFERS, &all, 1));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(raw)
{
	t_undo_all();
}

/* All of the buffer, at the n-th place of its size. */
static struct io_uring_sqe *prepare(FIXTURE_DATA(raw) * self,
				    const FIXTURE_VARIANT(raw) * variant,
				    unsigned int place)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	bool vectored = variant->op == IORING_OP_READV ||
			variant->op == IORING_OP_WRITEV;

	t_prep_rw(sqe, variant->op, self->fd,
		  vectored ? (void *)self->iov : self->buf,
		  vectored ? T_ARRAY_SIZE(self->iov) : BYTES,
		  (__u64)place * BYTES);
	return sqe;
}

/* All that the device did was of the flow; of none, if that is 0. */
static void check_flow(struct __test_metadata *_metadata,
		       FIXTURE_DATA(raw) * self, __u32 flow)
{
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors(&self->trace, &self->dev));
	if (flow) {
		EXPECT_EQ(SECTORS,
			  t_sectors_of(&self->trace, &self->dev, flow));
	} else {
		EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", "dev",
				       self->dev.dev));
	}
	t_trace_start(&self->trace);
}

T_TEST_F(raw, each_way_to_give_a_hint)
{
	struct io_uring_sqe *sqe;

	prepare(self, variant, 0);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, FLOW_DEFAULT);

	t_sqe_slot(prepare(self, variant, 0), 1);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, FLOW_SLOT);

	t_sqe_slot(prepare(self, variant, 0), 2);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, FLOW_OTHER_SLOT);

	t_sqe_hint(prepare(self, variant, 0), &self->own);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, FLOW_OWN);

	t_sqe_flags(prepare(self, variant, 0), IO_LOCALITY_SQE_NONE);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, 0);

	/* The next one is not tainted by the one before. */
	sqe = prepare(self, variant, 0);
	t_sqe_flags(sqe, IO_LOCALITY_SQE_NONE);
	sqe->flags = IOSQE_IO_LINK;
	t_sqe_slot(prepare(self, variant, 0), 1);
	ASSERT_EQ(0, t_submit(&self->ring, 2));
	ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(2 * SECTORS, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW_SLOT));
}

/* Each piece of a split request carries the hint whole. */
T_TEST_F(raw, split)
{
	const struct t_event *event;
	unsigned int pieces = 0;

	t_sqe_slot(prepare(self, variant, 0), 1);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	for (size_t i = 0; i < self->trace.nr; i++) {
		event = &self->trace.events[i];
		if (strcmp(event->name, "cprov_complete"))
			continue;
		pieces++;
		EXPECT_EQ(FLOW_SLOT, t_field(event, "flow_id", 0));
		EXPECT_EQ(IO_LOCALITY_CLASS_LATENCY,
			  t_field(event, "class", -1));
	}
	EXPECT_EQ(4, pieces);
	check_flow(_metadata, self, FLOW_SLOT);
}

/* An io-wq worker submits; it knows the hint, and forgets it afterwards. */
T_TEST_F(raw, async)
{
	struct io_uring_sqe *sqe = prepare(self, variant, 0);

	t_sqe_slot(sqe, 1);
	sqe->flags = IOSQE_ASYNC;
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, FLOW_SLOT);

	sqe = prepare(self, variant, 0);
	t_sqe_flags(sqe, IO_LOCALITY_SQE_NONE);
	sqe->flags = IOSQE_ASYNC;
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	check_flow(_metadata, self, 0);
}

/* The second is submitted when the first is done, by whoever does that. */
T_TEST_F(raw, linked)
{
	struct io_uring_sqe *sqe = prepare(self, variant, 0);

	t_sqe_slot(sqe, 1);
	sqe->flags = IOSQE_IO_LINK;
	t_sqe_slot(prepare(self, variant, 1), 2);
	ASSERT_EQ(0, t_submit(&self->ring, 2));
	ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW_SLOT));
	EXPECT_EQ(SECTORS,
		  t_sectors_of(&self->trace, &self->dev, FLOW_OTHER_SLOT));
	EXPECT_EQ(2 * SECTORS, t_sectors(&self->trace, &self->dev));
}

/* In one call to the kernel: hints do not leak from one to the next. */
T_TEST_F(raw, batch)
{
	t_sqe_slot(prepare(self, variant, 0), 1);
	t_sqe_slot(prepare(self, variant, 1), 2);
	t_sqe_flags(prepare(self, variant, 2), IO_LOCALITY_SQE_NONE);
	prepare(self, variant, 3);
	t_sqe_hint(prepare(self, variant, 4), &self->own);
	ASSERT_EQ(0, t_submit(&self->ring, 5));
	for (int i = 0; i < 5; i++)
		ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(5 * SECTORS, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW_SLOT));
	EXPECT_EQ(SECTORS,
		  t_sectors_of(&self->trace, &self->dev, FLOW_OTHER_SLOT));
	EXPECT_EQ(SECTORS,
		  t_sectors_of(&self->trace, &self->dev, FLOW_DEFAULT));
	EXPECT_EQ(SECTORS, t_sectors_of(&self->trace, &self->dev, FLOW_OWN));
}

/* IO_LOCALITY_SQE_PREFETCH, and a class that comes with the hint. */
T_TEST_F(raw, class_arrives)
{
	const struct t_event *event;

	t_sqe_flags(prepare(self, variant, 0), IO_LOCALITY_SQE_PREFETCH);
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	event = t_find(&self->trace, "cprov_complete", "flow_id", FLOW_DEFAULT);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(IO_LOCALITY_CLASS_PREFETCH, t_field(event, "class", -1));

	for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
		t_trace_start(&self->trace);
		self->own.io_class = cls;
		t_sqe_hint(prepare(self, variant, 0), &self->own);
		ASSERT_EQ(BYTES, t_submit_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		event = t_find(&self->trace, "cprov_complete", "flow_id",
			       FLOW_OWN);
		ASSERT_NE(NULL, event);
		EXPECT_EQ(cls, t_field(event, "class", -1));
	}
}

/* The hint is read when the request is submitted, not later. */
T_TEST_F(raw, struct_may_go_after_submission)
{
	struct t_held held;

	ASSERT_EQ(0, t_hold_next(&self->ring, &held));
	t_sqe_hint(prepare(self, variant, 0), &self->own);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	memset(&self->own, 0xff, sizeof(self->own));
	ASSERT_EQ(1, t_let_go(&self->ring, &held));
	ASSERT_EQ(BYTES, t_wait_res(&self->ring));
	check_flow(_metadata, self, FLOW_OWN);
}

TEST_HARNESS_MAIN
