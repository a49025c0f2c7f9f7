// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the tests of batches are held against: on a ring that has not opted in, of any
 * kernel, who waits for a batch waits until that is whole, whatever its requests say.
 */
#include "t_batch.h"

#define TRIALS 20

FIXTURE(stock)
{
	struct t_batch b;
};

FIXTURE_SETUP(stock)
{
	T_NEED(T_ROOT | T_NULL_BLK);
	t_batch_open_plain(_metadata, &self->b,
			   "irqmode=2 completion_nsec=100000");
}

FIXTURE_TEARDOWN(stock)
{
	t_undo_all();
}

/* Its step-critical read is done, and it sleeps on until somebody fills the pipe. */
T_TEST_F(stock, waits_for_all)
{
	for (int trial = 0; trial < TRIALS; trial++) {
		t_batch_queue(&self->b, self->b.fd,
			      IO_LOCALITY_CLASS_STEP_CRITICAL, 0, 0);
		for (int i = 0; i < T_BATCH - 1; i++)
			t_batch_queue(&self->b, self->b.pipe[0],
				      IO_LOCALITY_CLASS_THROUGHPUT, 0, 0);
		EXPECT_EQ(true,
			  t_batch_wait_told(_metadata, &self->b, T_BATCH - 1));
		EXPECT_EQ(T_BATCH, t_batch_reap(_metadata, &self->b));
	}
}

/* Or until its time is over. */
T_TEST_F(stock, waits_for_its_time)
{
	struct io_uring_cqe cqe;

	t_batch_queue(&self->b, self->b.pipe[0], IO_LOCALITY_CLASS_THROUGHPUT,
		      0, 0);
	t_batch_queue(&self->b, self->b.fd, IO_LOCALITY_CLASS_STEP_CRITICAL, 0,
		      0);
	ASSERT_EQ(0, t_submit(&self->b.ring, 0));
	/* It has not been told that there is one of two by then. */
	EXPECT_LE(200, t_batch_wait(&self->b, 2, 200));
	EXPECT_TRUE(t_cqe(&self->b.ring, &cqe));
	EXPECT_FALSE(t_cqe(&self->b.ring, &cqe));
}

TEST_HARNESS_MAIN
