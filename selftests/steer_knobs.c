// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy's knobs: switched off nothing is steered, and which classes are is
 * the administrator's choice.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(knobs)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int submit, home;
	int fd;
};

FIXTURE_SETUP(knobs)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	nr = t_cpus(cpus);
	/* Queues of their own, so that there is one to choose. */
	T_OK(t_null_blk(&self->dev, t_text("submit_queues=%d", nr)));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->submit = cpus[0];
	self->home = cpus[nr - 1];
}

FIXTURE_TEARDOWN(knobs)
{
	t_undo_all();
}

static void check(struct __test_metadata *_metadata, FIXTURE_DATA(knobs) * self,
		  unsigned int cls, int reason)
{
	struct t_shot shot = {
		.hint = t_hint_of(cls, self->home, 1),
		.submit_cpu = self->submit,
	};
	long long before = t_counter("complete", cls, reason);

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	T_EXPECT_EQ(reason, shot.reason, "%s: %s", t_class_name(cls),
		    t_reason_name(shot.reason));
	T_EXPECT_EQ(reason, shot.queue_reason, "%s: queue %s",
		    t_class_name(cls), t_reason_name(shot.queue_reason));
	EXPECT_EQ(reason == T_STEERED ? self->home : -1, shot.chosen_cpu);
	/* null_blk completes where it was submitted. */
	EXPECT_EQ(reason == T_STEERED ? self->home : self->submit,
		  shot.done_cpu);
	EXPECT_EQ(before + 1, t_counter("complete", cls, reason));
}

T_TEST_F(knobs, off_and_on)
{
	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "0"));
	for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++)
		check(_metadata, self, cls, T_DISABLED);
	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "1"));
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, T_STEERED);
}

/* Each class alone: the others are not steered. */
T_TEST_F(knobs, classes)
{
	/* Where they share a cache that would do. */
	ASSERT_EQ(0, t_set(T_KNOBS "/exact_classes",
			   "throughput latency step_critical prefetch"));
	for (int steered = 0; steered < IO_LOCALITY_NR_CLASSES; steered++) {
		ASSERT_EQ(0, t_set(T_KNOBS "/steer_classes", "%s",
				   t_class_name(steered)));
		for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++)
			check(_metadata, self, cls,
			      cls == steered ? T_STEERED : T_CLASS);
	}
}

T_TEST_F(knobs, no_class)
{
	ASSERT_EQ(0, t_set(T_KNOBS "/steer_classes", " "));
	for (int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++)
		check(_metadata, self, cls, T_CLASS);
}

/* Neither the hint nor the policy sets a window: then there is none. */
T_TEST_F(knobs, no_window)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home,
				  1),
		.submit_cpu = self->submit,
	};

	shot.hint.budget_us = 0;
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/step_critical", "0"));
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(T_EXPIRED, shot.reason);
	EXPECT_EQ(T_EXPIRED, shot.queue_reason);
	EXPECT_EQ(-1, shot.queue_cpu);
}

T_TEST_F(knobs, counters_reset)
{
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, T_STEERED);
	EXPECT_NE(0, t_counters_sum());
	t_counters_reset();
	EXPECT_EQ(0, t_counters_sum());
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, T_STEERED);
	EXPECT_EQ(1, t_counter("complete", IO_LOCALITY_CLASS_STEP_CRITICAL,
			       T_STEERED));
}

TEST_HARNESS_MAIN
