// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where a worker of io_uring issues a request: on the CPU of the task that
 * waits for it, if that is home and has time for it; else wherever the
 * scheduler wakes it. The decision is one of kind queue, without a device.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "t_harness.h"

/* CPROV_WORKERS_PER_IDLE of the policy. */
#define PER_IDLE 32
#define SHOTS 16
/* A worker that waits for it is busy until others are there. */
#define SLOW "irqmode=2 completion_nsec=50000000"
#define HANDED_OVER "io_uring_queue_async_work"
#define EVENTS                                                        \
	T_SHOT_EVENTS " io_uring:" HANDED_OVER " sched:sched_waking " \
		      "sched:sched_wakeup sched:sched_wakeup_new "    \
		      "sched:sched_switch"

FIXTURE(async)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev, slow;
	int cpus[T_MAX_CPUS], nr;
	int fd;
	int home; /* that a read of prep_read() names, or -1 */
};

FIXTURE_VARIANT(async)
{
	unsigned int flags;
};

T_VARIANT(async, ring, .flags = 0);
T_VARIANT(async, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(async, defer,
	  .flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER);

static const char *const wakeups[] = {
	"sched:sched_waking",
	"sched:sched_wakeup",
};

/* The first request makes the worker, and is nobody's to wake. */
FIXTURE_SETUP(async)
{
	struct t_shot first = { .hint = t_hint(),
				.submit_cpu = -1,
				.sqe_flags = IOSQE_ASYNC };

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_null_blk(&self->dev, ""));
	T_OK(t_trace_open(&self->trace, EVENTS));
	for (size_t i = 0; i < T_ARRAY_SIZE(wakeups); i++)
		T_OK(t_trace_filter(&self->trace, wakeups[i],
				    "comm ~ \"iou-wrk*\""));
	/* It is named only once it runs. */
	T_OK(t_trace_filter(&self->trace, "sched:sched_wakeup_new",
			    "comm == \"steer_async\""));
	T_OK(t_trace_filter(&self->trace, "sched:sched_switch",
			    "next_comm ~ \"iou-wrk*\""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, PER_IDLE, variant->flags));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
	self->home = -1;
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &first, 1));
}

FIXTURE_TEARDOWN(async)
{
	t_undo_all();
}

static struct t_shot async_shot(unsigned int cls, int home, int submit_cpu)
{
	return (struct t_shot){
		.hint = t_hint_of(cls, home, 0),
		.submit_cpu = submit_cpu,
		.sqe_flags = IOSQE_ASYNC,
	};
}

/* How often it was asked where to wake a worker. */
static size_t nr_asked(const FIXTURE_DATA(async) * self)
{
	return t_count(&self->trace, "cprov_queue", "dev", 0);
}

/* How many of the shots a worker issued where they were submitted. */
static unsigned int nr_here(const FIXTURE_DATA(async) * self,
			    const struct t_shot *shots, size_t nr)
{
	unsigned int here = 0;

	for (size_t i = 0; i < nr; i++)
		here += t_issued_on(&self->trace, &shots[i]) ==
			shots[i].submit_cpu;
	return here;
}

