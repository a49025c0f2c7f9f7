// SPDX-License-Identifier: GPL-2.0-only
/*
 * The token and the stamp, in which provenance travels.
 */
#include <kunit/test.h>
#include <linux/completion_provenance.h>
#include <linux/limits.h>
#include <linux/numa.h>
#include <linux/preempt.h>
#include <linux/smp.h>
#include <linux/time64.h>

/* ---- the budget ---- */

static void cprov_test_budget_small(struct kunit *test)
{
	u32 us;

	/* A four-bit mantissa, its first bit implied, holds these exactly. */
	for (us = 0; us <= 16; us++)
		KUNIT_EXPECT_EQ(test, cprov_budget_decode(cprov_budget_encode(us)),
				us);
	/* Only no budget is no budget. */
	KUNIT_EXPECT_EQ(test, cprov_budget_encode(0), 0);
	KUNIT_EXPECT_NE(test, cprov_budget_encode(1), 0);
}

static void cprov_expect_budget(struct kunit *test, u32 us)
{
	u64 kept = cprov_budget_decode(cprov_budget_encode(us));

	KUNIT_EXPECT_GE_MSG(test, kept, us, "budget %u", us);
	KUNIT_EXPECT_LE_MSG(test, kept, (u64)us + us / 8, "budget %u", us);
}

static void cprov_test_budget_error(struct kunit *test)
{
	unsigned int shift;
	u32 us;

	for (us = 0; us < 100000; us++)
		cprov_expect_budget(test, us);

	/* On both sides of each power of two, and of where it rounds. */
	for (shift = 4; shift < 32; shift++) {
		cprov_expect_budget(test, BIT(shift) - 1);
		cprov_expect_budget(test, BIT(shift));
		cprov_expect_budget(test, BIT(shift) + 1);
		cprov_expect_budget(test, BIT(shift) + BIT(shift - 3) - 1);
		cprov_expect_budget(test, BIT(shift) + BIT(shift - 3));
		cprov_expect_budget(test, BIT(shift) + BIT(shift - 3) + 1);
	}
	cprov_expect_budget(test, UINT_MAX - 1);
	cprov_expect_budget(test, UINT_MAX);
}

static void cprov_test_budget_monotonic(struct kunit *test)
{
	const unsigned int last = cprov_budget_encode(UINT_MAX);
	unsigned int code;
	u32 us;

	for (us = 1; us < 100000; us++)
		KUNIT_ASSERT_GE(test, cprov_budget_encode(us),
				cprov_budget_encode(us - 1));

	/* Each code up to the last stands for more, and for itself. */
	for (code = 1; code <= last; code++) {
		u64 value = cprov_budget_decode(code);

		KUNIT_ASSERT_GT(test, value, cprov_budget_decode(code - 1));
		if (value <= UINT_MAX)
			KUNIT_ASSERT_EQ(test, cprov_budget_encode(value), code);
	}
	KUNIT_EXPECT_EQ(test, cprov_budget_decode(last), BIT_ULL(32));
}

static void cprov_test_budget_ns(struct kunit *test)
{
	struct io_locality_hint hint = { .budget_us = 1 };

	KUNIT_EXPECT_EQ(test, cprov_token_budget_ns(cprov_token_pack(&hint)),
			1000);
	/* More than 32 bits of nanoseconds. */
	hint.budget_us = BIT(30);
	KUNIT_EXPECT_EQ(test, cprov_token_budget_ns(cprov_token_pack(&hint)),
			BIT_ULL(30) * 1000);
	hint.budget_us = 0;
	KUNIT_EXPECT_EQ(test, cprov_token_budget_ns(cprov_token_pack(&hint)),
			0);
}

/* ---- pack and unpack ---- */

static const struct cprov_token_case {
	const char		*name;
	struct io_locality_hint	hint;
	unsigned int		cpu;
} cprov_tokens[] = {
	{ "nothing", { }, 0 },
	{ "flow", { .flow_id = U32_MAX }, 0 },
	{ "class", { .io_class = IO_LOCALITY_NR_CLASSES - 1 }, 0 },
	{ "flags", { .flags = IO_LOCALITY_FLAGS_ALL }, 0 },
	{ "budget", { .budget_us = UINT_MAX }, 0 },
	{ "cpu", { }, S16_MAX - 1 },
	{ "everything", { .flow_id = U32_MAX,
			  .io_class = IO_LOCALITY_NR_CLASSES - 1,
			  .flags = IO_LOCALITY_FLAGS_ALL,
			  .budget_us = UINT_MAX }, S16_MAX - 1 },
	{ "home ignored", { .flow_id = 7, .home_cpu = 3, .home_node = 1,
			    .io_class = IO_LOCALITY_CLASS_LATENCY,
			    .flags = IO_LOCALITY_BOUNDED_BATCH,
			    .budget_us = 100 }, 1 },
};

