// SPDX-License-Identifier: GPL-2.0-only
/*
 * With an I/O scheduler only the completion is steered: a foreign hardware
 * queue would have to be run by a worker, which costs more than it saves.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(scheduler)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(scheduler)
{
	const char *name;
};

T_VARIANT(scheduler, none, .name = "none");
T_VARIANT(scheduler, mq_deadline, .name = "mq-deadline");
T_VARIANT(scheduler, kyber, .name = "kyber");
T_VARIANT(scheduler, bfq, .name = "bfq");

FIXTURE_SETUP(scheduler)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	self->nr = t_cpus(self->cpus);
	T_OK(t_null_blk(&self->dev, t_text("submit_queues=%d", self->nr)));
	if (t_queue_set(&self->dev, "scheduler", variant->name))
		T_SKIP("no I/O scheduler %s", variant->name);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 64, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(scheduler)
{
	t_undo_all();
}

T_TEST_F(scheduler, completion_comes_home)
{
	bool none = !strcmp(variant->name, "none");
	struct t_shot shots[16] = {};
	size_t nr = 0;

	for (int submit = 0; submit < self->nr && submit < 4; submit++) {
		for (int home = 0; home < self->nr && home < 4; home++) {
			shots[nr].hint =
				t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  self->cpus[home], 0);
			shots[nr].write = nr % 2;
			shots[nr++].submit_cpu = self->cpus[submit];
		}
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (size_t i = 0; i < nr; i++) {
		const char *where =
			t_text("submitted on %d, home %d, interrupt on %d",
			       shots[i].submit_cpu, shots[i].hint.home_cpu,
			       shots[i].irq_cpu);

		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(1, shots[i].nr_done);
		T_EXPECT_EQ(shots[i].hint.home_cpu, shots[i].done_cpu, "%s",
			    where);
		/* Not asked for with a scheduler, or if one queue serves both. */
		if (none &&
		    t_queue_of(&self->dev, shots[i].submit_cpu) !=
			    t_queue_of(&self->dev, shots[i].hint.home_cpu)) {
			EXPECT_NE(-1, shots[i].queue_reason);
		} else {
			T_EXPECT_EQ(-1, shots[i].queue_reason,
				    "%s: queue chosen", where);
		}
	}
}

/* Many at a time, of different tokens, in order and not: none gets lost. */
T_TEST_F(scheduler, all_complete_once)
{
	static alignas(4096) char buf[64 * 4096];
	static struct io_locality_hint hints[64];
	struct io_uring_cqe cqe;
	unsigned char seen[64];

	for (int round = 0; round < 20; round++) {
		unsigned int base = 0;

		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < 64; i++) {
			struct io_uring_sqe *sqe = t_sqe(&self->ring);

			if (!i)
				base = sqe->user_data;
			hints[i] = t_hint_of(i % IO_LOCALITY_NR_CLASSES,
					     self->cpus[i % self->nr],
					     1 + i % 5);
			t_prep_rw(sqe, i % 3 ? IORING_OP_READ : IORING_OP_WRITE,
				  self->fd, buf + i * 4096, 4096,
				  (__u64)((i * 7) % 64) * 4096);
			t_sqe_hint(sqe, &hints[i]);
		}
		ASSERT_EQ(0, t_submit(&self->ring, 64));
		for (int i = 0; i < 64; i++) {
			ASSERT_TRUE(t_cqe(&self->ring, &cqe));
			ASSERT_EQ(4096, cqe.res);
			ASSERT_GT(64, cqe.user_data - base);
			seen[cqe.user_data - base]++;
		}
		EXPECT_FALSE(t_cqe(&self->ring, &cqe));
		for (int i = 0; i < 64; i++)
			ASSERT_EQ(1, seen[i]);
	}
}

TEST_HARNESS_MAIN
