// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completion provenance policy: finds the facts, asks the rules in policy.c,
 * counts the answer and hands it to the block layer.
 */
#include <linux/bug.h>
#include <linux/cgroup.h>
#include <linux/completion_provenance.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/init.h>
#include <linux/kernfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/sched/rt.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/topology.h>
#include <linux/user_namespace.h>

#include "counters.h"
#include "home.h"
#include "idle.h"
#include "limits.h"
#include "llc.h"
#include "policy.h"
#include "rulefs.h"
#include "sysfs.h"

/* The facts at hand. */
static void cprov_look_here(const struct cprov_env *env,
			    struct cprov_situation *sit)
{
	sit->config.enabled = READ_ONCE(cprov_knobs.enabled);
	sit->config.steer_classes = READ_ONCE(cprov_knobs.steer_classes);
	sit->node = cpu_to_node(env->cpu);
}

/*
 * The facts that cost more. They may change under us: a home CPU that goes
 * offline right after is for the block layer to notice, which looks again where
 * it matters.
 */
static void cprov_look_there(const struct completion_provenance *prov,
			     const struct cprov_env *env, int home,
			     struct cprov_situation *sit)
{
	const bool known = home >= 0 && home < nr_cpu_ids;

	sit->config.exact_classes = READ_ONCE(cprov_knobs.exact_classes);
	sit->now_ns = ktime_get_ns();
	sit->home_online = known && cpu_online(home);
	sit->home_isolated = known && prov->home_node >= 0 &&
			     cpu_is_isolated(home);
	sit->home_shares_llc = known && cprov_shares_llc(env->cpu, home);
}

/*
 * Decides by the facts at hand, or else by @choose with all of them. Inlined into
 * its callers, for which @choose is constant.
 */
static __always_inline struct cprov_decision
cprov_decide(const struct completion_provenance *prov,
	     const struct cprov_env *env, int home,
	     struct cprov_decision (*choose)(const struct completion_provenance *prov,
					     const struct cprov_env *env,
					     const struct cprov_situation *sit))
{
	struct cprov_decision decision;
	struct cprov_situation sit;

	cprov_look_here(env, &sit);
	decision = cprov_choose_here(prov, env, &sit, home);
	if (decision.reason == CPROV_STEERED) {
		cprov_look_there(prov, env, home, &sit);
		decision = choose(prov, env, &sit);
	}
	return decision;
}

static __always_inline struct cprov_decision
cprov_counted(enum cprov_kind kind, u16 class, struct cprov_decision decision)
{
	cprov_count(cprov_decision_counter(kind, class, decision.reason));
	return decision;
}

static __always_inline struct cprov_decision
cprov_decide_queue(const struct completion_provenance *prov,
		   const struct cprov_env *env)
{
	return cprov_decide(prov, env, cprov_home_cpu(prov, env->cpu),
			    cprov_choose_queue);
}

static struct cprov_decision
cprov_queue(const struct completion_provenance *prov,
	    const struct cprov_env *env)
{
	return cprov_counted(CPROV_KIND_QUEUE, prov->class,
			     cprov_decide_queue(prov, env));
}

/*
 * Whether a worker that is bound to the CPU would soon run there; if so, it is one of
 * those that the CPU has room for until it is idle again. Whoever isolated it wants
 * nothing on it that can be elsewhere. A CPU other than this one is idle now, or busy
 * with what nothing is known of. This CPU is never idle now, but will be if what it
 * runs sleeps as it does mostly; a realtime task that does not would leave the worker
 * nothing. Who does without one needs no room for it.
 */
static bool cprov_take_worker(unsigned int cpu, const struct cprov_env *env)
{
	if (env->flags & CPROV_ENV_BY_ITSELF)
		return true;
	if (cpu_is_isolated(cpu))
		return false;
	if (cpu != env->cpu)
		return env->flags & CPROV_ENV_HOME_IDLE;
	return !rt_or_dl_task(current) && cprov_idle_take();
}

static struct cprov_decision
cprov_worker(const struct completion_provenance *prov,
	     const struct cprov_env *env)
{
	const struct cprov_situation sit = {
		.config.bind_classes	= READ_ONCE(cprov_knobs.bind_classes),
		.now_ns			= ktime_get_ns(),
	};
	struct cprov_decision decision = cprov_decide_queue(prov, env);

	decision = cprov_choose_worker(prov, env, &sit, decision,
				       cprov_take_worker);
	return cprov_counted(CPROV_KIND_QUEUE, prov->class, decision);
}

