/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much steering anyone may ask for: rates, and an account for each user and
 * each control group. See Documentation/policy.rst.
 */
#ifndef _CPROV_LIMITS_H
#define _CPROV_LIMITS_H

#include <linux/atomic.h>
#include <linux/types.h>

/**
 * enum cprov_limit - what is limited
 * @CPROV_LIMIT_STEP_CRITICAL: Step-critical requests.
 * @CPROV_LIMIT_STEERED: Requests of a class that is steered, or whose workers are
 *	bound, since each may cost another an interrupt or some of its time.
 * @CPROV_NR_LIMITS: Number of limits.
 */
enum cprov_limit {
	CPROV_LIMIT_STEP_CRITICAL,
	CPROV_LIMIT_STEERED,
	CPROV_NR_LIMITS
};

/**
 * enum cprov_payer - on whose account
 * @CPROV_PAYER_USER: The real user of the task that submits, or in a user namespace
 *	who stands for it.
 * @CPROV_PAYER_CGROUP: Its control group in the default hierarchy.
 * @CPROV_NR_PAYERS: Number of kinds of accounts.
 */
enum cprov_payer {
	CPROV_PAYER_USER,
	CPROV_PAYER_CGROUP,
	CPROV_NR_PAYERS
};

/* How long an account that is not used saves up. */
#define CPROV_BURST_NS	(100 * NSEC_PER_MSEC)

/**
 * struct cprov_request - who asks to submit how much
 * @payers: Number of the account, of each kind.
 * @limits: BIT(enum cprov_limit) of each limit that applies.
 * @nr: How many requests.
 */
struct cprov_request {
	u64		payers[CPROV_NR_PAYERS];
	unsigned int	limits;
	unsigned int	nr;
};

/**
 * struct cprov_rates - what the administrator allows
 * @per_second: Requests a second, of each account and limit; 0 = any number.
 */
struct cprov_rates {
	unsigned int per_second[CPROV_NR_PAYERS][CPROV_NR_LIMITS];
};

unsigned int cprov_account_take(u64 *paid_until_ns, unsigned int per_second,
				unsigned int nr, u64 now_ns);
unsigned int cprov_account_pay(atomic64_t *account, unsigned int per_second,
			       unsigned int nr, u64 now_ns);
unsigned int cprov_limits_admit(const struct cprov_request *request,
				const struct cprov_rates *rates, u64 now_ns,
				enum cprov_payer *out_of);
void cprov_limits_exit(void);

#endif /* _CPROV_LIMITS_H */
