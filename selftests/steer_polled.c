// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request that is polled for completes on the CPU that polls, home or not.
 */
#include <fcntl.h>

#include "t_harness.h"

T_FIXTURE(polled,
	  T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY | T_TWO_CPUS)

T_TEST_F(polled, stays)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), fd;
	struct t_shot shots[8] = {};
	struct t_trace trace;
	struct t_ring ring;
	struct t_dev dev;

	/* Queues of their own, so that there is one to choose. */
	T_OR_SKIP(t_null_blk_polled(&dev, nr, nr));
	T_OK(t_trace_open(&trace, T_SHOT_EVENTS));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	if (t_ring_init(&ring, 1, IORING_SETUP_IOPOLL))
		T_SKIP("no IORING_SETUP_IOPOLL");
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	if (nr > 8)
		nr = 8;
	for (int i = 0; i < nr; i++) {
		shots[i].hint =
			t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, cpus[i], 0);
		shots[i].submit_cpu = cpus[0];
	}
	T_OK(t_shoot(&ring, fd, &trace, shots, nr));
	for (int i = 0; i < nr; i++) {
		/* Not asked for if one queue serves both. */
		int queue_reason = i ? T_POLLED : -1;

		EXPECT_EQ(4096, shots[i].res);
		T_EXPECT_EQ(queue_reason, shots[i].queue_reason,
			    "home %d: queue %s", cpus[i],
			    t_reason_name(shots[i].queue_reason));
		EXPECT_EQ(-1, shots[i].queue_cpu);
		EXPECT_EQ(cpus[0], shots[i].done_cpu);
		/* A driver may ask; then the answer is the same. */
		if (shots[i].nr_decided)
			EXPECT_EQ(T_POLLED, shots[i].reason);
	}
}

TEST_HARNESS_MAIN
