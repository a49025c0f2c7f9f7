// SPDX-License-Identifier: GPL-2.0-only
/*
 * uapi/cprov.h, the helper over liburing: what it writes is what the kernel
 * reads, and on a kernel without completion provenance it writes nothing.
 */
#include <cprov.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "t_harness.h"

FIXTURE(helper)
{
	struct io_uring ring;
	struct cprov_ring cr;
	struct io_uring_sqe *sqe;
	char byte;
	int fd;
};

FIXTURE_SETUP(helper)
{
	int ret = io_uring_queue_init(4, &self->ring, 0);

	if (ret)
		T_SKIP("no ring: %s", strerror(-ret));
	self->fd = memfd_create("file", 0);
	ASSERT_EQ(1, write(self->fd, "a", 1));
	self->sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read(self->sqe, self->fd, &self->byte, 1, 0);
}

FIXTURE_TEARDOWN(helper)
{
	t_undo_all();
}

static int submit(FIXTURE_DATA(helper) * self)
{
	struct io_uring_cqe *cqe;
	int ret;

	ret = io_uring_submit_and_wait(&self->ring, 1);
	if (ret < 0)
		return ret;
	io_uring_peek_cqe(&self->ring, &cqe);
	ret = cqe->res;
	io_uring_cqe_seen(&self->ring, cqe);
	return ret;
}

/* A program need not ask: without support all of it does nothing. */
T_TEST_F(helper, is_inert_without_support)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, 100);
	struct io_uring_sqe before = *self->sqe;

	if (!t_need(T_KERNEL))
		T_SKIP("this kernel has completion provenance");
	EXPECT_EQ(0, cprov_ring_enable(&self->cr, &self->ring, &hint, NULL, 0));
	EXPECT_FALSE(self->cr.active);
	cprov_prep_hint(&self->cr, self->sqe, &hint);
	cprov_prep_slot(&self->cr, self->sqe, 3);
	cprov_prep_flags(&self->cr, self->sqe, IO_LOCALITY_SQE_PREFETCH);
	EXPECT_EQ(0, memcmp(&before, self->sqe, sizeof(before)));
	EXPECT_EQ(0, cprov_ring_update(&self->cr, &hint, 0, NULL, 0));
	EXPECT_EQ(1, submit(self));
	EXPECT_EQ(0, cprov_ring_disable(&self->cr));
}

T_TEST_F(helper, bounds_the_batches_of_a_ring_that_has_any)
{
	struct io_uring ring;

	T_NEED(T_KERNEL);
	EXPECT_EQ(-EINVAL, cprov_ring_enable_flags(&self->cr, &self->ring,
						   IO_LOCALITY_F_BOUNDED_BATCH,
						   NULL, NULL, 0));
	EXPECT_FALSE(self->cr.active);
	ASSERT_EQ(0, io_uring_queue_init(4, &ring,
					 IORING_SETUP_DEFER_TASKRUN |
						 IORING_SETUP_SINGLE_ISSUER));
	EXPECT_EQ(1, cprov_ring_enable_flags(&self->cr, &ring,
					     IO_LOCALITY_F_BOUNDED_BATCH, NULL,
					     NULL, 0));
	EXPECT_TRUE(self->cr.active);
	io_uring_queue_exit(&ring);
}

T_TEST_F(helper, opts_in_and_out)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, 100);
	struct io_locality_slot slot = t_slot_of(&hint);
	struct io_locality_probe probe;

	T_NEED(T_KERNEL);
	ASSERT_EQ(0, cprov_probe(-1, &probe));
	EXPECT_EQ(IO_LOCALITY_ABI_VERSION, probe.abi_version);
	ASSERT_EQ(1,
		  cprov_ring_enable(&self->cr, &self->ring, &hint, &slot, 1));
	EXPECT_TRUE(self->cr.active);
	EXPECT_EQ(0, cprov_ring_update(&self->cr, &hint, 0, &slot, 1));
	EXPECT_EQ(-EINVAL, cprov_ring_update(&self->cr, NULL, 1, &slot, 1));
	EXPECT_EQ(1, submit(self));
	EXPECT_EQ(0, cprov_ring_disable(&self->cr));
	EXPECT_FALSE(self->cr.active);
	EXPECT_EQ(0, cprov_ring_disable(&self->cr));
}

