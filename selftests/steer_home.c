// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a hint's home comes to: the CPU it names, if the submitting task may run
 * there; the CPU it is submitted from, if none is named or the task may not;
 * any CPU of a node; and with IORING_SETUP_SQPOLL the SQ thread's CPU, since a
 * completion goes where its next instruction runs.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(home)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int first, last;
	int fd;
};

/* One queue: what is seen is steering, not the choice of a queue. */
FIXTURE_SETUP(home)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_null_blk(&self->dev, ""));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
	self->first = self->cpus[0];
	self->last = self->cpus[self->nr - 1];
}

FIXTURE_TEARDOWN(home)
{
	t_undo_all();
}

/* One request of the ring and the hint, from where the task is. */
static const struct t_event *shoot(FIXTURE_DATA(home) * self,
				   struct t_ring *ring,
				   const struct io_locality_hint *hint,
				   unsigned int flags)
{
	static alignas(4096) char buf[4096];
	struct io_uring_sqe *sqe = t_sqe(ring);

	t_trace_start(&self->trace);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, hint);
	t_sqe_flags(sqe, flags);
	if (t_submit_res(ring) != sizeof(buf) || t_trace_load(&self->trace))
		return NULL;
	return t_find(&self->trace, "cprov_complete", "flow_id", hint->flow_id);
}

static int done_cpu(FIXTURE_DATA(home) * self)
{
	const struct t_event *event;

	event = t_find(&self->trace, "block_rq_complete", "dev", self->dev.dev);
	return event ? event->cpu : -1;
}

T_TEST_F(home, named_and_allowed)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->last,
				  1),
		.submit_cpu = self->first,
	};

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(self->last, shot.home_cpu);
	EXPECT_EQ(self->last, shot.done_cpu);
}

/* The task cannot be where its hint says: it will be woken where it is. */
T_TEST_F(home, named_but_the_task_may_not_run_there)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->last, 7);
	const struct t_event *event;

	ASSERT_EQ(0, t_pin(self->first));
	event = shoot(self, &self->ring, &hint, 0);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(self->first, t_field(event, "home_cpu", -1));
	EXPECT_EQ(T_AT_HOME, t_field(event, "reason", -1));
	EXPECT_EQ(self->first, done_cpu(self));
}

T_TEST_F(home, not_named)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 7);
	const struct t_event *event;

	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		event = shoot(self, &self->ring, &hint, 0);
		ASSERT_NE(NULL, event);
		EXPECT_EQ(self->cpus[i], t_field(event, "home_cpu", -1));
		EXPECT_EQ(self->cpus[i], done_cpu(self));
	}
}

/* Allowed on the named CPU, so that only the override can be the cause. */
T_TEST_F(home, overridden)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->last, 7);
	const struct t_event *event;
	int submitted;

	ASSERT_EQ(0, t_pin(self->first));
	ASSERT_EQ(0, t_unpin());
	event = shoot(self, &self->ring, &hint, IO_LOCALITY_SQE_HOME_SUBMITTER);
	ASSERT_NE(NULL, event);
	submitted = t_field(event, "submit_cpu", -1);
	EXPECT_EQ(submitted, t_field(event, "home_cpu", -1));
	EXPECT_EQ(submitted, done_cpu(self));
}

/* Of a node every CPU will do: from inside nothing is sent anywhere. */
T_TEST_F(home, node)
{
	struct t_shot shots[T_MAX_CPUS * 2] = {};
	int other = -1;
	size_t nr = 0;

	for (int i = 1; i < self->nr; i++)
		if (t_node_of(self->cpus[i]) != t_node_of(self->first))
			other = t_node_of(self->cpus[i]);
	if (other < 0)
		T_SKIP("needs two nodes with CPUs");
	for (int i = 0; i < self->nr; i++) {
		for (int far = 0; far < 2; far++) {
			int node = far ? other : t_node_of(self->first);

			shots[nr].hint = t_hint();
			shots[nr].hint.home_node = node;
			/* Not pinned: the node is where the task may go. */
			shots[nr++].submit_cpu = -1;
		}
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++) {
		int node = shots[i].hint.home_node;

		T_EXPECT_EQ(node, t_node_of(shots[i].done_cpu),
			    "home node %d, interrupt on %d, done on %d", node,
			    shots[i].irq_cpu, shots[i].done_cpu);
		if (t_node_of(shots[i].irq_cpu) == node) {
			EXPECT_EQ(T_SAME_NODE, shots[i].reason);
			EXPECT_EQ(shots[i].irq_cpu, shots[i].done_cpu);
		} else {
			EXPECT_EQ(T_STEERED, shots[i].reason);
			EXPECT_EQ(shots[i].chosen_cpu, shots[i].done_cpu);
		}
	}
}

/* Both, and in agreement: the CPU is meant. */
T_TEST_F(home, cpu_and_its_node)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->last,
				  1),
		.submit_cpu = self->last == self->cpus[1] ?
				      self->first :
				      self->cpus[self->nr - 2],
	};

	shot.hint.home_node = t_node_of(self->last);
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(self->last, shot.done_cpu);
}

/* The SQ thread reaps; a completion on the consumer's CPU would be a detour. */
T_TEST_F(home, sq_thread)
{
	struct io_locality_hint hint;
	const struct t_event *event;
	struct t_ring ring;

	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_ring_init_sqpoll(&ring, 4, self->cpus[i], 0));
		ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
		for (int home = 0; home < self->nr; home++) {
			hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					 self->cpus[home], 7);
			event = shoot(self, &ring, &hint, 0);
			ASSERT_NE(NULL, event);
			T_EXPECT_EQ(self->cpus[i],
				    t_field(event, "home_cpu", -1),
				    "SQ thread on %d, home %d", self->cpus[i],
				    self->cpus[home]);
			EXPECT_EQ(self->cpus[i], done_cpu(self));
		}
		t_ring_exit(&ring);
	}
}

/*
 * A thread that may run anywhere may run on the CPU that is named, too, and still is
 * where the next instruction runs. It may move while a request is made, once or so.
 */
T_TEST_F(home, sq_thread_that_may_run_anywhere)
{
	int there = 0, of = 0;
	struct t_ring ring;

	ASSERT_EQ(0, t_ring_init(&ring, 4, IORING_SETUP_SQPOLL));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	for (int i = 0; i < self->nr * 4; i++) {
		struct io_locality_hint hint =
			t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				  self->cpus[i % self->nr], 7);
		const struct t_event *event = shoot(self, &ring, &hint, 0);

		ASSERT_NE(NULL, event);
		there += t_field(event, "home_cpu", -1) ==
			 t_field(event, "submit_cpu", -2);
		of++;
	}
	T_EXPECT_EQ(true, there > of * 3 / 4, "%d of %d", there, of);
	t_ring_exit(&ring);
}

/* A worker submits from wherever; the submitting task's home stays. */
T_TEST_F(home, worker)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->last, 7);
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	const struct t_event *event;

	t_trace_start(&self->trace);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, &hint);
	sqe->flags = IOSQE_ASYNC;
	ASSERT_EQ(sizeof(buf), t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	event = t_find(&self->trace, "cprov_complete", "flow_id", 7);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(self->last, t_field(event, "home_cpu", -1));
	EXPECT_EQ(self->last, done_cpu(self));
}

TEST_HARNESS_MAIN
