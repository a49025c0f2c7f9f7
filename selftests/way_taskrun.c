// SPDX-License-Identifier: GPL-2.0-only
/*
 * IORING_SETUP_TASKRUN_FLAG means with hints what it means without: on a ring with
 * IORING_SETUP_DEFER_TASKRUN the flag says that completions wait to be fetched, it
 * is not set if it was not asked for, and no CQE is made before they are fetched. On
 * one with IORING_SETUP_COOP_TASKRUN it says that they wait for the task to enter the
 * kernel, which for those that complete elsewhere nobody makes it do.
 */
#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

#define NR 4
#define ROUNDS 32
/* Far more than a read takes, on any host. */
#define SPINS 200000000L

FIXTURE(taskrun)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(taskrun)
{
	bool flag;
	bool bounded; /* so that a prefetch wakes nobody */
	unsigned int cls;
};

T_VARIANT(taskrun, step_critical, .cls = IO_LOCALITY_CLASS_STEP_CRITICAL);
T_VARIANT(taskrun, step_critical_flag, .flag = true,
	  .cls = IO_LOCALITY_CLASS_STEP_CRITICAL);
T_VARIANT(taskrun, latency_flag, .flag = true,
	  .cls = IO_LOCALITY_CLASS_LATENCY);
T_VARIANT(taskrun, prefetch_flag, .flag = true,
	  .cls = IO_LOCALITY_CLASS_PREFETCH);
T_VARIANT(taskrun, prefetch_bounded, .bounded = true,
	  .cls = IO_LOCALITY_CLASS_PREFETCH);
T_VARIANT(taskrun, prefetch_bounded_flag, .flag = true, .bounded = true,
	  .cls = IO_LOCALITY_CLASS_PREFETCH);
T_VARIANT(taskrun, step_critical_bounded_flag, .flag = true, .bounded = true,
	  .cls = IO_LOCALITY_CLASS_STEP_CRITICAL);

FIXTURE_SETUP(taskrun)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS);
	T_OR_SKIP(t_slow_dev(&self->dev, 1000000));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->nr = t_cpus(self->cpus);
	ASSERT_EQ(0, t_ring_init(&self->ring, NR,
				 IORING_SETUP_DEFER_TASKRUN |
					 IORING_SETUP_SINGLE_ISSUER |
					 (variant->flag ?
						  IORING_SETUP_TASKRUN_FLAG :
						  0)));
	ASSERT_EQ(0, variant->bounded ? t_enable_batch(&self->ring) :
					t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(taskrun)
{
	t_undo_all();
}

static bool flag_is_set(const struct t_ring *ring)
{
	return __atomic_load_n(ring->sq_flags, __ATOMIC_ACQUIRE) &
	       IORING_SQ_TASKRUN;
}

/*
 * The event of a completion comes before what the completion does, and whoever was to do
 * that may have been preempted.
 */
static bool comes_to_be_set(const struct t_ring *ring, unsigned int ms)
{
	while (!flag_is_set(ring) && ms--)
		usleep(1000);
	return flag_is_set(ring);
}

T_TEST_F(taskrun, tells_of_what_waits)
{
	static alignas(4096) char buf[NR * T_WAY_BYTES];
	static struct io_locality_hint hints[NR];
	struct io_uring_cqe cqe;

	for (int round = 0; round < self->nr; round++) {
		unsigned int last = 0;

		ASSERT_EQ(0, t_pin(self->cpus[round]));
		t_trace_start(&self->trace);
		for (int i = 0; i < NR; i++) {
			struct io_uring_sqe *sqe = t_sqe(&self->ring);

			last = t_way_next();
			hints[i] = t_hint_of(variant->cls, -1, last);
			t_prep_rw(sqe, IORING_OP_READ, self->fd,
				  buf + i * T_WAY_BYTES, T_WAY_BYTES,
				  t_way_off(last));
			t_sqe_hint(sqe, &hints[i]);
			sqe->user_data = last;
		}
		EXPECT_FALSE(flag_is_set(&self->ring));
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		for (int i = 0; i < NR; i++)
			ASSERT_NE(NULL,
				  t_trace_await(&self->trace,
						"block_rq_complete", "sector",
						t_way_off(last - i) / 512));
		/* All of them are done, or about to be, and the task has seen none. */
		EXPECT_EQ(variant->flag,
			  comes_to_be_set(&self->ring,
					  variant->flag ? 10000 : 5));
		EXPECT_FALSE(t_cqe(&self->ring, &cqe));
		T_OK(t_trace_load(&self->trace));
		EXPECT_EQ(NULL,
			  t_find(&self->trace, "io_uring_complete", NULL, 0));
		for (int i = 0; i < NR; i++)
			EXPECT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
		EXPECT_FALSE(flag_is_set(&self->ring));
	}
}

/* A task that computes, and whose reads have their home on another CPU. */
FIXTURE(coop)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int here, home;
	int fd;
};

FIXTURE_VARIANT(coop)
{
	bool flag;
};

T_VARIANT(coop, flag, .flag = true);
T_VARIANT(coop, no_flag, .flag = false);

FIXTURE_SETUP(coop)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_slow_dev(&self->dev, 1000000));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	nr = t_cpus(cpus);
	self->here = cpus[0];
	self->home = cpus[nr - 1];
	ASSERT_EQ(0, t_ring_init(&self->ring, NR,
				 IORING_SETUP_COOP_TASKRUN |
					 (variant->flag ?
						  IORING_SETUP_TASKRUN_FLAG :
						  0)));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(coop)
{
	t_undo_all();
}

static bool cqe_is_there(const struct t_ring *ring)
{
	return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) !=
	       *ring->cq_head;
}

/* Computes until something is to be seen, which a tick may make a CQE. */
static bool sees_flag(const struct t_ring *ring)
{
	for (long n = 0; n < SPINS; n++) {
		if (flag_is_set(ring))
			return !cqe_is_there(ring);
		if (cqe_is_there(ring))
			return false;
	}
	return false;
}

T_TEST_F(coop, tells_of_what_waits)
{
	static alignas(4096) char buf[T_WAY_BYTES];
	unsigned int nr_seen = 0;

	t_trace_start(&self->trace);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int nr = t_way_next();
		struct io_locality_hint hint = t_hint_of(
			IO_LOCALITY_CLASS_STEP_CRITICAL, self->home, nr);
		struct io_uring_sqe *sqe = t_sqe(&self->ring);

		ASSERT_EQ(0, t_stand_on(self->here, self->home));
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, T_WAY_BYTES,
			  t_way_off(nr));
		t_sqe_hint(sqe, &hint);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		nr_seen += sees_flag(&self->ring);
		EXPECT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
		EXPECT_FALSE(flag_is_set(&self->ring));
	}
	ASSERT_EQ(0, t_unpin());
	T_OK(t_trace_load(&self->trace));
	EXPECT_LE(ROUNDS, t_count(&self->trace, "cprov_complete", "home_cpu",
				  self->home));
	if (variant->flag) {
		EXPECT_LT(0, nr_seen);
	} else {
		EXPECT_EQ(0, nr_seen);
	}
}

TEST_HARNESS_MAIN
