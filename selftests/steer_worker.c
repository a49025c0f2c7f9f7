// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a loop device's worker handles a request: on the home CPU itself if the
 * consumer waits for the request and that CPU has time, near it if not. The
 * worker's CPU is the one that the request below was submitted from.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "t_harness.h"

/* CPROV_WORKERS_PER_IDLE of the policy; of these, loop has room for 16. */
#define PER_IDLE 32
#define SHOTS (2 * PER_IDLE)
#define QUEUED "workqueue_queue_work"
#define EVENTS T_SHOT_EVENTS " workqueue:" QUEUED

FIXTURE(worker)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev loop, below;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(worker)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_null_blk(&self->below, ""));
	T_OK(t_trace_open(&self->trace, EVENTS));
	T_OK(t_trace_filter(&self->trace, "workqueue:" QUEUED,
			    "workqueue ~ \"loop*\""));
	ASSERT_EQ(0, t_ring_init(&self->ring, PER_IDLE, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(worker)
{
	t_undo_all();
}

static void open_loop(struct __test_metadata *_metadata,
		      FIXTURE_DATA(worker) * self, bool direct)
{
	T_OR_SKIP(t_loop(&self->loop, self->below.path, direct));
	self->fd = t_dev_open(&self->loop, O_RDONLY);
	ASSERT_LE(0, self->fd);
}

/* Where the worker was that handled the request; -1: nowhere. */
static int worker_cpu(const FIXTURE_DATA(worker) * self,
		      const struct t_shot *shot)
{
	const struct t_event *event =
		t_decision(&self->trace, &self->below, shot->hint.flow_id);

	return event ? t_field(event, "submit_cpu", -1) : -1;
}

/* How often work was queued for workers that are bound to a CPU. */
static size_t nr_bound(const FIXTURE_DATA(worker) * self)
{
	size_t nr = 0;

	for (size_t i = 0; i < self->trace.nr; i++)
		nr += !strcmp(self->trace.events[i].name, QUEUED) &&
		      strstr(self->trace.events[i].fields, "-home");
	return nr;
}

/* To a home, from a CPU. */
static struct t_shot urgent_shot(int home, int submit_cpu)
{
	return (struct t_shot){
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, home, 0),
		.submit_cpu = submit_cpu,
	};
}

static void prep_read(struct t_ring *ring, int fd,
		      const struct io_locality_hint *hint, __u64 off)
{
	static alignas(4096) char buf[4096];
	struct io_uring_sqe *sqe = t_sqe(ring);

	t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), off);
	t_sqe_hint(sqe, hint);
}

T_TEST_F(worker, at_home)
{
	struct t_shot shots[T_MAX_CPUS];
	size_t nr = 0, bound = 0;

	open_loop(_metadata, self, true);
	memset(shots, 0, sizeof(shots));
	for (int from = 0; from < self->nr; from++) {
		for (int to = 0; to < self->nr && nr < T_MAX_CPUS; to++) {
			shots[nr].hint = t_hint_of(
				nr % 2 ? IO_LOCALITY_CLASS_LATENCY :
					 IO_LOCALITY_CLASS_STEP_CRITICAL,
				self->cpus[to], 0);
			shots[nr++].submit_cpu = self->cpus[from];
		}
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++) {
		const int home = shots[i].hint.home_cpu;
		const bool here = home == shots[i].submit_cpu;

		EXPECT_EQ(4096, shots[i].res);
		/* Home was busy for a moment. */
		if (shots[i].queue_reason == T_SHARED_CACHE)
			continue;
		bound++;
		T_EXPECT_EQ(here ? T_AT_HOME : T_STEERED, shots[i].queue_reason,
			    "%s", t_reason_name(shots[i].queue_reason));
		T_EXPECT_EQ(home, worker_cpu(self, &shots[i]),
			    "submitted on %d, home %d", shots[i].submit_cpu,
			    home);
	}
	TH_LOG("%zu of %zu", bound, nr);
	/* One that was shot again, as it strayed, has left its traces. */
	EXPECT_LE(bound, nr_bound(self));
	EXPECT_LE(nr - nr / 2, bound);
}

