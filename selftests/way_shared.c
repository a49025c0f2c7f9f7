// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring of another process: inherited over fork(), or fetched out of it, as no
 * message carries rings any more. The ring is its owner's, and so are its slots; a
 * completion goes to who submitted. To an SQ thread everything is the owner's.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define NR 4

FIXTURE(shared)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int mine, other, sq_cpu;
	int fd, pipe[2];
	unsigned int first; /* number of a request: two rounds of NR */
	/* What another process needs to know of the ring. */
	struct {
		struct io_uring_params params;
		int fd;
	} ad;
};

FIXTURE_VARIANT(shared)
{
	unsigned int flags;
	bool fetched; /* not inherited */
};

T_VARIANT(shared, inherited, .flags = 0);
T_VARIANT(shared, fetched, .flags = 0, .fetched = true);
T_VARIANT(shared, coop_inherited, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(shared, coop_fetched, .flags = IORING_SETUP_COOP_TASKRUN,
	  .fetched = true);
T_VARIANT(shared, sqpoll_inherited, .flags = IORING_SETUP_SQPOLL);
T_VARIANT(shared, sqpoll_fetched, .flags = IORING_SETUP_SQPOLL,
	  .fetched = true);

FIXTURE_SETUP(shared)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->nr = t_cpus(self->cpus);
	self->mine = self->cpus[0];
	self->other = self->cpus[1];
	self->sq_cpu = self->cpus[self->nr - 1];
	ASSERT_EQ(0, pipe(self->pipe));
	self->first = t_way_next();
	for (int i = 1; i < 2 * NR; i++)
		t_way_next();
	ASSERT_EQ(0, t_pin(self->mine));
}

FIXTURE_TEARDOWN(shared)
{
	t_undo_all();
}

static int ring_init(FIXTURE_DATA(shared) * self, unsigned int flags)
{
	struct io_uring_params *params = &self->ad.params;
	struct io_locality_slot slots[2 * NR];
	struct io_locality_hint hint;
	int ret;

	/* The home is named or not, by turns. */
	for (int i = 0; i < 2 * NR; i++) {
		hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1,
				 self->first + i);
		if (i % 2)
			hint.home_cpu = i < NR ? self->other : self->mine;
		slots[i] = t_slot_of(&hint);
	}
	memset(params, 0, sizeof(*params));
	params->flags = flags;
	if (flags & IORING_SETUP_SQPOLL) {
		params->flags |= IORING_SETUP_SQ_AFF;
		params->sq_thread_cpu = self->sq_cpu;
	}
	ret = t_ring_init_params(&self->ring, 2 * NR, params);
	self->ad.fd = self->ring.fd;
	return ret ? ret : t_enable(&self->ring, NULL, slots, 2 * NR);
}

/* The parent's ring, of which it has told. */
static int fetch(FIXTURE_DATA(shared) * self, struct t_ring *ring)
{
	int pidfd = syscall(__NR_pidfd_open, getppid(), 0), fd;

	if (pidfd < 0 || read(self->pipe[0], &self->ad, sizeof(self->ad)) !=
				 sizeof(self->ad))
		return -1;
	fd = syscall(__NR_pidfd_getfd, pidfd, self->ad.fd, 0);
	return fd < 0 ? -1 : t_ring_map(ring, fd, &self->ad.params);
}

/* A round of requests: the other's, or the owner's. */
static int submit(FIXTURE_DATA(shared) * self, struct t_ring *ring, int round)
{
	static alignas(4096) char buf[NR * T_WAY_BYTES];

	for (int i = 0; i < NR; i++) {
		unsigned int place = round * NR + i, nr = self->first + place;
		struct io_uring_sqe *sqe = t_sqe(ring);

		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf + i * T_WAY_BYTES,
			  T_WAY_BYTES, t_way_off(nr));
		t_sqe_slot(sqe, 1 + place);
		sqe->user_data = nr;
	}
	return t_submit(ring, 0);
}

/* The other process: 0 if all went well. */
static int child(FIXTURE_DATA(shared) * self, bool fetched, bool wait)
{
	struct t_ring ring = self->ring;

	if (t_pin(self->other))
		return 2;
	if (fetched && fetch(self, &ring))
		return 3;
	if (submit(self, &ring, 0))
		return 4;
	for (int i = 0; wait && i < NR; i++)
		if (t_wait_res(&ring) != T_WAY_BYTES)
			return 5;
	return 0;
}

/* Runs it to its end, with the ring there before it or not. */
static void run_child(struct __test_metadata *_metadata,
		      FIXTURE_DATA(shared) * self,
		      const FIXTURE_VARIANT(shared) * variant, bool wait)
{
	int status;
	pid_t pid;

	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	t_trace_start(&self->trace);
	if (!variant->fetched)
		ASSERT_EQ(0, ring_init(self, variant->flags));
	pid = t_fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(child(self, variant->fetched, wait));
	if (variant->fetched) {
		ASSERT_EQ(0, ring_init(self, variant->flags));
		ASSERT_EQ(sizeof(self->ad),
			  write(self->pipe[1], &self->ad, sizeof(self->ad)));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

static void check(struct __test_metadata *_metadata,
		  FIXTURE_DATA(shared) * self, int round, int cpu)
{
	struct t_way way;

	T_OK(t_trace_load(&self->trace));
	for (int i = 0; i < NR; i++) {
		t_way_find(&way, &self->trace, &self->dev,
			   self->first + round * NR + i);
		T_EXPECT_EQ(1, way.nr_decided, "request %d", i);
		T_EXPECT_EQ(1, way.nr_done, "request %d", i);
		T_EXPECT_EQ(1, way.nr_cqes, "request %d", i);
		if (cpu < 0)
			continue;
		T_EXPECT_EQ(cpu, way.home_cpu, "request %d", i);
		T_EXPECT_EQ(cpu, way.done_cpu, "request %d", i);
		T_EXPECT_EQ(cpu, way.cqe_cpu, "request %d", i);
	}
}

/* The owner's round, on a ring that is as good as ever. */
static void check_owner(struct __test_metadata *_metadata,
			FIXTURE_DATA(shared) * self, bool sqpoll)
{
	ASSERT_EQ(0, submit(self, &self->ring, 1));
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
	check(_metadata, self, 1, sqpoll ? self->sq_cpu : self->mine);
}

T_TEST_F(shared, goes_to_who_submits)
{
	bool sqpoll = variant->flags & IORING_SETUP_SQPOLL;

	T_OK(t_null_blk(&self->dev, ""));
	run_child(_metadata, self, variant, true);
	check(_metadata, self, 0, sqpoll ? self->sq_cpu : self->other);
	check_owner(_metadata, self, sqpoll);
}

/* The submitter is gone before its requests are done, and the ring is not. */
T_TEST_F(shared, submitter_exits)
{
	T_OR_SKIP(t_slow_dev(&self->dev, 300000000));
	run_child(_metadata, self, variant, false);
	for (int i = 0; i < NR; i++)
		ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
	/* Where nobody is at home any more does not matter. */
	check(_metadata, self, 0, -1);
	EXPECT_EQ(0, t_inflight(&self->dev));
	check_owner(_metadata, self, variant->flags & IORING_SETUP_SQPOLL);
}

TEST_HARNESS_MAIN
