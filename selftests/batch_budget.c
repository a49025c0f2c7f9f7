// SPDX-License-Identifier: GPL-2.0-only
/*
 * A completion with BOUNDED_BATCH waits for others as long as its budget, not
 * for ever. How long that is the kernel's timers tell: all that one wait starts
 * count from the same moment, so that no clock of the test's has a say in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "t_batch.h"

/* Milliseconds: one that is waited for, and how much longer others are. */
#define SOON 200
#define MORE 150
/* Milliseconds: a timeout that nothing here is to come to. */
#define LATE 10000

#define B IO_LOCALITY_BOUNDED_BATCH
#define EVENTS \
	"timer:hrtimer_start timer:hrtimer_expire_entry io_uring:io_uring_complete"

/* What may end a wait before all that it waits for has come. */
enum timer { BUDGET, MIN_WAIT, TIMEOUT, NR_TIMERS };

FIXTURE(budget)
{
	struct t_batch b;
	struct t_trace trace;
	long long timers[NR_TIMERS];
};

FIXTURE_SETUP(budget)
{
	static const char *const names[NR_TIMERS] = {
		"io_cqring_budget_wakeup",
		"io_cqring_min_timer_wakeup",
		"io_cqring_timer_wakeup",
	};
	static const char *const events[] = { "timer:hrtimer_start",
					      "timer:hrtimer_expire_entry" };

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	t_batch_open(_metadata, &self->b, "irqmode=2 completion_nsec=50000000");
	for (int i = 0; i < NR_TIMERS; i++) {
		self->timers[i] = t_function(names[i]);
		if (!self->timers[i])
			T_SKIP("/proc/kallsyms has no %s", names[i]);
	}
	T_OK(t_trace_open(&self->trace, EVENTS));
	for (size_t i = 0; i < T_ARRAY_SIZE(events); i++)
		T_OK(t_trace_filter(
			&self->trace, events[i],
			"function == 0x%llx || function == 0x%llx || function == 0x%llx",
			self->timers[BUDGET], self->timers[MIN_WAIT],
			self->timers[TIMEOUT]));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(budget)
{
	t_undo_all();
}

/* One that never completes. */
static void queue_idle(FIXTURE_DATA(budget) * self, unsigned int cls,
		       unsigned int flags, unsigned int budget_us)
{
	t_batch_queue(&self->b, self->b.pipe[0], cls, flags, budget_us);
}

/* One that takes the device 50 ms. */
static void queue_read(FIXTURE_DATA(budget) * self, unsigned int cls,
		       unsigned int flags, unsigned int budget_us)
{
	t_batch_queue(&self->b, self->b.fd, cls, flags, budget_us);
}

/* The first time that it was started; NULL: it was not. */
static const struct t_event *started(const FIXTURE_DATA(budget) * self,
				     enum timer timer)
{
	return t_find(&self->trace, "hrtimer_start", "function",
		      self->timers[timer]);
}

static const struct t_event *expired(const FIXTURE_DATA(budget) * self,
				     enum timer timer)
{
	return t_find(&self->trace, "hrtimer_expire_entry", "function",
		      self->timers[timer]);
}

/* By how many nanoseconds one of a wait's timers ends before another. */
static long long earlier(const FIXTURE_DATA(budget) * self, enum timer timer,
			 enum timer other)
{
	const struct t_event *a = started(self, timer);
	const struct t_event *b = started(self, other);

	return a && b ? t_field(b, "expires", 0) - t_field(a, "expires", 0) :
			-1;
}

/*
 * Nothing comes: the budget's timer makes place for the timeout's, which ends later
 * by just as much as the budget is less.
 */
static void check_budget(struct __test_metadata *_metadata,
			 FIXTURE_DATA(budget) * self, unsigned int budget_us)
{
	const unsigned int ms = budget_us / 1000 + MORE;

	t_trace_start(&self->trace);
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, ms));
	T_OK(t_trace_load(&self->trace));
	T_EXPECT_EQ(ms * 1000000LL - budget_us * 1000LL,
		    earlier(self, BUDGET, TIMEOUT), "%u us", budget_us);
}

T_TEST_F(budget, as_long_as_the_hint_says)
{
	static const unsigned int budgets[] = { 300000, 123456, 12345, 1 };

	/* Each is less than those that are in flight. */
	for (size_t i = 0; i < T_ARRAY_SIZE(budgets); i++) {
		queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, budgets[i]);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		check_budget(_metadata, self, budgets[i]);
	}
	/* The least counts, and not the last. */
	queue_idle(self, IO_LOCALITY_CLASS_THROUGHPUT, B, 200000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	check_budget(_metadata, self, 1);
}

/* A hint that names none has its class's. */
T_TEST_F(budget, as_long_as_the_class_has)
{
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/latency", "98765"));
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	check_budget(_metadata, self, 98765);
}

/* What is not batched at all, as its class has no window, bounds no other. */
T_TEST_F(budget, beside_one_that_has_none)
{
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/latency", "0"));
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 0);
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 12345);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	check_budget(_metadata, self, 12345);
}

/* The budget, then the least time to wait, and the timeout last. */
T_TEST_F(budget, before_the_least_wait)
{
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 50000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_EQ(-ETIME, t_wait_min_ms(&self->b.ring, T_BATCH, 100, 170));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(50000000, earlier(self, BUDGET, MIN_WAIT));
	/* Its own timer goes on as the timeout's. */
	EXPECT_EQ(70000000, earlier(self, MIN_WAIT, TIMEOUT));
}

