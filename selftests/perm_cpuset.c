// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may name which CPU: a home is a CPU of the cpuset of the task that
 * enabled the ring, whatever CPUs a thread is pinned to, and whenever that
 * changes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "t_harness.h"

/* The cpuset of this process. */
#define ONE "cprov-one"
#define CPUS T_CGROUP "/" ONE "/cpuset.cpus"
#define CYCLES 5
/* Of a ring, and the most workers that its thread may have. */
#define ENTRIES 16

FIXTURE(cpuset)
{
	int in, out; /* a CPU inside, one outside */
	struct t_ring ring;
	int fd;
};

static const char *make_group(const char *name, int cpu, int other_cpu)
{
	const char *error = t_cgroup(name);

	if (error)
		return error;
	if (!t_exists(T_CGROUP "/%s/cpuset.cpus", name))
		return "no cpusets (CONFIG_CPUSETS)";
	if (t_write(t_text(T_CGROUP "/%s/cpuset.cpus", name), "%d,%d", cpu,
		    other_cpu))
		return "cannot set cpuset.cpus";
	return NULL;
}

/* Moves this process into a cpuset that has only the first CPU. */
FIXTURE_SETUP(cpuset)
{
	int cpus[T_MAX_CPUS];

	T_NEED(T_KERNEL | T_ROOT | T_TWO_CPUS);
	t_cpus(cpus);
	self->in = cpus[0];
	self->out = cpus[1];
	t_write(T_CGROUP "/cgroup.subtree_control", "+cpuset");
	T_OR_SKIP(make_group(ONE, self->in, self->in));
	T_OK(t_cgroup_enter(ONE));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	self->fd = memfd_create("file", 0);
	ASSERT_EQ(1, write(self->fd, "a", 1));
}

FIXTURE_TEARDOWN(cpuset)
{
	t_undo_all();
}

static int request(struct t_ring *ring, int fd,
		   const struct io_locality_hint *hint)
{
	struct io_uring_sqe *sqe = t_sqe(ring);
	static char byte;

	t_prep_rw(sqe, IORING_OP_READ, fd, &byte, 1, 0);
	if (hint)
		t_sqe_hint(sqe, hint);
	return t_submit_res(ring);
}

static struct io_locality_hint home(int cpu)
{
	return t_hint_of(IO_LOCALITY_CLASS_LATENCY, cpu, 1);
}

static struct io_locality_hint home_node(int node)
{
	struct io_locality_hint hint = home(-1);

	hint.home_node = node;
	return hint;
}

/* At registration, as a default and in a slot, and per request. */
static void check(struct __test_metadata *_metadata,
		  FIXTURE_DATA(cpuset) * self,
		  const struct io_locality_hint *hint, bool allowed)
{
	struct io_locality_slot slot = t_slot_of(hint);
	int expected = allowed ? 0 : -EPERM;

	EXPECT_EQ(expected, t_enable(&self->ring, hint, NULL, 0));
	t_disable(&self->ring);
	EXPECT_EQ(expected, t_enable(&self->ring, NULL, &slot, 1));
	t_disable(&self->ring);
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	EXPECT_EQ(expected, t_update(&self->ring, hint, 0, NULL, 0));
	t_disable(&self->ring);
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	EXPECT_EQ(allowed ? 1 : -EPERM, request(&self->ring, self->fd, hint));
	t_disable(&self->ring);
}

T_TEST_F(cpuset, inside_is_allowed)
{
	struct io_locality_hint hint = home(self->in);

	check(_metadata, self, &hint, true);
}

T_TEST_F(cpuset, outside_is_refused)
{
	struct io_locality_hint hint = home(self->out);

	check(_metadata, self, &hint, false);
}

/* Home is then where the task is, and what else it names is not looked at. */
T_TEST_F(cpuset, outside_is_allowed_where_the_task_is_followed)
{
	struct io_locality_hint hint = home(self->out);

	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	check(_metadata, self, &hint, true);
}

/* It disturbs nobody, and a CPU that goes away must not become an error. */
T_TEST_F(cpuset, outside_but_offline_is_allowed)
{
	struct io_locality_hint hint = home(self->out);

	if (t_cpu_offline(self->out))
		T_SKIP("no CPU hotplug");
	check(_metadata, self, &hint, true);
	ASSERT_EQ(0, t_cpu_online(self->out));
	check(_metadata, self, &hint, false);
}

