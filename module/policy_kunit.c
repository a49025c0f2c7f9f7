// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules. Each test starts from a request that would be steered from
 * HERE to HOME, and changes what the rule looks at.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/string.h>

#include "idle.h"
#include "policy.h"

#define HERE		2
#define HERE_NODE	0
#define HOME		5
#define HOME_NODE	1
#define ELSEWHERE	7
#define NOW_NS		1000000ULL

struct cprov_case {
	struct completion_provenance	prov;
	struct cprov_env		env;
	struct cprov_situation		sit;
	bool				home_swamped;
};

static struct cprov_case cprov_steered_case(void)
{
	return (struct cprov_case) {
		.prov = {
			.home_cpu	= HOME,
			.home_node	= -1,
			.class		= IO_LOCALITY_CLASS_STEP_CRITICAL,
			.submit_cpu	= ELSEWHERE,
			.expires_ns	= NOW_NS + 1,
		},
		.env = { .cpu = HERE },
		.sit = {
			.config = {
				.enabled	= true,
				.steer_classes	=
					BIT(IO_LOCALITY_CLASS_LATENCY) |
					BIT(IO_LOCALITY_CLASS_STEP_CRITICAL),
				.exact_classes	=
					BIT(IO_LOCALITY_CLASS_LATENCY) |
					BIT(IO_LOCALITY_CLASS_STEP_CRITICAL),
			},
			.node		= HERE_NODE,
			.now_ns		= NOW_NS,
			.home_online	= true,
		},
	};
}

static unsigned int cprov_nr_taken;

static bool cprov_takes(unsigned int cpu, const struct cprov_situation *sit)
{
	cprov_nr_taken++;
	return true;
}

static bool cprov_takes_none(unsigned int cpu, const struct cprov_situation *sit)
{
	return false;
}

static struct cprov_decision cprov_case_cpu(const struct cprov_case *c)
{
	return cprov_choose_cpu(&c->prov, &c->env, &c->sit,
				c->home_swamped ? cprov_takes_none : cprov_takes);
}

static struct cprov_decision cprov_case_queue(const struct cprov_case *c)
{
	return cprov_choose_queue(&c->prov, &c->env, &c->sit);
}

static void cprov_expect(struct kunit *test, int line,
			 struct cprov_decision decision, int cpu,
			 enum cprov_reason reason)
{
	KUNIT_EXPECT_EQ_MSG(test, decision.cpu, cpu, "line %d", line);
	KUNIT_EXPECT_EQ_MSG(test, decision.reason, reason, "line %d", line);
}

#define CPROV_EXPECT(test, decision, cpu, reason) \
	cprov_expect(test, __LINE__, decision, cpu, reason)

/* ---- each rule by itself, in order of precedence ---- */

static void cprov_set_disabled(struct cprov_case *c)
{
	c->sit.config.enabled = false;
}

static void cprov_set_polled(struct cprov_case *c)
{
	c->env.flags |= CPROV_ENV_POLLED;
}

static void cprov_set_same_node(struct cprov_case *c)
{
	c->prov.home_node = HERE_NODE;
}

static void cprov_set_at_home(struct cprov_case *c)
{
	c->prov.home_cpu = HERE;
}

static void cprov_set_threaded_irqs(struct cprov_case *c)
{
	c->env.flags |= CPROV_ENV_THREADED_IRQS;
}

static void cprov_set_rq_affinity(struct cprov_case *c)
{
	c->env.flags |= CPROV_ENV_NO_AFFINITY;
}

static void cprov_set_class(struct cprov_case *c)
{
	c->prov.class = IO_LOCALITY_CLASS_PREFETCH;
}

static void cprov_set_expired(struct cprov_case *c)
{
	c->prov.expires_ns = NOW_NS;
}

static void cprov_set_offline(struct cprov_case *c)
{
	c->sit.home_online = false;
}

static void cprov_set_isolated(struct cprov_case *c)
{
	c->prov.home_node = HOME_NODE;
	c->sit.home_isolated = true;
}

static void cprov_set_shared_cache(struct cprov_case *c)
{
	c->sit.config.exact_classes = 0;
	c->sit.home_shares_llc = true;
}

static void cprov_set_swamped(struct cprov_case *c)
{
	c->home_swamped = true;
}

static void cprov_set_nothing(struct cprov_case *c)
{
}

