// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules, in order of precedence: the first that applies decides.
 */
#include "policy.h"

#include <kunit/visibility.h>
#include <linux/bits.h>

/**
 * cprov_within_window - whether locality is still worth something
 * @expires_ns: end of the window, in the clock of @now_ns; 0 = there is none
 * @now_ns: the time, in nanoseconds
 *
 * The end does not belong to the window, hence one that there is not is over
 * whatever the time.
 *
 * Context: Any.
 * Return: true inside the window.
 */
bool cprov_within_window(u64 expires_ns, u64 now_ns)
{
	return now_ns < expires_ns;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_within_window);

/*
 * The rules that need no clock and no look at another CPU.
 *
 * Being home comes before the reasons not to steer: nothing has to be spent on
 * such a request, and to count it as declined would say that it missed its
 * home. It comes after the switch, as an administrator who turned steering off
 * expects to see no trace of it, and after polling, where no choice is made.
 *
 * CPROV_STEERED says that none of these rules applies.
 */
static enum cprov_reason
cprov_reason_here(const struct completion_provenance *prov,
		  const struct cprov_env *env,
		  const struct cprov_situation *sit, int home)
{
	if (!sit->config.enabled)
		return CPROV_DISABLED;
	if (env->flags & CPROV_ENV_POLLED)
		return CPROV_POLLED;
	if (prov->home_node >= 0 && prov->home_node == sit->node)
		return CPROV_SAME_NODE;
	if (home >= 0 && home == env->cpu)
		return CPROV_AT_HOME;
	if (env->flags & CPROV_ENV_THREADED_IRQS)
		return CPROV_THREADED_IRQS;
	if (env->flags & CPROV_ENV_NO_AFFINITY)
		return CPROV_RQ_AFFINITY;
	if (prov->class >= IO_LOCALITY_NR_CLASSES ||
	    !(sit->config.steer_classes & BIT(prov->class)))
		return CPROV_CLASS;
	return CPROV_STEERED;
}

static enum cprov_reason
cprov_reason_there(const struct completion_provenance *prov,
		   const struct cprov_situation *sit, int home)
{
	if (!cprov_within_window(prov->expires_ns, sit->now_ns))
		return CPROV_EXPIRED;
	if (home < 0 || !sit->home_online)
		return CPROV_OFFLINE;
	/* Whoever named the CPU meant it, whoever named the node did not. */
	if (prov->home_node >= 0 && sit->home_isolated)
		return CPROV_ISOLATED;
	return CPROV_STEERED;
}

static enum cprov_reason
cprov_reason_for(const struct completion_provenance *prov,
		 const struct cprov_env *env,
		 const struct cprov_situation *sit, int home)
{
	enum cprov_reason reason = cprov_reason_here(prov, env, sit, home);

	if (reason != CPROV_STEERED)
		return reason;
	return cprov_reason_there(prov, sit, home);
}

static struct cprov_decision cprov_decision(enum cprov_reason reason,
					    const struct cprov_env *env,
					    int home)
{
	struct cprov_decision decision = { .cpu = env->cpu, .reason = reason };

	if (reason == CPROV_STEERED)
		decision.cpu = home;
	else if (cprov_reason_declines(reason))
		decision.cpu = -1;
	return decision;
}

/**
 * cprov_choose_here - choose by the facts at hand, if they settle it
 * @prov: the request
 * @env: where the decision is asked for
 * @sit: the facts; only what steers of &cprov_situation.config and
 *	&cprov_situation.node are looked at
 * @home: from cprov_home_cpu()
 *
 * Spares the caller the clock and a look at the home CPU where neither can
 * change the decision, above all for requests that are at home already.
 *
 * Context: Any.
 * Return: what cprov_choose_cpu() and cprov_choose_queue() would return whatever
 *	the other facts; CPROV_STEERED if it depends on them.
 */
struct cprov_decision
cprov_choose_here(const struct completion_provenance *prov,
		  const struct cprov_env *env,
		  const struct cprov_situation *sit, int home)
{
	return cprov_decision(cprov_reason_here(prov, env, sit, home), env,
			      home);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_choose_here);