/* How many of them a worker issued where the task is, and their completions came home. */
static unsigned int shoot_at_home(struct __test_metadata *_metadata,
				  FIXTURE_DATA(async) * self)
{
	struct t_shot shots[SHOTS];

	for (int i = 0; i < SHOTS; i++) {
		const int cpu = self->cpus[i % self->nr];

		shots[i] = async_shot(i / self->nr % 2 ?
					      IO_LOCALITY_CLASS_LATENCY :
					      IO_LOCALITY_CLASS_STEP_CRITICAL,
				      i % 3 ? cpu : -1, cpu);
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
	for (int i = 0; i < SHOTS; i++) {
		EXPECT_EQ(4096, shots[i].res);
		if (shots[i].queue_reason >= 0)
			T_EXPECT_EQ(T_AT_HOME, shots[i].queue_reason, "%s",
				    t_reason_name(shots[i].queue_reason));
		/* If it was issued elsewhere, its cache may be home enough. */
		if (shots[i].hint.io_class == IO_LOCALITY_CLASS_STEP_CRITICAL)
			T_EXPECT_EQ(shots[i].submit_cpu, shots[i].done_cpu,
				    "home %d, on %d for %d: %s",
				    shots[i].home_cpu, shots[i].irq_cpu,
				    shots[i].chosen_cpu,
				    t_reason_name(shots[i].reason));
	}
	return nr_here(self, shots, SHOTS);
}

/*
 * From each CPU by turns, so that the worker slept on another one. There it is
 * sometimes still about to fall asleep, and nobody to be woken; more often on a host
 * that is busy.
 */
T_TEST_F(async, at_home)
{
	unsigned int here = 0;

	for (int i = 0; i < 3 && here < SHOTS / 2; i++) {
		here = shoot_at_home(_metadata, self);
		TH_LOG("%u of %u", here, SHOTS);
	}
	EXPECT_LE(SHOTS / 2, here);
}

/*
 * Workers, at most two, as each waits for the slow device by itself. Each may run where
 * the task may, or only on another one of these CPUs, which then pin the task.
 */
static const char *make_workers(struct t_ring *ring, const struct t_dev *slow,
				const int *cpus, unsigned int nr)
{
	static char buf[2][4096];
	const int fd = open(slow->path, O_RDONLY | O_CLOEXEC);
	struct io_uring_cqe cqe;
	int ret = 0;

	if (fd < 0)
		return "no slow device";
	for (unsigned int i = 0; i < nr && !ret; i++) {
		struct io_uring_sqe *sqe = t_sqe(ring);

		t_prep_rw(sqe, IORING_OP_READ, fd, buf[i], sizeof(buf[i]),
			  (__u64)i << 20);
		sqe->flags = IOSQE_ASYNC;
		if (cpus)
			ret = t_pin(cpus[i]) ?: t_submit(ring, 0);
	}
	ret = ret ?: t_submit(ring, nr);
	for (unsigned int i = 0; i < nr && !ret; i++)
		if (!t_cqe(ring, &cqe) || cqe.res != sizeof(buf[i]))
			ret = -EIO;
	close(fd);
	return ret ? "no workers" : NULL;
}

/* A thread has workers of its own: all of them it makes while it is pinned. */
struct pinned {
	FIXTURE_DATA(async) * self;
	const struct t_dev *slow;
	unsigned int flags;
	unsigned int nr_workers;
	struct t_shot *shots;
	const char *why;
};

static void *read_pinned(void *arg)
{
	struct pinned *pinned = arg;
	struct t_ring ring;

	pinned->why = "no ring";
	if (t_ring_init(&ring, PER_IDLE, pinned->flags) ||
	    t_enable(&ring, NULL, NULL, 0))
		return NULL;
	pinned->why = make_workers(&ring, pinned->slow, pinned->self->cpus,
				   pinned->nr_workers);
	if (!pinned->why)
		pinned->why = t_shoot(&ring, pinned->self->fd,
				      &pinned->self->trace, pinned->shots,
				      SHOTS);
	t_ring_exit(&ring);
	return NULL;
}

static unsigned int nr_made(const FIXTURE_DATA(async) * self)
{
	unsigned int made = 0;

	for (size_t i = 0; i < self->trace.nr; i++)
		made += !strcmp(self->trace.events[i].name, "sched_wakeup_new");
	return made;
}

/*
 * A thread reads on two CPUs by turns, and has workers of which each may only run on one
 * of them. They issue most of its reads where it is. One that is still busy may have
 * another made.
 */
static void check_pinned(struct __test_metadata *_metadata,
			 FIXTURE_DATA(async) * self, unsigned int flags,
			 unsigned int nr_workers)
{
	const unsigned int enough = SHOTS * 3 / 4;
	unsigned int here = 0, made = 0;
	struct t_shot shots[SHOTS];
	struct t_dev slow;
	struct pinned pinned = { .self = self,
				 .slow = &slow,
				 .flags = flags,
				 .nr_workers = nr_workers,
				 .shots = shots };
	pthread_t thread;

	T_OK(t_null_blk(&slow, SLOW));
	for (int i = 0; i < 3 && here < enough; i++) {
		for (int j = 0; j < SHOTS; j++)
			shots[j] = async_shot(IO_LOCALITY_CLASS_STEP_CRITICAL,
					      -1, self->cpus[!(j % 2)]);
		ASSERT_EQ(0,
			  pthread_create(&thread, NULL, read_pinned, &pinned));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		T_OK(pinned.why);
		here = nr_here(self, shots, SHOTS);
		made = nr_made(self);
		TH_LOG("%u of %u, %u made", here, SHOTS, made);
	}
	EXPECT_LE(enough, here);
	EXPECT_GT(SHOTS / 2, made);
}

/* The one it has may run where it was, and follows it. */
T_TEST_F(async, at_home_of_who_was_moved)
{
	check_pinned(_metadata, self, variant->flags, 1);
}

/* One is there already, and the other is not taken for it. */
T_TEST_F(async, by_the_one_that_may_run_there)
{
	check_pinned(_metadata, self, variant->flags, 2);
}

/* Its task may compute on, so its CPU is not the worker's. */
T_TEST_F(async, elsewhere_if_its_class_does_not_wait)
{
	struct t_shot shots[SHOTS];

	for (int i = 0; i < SHOTS; i++)
		shots[i] = async_shot(i % 2 ? IO_LOCALITY_CLASS_THROUGHPUT :
					      IO_LOCALITY_CLASS_PREFETCH,
				      -1, self->cpus[i % self->nr]);
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
	EXPECT_LE(1, nr_asked(self));
	EXPECT_EQ(nr_asked(self), t_count(&self->trace, "cprov_queue", "reason",
					  T_SHARED_CACHE));
	EXPECT_GT(SHOTS / 2, nr_here(self, shots, SHOTS));
}

/* The worker can be woken here and not there. The completion comes home. */
T_TEST_F(async, unasked_if_home_is_another)
{
	struct t_shot shot = async_shot(IO_LOCALITY_CLASS_STEP_CRITICAL,
					self->cpus[1], self->cpus[0]);

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(0, nr_asked(self));
	EXPECT_EQ(self->cpus[1], shot.done_cpu);
}

/* What is cached it waits for, and hands the task what it has read. */
T_TEST_F(async, home_is_the_worker_that_waits)
{
	int fd = open(self->dev.path, O_RDONLY | O_CLOEXEC);
	struct t_shot shots[SHOTS];

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	ASSERT_EQ(0, posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	for (int i = 0; i < SHOTS; i++) {
		shots[i] = async_shot(IO_LOCALITY_CLASS_STEP_CRITICAL,
				      self->cpus[i % self->nr],
				      self->cpus[(i + 1) % self->nr]);
		shots[i].off = i * 65536ULL;
	}
	T_OK(t_shoot(&self->ring, fd, &self->trace, shots, SHOTS));
	for (int i = 0; i < SHOTS; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(t_issued_on(&self->trace, &shots[i]),
			  shots[i].home_cpu);
		EXPECT_EQ(shots[i].home_cpu, shots[i].done_cpu);
	}
	close(fd);
}

/* What no worker issues wakes none. */
T_TEST_F(async, unasked_if_issued_at_once)
{
	struct t_shot shot =
		async_shot(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, self->cpus[0]);

	shot.sqe_flags = 0;
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(0, nr_asked(self));
}

static struct io_uring_sqe *prep_read(FIXTURE_DATA(async) * self)
{
	static alignas(4096) char buf[4096];
	static struct io_locality_hint hint;
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	hint = t_hint();
	hint.home_cpu = self->home;
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	sqe->flags = IOSQE_ASYNC;
	t_sqe_hint(sqe, &hint);
	return sqe;
}

/* How often nobody had anything to run on the CPU. */
static unsigned int nr_idle(const FIXTURE_DATA(async) * self, int cpu)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < self->trace.nr; i++) {
		const struct t_event *event = &self->trace.events[i];

		nr += event->cpu == cpu &&
		      !strcmp(event->name, "sched_switch") &&
		      !t_field(event, "next_pid", -1);
	}
	return nr;
}