/*
 * It is held as long as the budget's timer runs, and no longer: that is the only
 * thing that ends the wait, as there is no timeout, and nothing else completes.
 */
static void check_held(struct __test_metadata *_metadata,
		       FIXTURE_DATA(budget) * self, unsigned int budget_ms)
{
	const struct t_event *start = NULL, *end, *cqe;
	long long ms = 0;

	for (int attempt = 0; attempt < 20; attempt++) {
		t_trace_start(&self->trace);
		queue_read(self, IO_LOCALITY_CLASS_LATENCY, B,
			   budget_ms * 1000);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		ms = t_now_ms();
		ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH));
		ms = t_now_ms() - ms;
		T_OK(t_trace_load(&self->trace));
		EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
		/* On a busy machine the device may have been faster. */
		start = started(self, BUDGET);
		cqe = t_find(&self->trace, "io_uring_complete", NULL, 0);
		if (start && cqe && start->seq < cqe->seq)
			break;
		start = NULL;
	}
	ASSERT_NE(NULL, start);
	end = expired(self, BUDGET);
	ASSERT_NE(NULL, end);
	EXPECT_LT(start->seq, end->seq);
	EXPECT_LT(end->seq, cqe->seq);
	EXPECT_LE(t_field(start, "expires", 0), t_field(end, "now", 0));
	EXPECT_LE(budget_ms, ms);
	EXPECT_EQ(NULL, started(self, MIN_WAIT));
	EXPECT_EQ(NULL, started(self, TIMEOUT));
}

T_TEST_F(budget, held_until_then)
{
	queue_idle(self, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	check_held(_metadata, self, SOON);
}

/* Nor does it need another request in flight. */
T_TEST_F(budget, held_alone)
{
	check_held(_metadata, self, SOON);
}

/* Past the budget the first completion will do. */
T_TEST_F(budget, over_before_it_completes)
{
	const struct t_event *end, *cqe;

	queue_idle(self, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	T_OK(t_trace_load(&self->trace));
	end = expired(self, BUDGET);
	cqe = t_find(&self->trace, "io_uring_complete", NULL, 0);
	ASSERT_NE(NULL, cqe);
	if (end)
		EXPECT_LT(end->seq, cqe->seq);
	EXPECT_EQ(NULL, started(self, TIMEOUT));
}

/* The program's own timeout counts if it is shorter, and after the budget. */
T_TEST_F(budget, the_timeout_stays)
{
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, T_LONG_US);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, SOON));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(NULL, started(self, BUDGET));
	EXPECT_NE(NULL, expired(self, TIMEOUT));
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	t_trace_start(&self->trace);
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, SOON));
	T_OK(t_trace_load(&self->trace));
	EXPECT_NE(NULL, expired(self, BUDGET));
	EXPECT_NE(NULL, expired(self, TIMEOUT));
}

/* What has come by now holds a wait for so long, and not until its timeout. */
static void check_there(struct __test_metadata *_metadata,
			FIXTURE_DATA(budget) * self)
{
	t_trace_start(&self->trace);
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, LATE));
	T_OK(t_trace_load(&self->trace));
	EXPECT_NE(NULL, started(self, BUDGET));
	EXPECT_NE(NULL, expired(self, BUDGET));
	EXPECT_EQ(NULL, started(self, TIMEOUT));
}

/* It is on the work list, which the wait runs first. */
T_TEST_F(budget, there_as_the_wait_begins)
{
	const struct t_event *cqe;

	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	while (t_inflight(&self->b.dev))
		usleep(1000);
	check_there(_metadata, self);
	cqe = t_find(&self->trace, "io_uring_complete", NULL, 0);
	ASSERT_NE(NULL, cqe);
	ASSERT_NE(NULL, started(self, BUDGET));
	EXPECT_LT(cqe->seq, started(self, BUDGET)->seq);
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* Its CQE is in the ring, and counts until the program has taken it. */
T_TEST_F(budget, there_before_the_wait)
{
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	check_there(_metadata, self);
	check_there(_metadata, self);
	/* One that has more time does not give this one more. */
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, T_LONG_US);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	check_there(_metadata, self);
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* Of requests that are always in flight the least counts as long as one has it. */
T_TEST_F(budget, forgotten_with_its_generation)
{
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 300000);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	check_budget(_metadata, self, 300000);
	/* The next generation begins, and ends, beside the one that is there. */
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	check_budget(_metadata, self, 300000);
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, 12345);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	check_budget(_metadata, self, 12345);
}

/* A ring that has opted out gets as many as it waits for, or its timeout. */
T_TEST_F(budget, not_of_a_ring_that_opted_out)
{
	queue_idle(self, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000 / 2);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	/* There is a bound to forget, as this wait is over before it. */
	EXPECT_EQ(-ETIME, t_batch_wait(&self->b, T_BATCH, SOON / 4));
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, SOON * 1000 / 2);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	ASSERT_EQ(0, t_disable(&self->b.ring));
	t_trace_start(&self->trace);
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(NULL, started(self, BUDGET));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

T_TEST_F(budget, forgotten_when_done)
{
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, B, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	queue_read(self, IO_LOCALITY_CLASS_LATENCY, 0, 1);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	t_trace_start(&self->trace);
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(NULL, started(self, BUDGET));
}

TEST_HARNESS_MAIN
