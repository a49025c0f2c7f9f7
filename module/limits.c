// SPDX-License-Identifier: GPL-2.0-only
/*
 * An account is a moment: that until which its owner has paid for what it had.
 * A request moves it on by the inverse of the rate, and none is admitted that
 * would move it past now. That is the generic cell rate algorithm (ITU-T I.371,
 * annex A) with a tolerance of CPROV_BURST_NS, and takes one word.
 */
#include "limits.h"

#include <kunit/visibility.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/time64.h>

/* What one request costs. */
static u64 cprov_interval_ns(unsigned int per_second)
{
	return max(div_u64(NSEC_PER_SEC, per_second), 1ULL);
}

/**
 * cprov_account_take - pay for requests
 * @paid_until_ns: the account; moved on by what is admitted
 * @per_second: the rate, 0 = any number
 * @nr: how many are asked for
 * @now_ns: the time, in the clock of the account
 *
 * Of what was not used in the past CPROV_BURST_NS is left, or one request if the
 * rate is less than that.
 *
 * Context: Any.
 * Return: how many are admitted, at most @nr.
 */
unsigned int cprov_account_take(u64 *paid_until_ns, unsigned int per_second,
				unsigned int nr, u64 now_ns)
{
	u64 interval_ns, burst_ns;

	if (!per_second)
		return nr;
	interval_ns = cprov_interval_ns(per_second);
	burst_ns = max_t(u64, interval_ns, CPROV_BURST_NS);

	/* Another CPU may have seen a later moment. */
	if ((s64)(now_ns - *paid_until_ns) < 0)
		return 0;
	if (now_ns - *paid_until_ns > burst_ns)
		*paid_until_ns = now_ns - burst_ns;
	nr = min_t(u64, nr, div64_u64(now_ns - *paid_until_ns, interval_ns));
	*paid_until_ns += nr * interval_ns;
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_account_take);

/* ---- the accounts ---- */

struct cprov_account {
	struct hlist_node	node;
	enum cprov_payer	kind;
	u64			id;
	atomic64_t		paid_until_ns[CPROV_NR_LIMITS];
	struct rcu_head		rcu;
};

/*
 * More users than that at a time share one account, and more groups have none, so that
 * nobody fills the memory, or takes the accounts from those of the other kind.
 */
#define CPROV_MAX_ACCOUNTS	8192

/* An account that has saved up all that it may is as good as a new one. */
#define CPROV_IDLE_NS		(10ULL * NSEC_PER_SEC)

/* Of a few in each bucket if there are as many as there may be. */
static DEFINE_HASHTABLE(cprov_accounts, 12);
static unsigned int cprov_nr_accounts[CPROV_NR_PAYERS];
static u64 cprov_swept_ns;
static DEFINE_SPINLOCK(cprov_accounts_lock);
static struct cprov_account cprov_shared_account;

static struct cprov_account *cprov_account_find(enum cprov_payer kind, u64 id)
{
	struct cprov_account *account;

	hash_for_each_possible_rcu(cprov_accounts, account, node, id,
				   lockdep_is_held(&cprov_accounts_lock)) {
		if (account->kind == kind && account->id == id)
			return account;
	}
	return NULL;
}

static bool cprov_account_idle(const struct cprov_account *account, u64 now_ns)
{
	unsigned int limit;

	for (limit = 0; limit < CPROV_NR_LIMITS; limit++) {
		s64 ns = now_ns - atomic64_read(&account->paid_until_ns[limit]);

		if (ns < (s64)CPROV_IDLE_NS)
			return false;
	}
	return true;
}

/*
 * Whether there are as many as there may be, and it is not yet time to look for idle
 * ones, which is once a second. Without the lock it is a guess, for who would wait for
 * that in vain.
 */
static bool cprov_accounts_full(enum cprov_payer kind, u64 now_ns)
{
	/* Another CPU may have seen a later moment. */
	return READ_ONCE(cprov_nr_accounts[kind]) >= CPROV_MAX_ACCOUNTS &&
	       (s64)(now_ns - READ_ONCE(cprov_swept_ns)) < (s64)NSEC_PER_SEC;
}

/* There are @nr more. */
static void cprov_account_count(enum cprov_payer kind, int nr)
{
	/* Pairs with cprov_accounts_full(). */
	WRITE_ONCE(cprov_nr_accounts[kind], cprov_nr_accounts[kind] + nr);
}

/*
 * Make room. Whoever has found an account meanwhile pays into one that nobody looks at
 * any more.
 */
static void cprov_accounts_sweep(u64 now_ns)
{
	struct cprov_account *account;
	struct hlist_node *next;
	int bucket;

	/* Pairs with cprov_accounts_full(). */
	WRITE_ONCE(cprov_swept_ns, now_ns);
	hash_for_each_safe(cprov_accounts, bucket, next, account, node) {
		if (cprov_account_idle(account, now_ns)) {
			hash_del_rcu(&account->node);
			cprov_account_count(account->kind, -1);
			kfree_rcu(account, rcu);
		}
	}
}

