// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whom a rule is for: all of its conditions hold for the process that creates
 * the ring, when it creates it.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define USER 12345
#define R "cprov-test"

T_FIXTURE(rule, T_KERNEL | T_ROOT | T_RULE | T_TASK_DEFAULT)

static int flow_of(const char *comm)
{
	const struct t_who who = { .comm = comm };

	return t_new_ring_as(&who);
}

T_TEST_F(rule, by_name)
{
	T_OK(t_rule(R, "comm=cprov-db flow_id=7"));
	EXPECT_EQ(7, flow_of("cprov-db"));
	EXPECT_EQ(0, flow_of("cprov-d"));
	EXPECT_EQ(0, flow_of("cprov-dbx"));
	EXPECT_EQ(0, flow_of("CPROV-DB"));
	EXPECT_EQ(0, flow_of("prov-db"));
	/* Those that were looked at and passed by do not count. */
	EXPECT_EQ(1, t_rule_rings(R));
}

/* As exec sets it. */
T_TEST_F(rule, by_the_name_of_the_executable)
{
	const char *program = t_own_program("plain_read");
	struct t_output o;
	struct t_dev dev;

	T_NEED(T_NULL_BLK);
	T_OK(t_null_blk(&dev, ""));
	T_OK(t_rule(R, "comm=plain_read flow_id=7"));
	t_sh(&o, "%s %s", program, dev.path);
	T_EXPECT_EQ(0, o.status, "%s", o.err);
	EXPECT_EQ(1, t_rule_rings(R));
	/* The shell in between is no plain_read. */
	t_sh(&o, "sh -c '%s %s; %s %s'", program, dev.path, program, dev.path);
	T_EXPECT_EQ(0, o.status, "%s", o.err);
	EXPECT_EQ(3, t_rule_rings(R));
}

/* A child that the rule is not for has nothing of it, whatever its parent has. */
T_TEST_F(rule, is_not_inherited)
{
	struct io_locality_hint hint;
	int status;
	pid_t pid;

	T_OK(t_rule(R, "comm=cprov-parent flow_id=7"));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "cprov-parent"));
	ASSERT_EQ(0, t_new_ring(&hint));
	EXPECT_EQ(7, hint.flow_id);
	pid = t_fork();
	if (!pid) {
		prctl(PR_SET_NAME, "cprov-child");
		_exit(t_new_ring(&hint) ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static void *ring_of_thread(void *arg)
{
	struct io_locality_hint hint;

	prctl(PR_SET_NAME, "cprov-thread");
	*(int *)arg = t_new_ring(&hint) ? 0 : (int)hint.flow_id;
	return NULL;
}

/* Threads name themselves after what they do: the rule is for the process. */
T_TEST_F(rule, by_the_name_of_the_process_not_of_the_thread)
{
	pthread_t thread;
	int flow = -1;

	T_OK(t_rule(R, "comm=cprov-process flow_id=7"));
	T_OK(t_rule(R "-thread", "comm=cprov-thread flow_id=8 order=1"));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "cprov-process"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ring_of_thread, &flow));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(7, flow);
}

T_TEST_F(rule, by_effective_user)
{
	const struct t_who user = { .ruid = USER, .euid = USER };
	const struct t_who other = { .ruid = USER + 1, .euid = USER + 1 };
	const struct t_who really_user = { .ruid = USER };
	const struct t_who effectively_user = { .euid = USER };
	const struct t_who root = { .comm = "root" };

	T_OK(t_rule(R, t_text("uid=%d flow_id=7", USER)));
	EXPECT_EQ(7, t_new_ring_as(&user));
	EXPECT_EQ(0, t_new_ring_as(&other));
	EXPECT_EQ(0, t_new_ring_as(&really_user));
	EXPECT_EQ(7, t_new_ring_as(&effectively_user));
	EXPECT_EQ(0, t_new_ring_as(&root));
	T_OK(t_rule(R "-root", "uid=0 flow_id=8"));
	EXPECT_EQ(8, t_new_ring_as(&root));
	EXPECT_EQ(7, t_new_ring_as(&user));
}

/* ---- groups ---- */

static int flow_in(const char *path)
{
	const struct t_who who = { .cgroup = t_text(T_CGROUP "%s", path) };

	return t_new_ring_as(&who);
}

