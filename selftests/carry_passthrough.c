// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that are neither reads nor writes: NVMe passthrough by the generic
 * character device, discards, fallocate. They carry their hint, and
 * passthrough, which has no bio, completes at home.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define FLOW 171717

FIXTURE(passthrough)
{
	struct t_trace trace;
	struct t_ring ring;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	struct t_nvme nvme;
};

FIXTURE_VARIANT(passthrough)
{
	unsigned int ring_flags;
};

#define BIG (IORING_SETUP_SQE128 | IORING_SETUP_CQE32)

T_VARIANT(passthrough, interrupt, .ring_flags = BIG);
T_VARIANT(passthrough, deferred,
	  .ring_flags = BIG | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_SINGLE_ISSUER);

FIXTURE_SETUP(passthrough)
{
	const char *drive = getenv("CPROV_DEV");

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_POLICY | T_STEERING);
	if (!drive)
		T_SKIP("set CPROV_DEV to an NVMe drive to read from");
	T_OK(t_dev_find(&self->dev, drive));
	T_OR_SKIP(t_nvme_open(&self->nvme, &self->dev));
	ASSERT_LT(0, self->nvme.nsid);
	self->nr = t_cpus(self->cpus);
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, variant->ring_flags));
}

FIXTURE_TEARDOWN(passthrough)
{
	t_undo_all();
}

static struct io_uring_sqe *prep_read(FIXTURE_DATA(passthrough) * self,
				      void *buf, unsigned int block)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_nvme_read(sqe, &self->nvme, buf, 1, block);
	return sqe;
}

T_TEST_F(passthrough, completes_at_home)
{
	static alignas(4096) char buf[4096];

	for (int i = 0; i < self->nr; i++) {
		struct io_locality_hint hint =
			t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				  self->cpus[i], FLOW + i);
		const struct t_event *decided, *done, *made;
		struct io_uring_cqe cqe;
		__u64 big[2];

		t_stand_on(self->cpus[0], self->cpus[i]);
		ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
		t_trace_start(&self->trace);
		prep_read(self, buf, 8 + i);
		ASSERT_EQ(0, t_submit(&self->ring, 1));
		ASSERT_TRUE(t_cqe_big(&self->ring, &cqe, big));
		EXPECT_EQ(0, cqe.res);
		ASSERT_EQ(0, t_disable(&self->ring));
		T_OK(t_trace_load(&self->trace));
		decided = t_find(&self->trace, "cprov_complete", "flow_id",
				 FLOW + i);
		done = t_find(&self->trace, "block_rq_complete", "dev",
			      self->dev.dev);
		ASSERT_NE(NULL, decided);
		made = t_find(&self->trace, "io_uring_complete", NULL, 0);
		ASSERT_NE(NULL, done);
		ASSERT_NE(NULL, made);
		EXPECT_EQ(self->cpus[i], t_field(decided, "home_cpu", -1));
		EXPECT_EQ(self->cpus[i], done->cpu);
		EXPECT_EQ(done->cpu != made->cpu,
			  !!(cqe.flags & IO_LOCALITY_CQE_F_REMOTE));
		/* The device's word, which for a read is nothing, and ours. */
		EXPECT_EQ(0, big[0]);
		EXPECT_EQ(FLOW + i, (int)(__u32)big[1]);
		EXPECT_EQ(done->cpu,
			  (int)(big[1] >> IO_LOCALITY_RECEIPT_CPU & 0x1fff));
		EXPECT_EQ(IO_LOCALITY_REASON_STEERED +
				  t_field(decided, "reason", -1),
			  (long long)(big[1] >> IO_LOCALITY_RECEIPT_REASON));
	}
}

