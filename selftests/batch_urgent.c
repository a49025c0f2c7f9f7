// SPDX-License-Identifier: GPL-2.0-only
/*
 * A step-critical completion ends the wait for a batch that it is part of, and
 * no other completion does.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_batch.h"

/* Milliseconds: one that nothing reaches, and one that is waited for. */
#define NEVER 60000
#define SOON 200

FIXTURE(urgent)
{
	struct t_batch b;
};

FIXTURE_SETUP(urgent)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY);
	t_batch_open(_metadata, &self->b, "irqmode=2 completion_nsec=100000");
}

FIXTURE_TEARDOWN(urgent)
{
	t_undo_all();
}

/* Reads of the pipe, with which no batch is whole. */
#define PARKED (T_BATCH - 4)

/* What a request is, by its user_data; those of the pipe count from here. */
enum { OTHER, URGENT, FIRST_PARKED };

static void park(FIXTURE_DATA(urgent) * self, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		t_batch_queue(&self->b, self->b.pipe[0],
			      IO_LOCALITY_CLASS_THROUGHPUT, 0, 0)
			->user_data = FIRST_PARKED + i;
}

static void read_device(FIXTURE_DATA(urgent) * self, unsigned int cls,
			__u64 user_data)
{
	t_batch_queue(&self->b, self->b.fd, cls, 0, 0)->user_data = user_data;
}

struct reaped {
	unsigned int others, urgent;
	__u64 parked; /* a bit for each */
};

/* Takes all that is there, and adds it up. */
static void reap(struct __test_metadata *_metadata, FIXTURE_DATA(urgent) * self,
		 struct reaped *reaped)
{
	struct io_uring_cqe cqe;

	while (t_cqe(&self->b.ring, &cqe)) {
		EXPECT_EQ((int)sizeof(t_batch_buf), cqe.res);
		if (cqe.user_data < FIRST_PARKED) {
			reaped->others += cqe.user_data == OTHER;
			reaped->urgent += cqe.user_data == URGENT;
			continue;
		}
		EXPECT_GT(FIRST_PARKED + T_BATCH, cqe.user_data);
		/* Each only once. */
		EXPECT_EQ(0,
			  reaped->parked >> (cqe.user_data - FIRST_PARKED) & 1);
		reaped->parked |= 1ull << (cqe.user_data - FIRST_PARKED);
	}
}

/*
 * One or two others may complete with it or before. All the rest are reads of a
 * pipe that only this task fills, and only when it has reaped; and the wait has
 * no timeout. So what ends the wait is the urgent completion.
 */
T_TEST_F(urgent, ends_the_wait)
{
	const char *text = getenv("CPROV_TRIALS");
	int trials = text ? atoi(text) : 10000;
	struct reaped rest = {};

	park(self, PARKED);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	for (int trial = 0; trial < trials; trial++) {
		const unsigned int others = trial % 3;
		struct reaped reaped = {};

		for (unsigned int i = 0; i < others; i++)
			read_device(self, IO_LOCALITY_CLASS_THROUGHPUT, OTHER);
		read_device(self, IO_LOCALITY_CLASS_STEP_CRITICAL, URGENT);
		ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH));
		reap(_metadata, self, &reaped);
		T_ASSERT_EQ(1, reaped.urgent, "trial %d", trial);
		while (reaped.others < others) {
			ASSERT_EQ(0, t_submit(&self->b.ring, 1));
			reap(_metadata, self, &reaped);
		}
		ASSERT_EQ(1, reaped.urgent);
		ASSERT_EQ(others, reaped.others);
		ASSERT_EQ(0, reaped.parked);
	}
	/* They were in flight all the time, and a batch is what they wait for. */
	ASSERT_TRUE(t_batch_fill(&self->b, PARKED));
	for (int i = 0; i < T_BATCH - PARKED; i++)
		read_device(self, IO_LOCALITY_CLASS_THROUGHPUT, OTHER);
	ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH));
	reap(_metadata, self, &rest);
	EXPECT_EQ((1ull << PARKED) - 1, rest.parked);
	EXPECT_EQ(T_BATCH - PARKED, rest.others);
}

/*
 * The same requests with no other end in sight than the rest of the batch: on a
 * ring that has opted in nobody has to complete that, on any other it takes all
 * of it.
 */
T_TEST_F(urgent, else_takes_the_batch)
{
	for (int i = 0; i < 20; i++) {
		const bool opted_in = i % 2;
		struct reaped reaped = {};

		ASSERT_EQ(0, t_disable(&self->b.ring));
		if (opted_in) {
			ASSERT_EQ(0, t_enable_batch(&self->b.ring));
		} else {
			ASSERT_EQ(0, t_enable(&self->b.ring, NULL, NULL, 0));
		}
		park(self, T_BATCH - 1);
		read_device(self, IO_LOCALITY_CLASS_STEP_CRITICAL, URGENT);
		T_EXPECT_EQ(!opted_in,
			    t_batch_wait_told(_metadata, &self->b, T_BATCH - 1),
			    "%s", opted_in ? "opted in" : "not opted in");
		reap(_metadata, self, &reaped);
		EXPECT_EQ(1, reaped.urgent);
		EXPECT_EQ(opted_in ? 0 : (1ull << (T_BATCH - 1)) - 1,
			  reaped.parked);
		if (reaped.parked)
			continue;
		ASSERT_TRUE(t_batch_fill(&self->b, T_BATCH - 1));
		ASSERT_EQ(0, t_submit(&self->b.ring, T_BATCH - 1));
		reap(_metadata, self, &reaped);
		EXPECT_EQ((1ull << (T_BATCH - 1)) - 1, reaped.parked);
	}
}