static bool cprov_take_home(unsigned int cpu, const struct cprov_situation *sit)
{
	return cprov_home_take(cpu, READ_ONCE(cprov_knobs.cpu_steered),
			       sit->now_ns);
}

static struct cprov_decision
cprov_choose_cpu_to_send(const struct completion_provenance *prov,
			 const struct cprov_env *env,
			 const struct cprov_situation *sit)
{
	return cprov_choose_cpu(prov, env, sit, cprov_take_home);
}

static struct cprov_decision
cprov_complete(const struct completion_provenance *prov,
	       const struct cprov_env *env)
{
	return cprov_counted(CPROV_KIND_COMPLETE, prov->class,
			     cprov_decide(prov, env,
					  cprov_home_cpu(prov, prov->submit_cpu),
					  cprov_choose_cpu_to_send));
}

static void cprov_deferred(const struct completion_provenance *prov,
			   enum cprov_deferral where)
{
	cprov_count(cprov_deferral_counter(where));
}

static u64 cprov_window_ns(u16 class)
{
	if (class >= IO_LOCALITY_NR_CLASSES)
		return 0;
	return (u64)READ_ONCE(cprov_knobs.window_us[class]) * NSEC_PER_USEC;
}

#ifdef CONFIG_CGROUPS
/*
 * In the default hierarchy a group is never renamed, and one that a task was in
 * under RCU keeps its node, and those of its ancestors, for as long.
 */
static const char *cprov_ancestor(const struct cprov_creator *who,
				  unsigned int level)
{
	return level <= who->cgroup->level ?
	       who->cgroup->ancestors[level]->kn->name : NULL;
}

static const struct cgroup *cprov_current_cgroup(void)
{
	return task_dfl_cgroup(current);
}

/* Not 0, but for the root. */
static u64 cprov_cgroup_number(const struct cgroup *cgroup)
{
	return cgroup->level ? cgroup_id(cgroup) : 0;
}
#else
static const char *cprov_ancestor(const struct cprov_creator *who,
				  unsigned int level)
{
	return NULL;
}

static const struct cgroup *cprov_current_cgroup(void)
{
	return NULL;
}

static u64 cprov_cgroup_number(const struct cgroup *cgroup)
{
	return 0;
}
#endif

static bool cprov_default_of_ring(struct io_locality_hint *hint)
{
	struct cprov_creator who = {
		.euid		= current_euid(),
		.cgroup		= cprov_current_cgroup(),
		.ancestor	= cprov_ancestor,
	};
	char comm[TASK_COMM_LEN];

	/* Renamed just now, it may have half a name: that is no name of a rule. */
	data_race(strscpy(comm, current->group_leader->comm));
	who.comm = comm;
	return cprov_rules_hint(&who, hint);
}

/* What a request of a class takes from the accounts of who submits it. */
static unsigned int cprov_limits_of(u16 class)
{
	unsigned int limits = 0;

	if (class == IO_LOCALITY_CLASS_STEP_CRITICAL)
		limits |= BIT(CPROV_LIMIT_STEP_CRITICAL);
	/* To bind a worker to a CPU costs that CPU no less than to interrupt it. */
	if (class < IO_LOCALITY_NR_CLASSES &&
	    (READ_ONCE(cprov_knobs.steer_classes) |
	     READ_ONCE(cprov_knobs.bind_classes)) & BIT(class))
		limits |= BIT(CPROV_LIMIT_STEERED);
	return READ_ONCE(cprov_knobs.enabled) ? limits : 0;
}

static struct cprov_rates cprov_rates_now(void)
{
	struct cprov_rates rates;
	unsigned int payer, limit;

	for (payer = 0; payer < CPROV_NR_PAYERS; payer++) {
		for (limit = 0; limit < CPROV_NR_LIMITS; limit++)
			rates.per_second[payer][limit] =
				READ_ONCE(cprov_knobs.limits.per_second[payer][limit]);
	}
	return rates;
}

/*
 * Whoever owns a user namespace has its users, and as many as are in it: the owner
 * of the outermost one pays for them all. But root makes them for others, and then it
 * is the namespace's own root; or each user, where that is root as well: a service's
 * that systemd has made, in which they are who they are outside.
 */
