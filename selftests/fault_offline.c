// SPDX-License-Identifier: GPL-2.0-only
/*
 * The home CPU goes offline: before a request is submitted, while it is in
 * flight, again and again. Each completes exactly once, somewhere; and when the
 * CPU is back, so is the home.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define CYCLES 10
#define MOST 32 /* requests in flight */
/* Less than after which a drive is asked what has become of them. */
#define PATIENCE_MS 20000

FIXTURE(offline)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int first, home; /* the home is the CPU that goes */
	int fd;
};

FIXTURE_SETUP(offline)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	nr = t_cpus(cpus);
	self->first = cpus[0];
	self->home = cpus[nr - 1];
	if (!t_exists("/sys/devices/system/cpu/cpu%d/online", self->home))
		T_SKIP("CPU %d cannot go offline (CONFIG_HOTPLUG_CPU)",
		       self->home);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS " block:block_rq_issue"));
	ASSERT_EQ(0, t_ring_init(&self->ring, 64, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(offline)
{
	t_undo_all();
}

static void shoot(struct __test_metadata *_metadata,
		  FIXTURE_DATA(offline) * self, int reason, int done_cpu)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home,
				  0),
		.submit_cpu = self->first,
	};
	int queue_reason = -1;

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(4096, shot.res);
	T_EXPECT_EQ(reason, shot.reason, "%s", t_reason_name(shot.reason));
	/* Not asked for if one queue serves both. */
	if (t_queue_of(&self->dev, self->home) !=
	    t_queue_of(&self->dev, self->first))
		queue_reason = reason;
	T_EXPECT_EQ(queue_reason, shot.queue_reason, "queue %s",
		    t_reason_name(shot.queue_reason));
	EXPECT_EQ(done_cpu, shot.done_cpu);
	EXPECT_EQ(1, shot.nr_done);
	t_check_no_more(_metadata, &self->ring);
}

T_TEST_F(offline, before_submission)
{
	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	shoot(_metadata, self, T_STEERED, self->home);
	ASSERT_EQ(0, t_cpu_offline(self->home));
	shoot(_metadata, self, T_OFFLINE, self->first);
	ASSERT_EQ(0, t_cpu_online(self->home));
	shoot(_metadata, self, T_STEERED, self->home);
}

T_TEST_F(offline, before_submission_with_its_own_queue)
{
	T_OK(t_null_blk(&self->dev,
			t_text("submit_queues=%d", self->home + 1)));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	shoot(_metadata, self, T_STEERED, self->home);
	ASSERT_EQ(0, t_cpu_offline(self->home));
	shoot(_metadata, self, T_OFFLINE, self->first);
	ASSERT_EQ(0, t_cpu_online(self->home));
	shoot(_metadata, self, T_STEERED, self->home);
}

/*
 * In flight: the request was issued before the CPU went, and had not completed
 * when it was gone. If it had, the machine was too slow for the device, and a
 * slower device is tried.
 */
T_TEST_F(offline, between_submission_and_completion)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home, 0);
	const struct t_event *event;
	struct io_uring_sqe *sqe;
	bool in_flight = false;

	for (unsigned long long s = 2; s <= 32 && !in_flight; s *= 2) {
		T_OR_SKIP(t_slow_dev(&self->dev, s * 1000000000));
		self->fd = t_dev_open(&self->dev, O_RDONLY);
		ASSERT_LE(0, self->fd);
		hint.flow_id = 4000 + s;
		t_trace_start(&self->trace);
		sqe = t_sqe(&self->ring);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
		t_sqe_hint(sqe, &hint);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		ASSERT_NE(NULL, t_trace_await(&self->trace, "block_rq_issue",
					      "dev", self->dev.dev));
		ASSERT_EQ(0, t_cpu_offline(self->home));
		T_OK(t_trace_load(&self->trace));
		in_flight = !t_find(&self->trace, "cprov_complete", "dev",
				    self->dev.dev);
		EXPECT_EQ(4096, t_wait_res(&self->ring));
		ASSERT_EQ(0, t_cpu_online(self->home));
	}
	ASSERT_TRUE(in_flight);
	T_OK(t_trace_load(&self->trace));
	event = t_find(&self->trace, "cprov_complete", "dev", self->dev.dev);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(hint.flow_id, t_field(event, "flow_id", 0));
	EXPECT_EQ(T_OFFLINE, t_field(event, "reason", -1));
	EXPECT_EQ(1, t_count(&self->trace, "block_rq_complete", "dev",
			     self->dev.dev));
	t_check_no_more(_metadata, &self->ring);
}

/* ---- again and again, under I/O ---- */