/* The account of who had none just now, or NULL. */
static struct cprov_account *cprov_account_make(enum cprov_payer kind, u64 id,
						u64 now_ns)
{
	struct cprov_account *account;
	unsigned int limit;

	lockdep_assert_held(&cprov_accounts_lock);
	account = cprov_account_find(kind, id);
	if (account || cprov_accounts_full(kind, now_ns))
		return account;
	if (cprov_nr_accounts[kind] >= CPROV_MAX_ACCOUNTS)
		cprov_accounts_sweep(now_ns);
	if (cprov_nr_accounts[kind] >= CPROV_MAX_ACCOUNTS)
		return NULL;
	account = kmalloc(sizeof(*account), GFP_NOWAIT | __GFP_NOWARN);
	if (!account)
		return NULL;
	account->kind = kind;
	account->id = id;
	/* As one that has not been used for as long as it may save up. */
	for (limit = 0; limit < CPROV_NR_LIMITS; limit++)
		atomic64_set(&account->paid_until_ns[limit],
			     now_ns - NSEC_PER_SEC);
	hash_add_rcu(cprov_accounts, &account->node, id);
	cprov_account_count(kind, 1);
	return account;
}

static struct cprov_account *cprov_account_add(enum cprov_payer kind, u64 id,
					       u64 now_ns)
{
	struct cprov_account *account = NULL;

	if (!cprov_accounts_full(kind, now_ns)) {
		spin_lock(&cprov_accounts_lock);
		account = cprov_account_make(kind, id, now_ns);
		spin_unlock(&cprov_accounts_lock);
	}
	/* Who makes so many groups would empty what others share. */
	if (!account && kind == CPROV_PAYER_USER)
		account = &cprov_shared_account;
	return account;
}

/**
 * cprov_account_pay - pay for requests, from an account that others pay from as well
 * @account: as in cprov_account_take()
 * @per_second: the rate, 0 = any number
 * @nr: how many are asked for
 * @now_ns: the time, in the clock of the account
 *
 * Context: Any.
 * Return: how many are admitted, at most @nr.
 */
unsigned int cprov_account_pay(atomic64_t *account, unsigned int per_second,
			       unsigned int nr, u64 now_ns)
{
	s64 old = atomic64_read(account);
	unsigned int admitted;
	u64 paid_until_ns;

	do {
		paid_until_ns = old;
		admitted = cprov_account_take(&paid_until_ns, per_second, nr,
					      now_ns);
		/* Those who have nothing left do not fight for the line. */
		if (!admitted)
			break;
	} while (!atomic64_try_cmpxchg(account, &old, paid_until_ns));
	return admitted;
}

/* What was paid for, and another account will not pay for as well. */
static void cprov_account_refund(atomic64_t *account, unsigned int per_second,
				 unsigned int nr)
{
	if (per_second)
		atomic64_sub(nr * cprov_interval_ns(per_second), account);
}

/**
 * cprov_limits_admit - see how many of some requests all limits admit
 * @request: who asks for what
 * @rates: the limits
 * @now_ns: ktime_get_ns()
 * @out_of: which kind of account has nothing left; set if none is admitted
 *
 * Without memory for an account, or with too many of them, users share one, and of
 * groups their users' limit is all there is.
 *
 * Context: Task context, under rcu_read_lock(). Takes a lock only where an
 *	account is new.
 * Return: at most @request->nr.
 */
unsigned int cprov_limits_admit(const struct cprov_request *request,
				const struct cprov_rates *rates, u64 now_ns,
				enum cprov_payer *out_of)
{
	struct cprov_account *accounts[CPROV_NR_PAYERS] = { };
	unsigned int paid[CPROV_NR_PAYERS][CPROV_NR_LIMITS] = { };
	unsigned int nr = request->nr;
	unsigned int payer, limit;

	for (payer = 0; payer < CPROV_NR_PAYERS; payer++) {
		const unsigned int *per_second = rates->per_second[payer];
		u64 id = request->payers[payer];

		for (limit = 0; nr && limit < CPROV_NR_LIMITS; limit++) {
			if (!(request->limits & BIT(limit)) ||
			    !per_second[limit])
				continue;
			if (!accounts[payer])
				accounts[payer] =
					cprov_account_find(payer, id) ?:
					cprov_account_add(payer, id, now_ns);
			if (!accounts[payer])
				break;
			nr = cprov_account_pay(&accounts[payer]->paid_until_ns[limit],
					       per_second[limit], nr, now_ns);
			paid[payer][limit] = nr;
			if (!nr)
				*out_of = payer;
		}
	}
	for (payer = 0; payer < CPROV_NR_PAYERS; payer++) {
		for (limit = 0; limit < CPROV_NR_LIMITS; limit++) {
			if (paid[payer][limit] > nr)
				cprov_account_refund(&accounts[payer]->paid_until_ns[limit],
						     rates->per_second[payer][limit],
						     paid[payer][limit] - nr);
		}
	}
	return nr;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_limits_admit);

/**
 * cprov_limits_exit - close all accounts
 *
 * Context: Process context, when nobody calls cprov_limits_admit() any more.
 */
void cprov_limits_exit(void)
{
	struct cprov_account *account;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(cprov_accounts, bucket, next, account, node) {
		hash_del(&account->node);
		kfree(account);
	}
	memset(cprov_nr_accounts, 0, sizeof(cprov_nr_accounts));
}