static kuid_t cprov_paying_user(void)
{
	struct user_namespace *ns = current_user_ns();
	kuid_t root;

	if (ns == &init_user_ns)
		return current_uid();
	while (ns->parent != &init_user_ns)
		ns = ns->parent;
	if (!uid_eq(ns->owner, GLOBAL_ROOT_UID))
		return ns->owner;
	root = make_kuid(ns, 0);
	if (!uid_valid(root) || uid_eq(root, GLOBAL_ROOT_UID))
		return current_uid();
	return root;
}

static unsigned int cprov_admit_requests(u16 class, unsigned int nr)
{
	const struct cgroup *cgroup = cprov_current_cgroup();
	struct cprov_rates rates = cprov_rates_now();
	const struct cprov_request request = {
		.payers = {
			[CPROV_PAYER_USER]	= __kuid_val(cprov_paying_user()),
			[CPROV_PAYER_CGROUP]	= cprov_cgroup_number(cgroup),
		},
		.limits = cprov_limits_of(class),
		.nr	= nr,
	};
	enum cprov_payer out_of;

	/* The root is everybody: no controller limits it. */
	if (!request.payers[CPROV_PAYER_CGROUP])
		memset(rates.per_second[CPROV_PAYER_CGROUP], 0,
		       sizeof(rates.per_second[CPROV_PAYER_CGROUP]));
	nr = cprov_limits_admit(&request, &rates, ktime_get_ns(), &out_of);
	/* One request is asked for, and the others on stock. */
	if (!nr)
		cprov_count(cprov_over_limit_counter(out_of));
	return nr;
}

/* NULL while steering is switched off, as then each request has to be asked for. */
static unsigned long __percpu *cprov_at_home;

static const struct cprov_ops cprov_policy_ops = {
	.version	= CPROV_OPS_VERSION,
	.size		= sizeof(struct cprov_ops),
	.queue		= cprov_queue,
	.worker		= cprov_worker,
	.complete	= cprov_complete,
	.deferred	= cprov_deferred,
	.window_ns	= cprov_window_ns,
	.at_home	= &cprov_at_home,
	.ring_default	= cprov_default_of_ring,
	.admit		= cprov_admit_requests,
};

static DEFINE_MUTEX(cprov_switch_mutex);

/**
 * cprov_switch - steer, or do not
 * @on: which
 *
 * While it is off the block layer is told, of each request, to treat it as if it
 * had no hint, at home as well.
 *
 * Context: Process context. May sleep.
 */
void cprov_switch(bool on)
{
	/* So that both say the same in the end. */
	mutex_lock(&cprov_switch_mutex);
	/* Each is read by decisions on any CPU. */
	WRITE_ONCE(cprov_knobs.enabled, on);
	WRITE_ONCE(cprov_at_home, on ? cprov_at_home_counters() : NULL);
	mutex_unlock(&cprov_switch_mutex);
}

static int __init cprov_policy_init(void)
{
	int ret;

	cprov_switch(cprov_knobs.enabled);

	ret = cprov_home_init();
	if (ret)
		return ret;

	/* Before the policy, so that there is none without its switch. */
	ret = cprov_sysfs_init();
	if (ret)
		goto err_home;

	ret = cprov_register_ops(&cprov_policy_ops);
	if (ret)
		goto err_sysfs;

	/* Last, as a rule in it keeps the module from being unloaded. */
	ret = cprov_rulefs_init();
	if (ret)
		goto err_ops;
	return 0;

err_ops:
	cprov_unregister_ops(&cprov_policy_ops);
	cprov_limits_exit();
err_sysfs:
	cprov_sysfs_exit();
err_home:
	cprov_home_exit();
	return ret;
}

static void __exit cprov_policy_exit(void)
{
	cprov_rulefs_exit();
	/* When this returns no CPU decides anything any more. */
	cprov_unregister_ops(&cprov_policy_ops);
	cprov_limits_exit();
	cprov_sysfs_exit();
	cprov_home_exit();
}

module_init(cprov_policy_init);
module_exit(cprov_policy_exit);

MODULE_DESCRIPTION("Completion provenance policy");
MODULE_LICENSE("GPL");
