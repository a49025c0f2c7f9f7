// SPDX-License-Identifier: GPL-2.0-only
/*
 * The submitting task goes to another CPU while its requests are in flight, or
 * in the middle of a batch. A home that was named is where the completion goes;
 * one that was not is the CPU that the request was issued on.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t_harness.h"

#define BATCH 8

FIXTURE(migrate)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int from, to;
};

FIXTURE_VARIANT(migrate)
{
	unsigned int flags;
};

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

T_VARIANT(migrate, ring, .flags = 0);
T_VARIANT(migrate, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(migrate, defer, .flags = DEFER);

FIXTURE_SETUP(migrate)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, BATCH, variant->flags));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	self->nr = t_cpus(self->cpus);
	self->from = self->cpus[0];
	self->to = self->cpus[self->nr - 1];
}

FIXTURE_TEARDOWN(migrate)
{
	t_undo_all();
}

static alignas(4096) char buf[BATCH * T_WAY_BYTES];
static struct io_locality_hint hints[BATCH];

static void prepare(FIXTURE_DATA(migrate) * self, int fd, int place, int home,
		    unsigned int nr)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	hints[place] = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, home, nr);
	t_prep_rw(sqe, IORING_OP_READ, fd, buf + place * T_WAY_BYTES,
		  T_WAY_BYTES, t_way_off(nr));
	t_sqe_hint(sqe, &hints[place]);
	sqe->user_data = nr;
}

/* The half of the batch that names a home, or the one that does not. */
static void submit_half(struct __test_metadata *_metadata,
			FIXTURE_DATA(migrate) * self, int fd,
			unsigned int first, bool named)
{
	for (int i = named; i < BATCH; i += 2)
		prepare(self, fd, i, named ? self->to : -1, first + i);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
}

/*
 * In flight when it moves. If the device was faster, it is tried with a slower
 * one.
 */
T_TEST_F(migrate, in_flight)
{
	unsigned int first = 0;
	bool in_flight = false;
	struct t_way way;
	cpu_set_t both;
	int fd;

	CPU_ZERO(&both);
	CPU_SET(self->from, &both);
	CPU_SET(self->to, &both);
	for (unsigned long long s = 1; s <= 16 && !in_flight; s *= 2) {
		T_OR_SKIP(t_slow_dev(&self->dev, s * 1000000000));
		fd = t_dev_open(&self->dev, O_RDONLY);
		ASSERT_LE(0, fd);
		first = t_way_next();
		for (int i = 1; i < BATCH; i++)
			t_way_next();
		t_trace_start(&self->trace);
		ASSERT_EQ(0, t_pin(self->from));
		submit_half(_metadata, self, fd, first, false);
		/* A home counts only if the task may go there. */
		ASSERT_EQ(0, sched_setaffinity(0, sizeof(both), &both));
		submit_half(_metadata, self, fd, first, true);
		ASSERT_EQ(0, t_pin(self->to));
		T_OK(t_trace_load(&self->trace));
		in_flight = !t_find(&self->trace, "block_rq_complete", "dev",
				    self->dev.dev);
		for (int i = 0; i < BATCH; i++)
			ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
	}
	ASSERT_TRUE(in_flight);
	T_OK(t_trace_load(&self->trace));
	for (int i = 0; i < BATCH; i++) {
		t_way_find(&way, &self->trace, &self->dev, first + i);
		T_EXPECT_EQ(1, way.nr_decided, "request %d", i);
		T_EXPECT_EQ(1, way.nr_done, "request %d", i);
		T_EXPECT_EQ(i % 2 ? self->to : self->from, way.done_cpu,
			    "request %d", i);
		T_EXPECT_EQ(self->to, way.cqe_cpu, "request %d", i);
	}
}

/* ---- in the middle of a batch ---- */

struct mover {
	pthread_t thread;
	pid_t tid;
	struct t_trace *trace;
	const struct t_dev *slow;
	int to;
	bool moved;
};

/* The submitter has asked for a page; move it before it gets that. */
static void *move(void *arg)
{
	struct mover *mover = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(mover->to, &set);
	if (!t_trace_await(mover->trace, "block_rq_issue", "dev",
			   mover->slow->dev) ||
	    sched_setaffinity(mover->tid, sizeof(set), &set) ||
	    t_trace_load(mover->trace))
		return NULL;
	mover->moved = !t_find(mover->trace, "block_rq_complete", "dev",
			       mover->slow->dev);
	return NULL;
}

/*
 * The hint of one request is in a page that a slow device has to deliver. While
 * the submitter waits for that, in the middle of its batch, it is moved.
 */
T_TEST_F(migrate, in_a_batch)
{
	struct mover mover = { .to = self->to };
	struct io_locality_hint *hint;
	struct t_trace moving;
	unsigned int first = 0;
	struct t_dev slow;
	struct t_way way;
	int fd, buffered;

	T_OK(t_null_blk(&self->dev, ""));
	fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, fd);
	T_OK(t_trace_open(&moving,
			  "block:block_rq_issue block:block_rq_complete"));
	for (unsigned long long s = 1; s <= 16 && !mover.moved; s *= 2) {
		T_OK(t_null_blk(&slow, t_text("irqmode=2 completion_nsec=%llu",
					      s * 1000000000)));
		buffered = open(slow.path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, buffered);
		hint = mmap(NULL, 4096, PROT_READ, MAP_SHARED, buffered,
			    16 << 20);
		ASSERT_NE(MAP_FAILED, hint);

		ASSERT_EQ(0, t_pin(self->from));
		t_trace_start(&self->trace);
		t_trace_start(&moving);
		for (int i = 0; i < BATCH; i++) {
			unsigned int nr = t_way_next();

			if (!i)
				first = nr;
			prepare(self, fd, i, -1, nr);
		}
		/* null_blk returns zeroes: a hint of CPU 0, no flow, no class. */
		t_sqe_hint(&self->ring.sqes[(*self->ring.sq_tail + BATCH / 2) &
					    self->ring.sq_mask],
			   hint);
		mover.tid = gettid();
		mover.trace = &moving;
		mover.slow = &slow;
		ASSERT_EQ(0, pthread_create(&mover.thread, NULL, move, &mover));
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		ASSERT_EQ(0, pthread_join(mover.thread, NULL));
		for (int i = 0; i < BATCH; i++)
			ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
		munmap(hint, 4096);
		close(buffered);
	}
	ASSERT_TRUE(mover.moved);
	T_OK(t_trace_load(&self->trace));
	for (int i = 0; i < BATCH; i++) {
		int home = i < BATCH / 2 ? self->from : self->to;

		if (i == BATCH / 2)
			continue;
		t_way_find(&way, &self->trace, &self->dev, first + i);
		T_EXPECT_EQ(1, way.nr_done, "request %d", i);
		T_EXPECT_EQ(home, way.home_cpu, "request %d", i);
		T_EXPECT_EQ(home, way.done_cpu, "request %d", i);
	}
}

TEST_HARNESS_MAIN