/* Where it is neither in the cpuset nor away, for a moment, in which much is done. */
T_TEST_F(cpuset, inside_is_allowed_while_it_comes_and_goes)
{
	struct io_locality_hint hint = home(self->out);
	int status, refused = 0, sent = 0;
	pid_t pid;

	if (t_cpu_offline(self->out))
		T_SKIP("no CPU hotplug");
	ASSERT_EQ(0, t_cpu_online(self->out));
	ASSERT_EQ(0, t_write(CPUS, "%d,%d", self->in, self->out));
	ASSERT_EQ(0, t_pin(self->in));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	pid = t_fork();
	if (!pid) {
		int ret = 0;

		for (int i = 0; i < CYCLES && !ret; i++)
			ret = t_cpu_offline(self->out) ?:
							 t_cpu_online(self->out);
		_exit(ret ? 1 : 0);
	}
	while (!waitpid(pid, &status, WNOHANG)) {
		refused += request(&self->ring, self->fd, &hint) == -EPERM;
		refused += t_update(&self->ring, &hint, 0, NULL, 0) == -EPERM;
		sent++;
	}
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, refused);
	TH_LOG("%d requests, %d refused", sent, refused);
	EXPECT_EQ(1, request(&self->ring, self->fd, &hint));
}

/* Neither names a CPU: the one submitted from is inside by itself. */
T_TEST_F(cpuset, the_submitter_is_allowed)
{
	struct io_locality_hint hint = home(-1);

	check(_metadata, self, &hint, true);
}

/* Nor does the kernel do an unprivileged user the favour. */
T_TEST_F(cpuset, outside_is_refused_to_nobody)
{
	struct io_locality_hint hint = home(self->out);

	ASSERT_EQ(0, setresuid(65534, 65534, 65534));
	check(_metadata, self, &hint, false);
}

/* One CPU of the node is enough, since any will do. */
T_TEST_F(cpuset, node_with_a_cpu_inside_is_allowed)
{
	struct io_locality_hint hint;

	if (t_node_of(self->in) < 0)
		T_SKIP("needs NUMA nodes (CONFIG_NUMA)");
	hint = home_node(t_node_of(self->in));
	check(_metadata, self, &hint, true);
}

T_TEST_F(cpuset, node_with_no_cpu_inside_is_refused)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);
	struct io_locality_hint hint;

	while (nr-- && t_node_of(cpus[nr]) == t_node_of(self->in))
		;
	if (nr < 0)
		T_SKIP("needs two nodes with CPUs");
	hint = home_node(t_node_of(cpus[nr]));
	check(_metadata, self, &hint, false);
}

/*
 * Affinity is not permission: a thread pinned elsewhere names its consumer's
 * CPU with good reason.
 */
T_TEST_F(cpuset, affinity_does_not_matter)
{
	struct io_locality_hint hint = home(self->in);

	ASSERT_EQ(0, t_write(CPUS, "%d,%d", self->in, self->out));
	ASSERT_EQ(0, t_pin(self->out));
	check(_metadata, self, &hint, true);
	hint = home(self->out);
	check(_metadata, self, &hint, true);
	ASSERT_EQ(0, t_pin(self->in));
	check(_metadata, self, &hint, true);
}

/* What was allowed at registration is looked at again. */
T_TEST_F(cpuset, shrinking_takes_effect)
{
	struct io_locality_hint in = home(self->in), out = home(self->out);

	ASSERT_EQ(0, t_write(CPUS, "%d,%d", self->in, self->out));
	ASSERT_EQ(0, t_enable(&self->ring, &out, NULL, 0));
	EXPECT_EQ(1, request(&self->ring, self->fd, NULL));
	EXPECT_EQ(1, request(&self->ring, self->fd, &out));

	ASSERT_EQ(0, t_write(CPUS, "%d", self->in));
	EXPECT_EQ(-EPERM, request(&self->ring, self->fd, NULL));
	EXPECT_EQ(-EPERM, request(&self->ring, self->fd, &out));
	EXPECT_EQ(1, request(&self->ring, self->fd, &in));
	EXPECT_EQ(-EPERM, t_update(&self->ring, &out, 0, NULL, 0));

	ASSERT_EQ(0, t_write(CPUS, "%d,%d", self->in, self->out));
	EXPECT_EQ(1, request(&self->ring, self->fd, NULL));
	EXPECT_EQ(1, request(&self->ring, self->fd, &out));
}

