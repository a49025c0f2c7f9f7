// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request in flight shows in blk-mq's debugfs whose it is, and is in the
 * hardware queue of its home.
 */
#include <fcntl.h>

#include "t_harness.h"

#define DEBUGFS "/sys/kernel/debug/block"

T_FIXTURE(debugfs,
	  T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY | T_TWO_CPUS | T_STEERING)

/* The hardware queue that has the only request in flight, and its line. */
static int busy_queue(const struct t_dev *dev, int nr, char *line, size_t size)
{
	for (int i = 0; i < nr; i++)
		if (!t_read(line, size, DEBUGFS "/%s/hctx%d/busy", dev->name,
			    i) &&
		    line[0])
			return i;
	return -1;
}

T_TEST_F(debugfs, shows_a_request_in_flight)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint;
	int cpus[T_MAX_CPUS], nr, fd, queue = -1;
	struct io_uring_sqe *sqe;
	const char *options;
	struct t_ring ring;
	struct t_dev dev;
	char line[1024] = "";

	if (!t_exists(DEBUGFS))
		T_SKIP("no block debugfs (CONFIG_BLK_DEBUG_FS)");
	nr = t_cpus(cpus);
	/* In flight for as long as it takes to look. */
	options = t_text("submit_queues=%d irqmode=2 completion_nsec=%lld", nr,
			 2000000000LL);
	T_OK(t_null_blk(&dev, options));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));

	/* The home is the last CPU, whatever this one is. */
	hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, cpus[nr - 1], 424242);
	hint.flags = IO_LOCALITY_ANTI_MIGRATE | IO_LOCALITY_REUSE_REGISTRATION;
	sqe = t_sqe(&ring);
	t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), 0);
	t_sqe_hint(sqe, &hint);
	ASSERT_EQ(0, t_submit(&ring, 0));
	queue = busy_queue(&dev, nr, line, sizeof(line));
	T_ASSERT_LE(0, queue, "no request in flight");
	TH_LOG("%s", line);
	EXPECT_NE(NULL, strstr(line, ".cprov="));
	EXPECT_NE(NULL, strstr(line, ".flow=424242"));
	EXPECT_NE(NULL, strstr(line, t_text(".home_cpu=%d", cpus[nr - 1])));
	EXPECT_NE(NULL, strstr(line, ".class=2"));
	EXPECT_NE(NULL, strstr(line, ".flags=0x5"));
	T_EXPECT_TRUE(t_exists(DEBUGFS "/%s/hctx%d/cpu%d", dev.name, queue,
			       cpus[nr - 1]),
		      "hctx%d does not serve CPU %d", queue, cpus[nr - 1]);
	EXPECT_EQ(sizeof(buf), t_wait_res(&ring));

	/* Unhinted: nothing to show. */
	sqe = t_sqe(&ring);
	t_prep_rw(sqe, IORING_OP_READ, fd, buf, sizeof(buf), 0);
	ASSERT_EQ(0, t_submit(&ring, 0));
	queue = busy_queue(&dev, nr, line, sizeof(line));
	ASSERT_LE(0, queue);
	EXPECT_EQ(NULL, strstr(line, ".cprov="));
	EXPECT_EQ(sizeof(buf), t_wait_res(&ring));
}

TEST_HARNESS_MAIN
