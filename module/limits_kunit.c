// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the limits: what a rate comes to, and who pays.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/limits.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/time64.h>

#include "home.h"
#include "limits.h"

static const u64 cprov_epoch_ns = 1000 * NSEC_PER_SEC;

/* For one second, asking for @nr each @step_ns, from an account saved up. */
static u64 cprov_admitted(unsigned int per_second, unsigned int nr, u64 step_ns)
{
	u64 paid_until_ns = 0, sum = 0, now_ns;

	for (now_ns = cprov_epoch_ns; now_ns < cprov_epoch_ns + NSEC_PER_SEC;
	     now_ns += step_ns)
		sum += cprov_account_take(&paid_until_ns, per_second, nr,
					  now_ns);
	return sum;
}

static const unsigned int cprov_rates_tried[] = {
	1, 2, 9, 10, 11, 1000, 99999, 100000, 12345678,
};

static void cprov_test_rate(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cprov_rates_tried); i++) {
		u64 rate = cprov_rates_tried[i];
		u64 sum = cprov_admitted(rate, UINT_MAX, NSEC_PER_MSEC);

		/* All of it, and what was saved, however that is rounded. */
		KUNIT_EXPECT_GE(test, sum, rate);
		KUNIT_EXPECT_LE(test, sum, rate + rate / 10 + rate / 90 + 1);
		/* Small portions come to no more. */
		KUNIT_EXPECT_LE(test, cprov_admitted(rate, 1, NSEC_PER_MSEC / 10),
				sum);
	}
}

static void cprov_test_burst(struct kunit *test)
{
	u64 paid_until_ns = cprov_epoch_ns - 3600 * NSEC_PER_SEC;

	/* A tenth of a second is saved, not an hour. */
	KUNIT_EXPECT_EQ(test, 100,
			cprov_account_take(&paid_until_ns, 1000, 5000,
					   cprov_epoch_ns));
	KUNIT_EXPECT_EQ(test, 0,
			cprov_account_take(&paid_until_ns, 1000, 5000,
					   cprov_epoch_ns));
	KUNIT_EXPECT_EQ(test, 7,
			cprov_account_take(&paid_until_ns, 1000, 5000,
					   cprov_epoch_ns + 7 * NSEC_PER_MSEC));
	/* No more than is asked for is paid. */
	paid_until_ns = 0;
	KUNIT_EXPECT_EQ(test, 3,
			cprov_account_take(&paid_until_ns, 1000, 3,
					   cprov_epoch_ns));
	KUNIT_EXPECT_EQ(test, 97,
			cprov_account_take(&paid_until_ns, 1000, 5000,
					   cprov_epoch_ns));
}

static void cprov_test_no_limit(struct kunit *test)
{
	u64 paid_until_ns = U64_MAX;

	KUNIT_EXPECT_EQ(test, UINT_MAX,
			cprov_account_take(&paid_until_ns, 0, UINT_MAX, 0));
	KUNIT_EXPECT_EQ(test, paid_until_ns, U64_MAX);
}

/* The clocks of CPUs differ by a little. */
static void cprov_test_earlier(struct kunit *test)
{
	u64 paid_until_ns = cprov_epoch_ns;

	KUNIT_EXPECT_EQ(test, 0,
			cprov_account_take(&paid_until_ns, 1000, 1,
					   cprov_epoch_ns - 1));
	KUNIT_EXPECT_EQ(test, paid_until_ns, cprov_epoch_ns);
}

static unsigned int cprov_admit_to(u64 user, u64 cgroup, unsigned int limits,
				   unsigned int nr,
				   const struct cprov_rates *rates, u64 now_ns,
				   enum cprov_payer *out_of)
{
	const struct cprov_request request = {
		.payers = {
			[CPROV_PAYER_USER]	= user,
			[CPROV_PAYER_CGROUP]	= cgroup,
		},
		.limits = limits,
		.nr	= nr,
	};
	unsigned int admitted;

	rcu_read_lock();
	admitted = cprov_limits_admit(&request, rates, now_ns, out_of);
	rcu_read_unlock();
	return admitted;
}

/*
 * The accounts are the module's own: numbers that nobody has, and a time that is
 * long ago.
 */
