// SPDX-License-Identifier: GPL-2.0-only
/*
 * A step-critical request avoids the softirq where its driver allows that, and
 * is counted where it cannot: null_blk does not say that it may complete in
 * hard interrupt context, NVMe does. One that is left to kblockd is counted too.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

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

/*
 * How many of the requests, all of them away from home, were handed on. A CPU that is
 * about to sleep, and polls, is not interrupted: it takes them in its idle loop, where
 * only the softirq can complete them.
 */
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
	for (size_t i = 0; i < self->trace.nr; i++)
		traced -=
			!strcmp(self->trace.events[i].name, "cprov_deferred") &&
			self->trace.events[i].idle;
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

/* How many requests of a flow were traced as left to kblockd, and counted. */
static long long left_to_kblockd(struct __test_metadata *_metadata,
				 FIXTURE_DATA(deferred) * self,
				 long long counted_before)
{
	long long counted = t_read_num(0, DEFERRED "/kblockd"), traced;

	ASSERT_EQ(NULL, (void *)t_trace_load(&self->trace));
	traced = t_count(&self->trace, "cprov_deferred", "where", KBLOCKD);
	EXPECT_EQ(traced, counted - counted_before);
	return traced;
}

/* One that is alone does not wait for kblockd: its submitter dispatches it. */
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
	EXPECT_EQ(0, left_to_kblockd(_metadata, self, kblockd));
}

/*
 * A task that sleeps while it submits leaves what it has in its plug to
 * kblockd. This one has to wait for the page that its second read is to go to.
 */
T_TEST_F(deferred, kblockd_counted_when_the_submitter_sleeps)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	alignas(4096) static char buf[4096];
	const struct t_event *event;
	struct io_uring_sqe *sqe;
	struct t_ring ring;
	long long kblockd;
	int buffered;
	char *map;

	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	buffered = open(self->dev.path, O_RDONLY);
	ASSERT_LE(0, buffered);
	map = mmap(NULL, 2 * sizeof(buf), PROT_READ | PROT_WRITE, MAP_PRIVATE,
		   buffered, 1 << 20);
	ASSERT_NE(MAP_FAILED, map);
	/* Partition scans and the like may have read it: not any more. */
	ASSERT_EQ(0, posix_fadvise(buffered, 0, 0, POSIX_FADV_DONTNEED));

	/* A batch of less than three has no plug. */
	ASSERT_EQ(0, t_ring_init(&ring, 4, 0));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	sqe = t_sqe(&ring);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, &hint);
	t_prep_rw(t_sqe(&ring), IORING_OP_READ, self->fd, map, sizeof(buf),
		  16 << 20);
	t_prep_rw(t_sqe(&ring), IORING_OP_READ, self->fd, map + sizeof(buf),
		  sizeof(buf), 32 << 20);

	kblockd = t_read_num(0, DEFERRED "/kblockd");
	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_submit(&ring, 3));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ((int)sizeof(buf), t_wait_res(&ring));
	/* The other two had no hint. */
	EXPECT_EQ(1, left_to_kblockd(_metadata, self, kblockd));
	event = t_find(&self->trace, "cprov_deferred", "where", KBLOCKD);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(hint.flow_id, t_field(event, "flow_id", -1));
	t_ring_exit(&ring);
}

/* Writes to a zoned device have no plug, lest they change places in it. */
T_TEST_F(deferred, kblockd_counted_for_a_zoned_write)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	alignas(4096) static char buf[4096];
	struct io_uring_sqe *sqe;
	const char *why;
	long long kblockd;

	why = t_null_blk(&self->dev, "zoned=1 zone_size=4");
	if (why)
		T_SKIP("%s", why);
	ASSERT_EQ(0, t_queue_set(&self->dev, "scheduler", "mq-deadline"));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);

	kblockd = t_read_num(0, DEFERRED "/kblockd");
	t_trace_start(&self->trace);
	/* At the zone's write pointer. */
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_WRITE, self->fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, &hint);
	ASSERT_EQ((int)sizeof(buf), t_submit_res(&self->ring));
	EXPECT_EQ(1, left_to_kblockd(_metadata, self, kblockd));
}

TEST_HARNESS_MAIN
