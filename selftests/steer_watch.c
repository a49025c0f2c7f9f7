// SPDX-License-Identifier: GPL-2.0-only
/*
 * An SQ thread that has nothing to do spins. If its ring has hints it completes
 * meanwhile what is sent to its CPU, whoever that is for, and nobody interrupts it:
 * but as soon as it does anything else, interrupts are sent, and nothing is lost.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define QUEUED "csd_queue_cpu"
#define EVENTS T_SHOT_EVENTS " csd:" QUEUED
/* Who sends a completion, and who one that is step-critical. */
#define REMOTE "__blk_mq_complete_request_remote"
#define URGENT "blk_mq_complete_urgent_remote"
#define SHOTS 16
#define DEPTH 8
#define SLEEPS 300
#define FLOODS 2

FIXTURE(watch)
{
	struct t_ring sq, ring;
	struct t_trace trace;
	struct t_dev dev;
	int home, other; /* CPUs: of the SQ thread, and one besides */
	int fd;
};

FIXTURE_VARIANT(watch)
{
	bool drive;
};

T_VARIANT(watch, null_blk, .drive = false);
T_VARIANT(watch, drive, .drive = true);

/* What a drive with one queue interrupts is not to be the home. */
static const char *keep_off_its_interrupt(FIXTURE_DATA(watch) * self)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home,
				  0),
		.submit_cpu = self->other,
	};
	const char *why =
		t_shoot(&self->ring, self->fd, &self->trace, &shot, 1);

	if (!why && shot.irq_cpu == self->home) {
		self->home = self->other;
		self->other = shot.irq_cpu;
	}
	return why;
}

FIXTURE_SETUP(watch)
{
	const char *drive = getenv("CPROV_DEV");
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	if (!variant->drive)
		T_OK(t_null_blk(&self->dev, ""));
	else if (!drive)
		T_SKIP("set CPROV_DEV to a drive to read from");
	else
		T_OK(t_dev_find(&self->dev, drive));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	nr = t_cpus(cpus);
	self->home = cpus[nr - 1];
	self->other = cpus[0];
	T_OK(t_trace_open(&self->trace, EVENTS));
	T_OK(t_trace_filter(&self->trace, "csd:" QUEUED,
			    "func.function == " REMOTE
			    " || func.function == " URGENT));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	if (variant->drive)
		T_OK(keep_off_its_interrupt(self));
}

FIXTURE_TEARDOWN(watch)
{
	t_undo_all();
}

static int wake_sq_thread(FIXTURE_DATA(watch) * self)
{
	t_sqe(&self->sq);
	return t_submit_res(&self->sq);
}

/* An SQ thread on the home CPU that sleeps after so long with nothing to do. */
static int start_sq_thread(FIXTURE_DATA(watch) * self, unsigned int idle_ms,
			   bool hinted)
{
	const struct io_locality_hint hint = t_hint();
	int ret;

	ret = t_ring_init_sqpoll(&self->sq, 4, self->home, idle_ms);
	if (!ret && hinted)
		ret = t_enable(&self->sq, &hint, NULL, 0);
	/* It sleeps until there is something to do, here a no-op. */
	return ret ? ret : wake_sq_thread(self);
}

static bool sq_thread_sleeps(const FIXTURE_DATA(watch) * self)
{
	return __atomic_load_n(self->sq.sq_flags, __ATOMIC_ACQUIRE) &
	       IORING_SQ_NEED_WAKEUP;
}

/*
 * Requests of another ring are sent home: how many interrupts are sent for that,
 * and for how many requests, as some may be done at home anyway.
 */
static int shoot_home(struct __test_metadata *_metadata,
		      FIXTURE_DATA(watch) * self, int *interrupts)
{
	struct t_shot shots[SHOTS];
	int sent = 0;

	memset(shots, 0, sizeof(shots));
	for (int i = 0; i < SHOTS; i++) {
		shots[i].hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  self->home, 0);
		shots[i].submit_cpu = self->other;
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
	for (int i = 0; i < SHOTS; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(self->home, shots[i].done_cpu);
		sent += shots[i].irq_cpu != self->home;
	}
	*interrupts = t_count(&self->trace, QUEUED, "cpu", self->home);
	TH_LOG("%d interrupts for %d requests", *interrupts, sent);
	return sent;
}

/* It leaves the loop at each tick, and whenever something else is to run. */
T_TEST_F(watch, spins)
{
	int sent, interrupts;

	ASSERT_EQ(0, start_sq_thread(self, T_TIMEOUT * 1000, true));
	sent = shoot_home(_metadata, self, &interrupts);
	if (!sent)
		T_SKIP("the drive interrupts the home");
	EXPECT_GE(sent / 2, interrupts);
}