/* How many workers its CPU may have been given while it read, and polled for that. */
static unsigned int read_and_poll(struct __test_metadata *_metadata,
				  FIXTURE_DATA(async) * self, unsigned int nr)
{
	struct io_uring_cqe cqe;

	t_trace_start(&self->trace);
	for (unsigned int i = 0; i < nr; i++) {
		prep_read(self);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		while (!t_cqe(&self->ring, &cqe))
			sched_getcpu();
		ASSERT_EQ(4096, cqe.res);
	}
	T_OK(t_trace_load(&self->trace));
	/* What it was given when it was idle before, and each time since. */
	return PER_IDLE * (1 + nr_idle(self, self->cpus[1]));
}

/*
 * It leaves its CPU no idle time, and would wait for the worker to get some: but for
 * when both of them contend for the ring, as they do on a busy host.
 */
T_TEST_F(async, elsewhere_for_who_polls)
{
	const unsigned int nr = 4 * PER_IDLE;
	unsigned int most = nr;

	if (variant->flags & IORING_SETUP_DEFER_TASKRUN)
		T_SKIP("what is polled for there is not there");
	T_OK(t_trace_filter(&self->trace, "sched:sched_switch",
			    "next_pid == 0"));
	ASSERT_EQ(0, t_pin(self->cpus[1]));
	for (int i = 0; i < 10 && most >= nr; i++) {
		most = read_and_poll(_metadata, self, nr);
		EXPECT_GE(most, t_count(&self->trace, "cprov_queue", "reason",
					T_AT_HOME));
	}
	if (most >= nr)
		T_SKIP("who polls was never left alone");
	EXPECT_LT(0, t_count(&self->trace, "cprov_queue", "reason",
			     T_SHARED_CACHE));
}