KUNIT_ARRAY_PARAM_DESC(cprov_tokens, cprov_tokens, name);

static void cprov_test_token_round_trip(struct kunit *test)
{
	const struct cprov_token_case *c = test->param_value;
	u64 token = cprov_token_at(cprov_token_pack(&c->hint), c->cpu, false);
	struct completion_provenance prov;

	KUNIT_EXPECT_NE(test, token, 0);
	KUNIT_EXPECT_TRUE(test, cprov_token_is_at(token, 0, c->cpu));
	KUNIT_EXPECT_FALSE(test, cprov_token_is_at(token, 0, c->cpu + 1));
	KUNIT_EXPECT_FALSE(test, cprov_token_is_at(token, 0, c->cpu ^ 1));
	token |= CPROV_TOKEN_RECEIPT;
	KUNIT_EXPECT_TRUE(test, cprov_token_is_at(token, 0, c->cpu));
	KUNIT_EXPECT_FALSE(test, cprov_token_is_at(token, CPROV_TOKEN_RECEIPT, c->cpu));
	KUNIT_EXPECT_EQ(test, cprov_token_class(token), c->hint.io_class);
	KUNIT_EXPECT_EQ(test, cprov_token_budget_ns(token),
			cprov_budget_decode(cprov_budget_encode(c->hint.budget_us)) *
			NSEC_PER_USEC);

	memset(&prov, 0xff, sizeof(prov));
	cprov_token_unpack(token, &prov);
	KUNIT_EXPECT_EQ(test, prov.flow_id, c->hint.flow_id);
	KUNIT_EXPECT_EQ(test, prov.home_cpu, c->cpu);
	KUNIT_EXPECT_EQ(test, prov.home_node, NUMA_NO_NODE);
	KUNIT_EXPECT_EQ(test, prov.class, c->hint.io_class);
	/* The target is a CPU: whom to follow is not in the hint. */
	KUNIT_EXPECT_EQ(test, prov.flags,
			c->hint.flags & ~IO_LOCALITY_FOLLOW_TASK);
	KUNIT_EXPECT_EQ(test, prov.submit_cpu, -1);
	KUNIT_EXPECT_EQ(test, prov.__reserved, 0);
	KUNIT_EXPECT_EQ(test, prov.expires_ns, 0);
}

static void cprov_test_token_node(struct kunit *test)
{
	const struct io_locality_hint hint = { };
	struct completion_provenance prov;

	/* The node is looked up, so this takes a CPU that there is. */
	cprov_token_unpack(cprov_token_at(cprov_token_pack(&hint), 0, true), &prov);
	KUNIT_EXPECT_EQ(test, prov.home_cpu, 0);
	KUNIT_EXPECT_EQ(test, prov.home_node, cpu_to_node(0));

	/* That one CPU is no decision yet. */
	KUNIT_EXPECT_FALSE(test,
			   cprov_token_is_at(cprov_token_at(cprov_token_pack(&hint),
							    0, true), 0, 0));

	/* It tells requests apart. */
	KUNIT_EXPECT_NE(test, cprov_token_at(cprov_token_pack(&hint), 0, true),
			cprov_token_at(cprov_token_pack(&hint), 0, false));
}

static void cprov_test_token_follow(struct kunit *test)
{
	const struct io_locality_hint hint = {
		.flow_id = U32_MAX,
		.io_class = IO_LOCALITY_CLASS_STEP_CRITICAL,
		.flags = IO_LOCALITY_BOUNDED_BATCH,
		.budget_us = UINT_MAX,
	};
	const unsigned int ids[] = { 1, 2, CPROV_MAX_FOLLOWED };
	const u64 plain = cprov_token_at(cprov_token_pack(&hint), 0, false);
	struct completion_provenance prov;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		u64 token = cprov_token_follow(cprov_token_pack(&hint), ids[i]);

		KUNIT_EXPECT_EQ(test, FIELD_GET(CPROV_TOKEN_TARGET, token),
				ids[i]);
		/* Nothing else differs from a token that names a CPU. */
		KUNIT_EXPECT_EQ(test, token & ~CPROV_TOKEN_TARGET,
				(plain & ~CPROV_TOKEN_TARGET) |
				CPROV_TOKEN_FOLLOW);
		/* A task is not taken for a CPU. */
		KUNIT_EXPECT_FALSE(test, cprov_token_is_at(token, 0, ids[i] - 1));
		cprov_token_unpack(token, &prov);
		KUNIT_EXPECT_EQ(test, prov.home_cpu, -1);
		KUNIT_EXPECT_EQ(test, prov.home_node, -1);
		KUNIT_EXPECT_EQ(test, prov.flags,
				hint.flags | IO_LOCALITY_FOLLOW_TASK);
	}
}

