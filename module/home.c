// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limits of users and control groups do not add up to one of the CPU that they
 * all aim at. So each CPU has an account, too, from which others take what they
 * send it.
 */
#include "home.h"

#include <kunit/visibility.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/percpu.h>

#include "limits.h"

/* Written by those who send, hence a line of its own, to the end, for each CPU. */
struct cprov_home {
	atomic64_t paid_until_ns;
} ____cacheline_aligned_in_smp;

static DEFINE_PER_CPU_ALIGNED(struct cprov_home, cprov_homes);

/* What this CPU has taken and not sent yet, for each home: written here only. */
static u8 __percpu *cprov_home_credits;

/**
 * cprov_home_take_at - take the place of one completion, if there is one
 * @credit: what the CPU that sends has left of what it took before
 * @account: the home CPU's account, see cprov_account_pay()
 * @per_second: the rate, 0 = any number
 * @now_ns: ktime_get_ns()
 *
 * Context: Any but NMI, on the CPU whose credit it is. Preemption is disabled.
 * Return: true if one was left.
 */
bool cprov_home_take_at(u8 *credit, atomic64_t *account,
			unsigned int per_second, u64 now_ns)
{
	unsigned int left;

	if (!per_second)
		return true;
	/*
	 * An interrupt may come here as well. What that loses is at most what was
	 * taken at a time, more or less.
	 */
	left = READ_ONCE(*credit);
	if (!left)
		left = cprov_account_pay(account, per_second,
					 CPROV_HOME_CREDIT, now_ns);
	if (!left)
		return false;
	WRITE_ONCE(*credit, left - 1);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_home_take_at);

/**
 * cprov_home_take - send a home CPU one more completion, if it is to take any
 * @home: the home CPU, below nr_cpu_ids
 * @per_second: how many it is to take in a second, 0 = any number
 * @now_ns: ktime_get_ns()
 *
 * Context: Any but NMI. Preemption is disabled.
 * Return: false if it has been sent as many as it is to take.
 */
bool cprov_home_take(unsigned int home, unsigned int per_second, u64 now_ns)
{
	return cprov_home_take_at(this_cpu_ptr(cprov_home_credits) + home,
				  &per_cpu_ptr(&cprov_homes, home)->paid_until_ns,
				  per_second, now_ns);
}

/**
 * cprov_home_init - make room for what each CPU may send each other
 *
 * Context: Process context. May sleep.
 * Return: 0 or -ENOMEM.
 */
int cprov_home_init(void)
{
	cprov_home_credits = __alloc_percpu(nr_cpu_ids, 1);
	return cprov_home_credits ? 0 : -ENOMEM;
}

/**
 * cprov_home_exit - give that back
 *
 * Context: Process context, when nobody calls cprov_home_take() any more.
 */
void cprov_home_exit(void)
{
	free_percpu(cprov_home_credits);
}
