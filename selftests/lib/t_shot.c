// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request, and what became of it; and what should have.
 */
#include "t.h"

#include <sched.h>
#include <unistd.h>

#define SHOT_BYTES 4096
#define SHOT_AREA (16 << 20)
#define COUNTERS "/sys/kernel/completion_provenance/counters"

static const char *const reason_names[T_NR_REASONS] = {
	[T_STEERED] = "steered",
	[T_AT_HOME] = "at_home",
	[T_SHARED_CACHE] = "shared_cache",
	[T_SAME_NODE] = "same_node",
	[T_CLASS] = "class",
	[T_EXPIRED] = "expired",
	[T_OFFLINE] = "offline",
	[T_POLLED] = "polled",
	[T_THREADED_IRQS] = "threaded_irqs",
	[T_RQ_AFFINITY] = "rq_affinity",
	[T_ISOLATED] = "isolated",
	[T_DISABLED] = "disabled",
	[T_SWAMPED] = "swamped",
};

static const char *const class_names[IO_LOCALITY_NR_CLASSES] = {
	[IO_LOCALITY_CLASS_THROUGHPUT] = "throughput",
	[IO_LOCALITY_CLASS_LATENCY] = "latency",
	[IO_LOCALITY_CLASS_STEP_CRITICAL] = "step_critical",
	[IO_LOCALITY_CLASS_PREFETCH] = "prefetch",
};

const char *t_reason_name(int reason)
{
	return reason >= 0 && reason < T_NR_REASONS ? reason_names[reason] :
						      "none";
}

const char *t_class_name(int cls)
{
	return cls >= 0 && cls < IO_LOCALITY_NR_CLASSES ? class_names[cls] :
							  "unknown";
}

/* ---- shooting ---- */

static const char *shoot_once(struct t_ring *ring, int fd, struct t_shot *shot)
{
	static alignas(SHOT_BYTES) char buf[SHOT_BYTES];
	struct io_uring_sqe *sqe = t_sqe(ring);
	int ret;

	t_prep_rw(sqe, shot->write ? IORING_OP_WRITE : IORING_OP_READ, fd, buf,
		  SHOT_BYTES, shot->off);
	sqe->flags = shot->sqe_flags;
	sqe->rw_flags = shot->rw_flags;
	t_sqe_hint(sqe, &shot->hint);
	ret = t_submit(ring, 0);
	if (ret)
		return t_text("submitting: %s", strerror(-ret));
	return NULL;
}

static const char *shoot(struct t_ring *ring, int fd, struct t_shot *shot)
{
	static unsigned int serial;
	const char *why;
	bool strayed;

	for (int attempt = 0; attempt < 100; attempt++) {
		serial++;
		shot->hint.flow_id = 0x5000000 + serial;
		shot->off = (unsigned long long)serial * SHOT_BYTES % SHOT_AREA;
		if (shot->submit_cpu >= 0 &&
		    t_stand_on(shot->submit_cpu, shot->hint.home_cpu))
			return t_text("cannot run on CPU %d", shot->submit_cpu);
		strayed = shot->submit_cpu >= 0 &&
			  sched_getcpu() != shot->submit_cpu;
		why = shoot_once(ring, fd, shot);
		if (why)
			return why;
		strayed |= shot->submit_cpu >= 0 &&
			   sched_getcpu() != shot->submit_cpu;
		shot->res = t_wait_res(ring);
		/* The scheduler may have moved the task to its other CPU. */
		if (!strayed)
			return NULL;
	}
	return t_text("cannot stay on CPU %d", shot->submit_cpu);
}