/*
 * How often the task handed something over while a worker that had been woken on its
 * CPU did not run yet; and how often nobody else was woken, or made, for it until then.
 */
static unsigned int nr_meanwhile(const FIXTURE_DATA(async) * self, int cpu,
				 unsigned int *waited)
{
	bool granted = false, here = false, others = false;
	unsigned int meanwhile = 0, nr = 0;
	long long pid = 0;

	*waited = 0;
	for (size_t i = 0; i < self->trace.nr; i++) {
		const struct t_event *event = &self->trace.events[i];
		const char *name = event->name;

		if (!strcmp(name, "cprov_queue")) {
			granted = t_field(event, "reason", -1) == T_AT_HOME;
		} else if (!strcmp(name, "sched_wakeup") && here && !pid &&
			   t_field(event, "target_cpu", -1) == cpu) {
			pid = t_field(event, "pid", 0);
			meanwhile = 0;
			others = false;
		} else if (!strcmp(name, HANDED_OVER)) {
			here = granted;
			granted = false;
			meanwhile++;
		} else if (!strcmp(name, "sched_waking") ||
			   !strcmp(name, "sched_wakeup_new")) {
			others |= t_field(event, "pid", pid) != pid;
		} else if (!strcmp(name, "sched_switch") && pid &&
			   t_field(event, "next_pid", 0) == pid) {
			nr += !!meanwhile;
			*waited += meanwhile && !others;
			pid = 0;
		}
	}
	return nr;
}

/* As many reads, submitted so many at a time; all but the last of these have @flags. */
static void read_shots(struct __test_metadata *_metadata,
		       FIXTURE_DATA(async) * self, int together,
		       unsigned int flags)
{
	struct io_uring_cqe cqe;

	t_trace_start(&self->trace);
	for (int i = 0; i < SHOTS; i++) {
		struct io_uring_sqe *sqe = prep_read(self);

		if ((i + 1) % together)
			sqe->flags |= flags;
		else
			ASSERT_EQ(0, t_submit(&self->ring, 0));
	}
	ASSERT_EQ(0, t_wait_ms(&self->ring, SHOTS, T_TIMEOUT * 1000));
	for (int i = 0; i < SHOTS; i++) {
		ASSERT_TRUE(t_cqe(&self->ring, &cqe));
		ASSERT_EQ(4096, cqe.res);
	}
	T_OK(t_trace_load(&self->trace));
}

/* Two workers that may run anywhere. */
static void make_two_anywhere(struct __test_metadata *_metadata,
			      FIXTURE_DATA(async) * self)
{
	T_OK(t_null_blk(&self->slow, SLOW));
	ASSERT_EQ(0, t_unpin());
	T_OK(make_workers(&self->ring, &self->slow, NULL, 2));
}

/*
 * What the task hands over before it sleeps does not wait with the first, but has a
 * worker elsewhere. The task mostly runs on, as the worker is less important.
 */
T_TEST_F(async, others_do_not_wait_with_it)
{
	const int cpu = self->cpus[1];
	unsigned int nr = 0, waited = 0;

	make_two_anywhere(_metadata, self);
	ASSERT_EQ(0, t_pin(cpu));
	ASSERT_EQ(0, setpriority(PRIO_PROCESS, 0, -20));
	for (int i = 0; i < 50 && waited == nr; i++) {
		/* The CPU has room for workers again once it was idle. */
		usleep(1000);
		read_shots(_metadata, self, 1, 0);
		nr = nr_meanwhile(self, cpu, &waited);
	}
	TH_LOG("%u times, %u waited", nr, waited);
	/* Another that was about to sleep looks for work without being woken. */
	EXPECT_GT(nr, waited);
}