static void cprov_test_payers(struct kunit *test)
{
	static const struct cprov_rates rates = { .per_second = {
		[CPROV_PAYER_USER] = {
			[CPROV_LIMIT_STEP_CRITICAL]	= 500,
			[CPROV_LIMIT_STEERED]		= 1000,
		},
		[CPROV_PAYER_CGROUP] = {
			[CPROV_LIMIT_STEP_CRITICAL]	= 0,
			[CPROV_LIMIT_STEERED]		= 700,
		},
	} };
	const unsigned int critical = BIT(CPROV_LIMIT_STEP_CRITICAL);
	const unsigned int steered = BIT(CPROV_LIMIT_STEERED);
	const u64 id = (u64)get_random_u32() << 32 | BIT_ULL(63);
	enum cprov_payer out_of = CPROV_NR_PAYERS;

	/* The least decides: 50 step-critical in a tenth of a second. */
	KUNIT_EXPECT_EQ(test, 50, cprov_admit_to(id, id, critical | steered, 80,
						 &rates, cprov_epoch_ns, &out_of));
	KUNIT_EXPECT_EQ(test, out_of, CPROV_NR_PAYERS);
	KUNIT_EXPECT_EQ(test, 0, cprov_admit_to(id, id, critical | steered, 80,
						&rates, cprov_epoch_ns, &out_of));
	KUNIT_EXPECT_EQ(test, out_of, CPROV_PAYER_USER);
	/* The others have given back what that one did not pay for. */
	KUNIT_EXPECT_EQ(test, 20, cprov_admit_to(id, id, steered, 80, &rates, cprov_epoch_ns,
						 &out_of));
	KUNIT_EXPECT_EQ(test, 0, cprov_admit_to(id, id, steered, 80, &rates, cprov_epoch_ns,
						&out_of));
	KUNIT_EXPECT_EQ(test, out_of, CPROV_PAYER_CGROUP);
	KUNIT_EXPECT_EQ(test, 30, cprov_admit_to(id, id + 1, steered, 80,
						 &rates, cprov_epoch_ns, &out_of));
	/* And another user has an account of its own. */
	KUNIT_EXPECT_EQ(test, 40, cprov_admit_to(id + 1, id + 1, steered, 80,
						 &rates, cprov_epoch_ns, &out_of));
	/* What no limit applies to is free. */
	KUNIT_EXPECT_EQ(test, 80, cprov_admit_to(id, id, 0, 80, &rates, cprov_epoch_ns,
						 &out_of));
}

/* Groups that nobody has room for have their user's limit, and no less. */
static void cprov_test_many_groups(struct kunit *test)
{
	static const struct cprov_rates rates = { .per_second = {
		[CPROV_PAYER_USER][CPROV_LIMIT_STEERED]		= 1000000,
		[CPROV_PAYER_CGROUP][CPROV_LIMIT_STEERED]	= 1000,
	} };
	const unsigned int steered = BIT(CPROV_LIMIT_STEERED);
	const u64 id = (u64)get_random_u32() << 32 | BIT_ULL(62);
	/* Soon after boot, so that they are idle when others need theirs. */
	const u64 now_ns = NSEC_PER_SEC;
	enum cprov_payer out_of = CPROV_NR_PAYERS;
	unsigned int i, admitted = 0;

	/* Each may have 100 at a time, of the user's 100000. */
	for (i = 0; i < 9000; i++)
		cprov_admit_to(id, id + i, steered, 1, &rates, now_ns, &out_of);
	for (i = 0; i < 100; i++)
		admitted += cprov_admit_to(id, id + 9000, steered, 10, &rates,
					   now_ns, &out_of);
	KUNIT_EXPECT_EQ(test, admitted, 1000);
	KUNIT_EXPECT_EQ(test, out_of, CPROV_NR_PAYERS);
	for (i = 0; i < 10000; i++)
		admitted += cprov_admit_to(id, id + 9000, steered, 10, &rates,
					   now_ns, &out_of);
	KUNIT_EXPECT_EQ(test, admitted, 100000 - 9000);
	KUNIT_EXPECT_EQ(test, out_of, CPROV_PAYER_USER);
}

/* So many at a time from what all senders share, and none twice. */
static void cprov_test_home(struct kunit *test)
{
	const unsigned int per_second = 1000, saved = per_second / 10;
	atomic64_t account = ATOMIC64_INIT(0);
	u8 credits[2] = { };
	unsigned int i, nr;

	/* Two who take turns, until neither gets any. */
	for (i = 0, nr = 0; i < 10 * saved; i++)
		nr += cprov_home_take_at(&credits[i % 2], &account, per_second,
					 cprov_epoch_ns);
	KUNIT_EXPECT_EQ(test, nr, saved);
	KUNIT_EXPECT_EQ(test, credits[0] + credits[1], 0);
	KUNIT_EXPECT_FALSE(test,
			   cprov_home_take_at(&credits[0], &account, per_second,
					      cprov_epoch_ns));

	/* What one has taken stays its own. */
	KUNIT_EXPECT_TRUE(test,
			  cprov_home_take_at(&credits[0], &account, per_second,
					     cprov_epoch_ns + NSEC_PER_SEC));
	KUNIT_EXPECT_EQ(test, credits[0], CPROV_HOME_CREDIT - 1);
	for (i = 0; i < 10 * saved; i++)
		cprov_home_take_at(&credits[1], &account, per_second,
				   cprov_epoch_ns + NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, credits[0], CPROV_HOME_CREDIT - 1);
	KUNIT_EXPECT_TRUE(test,
			  cprov_home_take_at(&credits[0], &account, per_second,
					     cprov_epoch_ns + NSEC_PER_SEC));

	/* Without a limit nothing is written. */
	atomic64_set(&account, S64_MAX);
	credits[1] = 0;
	KUNIT_EXPECT_TRUE(test, cprov_home_take_at(&credits[1], &account, 0, 0));
	KUNIT_EXPECT_EQ(test, atomic64_read(&account), S64_MAX);
}

static struct kunit_case cprov_limits_cases[] = {
	KUNIT_CASE(cprov_test_rate),
	KUNIT_CASE(cprov_test_burst),
	KUNIT_CASE(cprov_test_no_limit),
	KUNIT_CASE(cprov_test_earlier),
	KUNIT_CASE(cprov_test_payers),
	KUNIT_CASE(cprov_test_many_groups),
	KUNIT_CASE(cprov_test_home),
	{}
};

static struct kunit_suite cprov_limits_suite = {
	.name		= "cprov-limits",
	.test_cases	= cprov_limits_cases,
};

kunit_test_suite(cprov_limits_suite);