/*
 * Off and on; how often that worked. While it is off, what was on its way to it has to
 * be done elsewhere: once it is back, a queue of its own would go on with it.
 */
static int toggle(int cpu, const unsigned long long *done, int at_a_time)
{
	int nr;

	for (nr = 0; nr < CYCLES; nr++) {
		unsigned long long before;
		long long until;

		if (t_cpu_offline(cpu))
			break;
		before = __atomic_load_n(done, __ATOMIC_RELAXED);
		until = t_now_ms() + PATIENCE_MS;
		while (__atomic_load_n(done, __ATOMIC_RELAXED) <
			       before + 2 * at_a_time &&
		       t_now_ms() < until)
			usleep(1000);
		if (t_cpu_online(cpu) || t_now_ms() >= until)
			break;
	}
	return nr;
}

/* Some at a time, from CPUs that stay, to the one that comes and goes. */
static void hammer(struct __test_metadata *_metadata,
		   FIXTURE_DATA(offline) * self, int nr)
{
	static alignas(4096) char buf[MOST * 4096];
	struct io_locality_hint hints[MOST];
	unsigned long long *done;
	struct io_uring_cqe cqe;
	int status = 0;
	pid_t pid;

	done = t_shared(sizeof(*done));
	ASSERT_NE(NULL, done);
	pid = t_fork();
	if (!pid)
		_exit(toggle(self->home, done, nr));
	while (!waitpid(pid, &status, WNOHANG)) {
		for (int i = 0; i < nr; i++) {
			struct io_uring_sqe *sqe = t_sqe(&self->ring);

			/* The two classes that are steered. */
			hints[i] = t_hint_of(1 + i % 2, self->home, 1 + i % 3);
			t_prep_rw(sqe, IORING_OP_READ, self->fd, buf + i * 4096,
				  4096, (__u64)i * 8192);
			t_sqe_hint(sqe, &hints[i]);
		}
		ASSERT_EQ(0, t_submit(&self->ring, nr));
		for (int i = 0; i < nr; i++) {
			ASSERT_TRUE(t_cqe(&self->ring, &cqe));
			ASSERT_EQ(4096, cqe.res);
			__atomic_add_fetch(done, 1, __ATOMIC_RELAXED);
		}
	}
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(CYCLES, WEXITSTATUS(status));
	TH_LOG("%llu requests", *done);
	munmap(done, sizeof(*done));
	t_check_no_more(_metadata, &self->ring);
}

T_TEST_F(offline, again_and_again_null_blk)
{
	T_OK(t_null_blk(&self->dev,
			t_text("submit_queues=%d", self->home + 1)));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	hammer(_metadata, self, MOST);
}

/*
 * Its workers are bound to the home, and have to leave it: how many, that is as the
 * home was idle in time. Once it stays they are bound to it again.
 */
T_TEST_F(offline, again_and_again_loop)
{
	long long bound =
		t_counter("queue", IO_LOCALITY_CLASS_STEP_CRITICAL, T_STEERED);
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home,
				  0),
		.submit_cpu = self->first,
		.queue_reason = -1,
	};
	struct t_dev below;

	T_OK(t_null_blk(&below, ""));
	T_OR_SKIP(t_loop(&self->dev, below.path, true));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	hammer(_metadata, self, MOST);
	TH_LOG("%lld bound",
	       t_counter("queue", IO_LOCALITY_CLASS_STEP_CRITICAL, T_STEERED) -
		       bound);
	for (int i = 0; i < 100 && shot.queue_reason != T_STEERED; i++) {
		T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
		EXPECT_EQ(4096, shot.res);
	}
	EXPECT_EQ(T_STEERED, shot.queue_reason);
}

static void hammer_drive(struct __test_metadata *_metadata,
			 FIXTURE_DATA(offline) * self, int nr)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home,
				  0),
		.submit_cpu = self->first,
	};
	const char *drive = getenv("CPROV_DEV");

	if (!drive)
		T_SKIP("set CPROV_DEV to a drive to read from");
	T_OK(t_dev_find(&self->dev, drive));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	hammer(_metadata, self, nr);

	/* Its queue and its interrupt are back as well, if it has one. */
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(4096, shot.res);
	EXPECT_EQ(self->home, shot.done_cpu);
}

T_TEST_F(offline, again_and_again_drive)
{
	hammer_drive(_metadata, self, MOST);
}

/* The queue that goes waits for those that it sees, and so for none that it does not. */
T_TEST_F(offline, again_and_again_drive_one_at_a_time)
{
	hammer_drive(_metadata, self, 1);
}

TEST_HARNESS_MAIN