/* How many of them were done elsewhere than on @cpu, and where they were issued. */
static unsigned int nr_with_workers(const FIXTURE_DATA(async) * self, int cpu)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < self->trace.nr; i++) {
		const struct t_event *event = &self->trace.events[i];
		const int issued = t_field(event, "submit_cpu", -1);

		nr += !strcmp(event->name, "cprov_complete") && issued != cpu &&
		      t_field(event, "home_cpu", -1) == issued &&
		      t_field(event, "cpu", -1) == issued;
	}
	return nr;
}

/*
 * It is for several CPUs, and for workers that start at once; each is at home with its
 * own. Sometimes the scheduler has all of them where the task is.
 */
T_TEST_F(async, with_its_workers_if_it_is_a_batch)
{
	unsigned int nr = 0;

	make_two_anywhere(_metadata, self);
	ASSERT_EQ(0, t_pin(self->cpus[1]));
	for (int i = 0; i < 10 && !nr; i++) {
		read_shots(_metadata, self, SHOTS, 0);
		EXPECT_EQ(0, nr_asked(self));
		EXPECT_EQ(0, t_count(&self->trace, "cprov_complete", "reason",
				     T_STEERED));
		nr = nr_with_workers(self, self->cpus[1]);
	}
	EXPECT_LT(0, nr);
}

/* But whoever names the home of each wants them there. */
T_TEST_F(async, to_the_home_that_a_batch_names)
{
	const int home = self->cpus[1];

	/* A home counts only if the task may go there. */
	ASSERT_EQ(0, t_unpin());
	self->home = home;
	read_shots(_metadata, self, SHOTS, 0);
	EXPECT_EQ(SHOTS,
		  t_count(&self->trace, "cprov_complete", "home_cpu", home));
	EXPECT_EQ(SHOTS, t_count(&self->trace, "cprov_complete", "cpu", home));
}

/*
 * One that waits for another is handed over by itself. Its worker may not be free yet
 * when the task is told of the one before.
 */
T_TEST_F(async, asked_of_a_chain)
{
	const int cpu = self->cpus[1];

	make_two_anywhere(_metadata, self);
	ASSERT_EQ(0, t_pin(cpu));
	for (int i = 0; i < 10 && !nr_asked(self); i++)
		read_shots(_metadata, self, SHOTS / 4, IOSQE_IO_LINK);
	EXPECT_LT(0, nr_asked(self));
	EXPECT_EQ(SHOTS, t_count(&self->trace, "cprov_complete", "cpu", cpu));
}

/*
 * Who is told of one that is done hands over the next, and then sleeps. Were it to find
 * first that it has nothing to do, its worker and it would take turns once more.
 */
T_TEST_F(async, one_sleep_for_each_of_a_chain)
{
	const unsigned int nr = SHOTS / 4;
	struct rusage before, after;
	struct io_uring_cqe cqe;

	make_two_anywhere(_metadata, self);
	self->fd = t_dev_open(&self->slow, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_pin(self->cpus[1]));
	getrusage(RUSAGE_THREAD, &before);
	for (unsigned int i = 0; i < SHOTS; i++) {
		struct io_uring_sqe *sqe = prep_read(self);

		if ((i + 1) % nr) {
			sqe->flags |= IOSQE_IO_LINK;
			continue;
		}
		ASSERT_EQ(0, t_submit(&self->ring, nr));
		while (t_cqe(&self->ring, &cqe))
			ASSERT_EQ(4096, cqe.res);
	}
	getrusage(RUSAGE_THREAD, &after);
	/* The host's own noise is less than one for each chain. */
	EXPECT_GE(SHOTS + SHOTS / nr, after.ru_nvcsw - before.ru_nvcsw);
}

/* Nobody sleeps for its requests. The first one makes its worker. */
T_TEST_F(async, unasked_of_a_polled_ring)
{
	struct t_shot shot =
		async_shot(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, -1);
	struct t_dev polled;

	T_OK(t_null_blk(&polled, "poll_queues=1"));
	self->fd = t_dev_open(&polled, O_RDONLY);
	ASSERT_LE(0, self->fd);
	t_ring_exit(&self->ring);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, IORING_SETUP_IOPOLL));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	for (int i = 0; i < 4; i++) {
		T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
		EXPECT_EQ(4096, shot.res);
		EXPECT_EQ(0, nr_asked(self));
	}
}

TEST_HARNESS_MAIN