/* The kernel has it and refuses: that a program must hear of. */
T_TEST_F(helper, passes_refusals_on)
{
	struct io_locality_hint hint = cprov_hint(IO_LOCALITY_NR_CLASSES, 100);

	T_NEED(T_KERNEL);
	EXPECT_EQ(-EINVAL,
		  cprov_ring_enable(&self->cr, &self->ring, &hint, NULL, 0));
	EXPECT_FALSE(self->cr.active);
}

/* Each function sets what it says: seen by what the kernel refuses. */
T_TEST_F(helper, writes_where_the_kernel_reads)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, 100);
	struct io_locality_slot slots[2] = { t_slot_of(&hint),
					     t_slot_of(&hint) };
	/* One that does not fit is not taken for another, or for none. */
	static const unsigned int none[] = { 2, 65534, 65535, 65536, -1u };

	T_NEED(T_KERNEL);
	ASSERT_EQ(1,
		  cprov_ring_enable(&self->cr, &self->ring, &hint, slots, 2));
	cprov_prep_slot(&self->cr, self->sqe, 1);
	EXPECT_EQ(1, submit(self));

	for (size_t i = 0; i < T_ARRAY_SIZE(none); i++) {
		self->sqe = io_uring_get_sqe(&self->ring);
		io_uring_prep_read(self->sqe, self->fd, &self->byte, 1, 0);
		cprov_prep_slot(&self->cr, self->sqe, none[i]);
		T_EXPECT_EQ(-EINVAL, submit(self), "slot %u", none[i]);
	}

	self->sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read(self->sqe, self->fd, &self->byte, 1, 0);
	cprov_prep_hint(&self->cr, self->sqe, &hint);
	EXPECT_EQ(1, submit(self));

	hint.io_class = IO_LOCALITY_NR_CLASSES;
	self->sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read(self->sqe, self->fd, &self->byte, 1, 0);
	cprov_prep_hint(&self->cr, self->sqe, &hint);
	EXPECT_EQ(-EINVAL, submit(self));

	self->sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_read(self->sqe, self->fd, &self->byte, 1, 0);
	cprov_prep_flags(&self->cr, self->sqe, IO_LOCALITY_SQE_ALL + 1);
	EXPECT_EQ(-EINVAL, submit(self));
}

/* As io_uring_close_ring_fd() leaves it. */
T_TEST_F(helper, needs_no_file_descriptor)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, 100);
	int fd = self->ring.ring_fd;

	T_NEED(T_KERNEL);
	ASSERT_EQ(1, io_uring_register_ring_fd(&self->ring));
	self->ring.ring_fd = -1;
	EXPECT_EQ(1, cprov_ring_enable(&self->cr, &self->ring, &hint, NULL, 0));
	EXPECT_EQ(0, cprov_ring_update(&self->cr, &hint, 0, NULL, 0));
	EXPECT_EQ(1, submit(self));
	EXPECT_EQ(0, cprov_ring_disable(&self->cr));
	self->ring.ring_fd = fd;
}

static bool default_is_set(void)
{
	struct io_uring ring;
	struct cprov_ring cr;
	int ret;

	if (io_uring_queue_init(1, &ring, 0))
		return false;
	cr.ring = &ring;
	cr.active = true;
	/* Only a ring that has one can be opted out without having opted in. */
	ret = cprov_ring_disable(&cr);
	io_uring_queue_exit(&ring);
	return !ret;
}

T_TEST_F(helper, sets_a_default)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, 100);

	T_NEED(T_KERNEL);
	EXPECT_FALSE(default_is_set());
	EXPECT_EQ(1, cprov_task_default(&hint));
	EXPECT_TRUE(default_is_set());
	hint.io_class = IO_LOCALITY_NR_CLASSES;
	EXPECT_EQ(-EINVAL, cprov_task_default(&hint));
	EXPECT_TRUE(default_is_set());
	EXPECT_EQ(1, cprov_task_default(NULL));
	EXPECT_FALSE(default_is_set());
}

