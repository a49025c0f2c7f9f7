// SPDX-License-Identifier: GPL-2.0-only
/*
 * Past its window a request is worth what throughput is: it completes as if it
 * had no hint. The device takes 20 ms, so that a window of a microsecond is
 * over for certain and one of a minute is not.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(expiry)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(expiry)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_slow_dev(&self->dev, 20000000));
	ASSERT_EQ(0, t_queue_set(&self->dev, "scheduler", "none"));
	/* Not the device below, which has the same flows. */
	T_OK(t_trace_open_dev(&self->trace, T_SHOT_EVENTS, &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(expiry)
{
	t_undo_all();
}

/* To each home, with a budget; all are late, or none is. */
static void check(struct __test_metadata *_metadata,
		  FIXTURE_DATA(expiry) * self, unsigned int cls,
		  unsigned int budget_us, bool late)
{
	struct t_shot shots[8] = {};
	int nr = self->nr < 8 ? self->nr : 8, expired = 0, steered = 0;

	for (int i = 0; i < nr; i++) {
		shots[i].hint = t_hint_of(cls, self->cpus[i], 0);
		shots[i].hint.budget_us = budget_us;
		shots[i].submit_cpu = self->cpus[0];
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (int i = 0; i < nr; i++) {
		const struct t_shot *shot = &shots[i];
		const struct io_locality_hint *hint = &shot->hint;
		struct t_verdict rule;

		rule = t_rule_complete(hint, hint->home_cpu, shot->irq_cpu, 1);

		EXPECT_EQ(4096, shot->res);
		if (rule.reason == T_STEERED || rule.reason == T_SHARED_CACHE) {
			if (late)
				rule = (struct t_verdict){ -1, T_EXPIRED };
			else
				steered++;
		}
		expired += rule.reason == T_EXPIRED;
		T_EXPECT_EQ(rule.reason, shot->reason,
			    "home %d, interrupt on %d: %s", shot->hint.home_cpu,
			    shot->irq_cpu, t_reason_name(shot->reason));
		EXPECT_EQ(rule.cpu, shot->chosen_cpu);
		T_EXPECT_EQ(rule.cpu >= 0 ? rule.cpu :
					    t_stock_cpu(1, shot->irq_cpu,
							shot->submit_cpu),
			    shot->done_cpu,
			    "home %d, interrupt on %d: done on %d",
			    shot->hint.home_cpu, shot->irq_cpu, shot->done_cpu);
	}
	/* Where the interrupts land is chance, but not all of them at home. */
	EXPECT_LT(0, late ? expired : steered);
}

T_TEST_F(expiry, inside_the_window)
{
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, T_LONG_US,
	      false);
	check(_metadata, self, IO_LOCALITY_CLASS_LATENCY, T_LONG_US, false);
}

T_TEST_F(expiry, past_the_window)
{
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, 1, true);
	check(_metadata, self, IO_LOCALITY_CLASS_LATENCY, 1, true);
}

/* Budget 0: the policy's default of the class. */
T_TEST_F(expiry, default_window)
{
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/step_critical", "1"));
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/latency", "%u", T_LONG_US));
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, 0, true);
	check(_metadata, self, IO_LOCALITY_CLASS_LATENCY, 0, false);
	ASSERT_EQ(0,
		  t_set(T_KNOBS "/window_us/step_critical", "%u", T_LONG_US));
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/latency", "1"));
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, 0, false);
	check(_metadata, self, IO_LOCALITY_CLASS_LATENCY, 0, true);
	/* A budget of its own beats it. */
	check(_metadata, self, IO_LOCALITY_CLASS_LATENCY, T_LONG_US, false);
}

/* The largest budget there is, an hour and more, must not wrap. */
T_TEST_F(expiry, largest_budget)
{
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, 0xffffffff,
	      false);
}

/* How long a window is, is for the policy to say that decides, not when it begins. */
T_TEST_F(expiry, policy_comes_later)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint;
	struct io_uring_sqe *sqe;
	const struct t_event *event;
	struct t_dev slower;
	int fd;

	T_OR_SKIP(t_slow_dev(&slower, 3000000000));
	ASSERT_EQ(0, t_queue_set(&slower, "scheduler", "none"));
	T_OK(t_trace_filter(&self->trace, "cprov:cprov_complete", "dev == %llu",
			    slower.dev));
	fd = t_dev_open(&slower, O_RDONLY);
	ASSERT_LE(0, fd);
	T_OK(t_policy_unload());
	t_trace_start(&self->trace);
	/* A worker ends them, on one CPU or another: one of these is away from home. */
	for (int i = 0; i < 2; i++) {
		hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[i],
				 9000 + (__u32)i);
		hint.budget_us = 0;
		sqe = t_sqe(&self->ring);
		t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), i * 4096);
		t_sqe_hint(sqe, &hint);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
	}
	T_OK(t_policy_load());
	ASSERT_EQ(0,
		  t_set(T_KNOBS "/window_us/step_critical", "%u", T_LONG_US));
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(sizeof(buf), t_wait_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	if (!t_find(&self->trace, "cprov_complete", NULL, 0))
		T_SKIP("the requests were faster than the policy");
	for (size_t i = 0; i < self->trace.nr; i++) {
		event = &self->trace.events[i];
		if (strcmp(event->name, "cprov_complete"))
			continue;
		EXPECT_EQ(t_field(event, "home_cpu", -1) == event->cpu ?
				  T_AT_HOME :
				  T_STEERED,
			  t_field(event, "reason", -1));
	}
}

TEST_HARNESS_MAIN
