/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules: from a request and its situation to a CPU and a reason.
 *
 * Pure functions. They know no clock, no lock and no global; main.c finds the
 * facts and the KUnit tests invent them. See Documentation/policy.rst.
 */
#ifndef _CPROV_POLICY_H
#define _CPROV_POLICY_H

#include <linux/completion_provenance.h>
#include <linux/types.h>

/**
 * struct cprov_config - what the administrator wants, as of this decision
 * @enabled: Steer at all.
 * @steer_classes: BIT(class) of each class that is worth steering.
 * @bind_classes: BIT(class) of each class whose consumers wait, so that workers may
 *	be bound to their CPUs.
 * @exact_classes: BIT(class) of each class that is brought to the home CPU also where
 *	its cache is shared already.
 */
struct cprov_config {
	bool		enabled;
	unsigned int	steer_classes;
	unsigned int	bind_classes;
	unsigned int	exact_classes;
};

/**
 * struct cprov_situation - the facts that a decision rests on
 * @config: The knobs.
 * @node: NUMA node of the CPU that asks, or -1.
 * @now_ns: ktime_get_ns().
 * @home_online: The home CPU is online. False if there is no home CPU.
 * @home_isolated: The home CPU is isolated from the scheduler's domains or the
 *	tick. Only looked at for homes that were chosen through a node.
 * @home_shares_llc: The home CPU and the one that asks share their last-level
 *	cache.
 *
 * If cprov_choose_here() chooses, the facts from @now_ns on are not needed.
 */
struct cprov_situation {
	struct cprov_config	config;
	int			node;
	u64			now_ns;
	bool			home_online;
	bool			home_isolated;
	bool			home_shares_llc;
};

/**
 * cprov_home_cpu - the CPU that a request calls home
 * @prov: the request
 * @submit_cpu: CPU that it was submitted from, or -1 if that is not known
 *
 * A request that names neither a CPU nor a node is at home where it was
 * submitted.
 *
 * Context: Any.
 * Return: a CPU, which may be offline, or -1 if there is none.
 */
static inline int cprov_home_cpu(const struct completion_provenance *prov,
				 int submit_cpu)
{
	if (prov->home_cpu >= 0)
		return prov->home_cpu;
	return prov->home_node >= 0 ? -1 : submit_cpu;
}

bool cprov_within_window(u64 expires_ns, u64 now_ns);
struct cprov_decision
cprov_choose_here(const struct completion_provenance *prov,
		  const struct cprov_env *env,
		  const struct cprov_situation *sit, int home);
struct cprov_decision
cprov_choose_cpu(const struct completion_provenance *prov,
		 const struct cprov_env *env,
		 const struct cprov_situation *sit,
		 bool (*take)(unsigned int cpu,
			      const struct cprov_situation *sit));
struct cprov_decision
cprov_choose_queue(const struct completion_provenance *prov,
		   const struct cprov_env *env,
		   const struct cprov_situation *sit);
struct cprov_decision
cprov_choose_worker(const struct completion_provenance *prov,
		    const struct cprov_env *env,
		    const struct cprov_situation *sit,
		    struct cprov_decision chosen,
		    bool (*take)(unsigned int cpu,
				 const struct cprov_env *env));

#endif /* _CPROV_POLICY_H */