static const struct cprov_rule {
	const char		*name;
	void			(*set)(struct cprov_case *c);
	struct cprov_decision	want;
} cprov_rules[] = {
	{ "disabled", cprov_set_disabled, { -1, CPROV_DISABLED } },
	{ "polled", cprov_set_polled, { -1, CPROV_POLLED } },
	{ "same_node", cprov_set_same_node, { HERE, CPROV_SAME_NODE } },
	{ "at_home", cprov_set_at_home, { HERE, CPROV_AT_HOME } },
	{ "threaded_irqs", cprov_set_threaded_irqs, { -1, CPROV_THREADED_IRQS } },
	{ "rq_affinity", cprov_set_rq_affinity, { -1, CPROV_RQ_AFFINITY } },
	{ "class", cprov_set_class, { -1, CPROV_CLASS } },
	{ "expired", cprov_set_expired, { -1, CPROV_EXPIRED } },
	{ "offline", cprov_set_offline, { -1, CPROV_OFFLINE } },
	{ "isolated", cprov_set_isolated, { -1, CPROV_ISOLATED } },
	{ "shared_cache", cprov_set_shared_cache, { HERE, CPROV_SHARED_CACHE } },
	{ "swamped", cprov_set_swamped, { -1, CPROV_SWAMPED } },
	{ "nothing", cprov_set_nothing, { HOME, CPROV_STEERED } },
};

KUNIT_ARRAY_PARAM_DESC(cprov_rules, cprov_rules, name);

/*
 * A queue costs no IPI, so neither sharing the cache nor how many IPIs home gets
 * keeps it from there.
 */
static struct cprov_decision cprov_want_queue(const struct cprov_rule *rule)
{
	if (rule->want.reason == CPROV_SHARED_CACHE ||
	    rule->want.reason == CPROV_SWAMPED)
		return (struct cprov_decision){ HOME, CPROV_STEERED };
	return rule->want;
}

static void cprov_expect_rule(struct kunit *test, const struct cprov_rule *rule,
			      const struct cprov_case *c, unsigned int set)
{
	struct cprov_decision want = rule->want;
	struct cprov_decision got;

	cprov_nr_taken = 0;
	got = cprov_case_cpu(c);
	/* Home pays for what it is sent, and for nothing else. */
	KUNIT_ASSERT_EQ_MSG(test, cprov_nr_taken,
			    want.reason == CPROV_STEERED, "set %#x", set);
	KUNIT_ASSERT_EQ_MSG(test, got.reason, want.reason, "set %#x", set);
	KUNIT_ASSERT_EQ_MSG(test, got.cpu, want.cpu, "set %#x", set);

	got = cprov_case_queue(c);
	want = cprov_want_queue(rule);
	KUNIT_ASSERT_EQ_MSG(test, got.reason, want.reason, "set %#x", set);
	KUNIT_ASSERT_EQ_MSG(test, got.cpu, want.cpu, "set %#x", set);
}

static void cprov_test_rule(struct kunit *test)
{
	const struct cprov_rule *rule = test->param_value;
	struct cprov_case c = cprov_steered_case();

	rule->set(&c);
	cprov_expect_rule(test, rule, &c, 0);
}

/* Whatever else holds besides, the first rule that applies decides. */
static void cprov_test_precedence(struct kunit *test)
{
	const unsigned int last = ARRAY_SIZE(cprov_rules) - 1;
	unsigned int set, i;

	for (set = 0; set < BIT(last); set++) {
		unsigned int first = set ? __ffs(set) : last;
		struct cprov_case c = cprov_steered_case();

		/* Where two set the same field, the earlier has its way. */
		for (i = last; i-- > 0;) {
			if (set & BIT(i))
				cprov_rules[i].set(&c);
		}
		cprov_expect_rule(test, &cprov_rules[first], &c, set);
	}
}

/* A decision that is settled early is the one that all facts would give. */
static void cprov_test_choose_here(struct kunit *test)
{
	bool early = true;
	unsigned int i, facts;

	for (i = 0; i < ARRAY_SIZE(cprov_rules); i++) {
		const struct cprov_rule *rule = &cprov_rules[i];
		struct cprov_case c = cprov_steered_case();
		struct cprov_decision here;

		/* From here on it takes the clock or a look at home. */
		if (rule->want.reason == CPROV_EXPIRED)
			early = false;

		rule->set(&c);
		here = cprov_choose_here(&c.prov, &c.env, &c.sit,
					 c.prov.home_cpu);
		KUNIT_EXPECT_EQ_MSG(test, early, here.reason != CPROV_STEERED,
				    "%s", rule->name);
		if (early) {
			KUNIT_EXPECT_EQ_MSG(test, rule->want.reason,
					    here.reason, "%s", rule->name);
			KUNIT_EXPECT_EQ_MSG(test, rule->want.cpu, here.cpu,
					    "%s", rule->name);
		}

		for (facts = 0; early && facts < BIT(4); facts++) {
			c.sit.now_ns = facts & BIT(0) ? NOW_NS : U64_MAX;
			c.sit.home_online = facts & BIT(1);
			c.sit.home_isolated = facts & BIT(2);
			c.sit.home_shares_llc = facts & BIT(3);
			cprov_expect_rule(test, rule, &c, facts);
		}
	}
}