static void look_up(const struct t_trace *trace, struct t_shot *shot)
{
	long long sector = shot->off / 512;
	const struct t_event *event;

	shot->queue_cpu = -1;
	shot->queue_reason = -1;
	shot->irq_cpu = -1;
	shot->chosen_cpu = -1;
	shot->reason = -1;
	shot->home_cpu = -1;
	shot->done_cpu = -1;

	event = t_find(trace, "cprov_queue", "flow_id", shot->hint.flow_id);
	if (event) {
		shot->queue_cpu = t_field(event, "cpu", -1);
		shot->queue_reason = t_field(event, "reason", -1);
		shot->home_cpu = t_field(event, "home_cpu", -1);
	}
	event = t_find(trace, "cprov_complete", "flow_id", shot->hint.flow_id);
	if (event) {
		shot->irq_cpu = event->cpu;
		shot->chosen_cpu = t_field(event, "cpu", -1);
		shot->reason = t_field(event, "reason", -1);
		shot->home_cpu = t_field(event, "home_cpu", -1);
		sector = t_field(event, "sector", sector);
	}
	shot->nr_decided =
		t_count(trace, "cprov_complete", "flow_id", shot->hint.flow_id);
	event = t_find(trace, "block_rq_complete", "sector", sector);
	if (event)
		shot->done_cpu = event->cpu;
	shot->nr_done = t_count(trace, "block_rq_complete", "sector", sector);
}

const char *t_shoot(struct t_ring *ring, int fd, struct t_trace *trace,
		    struct t_shot *shots, size_t nr)
{
	const char *why = NULL;

	t_trace_start(trace);
	for (size_t i = 0; !why && i < nr; i++)
		why = shoot(ring, fd, &shots[i]);
	t_unpin();
	if (!why)
		why = t_trace_load(trace);
	for (size_t i = 0; !why && i < nr; i++)
		look_up(trace, &shots[i]);
	return why;
}

/* ---- the rules, a second time: see module/policy.c for the first ---- */

static bool is_online(int cpu)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);

	while (nr--)
		if (cpus[nr] == cpu)
			return true;
	return false;
}

struct t_verdict t_rule_queue(const struct io_locality_hint *hint, int home,
			      int cpu)
{
	bool any_of_node = hint->home_cpu < 0 && hint->home_node >= 0;

	if (any_of_node && t_node_of(cpu) == hint->home_node)
		return (struct t_verdict){ cpu, T_SAME_NODE };
	if (home == cpu)
		return (struct t_verdict){ cpu, T_AT_HOME };
	if (hint->io_class != IO_LOCALITY_CLASS_LATENCY &&
	    hint->io_class != IO_LOCALITY_CLASS_STEP_CRITICAL)
		return (struct t_verdict){ -1, T_CLASS };
	if (!is_online(home))
		return (struct t_verdict){ -1, T_OFFLINE };
	return (struct t_verdict){ home, T_STEERED };
}

/* Whether its home's cache will not do. */
static bool is_exact(int cls)
{
	char buf[64] = "";

	t_read(buf, sizeof(buf), T_KNOBS "/exact_classes");
	return strstr(buf, t_class_name(cls));
}

struct t_verdict t_rule_complete(const struct io_locality_hint *hint, int home,
				 int cpu, int rq_affinity)
{
	struct t_verdict verdict = t_rule_queue(hint, home, cpu);

	if (verdict.reason == T_STEERED && rq_affinity != 2 &&
	    t_share_cache(cpu, home) && !is_exact(hint->io_class))
		return (struct t_verdict){ cpu, T_SHARED_CACHE };
	return verdict;
}

int t_stock_cpu(int rq_affinity, int irq, int submit)
{
	if (rq_affinity == 0 || irq == submit)
		return irq;
	if (rq_affinity == 1 && t_share_cache(irq, submit))
		return irq;
	return submit;
}

/* ---- counters ---- */

long long t_counter(const char *kind, int cls, int reason)
{
	return t_read_num(-1, COUNTERS "/%s/%s/%s", kind, t_class_name(cls),
			  t_reason_name(reason));
}

long long t_counters_sum(void)
{
	static const char *const kinds[] = { "queue", "complete" };
	long long sum = 0;

	for (size_t kind = 0; kind < T_ARRAY_SIZE(kinds); kind++)
		for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++)
			for (int reason = 0; reason < T_NR_REASONS; reason++)
				sum += t_counter(kinds[kind], cls, reason);
	return sum;
}

void t_counters_reset(void)
{
	t_write(COUNTERS "/reset", "1");
}

int t_issued_on(const struct t_trace *trace, const struct t_shot *shot)
{
	const struct t_event *event =
		t_find(trace, "cprov_complete", "flow_id", shot->hint.flow_id);

	return event ? t_field(event, "submit_cpu", -1) : -1;
}
