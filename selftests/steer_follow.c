// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO_LOCALITY_FOLLOW_TASK: home is where the task is when its request
 * completes, however it got there; without it, where the task was.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define DELAY_NS 200000000

FIXTURE(follow)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(follow)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_slow_dev(&self->dev, DELAY_NS));
	T_OK(t_trace_open_dev(&self->trace, T_SHOT_EVENTS, &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
	if (self->nr > 4)
		self->nr = 4;
}

FIXTURE_TEARDOWN(follow)
{
	t_undo_all();
}

static int queue(FIXTURE_DATA(follow) * self,
		 const struct io_locality_hint *hint)
{
	static alignas(4096) char buf[4096];
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 2 << 20);
	t_sqe_hint(sqe, hint);
	return t_submit(&self->ring, 0);
}

/* Submitted here and awaited there, where it went while the device was busy. */
static const char *move(FIXTURE_DATA(follow) * self,
			const struct io_locality_hint *hint, int from, int to,
			const struct t_event **decided,
			const struct t_event **done)
{
	struct io_uring_cqe cqe;

	for (int attempt = 0; attempt < 20; attempt++) {
		bool late;

		if (t_pin(from))
			return t_text("cannot run on CPU %d", from);
		t_trace_start(&self->trace);
		if (queue(self, hint))
			return "cannot submit";
		if (t_pin(to))
			return t_text("cannot run on CPU %d", to);
		late = t_cqe(&self->ring, &cqe);
		if (!late && t_wait_res(&self->ring) != 4096)
			return "the read failed";
		/* On a busy machine the device may have been faster. */
		if (late)
			continue;
		if (t_trace_load(&self->trace))
			return "no trace";
		*decided = t_find(&self->trace, "cprov_complete", "flow_id",
				  hint->flow_id);
		*done = t_find(&self->trace, "block_rq_complete", NULL, 0);
		return *decided && *done ? NULL : "no events";
	}
	return "the device is always faster";
}

T_TEST_F(follow, to_where_the_task_went)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 7);
	const struct t_event *decided, *done;

	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	for (int from = 0; from < self->nr; from++) {
		for (int to = 0; to < self->nr; to++) {
			T_OK(move(self, &hint, self->cpus[from], self->cpus[to],
				  &decided, &done));
			T_EXPECT_EQ(self->cpus[to],
				    t_field(decided, "home_cpu", -1),
				    "from %d to %d", from, to);
			T_EXPECT_EQ(self->cpus[to], done->cpu, "from %d to %d",
				    from, to);
		}
	}
}

/* A named home is not looked at, or the task would not be followed from it. */
T_TEST_F(follow, rather_than_the_named_home)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[0], 7);
	const struct t_event *decided, *done;

	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	T_OK(move(self, &hint, self->cpus[0], self->cpus[1], &decided, &done));
	EXPECT_EQ(self->cpus[1], t_field(decided, "home_cpu", -1));
	EXPECT_EQ(self->cpus[1], done->cpu);
}

T_TEST_F(follow, not_unless_asked_to)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 7);
	const struct t_event *decided, *done;

	T_OK(move(self, &hint, self->cpus[0], self->cpus[1], &decided, &done));
	EXPECT_EQ(self->cpus[0], t_field(decided, "home_cpu", -1));
	EXPECT_EQ(self->cpus[0], done->cpu);
}

/* Its number outlives the task in the token: nobody is there any more. */
T_TEST_F(follow, a_task_that_is_gone)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 7);
	const struct t_event *decided;
	int status;
	pid_t pid;

	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	t_trace_start(&self->trace);
	pid = t_fork();
	if (!pid)
		_exit(queue(self, &hint) ? 1 : 0);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_NE(NULL,
		  t_trace_await(&self->trace, "cprov_complete", "flow_id", 7));
	decided = t_find(&self->trace, "cprov_complete", "flow_id", 7);
	/* Or the exit waited for it, as it may. */
	EXPECT_LE(-1, t_field(decided, "home_cpu", -2));
	EXPECT_GT(self->cpus[self->nr - 1] + 64,
		  t_field(decided, "home_cpu", 1000));
}

/* Tasks that come and go give their numbers back, or there would be no more. */
T_TEST_F(follow, many_tasks)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 7);
	struct t_dev dev;
	int status;

	T_OK(t_null_blk(&dev, ""));
	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	close(self->fd);
	self->fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	for (int i = 0; i < 200; i++) {
		pid_t pid = t_fork();

		if (!pid) {
			struct t_ring ring;

			if (t_ring_init(&ring, 4, 0) ||
			    t_enable(&ring, NULL, NULL, 0))
				_exit(2);
			self->ring = ring;
			if (queue(self, &hint))
				_exit(3);
			_exit(t_wait_res(&ring) == 4096 ? 0 : 4);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
