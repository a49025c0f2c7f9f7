// SPDX-License-Identifier: GPL-2.0-only
/*
 * Precedence over isolation: an isolated CPU is home only if it was named. Who
 * names its node said that any CPU will do, and is not taken to mean this one.
 */
#include <fcntl.h>

#include "t_harness.h"

#define HANDED_OVER "io_uring_queue_async_work"

FIXTURE(isolated)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int node, cpu; /* all CPUs of the node are isolated, this is one */
	int fd;
};

/* An isolated partition of all CPUs of a node, and this process in it. */
static const char *isolate(const char *cpus)
{
	static const char dir[] = T_CGROUP "/cprov-isolated";
	const char *error;
	char state[64];

	t_write(T_CGROUP "/cgroup.subtree_control", "+cpuset");
	error = t_cgroup("cprov-isolated");
	if (error)
		return error;
	if (t_write(t_text("%s/cpuset.cpus", dir), "%s", cpus) ||
	    t_write(t_text("%s/cpuset.cpus.partition", dir), "isolated") ||
	    t_read(state, sizeof(state), "%s/cpuset.cpus.partition", dir) ||
	    strcmp(state, "isolated"))
		return "no isolated cpuset partitions (CONFIG_CPUSETS, CONFIG_CPU_ISOLATION)";
	return t_cgroup_enter("cprov-isolated");
}

FIXTURE_SETUP(isolated)
{
	int cpus[T_MAX_CPUS], nr;
	char list[256] = "";

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	nr = t_cpus(cpus);
	self->cpu = cpus[nr - 1];
	self->node = t_node_of(self->cpu);
	if (self->node == t_node_of(cpus[0]))
		T_SKIP("needs two nodes with CPUs");
	for (int i = 0; i < nr; i++)
		if (t_node_of(cpus[i]) == self->node)
			snprintf(list + strlen(list),
				 sizeof(list) - strlen(list), "%s%d",
				 list[0] ? "," : "", cpus[i]);
	T_OR_SKIP(isolate(list));
	/* Its worker, hence its interrupt, keeps out of isolated CPUs. */
	T_OR_SKIP(t_slow_dev(&self->dev, 1000000));
	T_OK(t_trace_open_dev(&self->trace, T_SHOT_EVENTS, &self->dev));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(isolated)
{
	t_undo_all();
}

T_TEST_F(isolated, named)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpu,
				  0),
		.submit_cpu = -1,
	};

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	if (shot.irq_cpu == self->cpu)
		T_SKIP("the interrupt is on the isolated CPU itself");
	T_EXPECT_EQ(T_STEERED, shot.reason, "%s", t_reason_name(shot.reason));
	EXPECT_EQ(self->cpu, shot.done_cpu);
}

/* The worker goes where the administrator lets workers be. */
T_TEST_F(isolated, no_worker)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpu,
				  0),
		.submit_cpu = self->cpu,
	};

	ASSERT_EQ(0, t_set(T_KNOBS "/bind_classes", "step_critical"));
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	T_EXPECT_EQ(T_SHARED_CACHE, shot.queue_reason, "%s",
		    t_reason_name(shot.queue_reason));
}

/* But what an SQ thread there issues by itself has none. */
T_TEST_F(isolated, sq_thread_without_worker)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 0),
		.submit_cpu = -1,
		.sqe_flags = IOSQE_ASYNC,
	};
	struct t_ring ring;
	struct t_dev dev;
	int fd;

	/* With the slow device no worker is bound, and no SQ thread tries it. */
	ASSERT_EQ(0, t_set(T_KNOBS "/bind_classes", "step_critical"));
	T_OK(t_null_blk(&dev, ""));
	fd = t_dev_open(&dev, O_RDONLY);
	ASSERT_LE(0, fd);
	T_OK(t_trace_open(&self->trace,
			  T_SHOT_EVENTS " io_uring:" HANDED_OVER));
	ASSERT_EQ(0, t_ring_init_sqpoll(&ring, 4, self->cpu, 0));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	T_OK(t_shoot(&ring, fd, &self->trace, &shot, 1));
	EXPECT_EQ(4096, shot.res);
	EXPECT_EQ(0, t_count(&self->trace, HANDED_OVER, NULL, 0));
	EXPECT_EQ(self->cpu, shot.done_cpu);
	t_ring_exit(&ring);
}

T_TEST_F(isolated, by_its_node)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 0),
		.submit_cpu = -1,
	};

	shot.hint.home_node = self->node;
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	if (t_node_of(shot.irq_cpu) == self->node)
		T_SKIP("the interrupt is on the isolated node itself");
	T_EXPECT_EQ(T_ISOLATED, shot.reason, "%s", t_reason_name(shot.reason));
	EXPECT_EQ(-1, shot.chosen_cpu);
}

TEST_HARNESS_MAIN