T_TEST_F(cpuset, moving_the_task_takes_effect)
{
	struct io_locality_hint in = home(self->in), out = home(self->out);

	ASSERT_EQ(0, t_enable(&self->ring, &in, NULL, 0));
	EXPECT_EQ(1, request(&self->ring, self->fd, NULL));
	T_OK(make_group("cprov-two", self->out, self->out));
	T_OK(t_cgroup_enter("cprov-two"));
	EXPECT_EQ(-EPERM, request(&self->ring, self->fd, NULL));
	EXPECT_EQ(1, request(&self->ring, self->fd, &out));

	ASSERT_EQ(0, t_write(T_CGROUP "/cgroup.procs", "%d", getpid()));
	EXPECT_EQ(1, request(&self->ring, self->fd, &in));
	EXPECT_EQ(1, request(&self->ring, self->fd, &out));
}

/*
 * The ring's owner decides, not whoever submits: a child outside the cpuset
 * that was handed the ring gains nothing by it.
 */
T_TEST_F(cpuset, belongs_to_the_owner)
{
	struct io_locality_hint in = home(self->in), out = home(self->out);
	int status;
	pid_t pid;

	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	pid = t_fork();
	if (!pid) {
		if (t_write(T_CGROUP "/cgroup.procs", "%d", getpid()))
			_exit(2);
		_exit(request(&self->ring, self->fd, &out) != -EPERM ||
		      request(&self->ring, self->fd, &in) != 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* An SQ thread runs where it was told to; the owner may name its own CPUs. */
T_TEST_F(cpuset, sq_thread_is_no_owner)
{
	struct io_locality_hint in = home(self->in), out = home(self->out);
	struct io_uring_params p;
	struct t_ring ring;

	memset(&p, 0, sizeof(p));
	p.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF;
	p.sq_thread_cpu = self->in;
	ASSERT_EQ(0, t_ring_init_params(&ring, 4, &p));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	EXPECT_EQ(1, request(&ring, self->fd, &in));
	EXPECT_EQ(-EPERM, request(&ring, self->fd, &out));
	t_ring_exit(&ring);
}

/* How many workers of io_uring this process has. */
static unsigned int nr_workers(void)
{
	struct t_output output;

	t_sh(&output, "grep -c iou-wrk /proc/%d/task/*/comm | grep -c :1",
	     getpid());
	return atoi(output.out);
}

struct squeezed {
	FIXTURE_DATA(cpuset) * self;
	unsigned int nr_workers;
	int ret;
};

/*
 * A thread that may have workers on both CPUs, and is pinned to one of them when the
 * cpuset is left with the other. It is moved there, and the workers that it makes are not.
 */
static void *have_workers_read(void *arg)
{
	struct squeezed *squeezed = arg;
	struct io_locality_hint hint = home(-1);
	static char byte;
	struct t_ring ring;

	squeezed->ret = t_ring_init(&ring, ENTRIES, 0)		?:
				t_enable(&ring, &hint, NULL, 0) ?:
				t_pin(squeezed->self->out)	?:
				t_write(CPUS, "%d", squeezed->self->in);
	for (int i = 0; i < ENTRIES && !squeezed->ret; i++) {
		struct io_uring_sqe *sqe = t_sqe(&ring);

		t_prep_rw(sqe, IORING_OP_READ, squeezed->self->fd, &byte, 1, 0);
		sqe->flags = IOSQE_ASYNC;
		squeezed->ret = t_submit_res(&ring) != 1;
	}
	squeezed->nr_workers = nr_workers();
	return NULL;
}

/*
 * A worker is made where none that is free may run. This one may not either, and so it
 * would go on.
 */
T_TEST_F(cpuset, worker_that_may_not_come_is_made_once)
{
	struct squeezed squeezed = { .self = self };
	pthread_t thread;

	T_NEED(T_POLICY);
	ASSERT_EQ(0, t_write(CPUS, "%d,%d", self->in, self->out));
	ASSERT_EQ(0,
		  pthread_create(&thread, NULL, have_workers_read, &squeezed));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	ASSERT_EQ(0, squeezed.ret);
	TH_LOG("%u workers", squeezed.nr_workers);
	EXPECT_LE(2, squeezed.nr_workers);
	EXPECT_GE(3, squeezed.nr_workers);
}

TEST_HARNESS_MAIN
