// SPDX-License-Identifier: GPL-2.0-only
/*
 * The home's hardware queue is full: requests go elsewhere or wait, and all of
 * them complete.
 */
#include <fcntl.h>
#include <sched.h>

#include "t_harness.h"

#define NR 64

T_FIXTURE(full_queue, T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY | T_TWO_CPUS)

/* In one call, @nr reads, with the home of the first and of the others. */
static int submit_reads(struct t_ring *ring, int fd, int nr, int first,
			int others, unsigned int wait_nr)
{
	static alignas(4096) char buf[4096];
	static struct io_locality_hint hints[NR];

	for (int i = 0; i < nr; i++) {
		struct io_uring_sqe *sqe = t_sqe(ring);

		hints[i] = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				     i ? others : first, i);
		t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), i * 8192);
		t_sqe_hint(sqe, &hints[i]);
	}
	return t_submit(ring, wait_nr);
}

static void check(struct __test_metadata *_metadata, const char *options)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), fd, home;
	struct io_uring_cqe cqe;
	struct t_ring ring;
	struct t_dev dev;

	home = cpus[nr - 1];
	T_OK(t_null_blk(&dev, t_text("submit_queues=%d %s", nr, options)));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_ring_init(&ring, NR, 0));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	for (int round = 0; round < 4; round++) {
		ASSERT_EQ(0, submit_reads(&ring, fd, NR, home, home, NR));
		for (int i = 0; i < NR; i++) {
			ASSERT_TRUE(t_cqe(&ring, &cqe));
			ASSERT_EQ(4096, cqe.res);
		}
	}
}

/* One tag a queue, and each request keeps it for a while. */
T_TEST_F(full_queue, one_tag)
{
	check(_metadata, "hw_queue_depth=1 irqmode=2 completion_nsec=1000000");
}

T_TEST_F(full_queue, four_tags_shared_by_all)
{
	check(_metadata,
	      "hw_queue_depth=4 shared_tag_bitmap=1 irqmode=2 completion_nsec=1000000");
}

/* Completed like a driver's, on a queue that may sleep. */
T_TEST_F(full_queue, blocking)
{
	check(_metadata, "hw_queue_depth=2 memory_backed=1");
}

/* A word of the queue's bitmap of tags, which is what a plug can cache at once. */
#define WORD 8
#define DEPTH (4 * WORD)
/* Nothing completes while all tags are being taken. */
#define SLOW \
	"submit_queues=%d hw_queue_depth=%d irqmode=2 completion_nsec=1000000000"

/*
 * A plug has the last tags of the submitter's queue, and the home has none: what may
 * not wait, and has a request, is not refused.
 */
T_TEST_F(full_queue, what_is_cached_will_do)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), fd, here, home;
	struct io_uring_cqe cqe;
	struct t_trace trace;
	struct t_ring ring;
	struct t_dev dev;

	T_NEED(T_TRACE);
	here = cpus[0];
	home = cpus[nr - 1];
	T_OK(t_null_blk(&dev, t_text(SLOW, nr, DEPTH)));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	T_OK(t_trace_open(&trace, "io_uring:io_uring_queue_async_work"));
	ASSERT_EQ(0, t_ring_init(&ring, 2 * DEPTH, 0));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	ASSERT_EQ(0, t_stand_on(here, home));
	t_trace_start(&trace);
	for (int i = 0; i < DEPTH / WORD; i++)
		ASSERT_EQ(0, submit_reads(&ring, fd, WORD, home, home, 0));
	for (int i = 1; i < DEPTH / WORD; i++)
		ASSERT_EQ(0, submit_reads(&ring, fd, WORD, -1, -1, 0));
	ASSERT_EQ(0, submit_reads(&ring, fd, WORD, -1, home, 0));
	ASSERT_FALSE(t_cqe(&ring, &cqe));
	ASSERT_EQ(0, t_wait_ms(&ring, 2 * DEPTH, T_TIMEOUT * 1000));
	for (int i = 0; i < 2 * DEPTH; i++) {
		ASSERT_TRUE(t_cqe(&ring, &cqe));
		EXPECT_EQ(4096, cqe.res);
	}
	if (sched_getcpu() != here)
		T_SKIP("the task was moved");
	T_OK(t_trace_load(&trace));
	EXPECT_EQ(0, t_count(&trace, "io_uring_queue_async_work", NULL, 0));
}

TEST_HARNESS_MAIN