/* What a task holds that waits for what it submits; any other is kept as it is. */
static void cprov_test_token_settle(struct kunit *test)
{
	const u64 packed[] = { 0, CPROV_TOKEN_FLOW };
	const u64 follow = cprov_token_follow(0, 1);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(packed); i++) {
		const u64 token = cprov_token_submitter(packed[i]);
		const u64 node = cprov_token_at(packed[i], 0, true);

		KUNIT_EXPECT_NE(test, token, 0);
		/* On this CPU all the while. */
		preempt_disable();
		KUNIT_EXPECT_EQ(test, cprov_token_settle(token),
				cprov_token_at(packed[i], smp_processor_id(),
					       false));
		preempt_enable();
		KUNIT_EXPECT_EQ(test, cprov_token_settle(node), node);
	}
	KUNIT_EXPECT_EQ(test, cprov_token_settle(follow), follow);
}

/* What a worker holds for an SQ thread: nobody's home, wherever it is submitted. */
static void cprov_test_token_without_home(struct kunit *test)
{
	const struct io_locality_hint hint = {
		.io_class = IO_LOCALITY_CLASS_LATENCY,
	};
	const u64 token = cprov_token_pack(&hint) | CPROV_TOKEN_RELAY;
	struct completion_provenance prov;

	KUNIT_EXPECT_EQ(test, cprov_token_settle(token), token);
	KUNIT_EXPECT_FALSE(test, cprov_token_is_at(token, 0, 0));
	cprov_token_unpack(token, &prov);
	KUNIT_EXPECT_EQ(test, prov.home_cpu, -1);
	KUNIT_EXPECT_EQ(test, prov.home_node, -1);
	KUNIT_EXPECT_EQ(test, prov.class, hint.io_class);
}

/* ---- the stamp, which a request adds ---- */

static void cprov_test_stamp(struct kunit *test)
{
	static const u64 start_ns[] = {
		0, 1, 1023, 1024, 1025, NSEC_PER_SEC,
		/* Eight years of uptime. */
		8ULL * 365 * 24 * 3600 * NSEC_PER_SEC,
	};
	static const int cpus[] = { 0, 1, S16_MAX };
	static const u64 window_ns[] = { 1, 1023, 2 * NSEC_PER_SEC };
	struct completion_provenance prov = { .flow_id = 7, .home_cpu = 3 };
	unsigned int i, cpu, window;

	for (i = 0; i < ARRAY_SIZE(start_ns); i++) {
		for (cpu = 0; cpu < ARRAY_SIZE(cpus); cpu++) {
			u64 stamp = cprov_stamp_pack(start_ns[i], cpus[cpu]);

			for (window = 0; window < ARRAY_SIZE(window_ns); window++) {
				u64 ends = start_ns[i] + window_ns[window];

				cprov_stamp_unpack(stamp, window_ns[window], &prov);
				KUNIT_EXPECT_EQ(test, prov.submit_cpu, cpus[cpu]);
				/* Never cut short. */
				KUNIT_EXPECT_GE(test, prov.expires_ns, ends);
				KUNIT_EXPECT_LT(test, prov.expires_ns - ends,
						BIT_ULL(CPROV_STAMP_SHIFT));
			}
			/* Whenever it began: no window is none. */
			cprov_stamp_unpack(stamp, 0, &prov);
			KUNIT_EXPECT_EQ(test, prov.expires_ns, 0);
			KUNIT_EXPECT_EQ(test, prov.submit_cpu, cpus[cpu]);
		}
	}
	/* The token said the rest. */
	KUNIT_EXPECT_EQ(test, prov.flow_id, 7);
	KUNIT_EXPECT_EQ(test, prov.home_cpu, 3);
}