/**
 * cprov_choose_cpu - choose the CPU to complete a request on
 * @prov: the request
 * @env: where it completes if nothing is done
 * @sit: the facts
 * @take: takes one of the completions that a CPU may still be sent, or says that
 *	there is none; called at most once, and only if it is then sent
 *
 * Where the consumer sleeps its CPU is interrupted anyway, to wake it, so within the
 * home's cache, too, the request may as well be completed there. For a class that the
 * administrator has taken from the exact ones the cache is home enough, and so it is for
 * a request that names no home, as nobody sleeps where it was submitted; unless he has
 * asked for the very CPU of all of them.
 *
 * Context: That of @take.
 * Return: the CPU and why, or CPU -1 and why not.
 */
struct cprov_decision
cprov_choose_cpu(const struct completion_provenance *prov,
		 const struct cprov_env *env,
		 const struct cprov_situation *sit,
		 bool (*take)(unsigned int cpu,
			      const struct cprov_situation *sit))
{
	int home = cprov_home_cpu(prov, prov->submit_cpu);
	enum cprov_reason reason = cprov_reason_for(prov, env, sit, home);

	if (reason == CPROV_STEERED && sit->home_shares_llc &&
	    (prov->home_cpu < 0 ||
	     !(sit->config.exact_classes & BIT(prov->class))) &&
	    !(env->flags & CPROV_ENV_FORCE_AFFINITY))
		reason = CPROV_SHARED_CACHE;
	if (reason == CPROV_STEERED && !take(home, sit))
		reason = CPROV_SWAMPED;
	return cprov_decision(reason, env, home);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_choose_cpu);

/**
 * cprov_choose_queue - choose the CPU whose hardware queue a request uses
 * @prov: the request; its submit CPU is not looked at
 * @env: where it is submitted, hence its submit CPU
 * @sit: the facts
 *
 * Sharing the home's cache is not enough here: another queue costs no IPI, and
 * brings the interrupt to the home CPU itself.
 *
 * Context: Any.
 * Return: the CPU and why, or CPU -1 and why not.
 */
struct cprov_decision
cprov_choose_queue(const struct completion_provenance *prov,
		   const struct cprov_env *env,
		   const struct cprov_situation *sit)
{
	int home = cprov_home_cpu(prov, env->cpu);

	return cprov_decision(cprov_reason_for(prov, env, sit, home), env,
			      home);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_choose_queue);

/*
 * Whether a worker is worth a CPU. To be there already is not enough for that: the
 * worker costs whoever runs there some of his time. Nor is where a request was
 * submitted that names no home.
 */
static bool cprov_worth_binding(const struct completion_provenance *prov,
				const struct cprov_env *env,
				const struct cprov_situation *sit)
{
	return prov->home_cpu >= 0 && env->flags & CPROV_ENV_MAY_BIND &&
	       !(env->flags & CPROV_ENV_NO_AFFINITY) &&
	       prov->class < IO_LOCALITY_NR_CLASSES &&
	       sit->config.bind_classes & BIT(prov->class) &&
	       cprov_within_window(prov->expires_ns, sit->now_ns);
}

/**
 * cprov_choose_worker - choose the CPU that a worker handles a request on
 * @prov: the request
 * @env: where its driver, or io_uring, has got it
 * @sit: the facts; only &cprov_config.bind_classes and &cprov_situation.now_ns are
 *	looked at
 * @chosen: what cprov_choose_queue() chose
 * @take: takes one of the workers that a CPU has room for, or says that there is
 *	none; called at most once, and only if that worker is then wanted
 *
 * A worker that is bound to the home CPU runs when nobody else does. That is soon
 * if the consumer waits for the request, and not so if it computes, or polls,
 * meanwhile. Any other CPU of the home's cache is better then.
 *
 * Context: That of @take.
 * Return: @chosen, or its CPU and CPROV_SHARED_CACHE: one near it.
 */
struct cprov_decision
cprov_choose_worker(const struct completion_provenance *prov,
		    const struct cprov_env *env,
		    const struct cprov_situation *sit,
		    struct cprov_decision chosen,
		    bool (*take)(unsigned int cpu,
				 const struct cprov_env *env))
{
	if (chosen.reason != CPROV_STEERED && chosen.reason != CPROV_AT_HOME)
		return chosen;
	if (!cprov_worth_binding(prov, env, sit) || !take(chosen.cpu, env))
		chosen.reason = CPROV_SHARED_CACHE;
	return chosen;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_choose_worker);