T_TEST_F(rule, by_group_and_what_is_below)
{
	T_OR_SKIP(t_cgroup("cprov-a"));
	T_OK(t_cgroup("cprov-a/in"));
	T_OK(t_cgroup("cprov-a/in/deep"));
	T_OK(t_cgroup("cprov-ab"));
	T_OK(t_cgroup("cprov-b"));
	T_OK(t_cgroup("cprov-b/in"));
	T_OK(t_rule(R, "cgroup=/cprov-a/in flow_id=7"));
	EXPECT_EQ(7, flow_in("/cprov-a/in"));
	EXPECT_EQ(7, flow_in("/cprov-a/in/deep"));
	EXPECT_EQ(0, flow_in("/cprov-a"));
	EXPECT_EQ(0, flow_in("/cprov-ab"));
	EXPECT_EQ(0, flow_in("/cprov-b"));
	EXPECT_EQ(0, flow_in("/cprov-b/in"));
	EXPECT_EQ(0, flow_in(""));
	T_OK(t_rule(R "-a", "cgroup=/cprov-a flow_id=8"));
	EXPECT_EQ(8, flow_in("/cprov-a"));
	EXPECT_EQ(0, flow_in("/cprov-ab"));
}

T_TEST_F(rule, by_the_root_of_all_groups)
{
	T_OK(t_rule(R, "cgroup=/ flow_id=7"));
	EXPECT_EQ(7, flow_of("cprov-any"));
	T_OR_SKIP(t_cgroup("cprov-a"));
	EXPECT_EQ(7, flow_in("/cprov-a"));
}

/* A service that is restarted has another group of the same name. */
T_TEST_F(rule, by_group_before_it_is_there_and_when_it_is_again)
{
	T_OK(t_rule(R, "cgroup=/cprov-late flow_id=7"));
	for (int i = 0; i < 3; i++) {
		T_OR_SKIP(t_cgroup("cprov-late"));
		EXPECT_EQ(7, flow_in("/cprov-late"));
		ASSERT_EQ(0, rmdir(T_CGROUP "/cprov-late"));
	}
	EXPECT_EQ(3, t_rule_rings(R));
}

/* Of three conditions each alone can fail. */
T_TEST_F(rule, only_if_all_conditions_hold)
{
	T_OR_SKIP(t_cgroup("cprov-a"));
	T_OK(t_cgroup("cprov-b"));
	T_OK(t_rule(R, t_text("comm=cprov-db uid=%d cgroup=/cprov-a flow_id=7",
			      USER)));
	for (int fails = 0; fails < 8; fails++) {
		const struct t_who who = {
			.comm = fails & 1 ? "cprov-web" : "cprov-db",
			.ruid = fails & 2 ? USER + 1 : USER,
			.euid = fails & 2 ? USER + 1 : USER,
			.cgroup = fails & 4 ? T_CGROUP "/cprov-b" :
					      T_CGROUP "/cprov-a",
		};

		T_EXPECT_EQ(fails ? 0 : 7, t_new_ring_as(&who),
			    "conditions that fail: %d", fails);
	}
}

/* ---- what they get ---- */

T_TEST_F(rule, gives_all_of_its_hint)
{
	struct io_locality_hint hint;
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), node = -1;

	if (t_nr_nodes() > 1)
		node = t_node_of(cpus[nr - 1]);
	T_OK(t_rule(
		R,
		"comm=cprov-db class=prefetch budget_us=123 flow_id=4000000000"));
	ASSERT_EQ(0, t_rule_set(R, "active", "0"));
	ASSERT_EQ(0, t_rule_set(R, "home_cpu", t_text("%d", cpus[nr - 1])));
	ASSERT_EQ(0, t_rule_set(R, "home_node", t_text("%d", node)));
	ASSERT_EQ(0, t_rule_set(R, "flags", "follow_task anti_migrate"));
	ASSERT_EQ(0, t_rule_set(R, "active", "1"));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "cprov-db"));
	T_OK(t_new_ring(&hint));
	EXPECT_EQ(IO_LOCALITY_CLASS_PREFETCH, hint.io_class);
	EXPECT_EQ(123, hint.budget_us);
	EXPECT_EQ(4000000000u, hint.flow_id);
	EXPECT_EQ(cpus[nr - 1], hint.home_cpu);
	EXPECT_EQ(node, hint.home_node);
	EXPECT_EQ(IO_LOCALITY_FOLLOW_TASK | IO_LOCALITY_ANTI_MIGRATE,
		  hint.flags);
}

