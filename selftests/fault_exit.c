// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring with hints in flight goes away, by closing and by killing: the device
 * still completes every request, and the table is not missed by any.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "t_harness.h"

#define NR 8

FIXTURE(ring_exit)
{
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(ring_exit)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OR_SKIP(t_slow_dev(&self->dev, 300000000));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->nr = t_cpus(self->cpus);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(ring_exit)
{
	t_undo_all();
}

/* In flight, each of its own slot. */
static int submit(FIXTURE_DATA(ring_exit) * self, struct t_ring *ring)
{
	static alignas(4096) char buf[NR * 4096];
	struct io_locality_slot slots[NR];
	struct io_locality_hint hint;

	for (int i = 0; i < NR; i++) {
		hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				 self->cpus[i % self->nr], 1000 + i);
		slots[i] = t_slot_of(&hint);
	}
	if (t_ring_init(ring, NR, 0) || t_enable(ring, NULL, slots, NR))
		return -1;
	for (int i = 0; i < NR; i++) {
		struct io_uring_sqe *sqe = t_sqe(ring);

		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf + i * 4096, 4096,
			  (__u64)i * 8192);
		t_sqe_slot(sqe, 1 + i);
	}
	return t_submit(ring, 0);
}

static void check_all_done(struct __test_metadata *_metadata,
			   FIXTURE_DATA(ring_exit) * self)
{
	for (int i = 0; i < NR; i++)
		T_ASSERT_NE(NULL,
			    t_trace_await(&self->trace, "cprov_complete",
					  "flow_id", 1000 + i),
			    "flow %d", 1000 + i);
}

T_TEST_F(ring_exit, by_closing)
{
	struct t_ring ring;

	ASSERT_EQ(0, submit(self, &ring));
	t_ring_exit(&ring);
	check_all_done(_metadata, self);
}

T_TEST_F(ring_exit, by_killing)
{
	struct t_ring ring;
	int status, ready[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = t_fork();
	if (!pid) {
		if (submit(self, &ring) || write(ready[1], "a", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	check_all_done(_metadata, self);
}

TEST_HARNESS_MAIN
