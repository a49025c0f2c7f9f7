// SPDX-License-Identifier: GPL-2.0-only
/*
 * A step-critical request avoids the softirq where its driver allows that, and
 * is counted where it cannot: null_blk does not say that it may complete in
 * hard interrupt context, NVMe does.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "t_harness.h"

#define DEFERRED "/sys/kernel/completion_provenance/counters/deferred"

enum { SOFTIRQ, KBLOCKD };

FIXTURE(deferred)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(deferred)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS " cprov:cprov_deferred"));
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(deferred)
{
	t_undo_all();
}

/* How many of the requests, all of them away from home, were handed on. */
static long long deferrals(struct __test_metadata *_metadata,
			   FIXTURE_DATA(deferred) * self, unsigned int cls,
			   unsigned int budget_us, size_t *nr)
{
	struct t_shot shots[8] = {};
	long long counted = t_read_num(0, DEFERRED "/softirq"), traced;

	for (*nr = 0; *nr < 8 && *nr < (size_t)self->nr; (*nr)++) {
		shots[*nr].hint = t_hint_of(cls, self->cpus[*nr], 0);
		shots[*nr].hint.budget_us = budget_us;
		shots[*nr].submit_cpu = self->cpus[(*nr + 1) % self->nr];
	}
	ASSERT_EQ(NULL, (void *)t_shoot(&self->ring, self->fd, &self->trace,
					shots, *nr));
	traced = t_count(&self->trace, "cprov_deferred", "where", SOFTIRQ);
	counted = t_read_num(0, DEFERRED "/softirq") - counted;
	EXPECT_EQ(traced, counted);
	return traced;
}

T_TEST_F(deferred, counted_on_null_blk)
{
	long long deferred;
	size_t nr;

	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	deferred = deferrals(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL,
			     T_LONG_US, &nr);
	EXPECT_LE((long long)nr, deferred);
	/* Nobody asked for more. */
	EXPECT_EQ(0, deferrals(_metadata, self, IO_LOCALITY_CLASS_LATENCY,
			       T_LONG_US, &nr));
}

T_TEST_F(deferred, avoided_on_nvme)
{
	const char *drive = getenv("CPROV_DEV");
	size_t nr;

	if (!drive)
		T_SKIP("set CPROV_DEV to a drive to read from");
	T_OK(t_dev_find(&self->dev, drive));
	if (strncmp(self->dev.name, "nvme", 4))
		T_SKIP("%s is no NVMe drive", drive);
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(0, deferrals(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL,
			       T_LONG_US, &nr));
}

/* Nor does one that is alone wait for kblockd, as others do. */
T_TEST_F(deferred, no_kblockd_with_a_scheduler)
{
	const char *drive = getenv("CPROV_DEV");
	long long kblockd;
	size_t nr;

	if (!drive)
		T_SKIP("set CPROV_DEV to a drive to read from");
	T_OK(t_dev_find(&self->dev, drive));
	if (t_queue_set(&self->dev, "scheduler", "mq-deadline"))
		T_SKIP("no mq-deadline on %s", self->dev.name);
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	kblockd = t_read_num(0, DEFERRED "/kblockd");
	deferrals(_metadata, self, IO_LOCALITY_CLASS_STEP_CRITICAL, T_LONG_US,
		  &nr);
	EXPECT_EQ(kblockd, t_read_num(0, DEFERRED "/kblockd"));
}

TEST_HARNESS_MAIN