static void cprov_test_stamp_done(struct kunit *test)
{
	/* Around where the time in the stamp wraps, and years later. */
	const u64 wrap = FIELD_MAX(CPROV_STAMP_TIME) + 1;
	const u64 done_ns[] = { 0, 1, wrap - 1, wrap, 50000 * wrap - 7 };
	const u64 later_ns[] = { 0, 1, NSEC_PER_SEC, 3600ULL * NSEC_PER_SEC };
	const u64 open = cprov_stamp_pack(12345678, S16_MAX);
	struct completion_provenance prov;
	unsigned int i, j;

	KUNIT_EXPECT_FALSE(test, open & CPROV_STAMP_DONE);
	for (i = 0; i < ARRAY_SIZE(done_ns); i++) {
		u64 stamp = cprov_stamp_done(open, done_ns[i],
					     IO_LOCALITY_REASON_SWAMPED);

		for (j = 0; j < ARRAY_SIZE(later_ns); j++)
			KUNIT_EXPECT_EQ(test, done_ns[i],
					cprov_stamp_done_ns(stamp, done_ns[i] +
							    later_ns[j]));
		KUNIT_EXPECT_EQ(test, FIELD_GET(CPROV_STAMP_REASON, stamp),
				IO_LOCALITY_REASON_SWAMPED);
		/* What is done has no window, but is from where it was. */
		cprov_stamp_unpack(stamp, NSEC_PER_SEC, &prov);
		KUNIT_EXPECT_EQ(test, prov.expires_ns, 0);
		KUNIT_EXPECT_EQ(test, prov.submit_cpu, S16_MAX);
		/* Done twice is done. */
		KUNIT_EXPECT_EQ(test, stamp,
				cprov_stamp_done(stamp, done_ns[i],
						 IO_LOCALITY_REASON_SWAMPED));
	}
}

/* ---- both ---- */

static void cprov_test_layout(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct io_locality_hint), 16);
	KUNIT_EXPECT_EQ(test, sizeof(struct io_locality_slot), 64);
	KUNIT_EXPECT_EQ(test, sizeof(struct completion_provenance), 24);

	/* Every bit of the token belongs to one field. */
	KUNIT_EXPECT_EQ(test, CPROV_TOKEN_FLOW ^ CPROV_TOKEN_TARGET ^
			CPROV_TOKEN_NODE ^ CPROV_TOKEN_CLASS ^
			CPROV_TOKEN_FLAGS ^ CPROV_TOKEN_RELAY ^
			CPROV_TOKEN_RECEIPT ^ CPROV_TOKEN_BUDGET, U64_MAX);
	/* What may be asked for fits. */
	KUNIT_EXPECT_LE(test, IO_LOCALITY_FLAGS_ALL,
			FIELD_MAX(CPROV_TOKEN_FLAGS));
	KUNIT_EXPECT_LE(test, IO_LOCALITY_NR_CLASSES - 1,
			FIELD_MAX(CPROV_TOKEN_CLASS));
	KUNIT_EXPECT_EQ(test, CPROV_STAMP_START ^ CPROV_STAMP_DONE ^
			CPROV_STAMP_SUBMIT_CPU, U64_MAX);
	KUNIT_EXPECT_EQ(test, CPROV_STAMP_TIME ^ CPROV_STAMP_REASON ^
			CPROV_STAMP_DONE ^ CPROV_STAMP_SUBMIT_CPU, U64_MAX);
	KUNIT_EXPECT_LE(test, CONFIG_NR_CPUS, FIELD_MAX(CPROV_TOKEN_TARGET));
}

static struct kunit_case cprov_token_cases[] = {
	KUNIT_CASE(cprov_test_budget_small),
	KUNIT_CASE(cprov_test_budget_error),
	KUNIT_CASE(cprov_test_budget_monotonic),
	KUNIT_CASE(cprov_test_budget_ns),
	KUNIT_CASE_PARAM(cprov_test_token_round_trip, cprov_tokens_gen_params),
	KUNIT_CASE(cprov_test_token_node),
	KUNIT_CASE(cprov_test_token_follow),
	KUNIT_CASE(cprov_test_token_settle),
	KUNIT_CASE(cprov_test_token_without_home),
	KUNIT_CASE(cprov_test_stamp),
	KUNIT_CASE(cprov_test_stamp_done),
	KUNIT_CASE(cprov_test_layout),
	{}
};

static struct kunit_suite cprov_token_suite = {
	.name		= "cprov-token",
	.test_cases	= cprov_token_cases,
};

kunit_test_suite(cprov_token_suite);