/* ---- edges ---- */

static void cprov_test_window(struct kunit *test)
{
	struct cprov_case c = cprov_steered_case();

	KUNIT_EXPECT_TRUE(test, cprov_within_window(NOW_NS, NOW_NS - 1));
	KUNIT_EXPECT_FALSE(test, cprov_within_window(NOW_NS, NOW_NS));
	KUNIT_EXPECT_FALSE(test, cprov_within_window(NOW_NS, NOW_NS + 1));
	KUNIT_EXPECT_TRUE(test, cprov_within_window(1, 0));
	KUNIT_EXPECT_TRUE(test, cprov_within_window(U64_MAX, U64_MAX - 1));
	KUNIT_EXPECT_FALSE(test, cprov_within_window(U64_MAX, U64_MAX));

	/* Never set: over, even at the dawn of time. */
	KUNIT_EXPECT_FALSE(test, cprov_within_window(0, 0));
	KUNIT_EXPECT_FALSE(test, cprov_within_window(0, NOW_NS));

	c.prov.expires_ns = 0;
	CPROV_EXPECT(test, cprov_case_cpu(&c), -1, CPROV_EXPIRED);
	CPROV_EXPECT(test, cprov_case_queue(&c), -1, CPROV_EXPIRED);
}

static void cprov_test_node(struct kunit *test)
{
	struct cprov_case c = cprov_steered_case();

	/* Another node: to the CPU that stands for it. */
	c.prov.home_node = HOME_NODE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);
	CPROV_EXPECT(test, cprov_case_queue(&c), HOME, CPROV_STEERED);

	/* This node, on the very CPU: any CPU would have done. */
	c.prov.home_node = HERE_NODE;
	c.prov.home_cpu = HERE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HERE, CPROV_SAME_NODE);
	CPROV_EXPECT(test, cprov_case_queue(&c), HERE, CPROV_SAME_NODE);

	/* The CPU that stands for this node is offline: this one is not. */
	c.prov.home_cpu = HOME;
	c.sit.home_online = false;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HERE, CPROV_SAME_NODE);

	/* A CPU by name: its node does not count. */
	c = cprov_steered_case();
	c.sit.node = HOME_NODE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);

	/* Neither has a node, which makes them no neighbours. */
	c.sit.node = -1;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);
}

static void cprov_test_isolated(struct kunit *test)
{
	struct cprov_case c = cprov_steered_case();

	/* Named by whoever may name it. */
	c.sit.home_isolated = true;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);
	CPROV_EXPECT(test, cprov_case_queue(&c), HOME, CPROV_STEERED);

	c.prov.home_node = HOME_NODE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), -1, CPROV_ISOLATED);
	CPROV_EXPECT(test, cprov_case_queue(&c), -1, CPROV_ISOLATED);
}

static void cprov_test_shared_cache(struct kunit *test)
{
	struct cprov_case c = cprov_steered_case();
	unsigned int class;

	c.sit.home_shares_llc = true;
	c.sit.config.steer_classes = BIT(IO_LOCALITY_NR_CLASSES) - 1;

	for (class = 0; class < IO_LOCALITY_NR_CLASSES; class++) {
		c.prov.class = class;
		c.sit.config.exact_classes = BIT(class);
		CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);
		c.sit.config.exact_classes = ~BIT(class);
		CPROV_EXPECT(test, cprov_case_cpu(&c), HERE,
			     CPROV_SHARED_CACHE);
		CPROV_EXPECT(test, cprov_case_queue(&c), HOME, CPROV_STEERED);
		/* The administrator wants the very CPU. */
		c.env.flags = CPROV_ENV_FORCE_AFFINITY;
		CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);
		c.env.flags = 0;
	}

	c.sit.home_shares_llc = false;
	c.prov.class = IO_LOCALITY_CLASS_LATENCY;
	c.sit.config.exact_classes = 0;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HOME, CPROV_STEERED);
}

