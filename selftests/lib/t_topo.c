// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs, caches, nodes.
 */
#include "t.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#define CPU_DIR "/sys/devices/system/cpu"

/* Calls back for each number of a list such as "0-3,8"; how many there are. */
static int each_of_list(const char *list, void (*fn)(int nr, void *data),
			void *data)
{
	int count = 0;
	char *end;

	while (*list) {
		long first = strtol(list, &end, 10), last = first;

		if (end == list)
			break;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (; first <= last; first++, count++)
			fn(first, data);
		list = end + strspn(end, ", ");
	}
	return count;
}

struct cpu_array {
	int *cpus;
	int nr;
};

static void collect(int nr, void *data)
{
	struct cpu_array *array = data;

	if (array->nr < T_MAX_CPUS)
		array->cpus[array->nr++] = nr;
}

int t_cpus(int cpus[T_MAX_CPUS])
{
	struct cpu_array array = { .cpus = cpus };
	char list[512];

	if (t_read(list, sizeof(list), CPU_DIR "/online"))
		return 0;
	each_of_list(list, collect, &array);
	return array.nr;
}

static void highest(int nr, void *data)
{
	int *max = data;

	if (nr > *max)
		*max = nr;
}

int t_nr_cpu_ids(void)
{
	char list[512];
	int max = 0;

	if (!t_read(list, sizeof(list), CPU_DIR "/possible"))
		each_of_list(list, highest, &max);
	return max + 1;
}

struct member {
	int nr;
	bool found;
};

static void is_member(int nr, void *data)
{
	struct member *member = data;

	if (nr == member->nr)
		member->found = true;
}

bool t_in_list(const char *list, int nr)
{
	struct member member = { .nr = nr };

	each_of_list(list, is_member, &member);
	return member.found;
}

/* The cache of the highest level, or else the socket. */
bool t_share_cache(int a, int b)
{
	char list[512], best[512] = "";
	long long level, top = 0;

	for (int i = 0; i < 8; i++) {
		level = t_read_num(0, CPU_DIR "/cpu%d/cache/index%d/level", a,
				   i);
		if (level >= top && level &&
		    !t_read(list, sizeof(list),
			    CPU_DIR "/cpu%d/cache/index%d/shared_cpu_list", a,
			    i)) {
			top = level;
			memcpy(best, list, sizeof(best));
		}
	}
	if (!top && t_read(best, sizeof(best),
			   CPU_DIR "/cpu%d/topology/package_cpus_list", a))
		return a == b;
	return a == b || t_in_list(best, b);
}

bool t_has_neighbour(int cpu)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);

	while (nr--)
		if (cpus[nr] != cpu && t_share_cache(cpus[nr], cpu))
			return true;
	return false;
}

int t_node_of(int cpu)
{
	for (int node = 0; node < 64; node++)
		if (t_exists(CPU_DIR "/cpu%d/node%d", cpu, node))
			return node;
	return -1;
}

int t_nr_nodes(void)
{
	char list[512];
	int max = 0;

	if (!t_read(list, sizeof(list), "/sys/devices/system/node/possible"))
		each_of_list(list, highest, &max);
	return max + 1;
}

int t_pin_task(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set) ? -errno : 0;
}

int t_pin(int cpu)
{
	return t_pin_task(0, cpu);
}

pid_t t_occupy(int cpu)
{
	pid_t pid = t_fork();

	if (pid)
		return pid;
	if (t_pin(cpu))
		_exit(1);
	for (;;)
		__asm__ volatile("" ::: "memory");
}

int t_stand_on(int cpu, int home)
{
	cpu_set_t set;
	int ret;

	ret = t_pin(cpu);
	if (ret || home < 0)
		return ret;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CPU_SET(home, &set);
	/* Fails if the home is offline, which is then not the point. */
	sched_setaffinity(0, sizeof(set), &set);
	return 0;
}

int t_unpin(void)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus);
	cpu_set_t set;

	CPU_ZERO(&set);
	while (nr--)
		CPU_SET(cpus[nr], &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static void online_undo(const char *cpu)
{
	t_write(t_text(CPU_DIR "/cpu%s/online", cpu), "1");
}

int t_cpu_offline(int cpu)
{
	t_undo(online_undo, t_text("%d", cpu));
	return t_write(t_text(CPU_DIR "/cpu%d/online", cpu), "0");
}

int t_cpu_online(int cpu)
{
	return t_write(t_text(CPU_DIR "/cpu%d/online", cpu), "1");
}
