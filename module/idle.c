// SPDX-License-Identifier: GPL-2.0-only
#include "idle.h"

#include <kunit/visibility.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/tick.h>

static DEFINE_PER_CPU(struct cprov_idle, cprov_idle);

/**
 * cprov_idle_take_at - take the place of one worker, if there is one
 * @idle: the CPU's account
 * @us: how long the CPU has been idle in all, as in &cprov_idle.us
 *
 * It goes by what happened and by no time: a CPU whose task sleeps has been idle
 * since its last request, one whose task polls has not, however fast both are.
 *
 * Context: Any, on the CPU whose account it is.
 * Return: true if one was left.
 */
bool cprov_idle_take_at(struct cprov_idle *idle, unsigned long us)
{
	unsigned int left;

	/*
	 * An interrupt may come here as well. What that loses is a place more, or
	 * less, until the CPU is idle again.
	 */
	left = READ_ONCE(idle->left);
	if (READ_ONCE(idle->us) != us) {
		WRITE_ONCE(idle->us, us);
		left = CPROV_WORKERS_PER_IDLE;
	}
	if (!left)
		return false;
	WRITE_ONCE(idle->left, left - 1);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_idle_take_at);

/**
 * cprov_idle_take - give this CPU a worker, if it has been idle lately
 *
 * Context: Any but NMI. Preemption is disabled.
 * Return: true if this CPU has been idle since it was given the last
 *	CPROV_WORKERS_PER_IDLE of them; false if not, or if the kernel does not know
 *	(&CONFIG_NO_HZ_COMMON, and a clock that can do without ticks).
 */
bool cprov_idle_take(void)
{
	const int cpu = smp_processor_id();
	u64 idle = get_cpu_idle_time_us(cpu, NULL);
	u64 iowait = get_cpu_iowait_time_us(cpu, NULL);

	if (idle == -1ULL || iowait == -1ULL)
		return false;
	/* Which of both it is depends on tasks that may be anywhere. */
	return cprov_idle_take_at(this_cpu_ptr(&cprov_idle), idle + iowait);
}