/* The administrator says so, where the program itself might not. */
T_TEST_F(rule, may_make_anybody_step_critical)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 9);

	T_OK(t_rule(R, t_text("uid=%d class=step_critical flow_id=7", USER)));
	ASSERT_EQ(0, setresuid(USER, USER, USER));
	EXPECT_EQ(-EPERM, t_task_default(&hint));
	T_OK(t_new_ring(&hint));
	EXPECT_EQ(7, hint.flow_id);
	EXPECT_EQ(IO_LOCALITY_CLASS_STEP_CRITICAL, hint.io_class);
}

/* Never an error: the ring has no hint then. */
T_TEST_F(rule, gives_no_home_outside_the_cpuset)
{
	int cpus[T_MAX_CPUS];

	T_NEED(T_TWO_CPUS);
	t_cpus(cpus);
	t_write(T_CGROUP "/cgroup.subtree_control", "+cpuset");
	T_OR_SKIP(t_cgroup("cprov-cpuset"));
	if (t_write(T_CGROUP "/cprov-cpuset/cpuset.cpus", "%d", cpus[0]))
		T_SKIP("no cpusets (CONFIG_CPUSETS)");
	T_OK(t_rule(R, t_text("cgroup=/cprov-cpuset home_cpu=%d flow_id=7",
			      cpus[1])));
	EXPECT_EQ(0, flow_in("/cprov-cpuset"));
	ASSERT_EQ(0, t_rule_set(R, "active", "0"));
	ASSERT_EQ(0, t_rule_set(R, "home_cpu", t_text("%d", cpus[0])));
	ASSERT_EQ(0, t_rule_set(R, "active", "1"));
	EXPECT_EQ(7, flow_in("/cprov-cpuset"));
}

/* ---- who says more than the rule ---- */

T_TEST_F(rule, gives_way_to_the_default_of_the_task)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 9);

	T_OK(t_rule(R, "cgroup=/ flow_id=7"));
	ASSERT_EQ(0, t_task_default(&hint));
	EXPECT_EQ(9, flow_of("cprov-any"));
	EXPECT_EQ(0, t_rule_rings(R));
	ASSERT_EQ(0, t_task_default(NULL));
	EXPECT_EQ(7, flow_of("cprov-any"));
}

T_TEST_F(rule, gives_way_to_a_program_that_opts_in)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 9);
	struct t_ring ring;

	T_OK(t_rule(R, "cgroup=/ flow_id=7"));
	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	ASSERT_EQ(0, t_enable(&ring, &hint, NULL, 0));
	ASSERT_TRUE(t_ring_default(&ring, &hint));
	EXPECT_EQ(9, hint.flow_id);
}

T_TEST_F(rule, does_nothing_while_hints_are_off)
{
	T_OK(t_rule(R, "cgroup=/ flow_id=7"));
	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "0"));
	EXPECT_EQ(0, flow_of("cprov-any"));
	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "1"));
	EXPECT_EQ(7, flow_of("cprov-any"));
}

/* ---- on the way to the device ---- */

T_TEST_F(rule, reads_of_a_plain_program_have_the_hint)
{
	struct t_trace trace;
	struct t_output o;
	struct t_dev dev;
	const struct t_event *event;

	T_NEED(T_TRACE | T_NULL_BLK);
	T_OK(t_null_blk(&dev, ""));
	T_OK(t_trace_open(&trace, T_CARRY_EVENTS));
	t_trace_start(&trace);
	t_sh(&o, "%s %s", t_own_program("plain_read"), dev.path);
	T_EXPECT_EQ(0, o.status, "%s", o.err);
	T_OK(t_trace_load(&trace));
	EXPECT_EQ(NULL,
		  t_find(&trace, "cprov_complete", "dev", (long long)dev.dev));

	T_OK(t_rule(
		R,
		"comm=plain_read class=step_critical flow_id=777 budget_us=60000000"));
	t_trace_start(&trace);
	t_sh(&o, "%s %s", t_own_program("plain_read"), dev.path);
	T_EXPECT_EQ(0, o.status, "%s", o.err);
	T_OK(t_trace_load(&trace));
	EXPECT_NE(0, t_sectors(&trace, &dev));
	EXPECT_EQ(t_sectors(&trace, &dev), t_sectors_of(&trace, &dev, 777));
	event = t_find(&trace, "cprov_complete", "flow_id", 777);
	ASSERT_NE(NULL, event);
	EXPECT_EQ(IO_LOCALITY_CLASS_STEP_CRITICAL, t_field(event, "class", -1));
}

TEST_HARNESS_MAIN
