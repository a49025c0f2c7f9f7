// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that is done on its home CPU is not asked for, as there is nothing to
 * decide; it is counted all the same. Nothing here may trace cprov_complete, whose
 * users want each decision, so that all are asked for: where requests complete is
 * seen in block_rq_complete, and what was decided in the counters.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(at_home)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(at_home)
{
	enum t_queues queues;
};

/* With one queue for all, a softirq completes what is at home, and is asked for. */
T_VARIANT(at_home, one_queue, .queues = T_ONE_QUEUE);
T_VARIANT(at_home, two_queues, .queues = T_TWO_QUEUES);
T_VARIANT(at_home, queue_per_cpu, .queues = T_QUEUE_PER_CPU);
T_VARIANT(at_home, drive, .queues = T_DRIVE);

FIXTURE_SETUP(at_home)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	/* Of polling there is a queue more, if nothing is said. */
	T_OR_SKIP(variant->queues == T_ONE_QUEUE ?
			  t_null_blk(&self->dev, "poll_queues=0") :
			  t_way_dev(&self->dev, variant->queues));
	T_OK(t_trace_open_dev(&self->trace, "block:block_rq_complete",
			      &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
	t_counters_reset();
}

FIXTURE_TEARDOWN(at_home)
{
	t_undo_all();
}

/* A read of the hint from where the task is; the CPU that it completed on, or -1. */
static int read_from(FIXTURE_DATA(at_home) * self,
		     const struct io_locality_hint *hint)
{
	static alignas(4096) char buf[4096];
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	const struct t_event *event;

	t_trace_start(&self->trace);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, hint);
	if (t_submit_res(&self->ring) != sizeof(buf) ||
	    t_trace_load(&self->trace))
		return -1;
	event = t_find(&self->trace, "block_rq_complete", NULL, 0);
	return event ? event->cpu : -1;
}

static long long decided(unsigned int cls)
{
	long long sum = 0;

	for (int reason = 0; reason < T_NR_REASONS; reason++)
		sum += t_counter("complete", (int)cls, reason);
	return sum;
}

/* Step-critical requests that were left to the softirq. */
static long long deferrals(void)
{
	return t_read_num(-1, T_KNOBS "/counters/deferred/softirq");
}

/* Reads that come to a CPU of their own accord if there is a queue for each. */
T_TEST_F(at_home, counted)
{
	long long deferred = 0;

	for (unsigned int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
		struct io_locality_hint hint = t_hint_of(cls, -1, 1 + cls);
		int there = 0;

		for (int i = 0; i < self->nr * 4; i++) {
			ASSERT_EQ(0, t_pin(self->cpus[i % self->nr]));
			there += read_from(self, &hint) ==
				 self->cpus[i % self->nr];
		}
		EXPECT_EQ(self->nr * 4, decided(cls));
		/* One interrupt for all leaves it to the softirq, at home as well. */
		if (variant->queues == T_ONE_QUEUE)
			EXPECT_EQ(cls == IO_LOCALITY_CLASS_STEP_CRITICAL ?
					  self->nr * 4 :
					  deferred,
				  deferrals());
		deferred = deferrals();
		if (variant->queues != T_QUEUE_PER_CPU)
			continue;
		EXPECT_EQ(self->nr * 4, there);
		EXPECT_EQ(self->nr * 4,
			  t_counter("complete", (int)cls, T_AT_HOME));
	}
}

/* What is done elsewhere is not taken for being at home. */
T_TEST_F(at_home, brought_home)
{
	const unsigned int cls = IO_LOCALITY_CLASS_STEP_CRITICAL;
	int nr = 0;

	for (int from = 0; from < self->nr; from++) {
		for (int home = 0; home < self->nr; home++) {
			struct io_locality_hint hint =
				t_hint_of(cls, self->cpus[home], 1);

			ASSERT_EQ(0, t_stand_on(self->cpus[from],
						self->cpus[home]));
			T_EXPECT_EQ(self->cpus[home], read_from(self, &hint),
				    "submitted on %d", self->cpus[from]);
			nr++;
		}
	}
	EXPECT_EQ(nr, decided(cls));
	EXPECT_EQ(nr, t_counter("complete", cls, T_AT_HOME) +
			      t_counter("complete", cls, T_STEERED));
}

/* Any CPU of a node is another reason, which only the policy knows. */
T_TEST_F(at_home, node)
{
	const unsigned int cls = IO_LOCALITY_CLASS_LATENCY;
	struct io_locality_hint hint = t_hint_of(cls, -1, 1);

	hint.home_node = t_node_of(self->cpus[0]);
	if (hint.home_node < 0)
		T_SKIP("this kernel knows no nodes");
	ASSERT_EQ(0, t_pin(self->cpus[0]));
	for (int i = 0; i < 4; i++)
		ASSERT_LE(0, read_from(self, &hint));
	EXPECT_EQ(4, decided(cls));
	EXPECT_EQ(0, t_counter("complete", cls, T_AT_HOME));
}

/* Who asks for a receipt gets all of it. */
T_TEST_F(at_home, receipts)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	static alignas(4096) char buf[4096];
	struct io_uring_cqe cqe;
	struct t_ring ring;
	__u64 receipt[2];
	unsigned int reason;

	ASSERT_EQ(0, t_ring_init(&ring, 1, IORING_SETUP_CQE32));
	ASSERT_EQ(0, t_enable_receipts(&ring, &hint));
	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		t_prep_rw(t_sqe(&ring), IORING_OP_READ, self->fd, buf,
			  sizeof(buf), 0);
		ASSERT_EQ(0, t_submit(&ring, 1));
		ASSERT_TRUE(t_cqe_big(&ring, &cqe, receipt));
		ASSERT_EQ(sizeof(buf), cqe.res);
		/* When the device was done, and what was decided. */
		EXPECT_NE(0, receipt[0]);
		reason = receipt[1] >> IO_LOCALITY_RECEIPT_REASON & 63;
		if (variant->queues == T_QUEUE_PER_CPU ||
		    reason != IO_LOCALITY_REASON_STEERED)
			EXPECT_EQ(IO_LOCALITY_REASON_AT_HOME, reason);
	}
	EXPECT_EQ(self->nr, decided(IO_LOCALITY_CLASS_STEP_CRITICAL));
	t_ring_exit(&ring);
}

/* The administrator's switch goes before, and leaves no trace of steering. */
T_TEST_F(at_home, switched_off)
{
	const unsigned int cls = IO_LOCALITY_CLASS_STEP_CRITICAL;
	struct io_locality_hint hint = t_hint_of(cls, -1, 1);

	ASSERT_EQ(0, t_pin(self->cpus[0]));
	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "0"));
	for (int i = 0; i < 4; i++)
		ASSERT_LE(0, read_from(self, &hint));
	EXPECT_EQ(4, t_counter("complete", cls, T_DISABLED));
	EXPECT_EQ(4, decided(cls));

	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "1"));
	for (int i = 0; i < 4; i++)
		ASSERT_LE(0, read_from(self, &hint));
	EXPECT_EQ(4, t_counter("complete", cls, T_DISABLED));
	EXPECT_EQ(8, decided(cls));
}

TEST_HARNESS_MAIN
