// SPDX-License-Identifier: GPL-2.0-only
/*
 * With forced threaded interrupts an IPI's softirq would wake ksoftirqd: worse
 * than a completion elsewhere. Needs a kernel booted with threadirqs.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

FIXTURE(threadirqs)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(threadirqs)
{
	bool drive;
};

T_VARIANT(threadirqs, null_blk, .drive = false);
T_VARIANT(threadirqs, drive, .drive = true);

FIXTURE_SETUP(threadirqs)
{
	const char *drive = getenv("CPROV_DEV");

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS);
	if (!t_booted_with("threadirqs"))
		T_SKIP("needs a kernel booted with threadirqs");
	if (variant->drive) {
		if (!drive)
			T_SKIP("set CPROV_DEV to a drive to read from");
		T_OK(t_dev_find(&self->dev, drive));
	} else {
		T_OK(t_null_blk(&self->dev, ""));
	}
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(threadirqs)
{
	t_undo_all();
}

T_TEST_F(threadirqs, completion_stays)
{
	struct t_shot shots[16] = {};
	int away = 0;
	size_t nr = 0;

	for (int submit = 0; submit < self->nr && submit < 4; submit++) {
		for (int home = 0; home < self->nr && home < 4; home++) {
			shots[nr].hint =
				t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  self->cpus[home], 0);
			shots[nr++].submit_cpu = self->cpus[submit];
		}
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(shots[i].irq_cpu, shots[i].done_cpu);
		if (shots[i].irq_cpu == shots[i].hint.home_cpu) {
			EXPECT_EQ(T_AT_HOME, shots[i].reason);
		} else {
			away++;
			EXPECT_EQ(T_THREADED_IRQS, shots[i].reason);
			EXPECT_EQ(-1, shots[i].chosen_cpu);
		}
	}
	EXPECT_NE(0, away);
}

TEST_HARNESS_MAIN