T_TEST_F(helper, unpacks_receipts)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, T_LONG_US);
	static alignas(4096) char buf[4096];
	struct cprov_receipt receipt;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	struct t_dev dev;
	int fd;

	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY | T_STEERING);
	T_OK(t_null_blk(&dev, ""));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_pin(0));
	hint.flow_id = 0xffffffff;
	ASSERT_EQ(0, io_uring_queue_init(4, &ring, IORING_SETUP_CQE32));
	ASSERT_EQ(1, cprov_ring_enable_flags(&self->cr, &ring,
					     IO_LOCALITY_F_RECEIPTS, &hint,
					     NULL, 0));
	for (int hinted = 1; hinted >= 0; hinted--) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_read(sqe, fd, buf, sizeof(buf), 0);
		cprov_prep_flags(&self->cr, sqe,
				 hinted ? 0 : IO_LOCALITY_SQE_NONE);
		ASSERT_EQ(1, io_uring_submit_and_wait(&ring, 1));
		ASSERT_EQ(0, io_uring_peek_cqe(&ring, &cqe));
		EXPECT_EQ(sizeof(buf), cqe->res);
		EXPECT_EQ(hinted, cprov_cqe_receipt(cqe, &receipt));
		if (hinted) {
			EXPECT_EQ(0xffffffff, receipt.flow_id);
			EXPECT_EQ(0, receipt.cpu);
			EXPECT_EQ(0, receipt.submit_cpu);
			EXPECT_EQ(IO_LOCALITY_REASON_AT_HOME, receipt.reason);
			EXPECT_LT(0, cprov_ready_ns(&receipt));
			EXPECT_GT(T_TIMEOUT * 1000000000ull,
				  cprov_ready_ns(&receipt));
		} else {
			EXPECT_EQ(0, cprov_ready_ns(&receipt));
		}
		io_uring_cqe_seen(&ring, cqe);
	}
	io_uring_queue_exit(&ring);
}

/* device_done_to_userspace_ready of so many reads: what README and cprov.h promise. */
static int histogram(struct io_uring *ring, int fd, void *buf, unsigned int nr,
		     uint64_t log2_of_ns[64])
{
	struct io_uring_cqe *cqe;
	struct cprov_receipt r;

	while (nr--) {
		io_uring_prep_read(io_uring_get_sqe(ring), fd, buf, 4096, 0);
		io_uring_submit(ring);
		if (io_uring_wait_cqe(ring, &cqe) || cqe->res != 4096)
			return -1;
		if (cprov_cqe_receipt(cqe, &r) && r.done_ns)
			log2_of_ns[63 -
				   __builtin_clzll(cprov_ready_ns(&r) | 1)]++;
		io_uring_cqe_seen(ring, cqe);
	}
	return 0;
}

T_TEST_F(helper, gives_a_histogram)
{
	struct io_locality_hint hint =
		cprov_hint(IO_LOCALITY_CLASS_LATENCY, T_LONG_US);
	static alignas(4096) char buf[4096];
	uint64_t log2_of_ns[64] = {}, sum = 0;
	struct io_uring ring;
	struct t_dev dev;
	int fd;

	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK);
	T_OK(t_null_blk(&dev, ""));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, io_uring_queue_init(4, &ring, IORING_SETUP_CQE32));
	ASSERT_EQ(1, cprov_ring_enable_flags(&self->cr, &ring,
					     IO_LOCALITY_F_RECEIPTS, &hint,
					     NULL, 0));
	ASSERT_EQ(0, histogram(&ring, fd, buf, 100, log2_of_ns));
	for (int i = 0; i < 64; i++)
		sum += log2_of_ns[i];
	EXPECT_EQ(100, sum);
	/* Never in no time, and not in more than the test may take. */
	EXPECT_EQ(0, log2_of_ns[0]);
	for (int i = 40; i < 64; i++)
		EXPECT_EQ(0, log2_of_ns[i]);
	io_uring_queue_exit(&ring);
}

/* Stable over builds and machines: flows are compared across them. */
T_TEST_F(helper, flow_ids)
{
	EXPECT_EQ(cprov_flow_id("a", 1, "b", 1), cprov_flow_id("a", 1, "b", 1));
	EXPECT_NE(cprov_flow_id("a", 1, "b", 1), cprov_flow_id("b", 1, "a", 1));
	/* The same bytes, divided differently. */
	EXPECT_NE(cprov_flow_id("ab", 2, "c", 1),
		  cprov_flow_id("a", 1, "bc", 2));
	EXPECT_NE(0, cprov_flow_id("", 0, "", 0));
}

TEST_HARNESS_MAIN