/* So it is if the hint is the ring's, of the first request and of the next. */
T_TEST_F(urgent, by_default)
{
	struct io_locality_register reg = {
		.op = IO_LOCALITY_ENABLE,
		.flags = IO_LOCALITY_F_BOUNDED_BATCH | IO_LOCALITY_F_DEFAULT,
		.hint = t_hint(),
	};

	ASSERT_EQ(0, t_disable(&self->b.ring));
	ASSERT_EQ(0, t_locality(self->b.ring.fd, &reg));
	for (int i = 0; i < 4; i++) {
		long long ms;

		t_prep_rw(t_sqe(&self->b.ring), IORING_OP_READ, self->b.fd,
			  t_batch_buf, sizeof(t_batch_buf), 0);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		ms = t_batch_wait(&self->b, T_BATCH, NEVER);
		ASSERT_LE(0, ms);
		T_ASSERT_LE(ms, NEVER - 1, "read %d", i);
		EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	}
}

T_TEST_F(urgent, throughput_waits_for_the_batch)
{
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* What any other ring waits for is what was asked for, or the timeout. */
T_TEST_F(urgent, only_on_a_ring_that_opted_in)
{
	ASSERT_EQ(0, t_disable(&self->b.ring));
	ASSERT_EQ(0, t_enable(&self->b.ring, NULL, NULL, 0));
	park(self, PARKED);
	for (int i = 0; i < 5; i++) {
		struct reaped reaped = {};

		read_device(self, IO_LOCALITY_CLASS_STEP_CRITICAL, URGENT);
		ASSERT_EQ(0, t_submit(&self->b.ring, 0));
		EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
		reap(_metadata, self, &reaped);
		EXPECT_EQ(1, reaped.urgent);
		EXPECT_EQ(0, reaped.parked);
	}
}

/* Its completion may have been there before the wait. */
T_TEST_F(urgent, no_wait_begins_while_it_is_there)
{
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_STEP_CRITICAL, 0,
		      0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 1));
	for (int i = 0; i < 3; i++)
		EXPECT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
	/* Once it is reaped it is forgotten. */
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_LE(SOON, t_batch_wait(&self->b, T_BATCH, SOON));
	EXPECT_EQ(1, t_batch_reap(_metadata, &self->b));
}

/* How many requests the device has completed since the trace was started. */
static size_t nr_done(struct __test_metadata *_metadata, struct t_trace *trace)
{
	T_OK(t_trace_load(trace));
	return t_count(trace, "block_rq_complete", NULL, 0);
}

/*
 * Those that the task finds together are run by class, each in its order,
 * though the device is done with them in the order that they were submitted in.
 * On a ring that has not opted in that is their order, too.
 */
T_TEST_F(urgent, goes_first)
{
	static const unsigned int classes[] = {
		IO_LOCALITY_CLASS_THROUGHPUT,	 IO_LOCALITY_CLASS_PREFETCH,
		IO_LOCALITY_CLASS_STEP_CRITICAL, IO_LOCALITY_CLASS_LATENCY,
		IO_LOCALITY_CLASS_STEP_CRITICAL, IO_LOCALITY_CLASS_THROUGHPUT,
	};
	static const unsigned int orders[2][T_ARRAY_SIZE(classes)] = {
		{ 0, 1, 2, 3, 4, 5 },
		{ 2, 4, 0, 1, 3, 5 },
	};
	struct t_trace trace;
	struct io_uring_cqe cqe;

	T_OR_SKIP(t_trace_open_dev(&trace, "block:block_rq_complete",
				   &self->b.dev));
	/* Where the device's timer is, so that it is through when this goes on. */
	ASSERT_EQ(0, t_pin(sched_getcpu()));
	for (int opted_in = 1; opted_in >= 0; opted_in--) {
		if (!opted_in) {
			ASSERT_EQ(0, t_disable(&self->b.ring));
			ASSERT_EQ(0, t_enable(&self->b.ring, NULL, NULL, 0));
		}
		t_trace_start(&trace);
		for (size_t i = 0; i < T_ARRAY_SIZE(classes); i++) {
			t_batch_queue(&self->b, self->b.fd, classes[i], 0, 0)
				->user_data = i;
			ASSERT_EQ(0, t_submit(&self->b.ring, 0));
			while (nr_done(_metadata, &trace) <= i)
				;
		}
		ASSERT_EQ(0, t_wait_ms(&self->b.ring, T_ARRAY_SIZE(classes),
				       NEVER));
		for (size_t i = 0; i < T_ARRAY_SIZE(classes); i++) {
			ASSERT_TRUE(t_cqe(&self->b.ring, &cqe));
			EXPECT_EQ((int)sizeof(t_batch_buf), cqe.res);
			EXPECT_EQ(orders[opted_in][i], cqe.user_data);
		}
	}
}

T_TEST_F(urgent, an_error_is_urgent_too)
{
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;

	sqe = t_batch_queue(&self->b, self->b.fd,
			    IO_LOCALITY_CLASS_STEP_CRITICAL, 0, 0);
	/* Not aligned for direct I/O. */
	sqe->off = 1;
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	EXPECT_GT(NEVER, t_batch_wait(&self->b, T_BATCH, NEVER));
	ASSERT_TRUE(t_cqe(&self->b.ring, &cqe));
	EXPECT_EQ(-EINVAL, cqe.res);
}

TEST_HARNESS_MAIN
