// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an unbound worker goes on with, as kcryptd does with a read, is not brought to
 * an SQ thread, beside which the worker would not run: any CPU of its node will do.
 * But what a bound worker goes on with is, and what none does.
 */
#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

#define SHOTS 32

FIXTURE(unbound)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev crypt, below;
	int home, other; /* CPUs: of the SQ thread, and of its consumer */
	int fd;
};

FIXTURE_VARIANT(unbound)
{
	const char *options;
	bool bound; /* to where it is queued, or no worker at all */
};

T_VARIANT(unbound, worker, .options = "", .bound = false);
T_VARIANT(unbound, worker_on_same_cpu, .options = "1 same_cpu_crypt",
	  .bound = true);
T_VARIANT(unbound, no_worker, .options = "1 no_read_workqueue", .bound = true);

FIXTURE_SETUP(unbound)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_null_blk(&self->below, ""));
	T_OR_SKIP(t_dm_crypt(&self->crypt, &self->below, variant->options));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	nr = t_cpus(cpus);
	self->home = cpus[nr - 1];
	self->other = cpus[0];
	self->fd = t_dev_open(&self->crypt, O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init_sqpoll(&self->ring, 8, self->home, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(unbound)
{
	t_undo_all();
}

/* What is to become of a read that ended on a CPU. */
static void expect_left(struct __test_metadata *_metadata,
			const FIXTURE_DATA(unbound) * self, bool bound,
			const struct t_shot *shot)
{
	EXPECT_EQ(4096, shot->res);
	ASSERT_LE(0, shot->irq_cpu);
	if (!bound && t_node_of(shot->irq_cpu) == t_node_of(self->home)) {
		EXPECT_EQ(T_SAME_NODE, shot->reason);
		EXPECT_EQ(shot->irq_cpu, shot->done_cpu);
	} else {
		EXPECT_EQ(self->home, shot->done_cpu);
	}
}

/*
 * A worker of io_uring issues them, mostly on another CPU, and null_blk ends them
 * right there.
 */
static void shoot(struct __test_metadata *_metadata,
		  FIXTURE_DATA(unbound) * self, struct t_shot shots[SHOTS],
		  bool write)
{
	unsigned int nr_elsewhere = 0;

	memset(shots, 0, SHOTS * sizeof(*shots));
	for (int i = 0; i < SHOTS; i++) {
		shots[i].hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  i % 2 ? self->other : -1, 0);
		shots[i].submit_cpu = self->other;
		shots[i].write = write;
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
	for (int i = 0; i < SHOTS; i++)
		nr_elsewhere += shots[i].irq_cpu != self->home;
	/* Else nothing was tried. */
	EXPECT_LT(SHOTS / 2, nr_elsewhere);
}

T_TEST_F(unbound, read)
{
	struct t_shot shots[SHOTS];

	shoot(_metadata, self, shots, false);
	for (int i = 0; i < SHOTS; i++)
		expect_left(_metadata, self, variant->bound, &shots[i]);
}

/* It is the policy that says that near home will do. */
T_TEST_F(unbound, policy_declines)
{
	struct t_shot shots[SHOTS];

	ASSERT_EQ(0, t_set(T_KNOBS "/steer_classes", " "));
	shoot(_metadata, self, shots, false);
	for (int i = 0; i < SHOTS; i++)
		if (shots[i].irq_cpu != self->home)
			EXPECT_EQ(T_CLASS, shots[i].reason);
}

/* Nobody goes on with a write but who makes the CQE. */
T_TEST_F(unbound, write_comes_home)
{
	struct t_shot shots[SHOTS];

	shoot(_metadata, self, shots, true);
	for (int i = 0; i < SHOTS; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(self->home, shots[i].done_cpu);
	}
}

/* By the ring's default, and by a slot. */
T_TEST_F(unbound, registered_hint)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	struct io_locality_slot slot;

	slot = t_slot_of(&hint);
	slot.hint.flow_id = 2;
	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, &slot, 1));
	for (int flow = 1; flow <= 2; flow++) {
		struct io_uring_sqe *sqe = t_sqe(&self->ring);
		const struct t_event *event;
		struct t_shot shot;

		t_trace_start(&self->trace);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
		if (flow == 2)
			t_sqe_slot(sqe, 1);
		shot.res = t_submit_res(&self->ring);
		T_OK(t_trace_load(&self->trace));
		event = t_find(&self->trace, "cprov_complete", "flow_id", flow);
		ASSERT_NE(NULL, event);
		shot.irq_cpu = event->cpu;
		shot.reason = t_field(event, "reason", -1);
		event = t_find(&self->trace, "block_rq_complete", "dev",
			       self->below.dev);
		ASSERT_NE(NULL, event);
		shot.done_cpu = event->cpu;
		expect_left(_metadata, self, variant->bound, &shot);
	}
}

TEST_HARNESS_MAIN
