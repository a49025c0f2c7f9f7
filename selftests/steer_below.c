// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a loop device's worker submits for a ring with an SQ thread, beside which no
 * worker runs, is left to the CPU where it ends, if that is of the thread's node:
 * only loop's own request comes home. For a task all of it comes home, and so it does
 * where the worker was given the home CPU.
 */
#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

/* Three times as many as the policy binds to a CPU that is never idle. */
#define SHOTS 96

FIXTURE(below)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev loop, below;
	int home, other; /* CPUs: of the SQ thread, and of its consumer */
	int fd;
};

FIXTURE_VARIANT(below)
{
	enum t_queues queues;
	bool sq_thread;
};

T_VARIANT(below, sq_thread, .queues = T_ONE_QUEUE, .sq_thread = true);
T_VARIANT(below, sq_thread_and_drive, .queues = T_DRIVE, .sq_thread = true);
T_VARIANT(below, task, .queues = T_ONE_QUEUE, .sq_thread = false);

FIXTURE_SETUP(below)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_way_dev(&self->below, variant->queues));
	T_OR_SKIP(t_loop(&self->loop, self->below.path, true));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	nr = t_cpus(cpus);
	/* Not the last, which is where a drive's only interrupt is. */
	self->home = cpus[0];
	self->other = cpus[nr - 1];
	self->fd = t_dev_open(&self->loop, O_RDONLY);
	ASSERT_LE(0, self->fd);
	if (variant->sq_thread) {
		/* So long that it does not sleep in between. */
		ASSERT_EQ(0, t_ring_init_sqpoll(&self->ring, 8, self->home,
						60000));
	} else {
		ASSERT_EQ(0, t_ring_init(&self->ring, 8, 0));
	}
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(below)
{
	t_undo_all();
}

/* What became of the request of one of the devices. */
struct request {
	bool of_node; /* any CPU of a node is home */
	int issued, irq, reason, done; /* CPUs, and why; -1: never */
};

static struct request look_up(const struct t_trace *trace,
			      const struct t_dev *dev, __u32 flow)
{
	const struct t_event *decided = t_decision(trace, dev, flow);
	const struct t_event *done = t_last_done(trace, dev, flow);
	struct request rq = { false, -1, -1, -1, -1 };

	if (decided) {
		rq.of_node = t_field(decided, "home_node", -1) >= 0;
		rq.issued = t_field(decided, "submit_cpu", -1);
		rq.irq = decided->cpu;
		rq.reason = t_field(decided, "reason", -1);
	}
	if (done)
		rq.done = done->cpu;
	return rq;
}

static void shoot(struct __test_metadata *_metadata, FIXTURE_DATA(below) * self,
		  bool sq_thread, struct t_shot shots[SHOTS])
{
	memset(shots, 0, SHOTS * sizeof(*shots));
	for (int i = 0; i < SHOTS; i++) {
		shots[i].hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					  sq_thread ? -1 : self->home, 0);
		if (sq_thread && i % 2)
			shots[i].hint.flags |= IO_LOCALITY_FOLLOW_TASK;
		shots[i].submit_cpu = self->other;
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
}

T_TEST_F(below, read)
{
	const int node = t_node_of(self->home);
	unsigned int elsewhere = 0, left = 0, strayed = 0;
	struct t_shot shots[SHOTS];

	if (!variant->sq_thread) {
		/* It leaves its CPU to no worker, as an SQ thread does. */
		ASSERT_LT(0, t_occupy(self->home));
		/* Near home will do, as for an SQ thread. */
		ASSERT_EQ(0, t_set(T_KNOBS "/bind_classes", " "));
	}
	shoot(_metadata, self, variant->sq_thread, shots);
	for (int i = 0; i < SHOTS; i++) {
		const __u32 flow = shots[i].hint.flow_id;
		struct request own, below;

		own = look_up(&self->trace, &self->loop, flow);
		below = look_up(&self->trace, &self->below, flow);
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(false, own.of_node);
		EXPECT_EQ(self->home, own.done);
		ASSERT_LE(0, below.done);
		elsewhere += below.issued != self->home;
		strayed += below.of_node !=
			   (variant->sq_thread && below.issued != self->home);
		if (below.of_node && t_node_of(below.irq) == node) {
			T_EXPECT_EQ(T_SAME_NODE, below.reason, "%s",
				    t_reason_name(below.reason));
			EXPECT_EQ(below.irq, below.done);
			left += below.done != self->home;
		} else {
			EXPECT_EQ(self->home, below.done);
		}
	}
	TH_LOG("of %d, %u were issued elsewhere, and %u left there", SHOTS,
	       elsewhere, left);
	/* A worker that the scheduler moves just then may be taken for another. */
	EXPECT_GE(SHOTS / 8, strayed);
	if (t_has_neighbour(self->home))
		EXPECT_LE(SHOTS / 3, elsewhere);
	/* A drive's interrupt may be in another node, or where home is. */
	if (variant->queues == T_ONE_QUEUE && variant->sq_thread)
		EXPECT_LE(elsewhere, left + strayed);
}

/* It is the policy that says that near home will do. */
T_TEST_F(below, policy_declines)
{
	struct t_shot shots[SHOTS];

	ASSERT_EQ(0, t_set(T_KNOBS "/steer_classes", " "));
	shoot(_metadata, self, variant->sq_thread, shots);
	for (int i = 0; i < SHOTS; i++) {
		struct request below = look_up(&self->trace, &self->below,
					       shots[i].hint.flow_id);

		EXPECT_EQ(false, below.of_node);
		T_EXPECT_EQ(below.irq == self->home ? T_AT_HOME : T_CLASS,
			    below.reason, "%s", t_reason_name(below.reason));
	}
}

TEST_HARNESS_MAIN
