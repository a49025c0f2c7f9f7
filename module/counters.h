/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How often each decision was taken, for each class and reason.
 *
 * A counter is known by its index. Counting writes only to memory of the CPU
 * that counts and may be done in any context but NMI.
 */
#ifndef _CPROV_COUNTERS_H
#define _CPROV_COUNTERS_H

#include <linux/completion_provenance.h>

#include "limits.h"

/**
 * enum cprov_kind - what was decided
 * @CPROV_KIND_QUEUE: Whose hardware queue a request uses, where a driver's
 *	worker handles it, or where io_uring's issues it.
 * @CPROV_KIND_COMPLETE: Where it completes.
 * @CPROV_NR_KINDS: Number of kinds.
 */
enum cprov_kind {
	CPROV_KIND_QUEUE,
	CPROV_KIND_COMPLETE,
	CPROV_NR_KINDS
};

#define CPROV_NR_DECISIONS \
	(CPROV_NR_KINDS * IO_LOCALITY_NR_CLASSES * CPROV_NR_REASONS)
#define CPROV_NR_COUNTERS \
	(CPROV_NR_DECISIONS + CPROV_NR_DEFERRALS + CPROV_NR_PAYERS)

/**
 * cprov_decision_counter - the counter of a decision
 * @kind: what was decided
 * @class: class of the request; an unknown one counts as throughput
 * @reason: why
 *
 * Return: an index below CPROV_NR_COUNTERS.
 */
static inline unsigned int cprov_decision_counter(enum cprov_kind kind,
						  u16 class,
						  enum cprov_reason reason)
{
	if (class >= IO_LOCALITY_NR_CLASSES)
		class = IO_LOCALITY_CLASS_THROUGHPUT;
	return (kind * CPROV_NR_REASONS + reason) * IO_LOCALITY_NR_CLASSES +
	       class;
}

/**
 * cprov_deferral_counter - the counter of a kind of deferral
 * @where: what a step-critical request was handed to
 *
 * Return: an index below CPROV_NR_COUNTERS.
 */
static inline unsigned int cprov_deferral_counter(enum cprov_deferral where)
{
	return CPROV_NR_DECISIONS + where;
}

/**
 * cprov_over_limit_counter - the counter of what was not admitted
 * @out_of: the kind of account that had nothing left
 *
 * Return: an index below CPROV_NR_COUNTERS.
 */
static inline unsigned int cprov_over_limit_counter(enum cprov_payer out_of)
{
	return CPROV_NR_DECISIONS + CPROV_NR_DEFERRALS + out_of;
}

void cprov_count(unsigned int counter);
unsigned long __percpu *cprov_at_home_counters(void);
unsigned long cprov_counter_read(unsigned int counter);
void cprov_counters_reset(void);

#endif /* _CPROV_COUNTERS_H */
