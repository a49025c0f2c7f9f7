// SPDX-License-Identifier: GPL-2.0-only
/*
 * Precedence over the queue attribute rq_affinity: with 1 and 2 a hint decides,
 * with 0 the administrator asked for completions where the interrupt is.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(rq_affinity)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(rq_affinity)
{
	const char *value;
	int expected;
};

T_VARIANT(rq_affinity, is_0, .value = "0", .expected = T_RQ_AFFINITY);
T_VARIANT(rq_affinity, is_1, .value = "1", .expected = T_STEERED);
T_VARIANT(rq_affinity, is_2, .value = "2", .expected = T_STEERED);

FIXTURE_SETUP(rq_affinity)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	self->nr = t_cpus(self->cpus);
	/* Queues of their own, so that there is one to choose. */
	T_OK(t_null_blk(&self->dev, t_text("submit_queues=%d", self->nr)));
	ASSERT_EQ(0, t_queue_set(&self->dev, "rq_affinity", variant->value));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(rq_affinity)
{
	t_undo_all();
}

T_TEST_F(rq_affinity, from_home_and_from_elsewhere)
{
	for (int i = 0; i < self->nr; i++) {
		struct t_shot shots[2] = {};

		for (int k = 0; k < 2; k++) {
			shots[k].hint =
				t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  self->cpus[i], 0);
			shots[k].submit_cpu = self->cpus[(i + k) % self->nr];
		}
		T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, 2));
		EXPECT_EQ(T_AT_HOME, shots[0].reason);
		EXPECT_EQ(shots[0].submit_cpu, shots[0].done_cpu);
		EXPECT_EQ(variant->expected, shots[1].reason);
		EXPECT_EQ(variant->expected, shots[1].queue_reason);
		EXPECT_EQ(variant->expected == T_STEERED ? self->cpus[i] :
							   shots[1].irq_cpu,
			  shots[1].done_cpu);
	}
}

TEST_HARNESS_MAIN