static void cprov_test_classes(struct kunit *test)
{
	struct cprov_case c = cprov_steered_case();
	unsigned int mask, class;

	/* Classes that do not exist are not steered, whatever the mask. */
	for (mask = 0; mask < BIT(IO_LOCALITY_NR_CLASSES); mask++) {
		c.sit.config.steer_classes = mask;
		for (class = 0; class < 2 * IO_LOCALITY_NR_CLASSES; class++) {
			enum cprov_reason want = mask & BIT(class) ?
						 CPROV_STEERED : CPROV_CLASS;

			c.prov.class = class;
			KUNIT_EXPECT_EQ(test, cprov_case_cpu(&c).reason, want);
			KUNIT_EXPECT_EQ(test, cprov_case_queue(&c).reason,
					want);
		}
	}

	c.sit.config.steer_classes = ~0U;
	c.prov.class = IO_LOCALITY_NR_CLASSES;
	CPROV_EXPECT(test, cprov_case_cpu(&c), -1, CPROV_CLASS);
	c.prov.class = U16_MAX;
	CPROV_EXPECT(test, cprov_case_cpu(&c), -1, CPROV_CLASS);
}

static void cprov_test_no_home(struct kunit *test)
{
	struct cprov_case c = cprov_steered_case();

	/* Neither CPU nor node: home is where it was submitted. */
	c.prov.home_cpu = -1;
	CPROV_EXPECT(test, cprov_case_cpu(&c), ELSEWHERE, CPROV_STEERED);
	CPROV_EXPECT(test, cprov_case_queue(&c), HERE, CPROV_AT_HOME);
	/* Nobody sleeps there: near it will do, unless that is asked of all. */
	c.sit.home_shares_llc = true;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HERE, CPROV_SHARED_CACHE);
	c.env.flags = CPROV_ENV_FORCE_AFFINITY;
	CPROV_EXPECT(test, cprov_case_cpu(&c), ELSEWHERE, CPROV_STEERED);
	c.prov.submit_cpu = HERE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HERE, CPROV_AT_HOME);

	/* Nor is that known: nowhere to go, whatever the facts say. */
	c.prov.submit_cpu = -1;
	CPROV_EXPECT(test, cprov_case_cpu(&c), -1, CPROV_OFFLINE);
	KUNIT_EXPECT_EQ(test, cprov_home_cpu(&c.prov, -1), -1);

	/* A node without a CPU is home only to its own. */
	c.prov.home_node = HOME_NODE;
	c.prov.submit_cpu = ELSEWHERE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), -1, CPROV_OFFLINE);
	CPROV_EXPECT(test, cprov_case_queue(&c), -1, CPROV_OFFLINE);
	KUNIT_EXPECT_EQ(test, cprov_home_cpu(&c.prov, ELSEWHERE), -1);
	c.prov.home_node = HERE_NODE;
	CPROV_EXPECT(test, cprov_case_cpu(&c), HERE, CPROV_SAME_NODE);
}

/* ---- workers ---- */

static const struct cprov_decision cprov_bound_home = { HERE, CPROV_AT_HOME };

static unsigned int cprov_nr_asked;

static bool cprov_may(unsigned int cpu, const struct cprov_env *env)
{
	cprov_nr_asked++;
	return true;
}

static bool cprov_may_not(unsigned int cpu, const struct cprov_env *env)
{
	cprov_nr_asked++;
	return false;
}

static void cprov_expect_worker(struct kunit *test, int line,
				const struct cprov_case *c,
				struct cprov_decision home, bool worth)
{
	const bool one_cpu = home.reason == CPROV_STEERED ||
			     home.reason == CPROV_AT_HOME;
	const enum cprov_reason near = one_cpu ? CPROV_SHARED_CACHE :
						 home.reason;

	cprov_nr_asked = 0;
	cprov_expect(test, line,
		     cprov_choose_worker(&c->prov, &c->env, &c->sit, home,
					 cprov_may),
		     home.cpu, worth ? home.reason : near);
	cprov_expect(test, line,
		     cprov_choose_worker(&c->prov, &c->env, &c->sit, home,
					 cprov_may_not),
		     home.cpu, near);
	KUNIT_EXPECT_EQ_MSG(test, cprov_nr_asked, one_cpu && worth ? 2 : 0,
			    "line %d", line);
}

static struct cprov_case cprov_bound_case(void)
{
	struct cprov_case c = cprov_steered_case();

	c.env.flags |= CPROV_ENV_MAY_BIND;
	c.sit.config.bind_classes = BIT(c.prov.class);
	return c;
}

