// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a drive with a hardware queue for each CPU, the interrupt itself comes
 * home: no IPI remains to be sent. Which queue a request is in is seen in
 * debugfs for null_blk (carry_debugfs); here, that the drive's interrupt and
 * the home are one CPU.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

FIXTURE(queue)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(queue)
{
	const char *drive = getenv("CPROV_DEV");

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_POLICY | T_TWO_CPUS |
	       T_STEERING);
	if (!drive)
		T_SKIP("set CPROV_DEV to a drive to read from");
	T_OK(t_dev_find(&self->dev, drive));
	self->nr = t_cpus(self->cpus);
	for (int i = 1; i < self->nr; i++)
		for (int k = 0; k < i; k++)
			if (t_queue_of(&self->dev, self->cpus[i]) ==
			    t_queue_of(&self->dev, self->cpus[k]))
				T_SKIP("%s has not one queue for each CPU",
				       self->dev.name);
	if (t_queue_set(&self->dev, "scheduler", "none"))
		T_SKIP("no I/O scheduler 'none' on %s", self->dev.name);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS " cprov:cprov_deferred"));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(queue)
{
	t_undo_all();
}

static void check(struct __test_metadata *_metadata, FIXTURE_DATA(queue) * self,
		  unsigned int cls, bool comes_home)
{
	struct t_shot shots[64] = {};
	size_t nr = 0;

	for (int submit = 0; submit < self->nr && nr < 64; submit++) {
		for (int home = 0; home < self->nr && nr < 64; home++) {
			shots[nr].hint = t_hint_of(cls, self->cpus[home], 0);
			shots[nr++].submit_cpu = self->cpus[submit];
		}
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++) {
		int expected = comes_home ? shots[i].hint.home_cpu :
					    shots[i].submit_cpu;

		T_EXPECT_EQ(expected, shots[i].irq_cpu,
			    "submitted on %d, home %d", shots[i].submit_cpu,
			    shots[i].hint.home_cpu);
		EXPECT_EQ(expected, shots[i].done_cpu);
	}
	/* Nothing was in the way of any of them. */
	EXPECT_EQ(0, t_count(&self->trace, "cprov_deferred", NULL, 0));
}

T_TEST_F(queue, step_critical_comes_home)
{
	check(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, true);
}

T_TEST_F(queue, latency_comes_home)
{
	check(_metadata, self, IO_LOCALITY_CLASS_LATENCY, true);
}

T_TEST_F(queue, throughput_stays)
{
	check(_metadata, self, IO_LOCALITY_CLASS_THROUGHPUT, false);
}

T_TEST_F(queue, prefetch_stays)
{
	check(_metadata, self, IO_LOCALITY_CLASS_PREFETCH, false);
}

TEST_HARNESS_MAIN
