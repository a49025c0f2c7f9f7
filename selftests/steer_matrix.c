// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where requests complete: each class, from each CPU, to the home on each CPU,
 * on null_blk with different numbers of queues and on a drive with interrupts.
 *
 * The CPU that asks is the event's. What the rules make of it is computed here
 * a second time, and what the policy said and where the request then completed
 * are each compared with it. With one queue per CPU and all at home steering
 * changes nothing, so the matrix includes every wrong place to be.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

#define MAX_CPUS 8 /* of the matrix: 64 pairs are enough */

FIXTURE(matrix)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
	int rq_affinity;
	bool exact;
};

FIXTURE_VARIANT(matrix)
{
	/* Options of null_blk; NULL: the drive. */
	const char *null_blk;
	/* As many as there are CPUs. */
	bool queue_per_cpu;
	bool forced; /* rq_affinity is 2, instead of 1 */
	bool near; /* home's cache is enough for any class */
};

T_VARIANT(matrix, one_queue, .null_blk = "");
T_VARIANT(matrix, one_queue_near, .null_blk = "", .near = true);
T_VARIANT(matrix, one_queue_near_forced, .null_blk = "", .near = true,
	  .forced = true);
T_VARIANT(matrix, two_queues, .null_blk = "submit_queues=2");
T_VARIANT(matrix, queue_per_cpu, .null_blk = "", .queue_per_cpu = true);
T_VARIANT(matrix, drive, .null_blk = NULL);
T_VARIANT(matrix, drive_near, .null_blk = NULL, .near = true);
T_VARIANT(matrix, drive_near_forced, .null_blk = NULL, .near = true,
	  .forced = true);

