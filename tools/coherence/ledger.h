/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ledger: what each vCPU did, and who paid for which transfer, for each
 * region of the workload.
 */
#ifndef COHERENCE_LEDGER_H
#define COHERENCE_LEDGER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "directory.h"
#include "marker.h"

enum count {
	COUNT_INSTRUCTIONS,
	COUNT_READS,
	COUNT_WRITES,
	COUNT_MMIO_READS,
	COUNT_MMIO_WRITES,
	COUNT_IPIS,
	COUNT_UNTRACKED,
	COUNTS,
};

/* Transfers that one instruction paid for one line. */
struct payment {
	uint64_t pc;
	uint64_t line;
	uint64_t vaddr; /* what the last of them was to the program */
	uint64_t n[TRANSFER_KINDS]; /* of TRANSFER_NONE: none */
};

/* Payments by instruction and line, hashed; a slot without a transfer is free. */
struct payments {
	struct payment *slots;
	size_t size;
	size_t used;
};

struct vcpu {
	/*
	 * Written by the vCPU's own thread alone, and always; a region is the
	 * difference of two readings. Nobody deduces from one count what
	 * another must be, so no order is needed among them.
	 */
	_Atomic uint64_t counts[COUNTS];
	/* For the payments, which other threads write down and forget. */
	pthread_mutex_t lock;
	struct payments payments[COHERENCE_REGIONS];
} __attribute__((aligned(128)));

extern struct vcpu *vcpus;
extern unsigned int nr_vcpus;

/* A bit for each region that is between its markers. */
extern _Atomic uint64_t active_regions;

bool ledger_init(unsigned int nr, FILE *out, size_t top);
void ledger_mark(enum coherence_op op, unsigned int region);
void ledger_close(void);
void ledger_enter(struct vcpu *v, enum transfer kind, uint64_t pc,
		  uint64_t line, uint64_t vaddr);

/* Not an atomic addition, which would cost more: nobody else adds. */
static inline void count(struct vcpu *v, enum count what, uint64_t n)
{
	uint64_t old =
		atomic_load_explicit(&v->counts[what], memory_order_relaxed);

	atomic_store_explicit(&v->counts[what], old + n, memory_order_relaxed);
}

static inline void pay(struct vcpu *v, enum transfer kind, uint64_t pc,
		       uint64_t line, uint64_t vaddr)
{
	/* Asked again under the lock, which is where the order comes from. */
	if (kind != TRANSFER_NONE &&
	    atomic_load_explicit(&active_regions, memory_order_relaxed))
		ledger_enter(v, kind, pc, line, vaddr);
}

#endif