/* The consumers of the others go on computing, maybe on the very CPU. */
T_TEST_F(worker, near_if_its_class_does_not_wait)
{
	open_loop(_metadata, self, true);
	for (int bound = 0; bound < IO_LOCALITY_NR_CLASSES; bound++) {
		ASSERT_EQ(0, t_set(T_KNOBS "/bind_classes", "%s",
				   t_class_name(bound)));
		for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
			struct t_shot shot = {
				.hint = t_hint_of(cls, self->cpus[0], 0),
				.submit_cpu = self->cpus[0],
			};

			T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot,
				     1));
			T_EXPECT_EQ(cls == bound ? T_AT_HOME : T_SHARED_CACHE,
				    shot.queue_reason, "%s: %s",
				    t_class_name(cls),
				    t_reason_name(shot.queue_reason));
			EXPECT_EQ(cls == bound, nr_bound(self));
		}
	}
}

/* What is buffered blocks, and is handled in turn, not by a worker for each. */
T_TEST_F(worker, near_if_buffered)
{
	struct t_shot shot = urgent_shot(self->cpus[0], self->cpus[0]);

	open_loop(_metadata, self, false);
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(4096, shot.res);
	EXPECT_LE(1, t_count(&self->trace, QUEUED, NULL, 0));
	EXPECT_EQ(0, nr_bound(self));
}

/*
 * To be home already is not enough: neither without a window, nor on a device that is
 * to leave completions where they are.
 */
T_TEST_F(worker, near_if_not_worth_it)
{
	struct t_shot shot = urgent_shot(self->cpus[0], self->cpus[0]);

	open_loop(_metadata, self, true);
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/step_critical", "0"));
	shot.hint.budget_us = 0;
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(0, nr_bound(self));
	shot.hint.budget_us = T_LONG_US;
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(1, nr_bound(self));
	ASSERT_EQ(0, t_queue_set(&self->loop, "rq_affinity", "0"));
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(0, nr_bound(self));
	EXPECT_EQ(T_SHARED_CACHE, shot.queue_reason);
}

T_TEST_F(worker, anywhere_if_declined)
{
	struct t_shot shot = urgent_shot(self->cpus[1], self->cpus[0]);

	open_loop(_metadata, self, true);
	ASSERT_EQ(0, t_queue_set(&self->loop, "rq_affinity", "0"));
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(T_RQ_AFFINITY, shot.queue_reason);
	EXPECT_LE(1, t_count(&self->trace, QUEUED, NULL, 0));
	EXPECT_EQ(0, nr_bound(self));
}

/* How many of a batch, which is submitted at home, are bound to it. */
static size_t nr_bound_of_batch(struct __test_metadata *_metadata,
				FIXTURE_DATA(worker) * self)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[0], 1);
	struct io_uring_cqe cqe;

	t_trace_start(&self->trace);
	/* Not one after the other, which would be merged. */
	for (int i = 0; i < PER_IDLE; i++)
		prep_read(&self->ring, self->fd, &hint, (__u64)i * 8192);
	ASSERT_EQ(0, t_submit(&self->ring, PER_IDLE));
	for (int i = 0; i < PER_IDLE; i++) {
		ASSERT_TRUE(t_cqe(&self->ring, &cqe));
		ASSERT_EQ(4096, cqe.res);
	}
	T_OK(t_trace_load(&self->trace));
	return nr_bound(self);
}

/*
 * A worker that blocks stays, so a device has only so many. Those that are done
 * before the batch is submitted make room for more, which is rare.
 */