/* Only a CPU that is home itself, of a consumer that waits, is asked about. */
static void cprov_test_worker(struct kunit *test)
{
	struct cprov_case c = cprov_bound_case();
	unsigned int mask, class, i;

	for (i = 0; i < ARRAY_SIZE(cprov_rules); i++)
		cprov_expect_worker(test, __LINE__, &c, cprov_rules[i].want,
				    true);

	for (mask = 0; mask < BIT(IO_LOCALITY_NR_CLASSES); mask++) {
		c.sit.config.bind_classes = mask;
		for (class = 0; class < 2 * IO_LOCALITY_NR_CLASSES; class++) {
			c.prov.class = class;
			cprov_expect_worker(test, __LINE__, &c, cprov_bound_home,
					    class < IO_LOCALITY_NR_CLASSES &&
					    mask & BIT(class));
		}
	}
}

/* To be at home already outweighs none of these, as it does for a completion. */
static void cprov_test_worker_not_worth_it(struct kunit *test)
{
	struct cprov_case c = cprov_bound_case();

	cprov_expect_worker(test, __LINE__, &c, cprov_bound_home, true);
	c.prov.expires_ns = NOW_NS;
	cprov_expect_worker(test, __LINE__, &c, cprov_bound_home, false);

	c = cprov_bound_case();
	c.env.flags |= CPROV_ENV_NO_AFFINITY;
	cprov_expect_worker(test, __LINE__, &c, cprov_bound_home, false);

	/* The driver has no workers that are bound. */
	c = cprov_bound_case();
	c.env.flags &= ~CPROV_ENV_MAY_BIND;
	cprov_expect_worker(test, __LINE__, &c, cprov_bound_home, false);

	/* Home is only where it was submitted. */
	c = cprov_bound_case();
	c.prov.home_cpu = -1;
	cprov_expect_worker(test, __LINE__, &c, cprov_bound_home, false);
}

/* So many each time that the CPU was idle, and none kept from before. */
static void cprov_test_idle(struct kunit *test)
{
	struct cprov_idle idle = {};
	unsigned int i;

	KUNIT_EXPECT_FALSE(test, cprov_idle_take_at(&idle, 0));
	for (i = 0; i < 3 * CPROV_WORKERS_PER_IDLE; i++)
		KUNIT_EXPECT_EQ_MSG(test, cprov_idle_take_at(&idle, 7),
				    i < CPROV_WORKERS_PER_IDLE, "the %uth", i);
	for (i = 0; i < 2 * CPROV_WORKERS_PER_IDLE; i++)
		KUNIT_EXPECT_TRUE(test, cprov_idle_take_at(&idle, 8 + i));
	for (i = 1; i < CPROV_WORKERS_PER_IDLE; i++)
		KUNIT_EXPECT_TRUE(test,
				  cprov_idle_take_at(&idle,
						     2 * CPROV_WORKERS_PER_IDLE + 7));
	KUNIT_EXPECT_FALSE(test,
			   cprov_idle_take_at(&idle,
					      2 * CPROV_WORKERS_PER_IDLE + 7));
	/* The sum may be of two that were not read at once, and go back. */
	KUNIT_EXPECT_TRUE(test, cprov_idle_take_at(&idle, 3));
}

/* A decline names no CPU and anything else does, as the block layer expects. */
static void cprov_test_declines(struct kunit *test)
{
	unsigned long seen = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cprov_rules); i++) {
		struct cprov_decision want = cprov_rules[i].want;

		KUNIT_EXPECT_EQ_MSG(test, want.cpu < 0,
				    cprov_reason_declines(want.reason),
				    "%s", cprov_rules[i].name);
		seen |= BIT(want.reason);
	}
	/* No reason is without a rule. */
	KUNIT_EXPECT_EQ(test, seen, BIT(CPROV_NR_REASONS) - 1);
}

static struct kunit_case cprov_policy_cases[] = {
	KUNIT_CASE_PARAM(cprov_test_rule, cprov_rules_gen_params),
	KUNIT_CASE(cprov_test_precedence),
	KUNIT_CASE(cprov_test_choose_here),
	KUNIT_CASE(cprov_test_window),
	KUNIT_CASE(cprov_test_node),
	KUNIT_CASE(cprov_test_isolated),
	KUNIT_CASE(cprov_test_shared_cache),
	KUNIT_CASE(cprov_test_classes),
	KUNIT_CASE(cprov_test_no_home),
	KUNIT_CASE(cprov_test_worker),
	KUNIT_CASE(cprov_test_worker_not_worth_it),
	KUNIT_CASE(cprov_test_idle),
	KUNIT_CASE(cprov_test_declines),
	{}
};

static struct kunit_suite cprov_policy_suite = {
	.name		= "cprov-policy",
	.test_cases	= cprov_policy_cases,
};

kunit_test_suite(cprov_policy_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_DESCRIPTION("KUnit tests of the completion provenance policy");
MODULE_LICENSE("GPL");