/* Whoever has not opted in spins as ever. */
T_TEST_F(watch, spins_without_hints)
{
	int sent, interrupts;

	ASSERT_EQ(0, start_sq_thread(self, T_TIMEOUT * 1000, false));
	sent = shoot_home(_metadata, self, &interrupts);
	EXPECT_LE(sent, interrupts);
}

/* Requests that the home has submitted, and no hint sends there: interrupts. */
static int come_back(struct __test_metadata *_metadata,
		     FIXTURE_DATA(watch) * self)
{
	static alignas(4096) char buf[4096];

	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_pin(self->home));
	for (int i = 0; i < 4 * SHOTS; i++) {
		t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, self->fd, buf,
			  sizeof(buf), i * sizeof(buf));
		ASSERT_EQ(sizeof(buf), t_submit_res(&self->ring));
	}
	ASSERT_EQ(0, t_unpin());
	T_OK(t_trace_load(&self->trace));
	return t_count(&self->trace, QUEUED, "cpu", self->home);
}

/* Some find the thread looking, if it does: it has the CPU while they are away. */
T_TEST_F(watch, spins_switched_off)
{
	int interrupts;

	ASSERT_EQ(0, t_queue_set(&self->dev, "rq_affinity", "2"));
	interrupts = come_back(_metadata, self);
	if (!interrupts)
		T_SKIP("completions come back without an interrupt");
	ASSERT_EQ(0, start_sq_thread(self, T_TIMEOUT * 1000, true));
	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "0"));
	EXPECT_LE(interrupts, come_back(_metadata, self));
}

T_TEST_F(watch, sleeps)
{
	int sent, interrupts;

	ASSERT_EQ(0, start_sq_thread(self, 1, true));
	while (!sq_thread_sleeps(self))
		sched_yield();
	sent = shoot_home(_metadata, self, &interrupts);
	EXPECT_LE(sent, interrupts);
}

static sig_atomic_t enough;

static void stop(int sig)
{
	enough = sig;
}

/* Reads for the home until told to stop; then what is in flight has to come. */
static int flood(FIXTURE_DATA(watch) * self, int cpu, unsigned int *rounds)
{
	static alignas(4096) char buf[DEPTH][4096];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home, 1 + cpu);
	struct sigaction action = { .sa_handler = stop };
	struct t_ring ring;

	if (sigaction(SIGTERM, &action, NULL) || t_stand_on(cpu, self->home) ||
	    t_ring_init(&ring, DEPTH, 0) || t_enable(&ring, &hint, NULL, 0))
		return 1;
	while (!enough) {
		for (int i = 0; i < DEPTH; i++)
			t_prep_rw(t_sqe(&ring), IORING_OP_READ, self->fd,
				  buf[i], sizeof(buf[i]),
				  (cpu * DEPTH + i) * sizeof(buf[i]));
		if (t_submit(&ring, 0))
			return 2;
		for (int i = 0; i < DEPTH; i++)
			if (t_wait_res(&ring) != sizeof(buf[i]))
				return 3;
		__atomic_add_fetch(rounds, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/*
 * The thread falls asleep while completions are sent to its CPU. One that stayed
 * behind is waited for until it wakes, and so it does not before all that was in
 * flight has come.
 */
T_TEST_F(watch, loses_nothing)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), status;
	unsigned int *rounds, before[FLOODS];
	pid_t pids[FLOODS];

	rounds = t_shared(4096);
	ASSERT_NE(NULL, rounds);
	/* Not from the home, but for want of CPUs. */
	for (int i = 0; i < nr; i++)
		if (cpus[i] == self->home && nr > 2)
			cpus[i] = cpus[--nr];
	for (int i = 0; i < FLOODS; i++) {
		pids[i] = t_fork();
		if (!pids[i])
			_exit(flood(self, cpus[i % nr], &rounds[i]));
	}
	ASSERT_EQ(0, start_sq_thread(self, 1, true));
	for (int sleeps = 0; sleeps < SLEEPS; sleeps++) {
		while (!sq_thread_sleeps(self))
			sched_yield();
		memcpy(before, rounds, sizeof(before));
		for (int i = 0; i < FLOODS; i++)
			while (__atomic_load_n(&rounds[i], __ATOMIC_RELAXED) -
				       before[i] <
			       2)
				sched_yield();
		ASSERT_EQ(0, wake_sq_thread(self));
	}
	for (int i = 0; i < FLOODS; i++) {
		ASSERT_EQ(0, kill(pids[i], SIGTERM));
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