FIXTURE_SETUP(matrix)
{
	const char *drive = getenv("CPROV_DEV");

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_POLICY | T_TWO_CPUS |
	       T_STEERING);
	self->nr = t_cpus(self->cpus);
	if (self->nr > MAX_CPUS)
		self->nr = MAX_CPUS;
	if (variant->null_blk) {
		T_NEED(T_NULL_BLK);
		T_OK(t_null_blk(&self->dev,
				variant->queue_per_cpu ?
					t_text("submit_queues=%d", self->nr) :
					variant->null_blk));
	} else {
		if (!drive)
			T_SKIP("set CPROV_DEV to a drive to read from");
		T_OK(t_dev_find(&self->dev, drive));
	}
	if (t_queue_set(&self->dev, "scheduler", "none"))
		T_SKIP("no I/O scheduler 'none' on %s", self->dev.name);
	if (variant->near)
		ASSERT_EQ(0, t_set(T_KNOBS "/exact_classes", " "));
	self->exact = !variant->near || variant->forced;
	self->rq_affinity = variant->forced ? 2 : 1;
	ASSERT_EQ(0, t_queue_set(&self->dev, "rq_affinity",
				 t_text("%d", self->rq_affinity)));
	T_OK(t_trace_open_dev(&self->trace, T_SHOT_EVENTS, &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(matrix)
{
	t_undo_all();
}

/* How often the events report this, which the counters are to agree with. */
static long long events_of(const struct t_trace *trace, const char *name,
			   int cls, int reason)
{
	long long nr = 0;

	for (size_t i = 0; i < trace->nr; i++)
		nr += !strcmp(trace->events[i].name, name) &&
		      t_field(&trace->events[i], "class", -1) == cls &&
		      t_field(&trace->events[i], "reason", -1) == reason;
	return nr;
}

static void check_shot(struct __test_metadata *_metadata,
		       FIXTURE_DATA(matrix) * self, const struct t_shot *shot)
{
	int home = shot->hint.home_cpu;
	struct t_verdict queue = { -1, -1 };
	struct t_verdict rule = t_rule_complete(
		&shot->hint, home, shot->irq_cpu, self->rq_affinity);
	int done = rule.cpu >= 0 ? rule.cpu :
				   t_stock_cpu(self->rq_affinity, shot->irq_cpu,
					       shot->submit_cpu);
	const char *where =
		t_text("%s, submitted on %d, home %d, interrupt on %d",
		       t_class_name(shot->hint.io_class), shot->submit_cpu,
		       home, shot->irq_cpu);

	/* Not asked for if one queue serves both. */
	if (t_queue_of(&self->dev, home) !=
	    t_queue_of(&self->dev, shot->submit_cpu))
		queue = t_rule_queue(&shot->hint, home, shot->submit_cpu);

	EXPECT_EQ(4096, shot->res);
	T_EXPECT_EQ(1, shot->nr_decided, "%s", where);
	T_EXPECT_EQ(1, shot->nr_done, "%s", where);
	T_EXPECT_EQ(home, shot->home_cpu, "%s", where);
	T_EXPECT_EQ(queue.reason, shot->queue_reason, "%s: queue %s", where,
		    t_reason_name(shot->queue_reason));
	T_EXPECT_EQ(queue.cpu, shot->queue_cpu, "%s: queue %s", where,
		    t_reason_name(shot->queue_reason));
	T_EXPECT_EQ(rule.reason, shot->reason, "%s: %s", where,
		    t_reason_name(shot->reason));
	T_EXPECT_EQ(rule.cpu, shot->chosen_cpu, "%s: %s", where,
		    t_reason_name(shot->reason));
	T_EXPECT_EQ(done, shot->done_cpu, "%s: %s", where,
		    t_reason_name(shot->reason));
	/* What all of it is about. */
	if (shot->hint.io_class == IO_LOCALITY_CLASS_STEP_CRITICAL ||
	    shot->hint.io_class == IO_LOCALITY_CLASS_LATENCY)
		T_EXPECT_EQ(true,
			    home == shot->done_cpu ||
				    (!self->exact &&
				     t_share_cache(home, shot->done_cpu)),
			    "%s", where);
}

static void check_class(struct __test_metadata *_metadata,
			FIXTURE_DATA(matrix) * self, unsigned int cls)
{
	static struct t_shot shots[MAX_CPUS * MAX_CPUS];
	static const char *const kinds[] = { "queue", "complete" };
	long long before[2][T_NR_REASONS];
	size_t nr = 0;

	for (int submit = 0; submit < self->nr; submit++)
		for (int home = 0; home < self->nr; home++)
			shots[nr++] = (struct t_shot){
				.hint = t_hint_of(cls, self->cpus[home], 0),
				.submit_cpu = self->cpus[submit],
			};
	for (int kind = 0; kind < 2; kind++)
		for (int reason = 0; reason < T_NR_REASONS; reason++)
			before[kind][reason] =
				t_counter(kinds[kind], cls, reason);

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++)
		check_shot(_metadata, self, &shots[i]);

	for (int kind = 0; kind < 2; kind++) {
		for (int reason = 0; reason < T_NR_REASONS; reason++) {
			const char *event = kind ? "cprov_complete" :
						   "cprov_queue";

			T_EXPECT_EQ(events_of(&self->trace, event, cls, reason),
				    t_counter(kinds[kind], cls, reason) -
					    before[kind][reason],
				    "counters/%s/%s/%s", kinds[kind],
				    t_class_name(cls), t_reason_name(reason));
		}
	}
}

T_TEST_F(matrix, throughput)
{
	check_class(_metadata, self, IO_LOCALITY_CLASS_THROUGHPUT);
}

T_TEST_F(matrix, latency)
{
	check_class(_metadata, self, IO_LOCALITY_CLASS_LATENCY);
}

T_TEST_F(matrix, step_critical)
{
	check_class(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL);
}

T_TEST_F(matrix, prefetch)
{
	check_class(_metadata, self, IO_LOCALITY_CLASS_PREFETCH);
}

TEST_HARNESS_MAIN