T_TEST_F(worker, not_one_for_each)
{
	size_t nr = PER_IDLE;
	struct utsname name;

	ASSERT_EQ(0, uname(&name));
	if (strstr(name.version, "PREEMPT"))
		T_SKIP("the workers may preempt their submitter");
	open_loop(_metadata, self, true);
	ASSERT_EQ(0, t_pin(self->cpus[0]));
	for (int i = 0; i < 5 && nr == PER_IDLE; i++)
		nr = nr_bound_of_batch(_metadata, self);
	TH_LOG("%zu of %d", nr, PER_IDLE);
	EXPECT_LE(1, nr);
	EXPECT_GT(PER_IDLE, nr);
}

/* Who spins there would be disturbed, and the worker would wait. */
T_TEST_F(worker, near_a_busy_home)
{
	const int home = self->cpus[self->nr - 1];
	static struct t_shot shots[SHOTS];
	unsigned int in_its_cache = 0, wanted = 0;

	/* Alone in its cache, it has no neighbour to take the worker. */
	if (t_has_neighbour(home))
		wanted = SHOTS - SHOTS / 6;
	open_loop(_metadata, self, true);
	ASSERT_LT(0, t_occupy(home));
	for (size_t i = 0; i < SHOTS; i++)
		shots[i] = urgent_shot(home, self->cpus[0]);
	/* When the first are done it is there. */
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
	/*
	 * A cache is where a worker is started: the scheduler may move it, and does
	 * so more on a busy machine, but not each time.
	 */
	for (int i = 0; i < 3 && (!i || in_its_cache < wanted); i++) {
		T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots,
			     SHOTS));
		in_its_cache = 0;
		for (size_t j = 0; j < SHOTS; j++) {
			EXPECT_EQ(4096, shots[j].res);
			T_EXPECT_EQ(T_SHARED_CACHE, shots[j].queue_reason, "%s",
				    t_reason_name(shots[j].queue_reason));
			in_its_cache += t_share_cache(
				worker_cpu(self, &shots[j]), home);
		}
	}
	TH_LOG("%u of %u in its cache", in_its_cache, SHOTS);
	EXPECT_LE(wanted, in_its_cache);
}

/* From the CPU that this runs on, which is home, and polled for. */
static void read_and_poll(struct __test_metadata *_metadata,
			  FIXTURE_DATA(worker) * self, unsigned int nr)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[1], 1);
	struct io_uring_cqe cqe;

	while (nr--) {
		prep_read(&self->ring, self->fd, &hint, 0);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		while (!t_cqe(&self->ring, &cqe))
			;
		ASSERT_EQ(4096, cqe.res);
	}
}

/* It leaves its CPU no idle time, and would wait for the worker to get some. */
T_TEST_F(worker, near_who_polls)
{
	open_loop(_metadata, self, true);
	ASSERT_EQ(0, t_pin(self->cpus[1]));
	t_trace_start(&self->trace);
	read_and_poll(_metadata, self, 4 * PER_IDLE);
	T_OK(t_trace_load(&self->trace));
	/* What it was given when it was idle last, and may be once more meanwhile. */
	EXPECT_LE(2 * PER_IDLE, t_count(&self->trace, "cprov_queue", "reason",
					T_SHARED_CACHE));
	EXPECT_GE(2 * PER_IDLE, nr_bound(self));
}

/* A realtime task is not asked how long it was idle: it may never be again. */
T_TEST_F(worker, near_a_realtime_task)
{
	const struct sched_param param = { .sched_priority = 1 };

	open_loop(_metadata, self, true);
	ASSERT_EQ(0, t_pin(self->cpus[1]));
	ASSERT_EQ(0, sched_setscheduler(0, SCHED_FIFO, &param));
	t_trace_start(&self->trace);
	read_and_poll(_metadata, self, 2);
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(2, t_count(&self->trace, "cprov_queue", "reason",
			     T_SHARED_CACHE));
	EXPECT_EQ(0, nr_bound(self));
}

TEST_HARNESS_MAIN
