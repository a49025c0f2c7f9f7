// SPDX-License-Identifier: GPL-2.0-only
#include "counters.h"

#include <linux/cpumask.h>
#include <linux/mutex.h>
#include <linux/percpu.h>

static DEFINE_PER_CPU(unsigned long [CPROV_NR_COUNTERS], cprov_counts);

/*
 * What the sums were at the last reset. Zeroing another CPU's counters instead
 * would race with its increments and lose some, or lose the reset.
 */
static unsigned long cprov_baseline[CPROV_NR_COUNTERS];

/* A sum taken before a reset must not meet the baseline set after it. */
static DEFINE_MUTEX(cprov_baseline_mutex);

/**
 * cprov_count - count one
 * @counter: index of the counter
 *
 * Context: Any but NMI.
 */
void cprov_count(unsigned int counter)
{
	this_cpu_inc(cprov_counts[counter]);
}

/**
 * cprov_at_home_counters - where to count completions that are at home
 *
 * For who counts without asking, and in the same counters as cprov_count().
 *
 * Context: Any.
 * Return: the counters of all classes, in their order.
 */
unsigned long __percpu *cprov_at_home_counters(void)
{
	return &cprov_counts[cprov_decision_counter(CPROV_KIND_COMPLETE, 0,
						    CPROV_AT_HOME)];
}

static unsigned long cprov_sum(unsigned int counter)
{
	unsigned long sum = 0;
	int cpu;

	/* CPUs that went offline keep what they have counted. */
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(cprov_counts[counter], cpu));
	return sum;
}

/**
 * cprov_counter_read - what was counted since the last reset
 * @counter: index of the counter
 *
 * Context: Process context. May sleep.
 * Return: the count, modulo the range of unsigned long.
 */
unsigned long cprov_counter_read(unsigned int counter)
{
	unsigned long count;

	mutex_lock(&cprov_baseline_mutex);
	count = cprov_sum(counter) - cprov_baseline[counter];
	mutex_unlock(&cprov_baseline_mutex);
	return count;
}

/**
 * cprov_counters_reset - start all counters from 0
 *
 * What is counted meanwhile is counted before or after the reset, never lost.
 *
 * Context: Process context. May sleep.
 */
void cprov_counters_reset(void)
{
	unsigned int counter;

	mutex_lock(&cprov_baseline_mutex);
	for (counter = 0; counter < CPROV_NR_COUNTERS; counter++)
		cprov_baseline[counter] = cprov_sum(counter);
	mutex_unlock(&cprov_baseline_mutex);
}