T_TEST_F(passthrough, names_a_slot)
{
	static alignas(4096) char buf[4096];
	struct io_locality_slot slots[2];
	struct io_locality_hint hint;
	struct io_uring_sqe *sqe;

	for (int i = 0; i < 2; i++) {
		hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW + i);
		slots[i] = t_slot_of(&hint);
	}
	ASSERT_EQ(0, t_enable(&self->ring, NULL, slots, 2));
	t_trace_start(&self->trace);
	for (int i = 0; i < 2; i++) {
		sqe = prep_read(self, buf, 8);
		t_sqe_slot(sqe, 1 + i);
		EXPECT_EQ(0, t_submit_res(&self->ring));
	}
	/* Nothing is named, and there is no default. */
	prep_read(self, buf, 8);
	EXPECT_EQ(0, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(1, t_count(&self->trace, "cprov_complete", "flow_id",
				     FLOW + i));
	EXPECT_EQ(2, t_count(&self->trace, "cprov_complete", NULL, 0));

	sqe = prep_read(self, buf, 8);
	t_sqe_slot(sqe, 3);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	sqe = prep_read(self, buf, 8);
	t_sqe_flags(sqe, IO_LOCALITY_SQE_ALL + 1);
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
}

/* A command that failed before it reached the device leaves nothing behind. */
T_TEST_F(passthrough, refused_by_the_driver)
{
	struct io_locality_hint hint = t_hint();
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	for (int i = 0; i < 20; i++) {
		sqe = prep_read(self, NULL, 8);
		((struct nvme_uring_cmd *)sqe->cmd)->flags = 1;
		EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	}
}

/* Commands to something else may use the bytes that name a slot. */
T_TEST_F(passthrough, others_are_left_alone)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct io_locality_hint hint = t_hint();
	struct io_uring_sqe *sqe;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	for (int garbage = 0; garbage < 2; garbage++) {
		sqe = t_sqe(&self->ring);
		sqe->opcode = IORING_OP_URING_CMD;
		sqe->fd = fd;
		if (garbage)
			memset((char *)sqe + IO_LOCALITY_SQE_FLAGS_OFFSET, 0xff,
			       3);
		EXPECT_EQ(0, t_submit_res(&self->ring));
	}
}

FIXTURE(block)
{
	struct t_trace trace;
	struct t_ring ring;
	struct t_dev dev;
	int fd;
};

FIXTURE_SETUP(block)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev, "memory_backed=1 discard=1"));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(block)
{
	t_undo_all();
}

static void check_carried(struct __test_metadata *_metadata,
			  FIXTURE_DATA(block) * self)
{
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ((1 << 20) / 512,
		  t_sectors_of(&self->trace, &self->dev, FLOW));
	EXPECT_EQ((1 << 20) / 512, t_sectors(&self->trace, &self->dev));
}

T_TEST_F(block, discard)
{
	int res;

	t_prep_discard(t_sqe(&self->ring), self->fd, 1 << 20, 1 << 20);
	res = t_submit_res(&self->ring);
	if (res == -EOPNOTSUPP)
		T_SKIP("no discard command");
	EXPECT_EQ(0, res);
	check_carried(_metadata, self);
}

/* It is steered like any other request, from each CPU to the next. */
T_TEST_F(block, discard_comes_home)
{
	const struct t_event *done;
	int cpus[T_MAX_CPUS], nr, res;

	T_NEED(T_TWO_CPUS | T_STEERING);
	nr = t_cpus(cpus);
	for (int i = 0; i < nr; i++) {
		const int home = cpus[(i + 1) % nr];
		const struct io_locality_hint hint =
			t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, home, FLOW);

		ASSERT_EQ(0, t_disable(&self->ring));
		ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
		ASSERT_EQ(0, t_stand_on(cpus[i], home));
		t_trace_start(&self->trace);
		t_prep_discard(t_sqe(&self->ring), self->fd, 1 << 20, 1 << 20);
		res = t_submit_res(&self->ring);
		if (res == -EOPNOTSUPP)
			T_SKIP("no discard command");
		ASSERT_EQ(0, res);
		T_OK(t_trace_load(&self->trace));
		done = t_last_done(&self->trace, &self->dev, FLOW);
		ASSERT_NE(NULL, done);
		EXPECT_EQ(home, done->cpu);
	}
}

T_TEST_F(block, fallocate)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	sqe->opcode = IORING_OP_FALLOCATE;
	sqe->fd = self->fd;
	sqe->len = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
	sqe->off = 1 << 20;
	sqe->addr = 1 << 20;
	EXPECT_EQ(0, t_submit_res(&self->ring));
	check_carried(_metadata, self);
}

TEST_HARNESS_MAIN
