// SPDX-License-Identifier: GPL-2.0-only
/*
 * Without hints nothing changes, policy or not: requests complete where
 * rq_affinity says, no decision is taken, no counter moves.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

FIXTURE(unhinted)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(unhinted)
{
	bool drive;
	/* The ring opted in, and its requests say that they have no hint. */
	bool opted_in;
	bool policy;
};

T_VARIANT(unhinted, null_blk, .policy = true);
T_VARIANT(unhinted, null_blk_opted_in, .policy = true, .opted_in = true);
T_VARIANT(unhinted, null_blk_no_policy, .opted_in = true);
T_VARIANT(unhinted, drive, .drive = true, .policy = true);
T_VARIANT(unhinted, drive_opted_in, .drive = true, .policy = true,
	  .opted_in = true);

FIXTURE_SETUP(unhinted)
{
	const char *drive = getenv("CPROV_DEV");

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK);
	if (variant->policy)
		T_NEED(T_POLICY);
	else if (t_policy_loaded())
		T_SKIP("a policy is loaded");
	if (variant->drive) {
		if (!drive)
			T_SKIP("set CPROV_DEV to a drive to read from");
		T_OK(t_dev_find(&self->dev, drive));
	} else {
		T_OK(t_null_blk(&self->dev, ""));
	}
	/* Interrupts of the drive are hard ones; null_blk has none. */
	T_OK(t_trace_open(&self->trace,
			  T_SHOT_EVENTS " irq:irq_handler_entry"));
	T_OK(t_trace_filter(&self->trace, "block:block_rq_complete",
			    "dev == %llu", self->dev.dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	if (variant->opted_in)
		ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(unhinted)
{
	t_undo_all();
}

/* The interrupt before a completion, of a drive's I/O queue: "nvme0q1". */
static int irq_before(const struct t_trace *trace, unsigned long long seq)
{
	int cpu = -1;

	for (size_t i = 0; i < trace->nr; i++)
		if (trace->events[i].seq < seq &&
		    !strcmp(trace->events[i].name, "irq_handler_entry") &&
		    strstr(trace->events[i].fields, "name=nvme"))
			cpu = trace->events[i].cpu;
	return cpu;
}

T_TEST_F(unhinted, as_ever)
{
	static alignas(4096) char buf[4096];
	const struct t_event *event;
	struct io_uring_sqe *sqe;
	long long counters = t_counters_sum();
	char affinity[16];
	int irq;

	ASSERT_EQ(0, t_queue_get(&self->dev, "rq_affinity", affinity,
				 sizeof(affinity)));
	for (int i = 0; i < self->nr * 4; i++) {
		int cpu = self->cpus[i % self->nr];

		ASSERT_EQ(0, t_pin(cpu));
		t_trace_start(&self->trace);
		sqe = t_sqe(&self->ring);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf),
			  i * 4096);
		if (variant->opted_in && i % 2)
			t_sqe_flags(sqe, IO_LOCALITY_SQE_NONE);
		ASSERT_EQ(sizeof(buf), t_submit_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		EXPECT_EQ(NULL, t_find(&self->trace, "cprov_queue", NULL, 0));
		EXPECT_EQ(NULL,
			  t_find(&self->trace, "cprov_complete", NULL, 0));
		EXPECT_EQ(1, t_count(&self->trace, "block_rq_complete", "dev",
				     self->dev.dev));
		event = t_find(&self->trace, "block_rq_complete", "dev",
			       self->dev.dev);
		ASSERT_NE(NULL, event);
		irq = variant->drive ? irq_before(&self->trace, event->seq) :
				       cpu;
		if (irq < 0)
			T_SKIP("no interrupt named nvme was seen");
		T_EXPECT_EQ(t_stock_cpu(atoi(affinity), irq, cpu), event->cpu,
			    "submitted on %d, interrupt on %d", cpu, irq);
	}
	EXPECT_EQ(counters, t_counters_sum());
}

TEST_HARNESS_MAIN
