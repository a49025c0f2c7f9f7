/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The directory: who holds each 64-byte line of the guest's memory.
 *
 * One word a line: bit n says that vCPU n holds a copy, and the top bits name
 * the vCPU that wrote the line last, which is its owner. Caches are of infinite
 * size, so that a copy is lost to another's write alone, and the owner is
 * always among the holders.
 *
 * Nothing but the word itself is shared, and a word is read and changed by
 * single atomic operations, whose order is the order of the transfers. So all
 * of them are relaxed: there is no other memory for a barrier to order.
 */
#ifndef COHERENCE_DIRECTORY_H
#define COHERENCE_DIRECTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LINE_SHIFT 6
#define LINE_BYTES 64u
#define OWNER_SHIFT 56
#define MAX_VCPUS 56
#define HOLDERS (UINT64_MAX >> (64 - OWNER_SHIFT))

/* Eight gigabytes of the guest's; words that are never used take no memory. */
#define DIRECTORY_LINES (UINT64_C(8) << 30 >> LINE_SHIFT)

enum transfer {
	TRANSFER_NONE,
	TRANSFER_READ, /* fetched from the owner */
	TRANSFER_WRITE, /* fetched, and taken from all who held it */
	TRANSFER_UPGRADE, /* held already, and taken from the others */
	TRANSFER_KINDS,
};

extern _Atomic uint64_t *directory;

bool directory_init(void);

static inline bool directory_covers(uint64_t line)
{
	return line < DIRECTORY_LINES;
}

/* A line that no vCPU has written yet comes from memory: no transfer. */
static inline enum transfer directory_read(uint64_t line, unsigned int vcpu)
{
	_Atomic uint64_t *word = &directory[line];
	uint64_t me = UINT64_C(1) << vcpu;
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

	/* Only this vCPU's own thread sets the bit. */
	if (old & me)
		return TRANSFER_NONE;
	old = atomic_fetch_or_explicit(word, me, memory_order_relaxed);
	return old >> OWNER_SHIFT ? TRANSFER_READ : TRANSFER_NONE;
}

static inline enum transfer directory_write(uint64_t line, unsigned int vcpu)
{
	_Atomic uint64_t *word = &directory[line];
	uint64_t me = UINT64_C(1) << vcpu;
	uint64_t mine = me | (uint64_t)(vcpu + 1) << OWNER_SHIFT;
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

	if (old == mine)
		return TRANSFER_NONE;
	old = atomic_exchange_explicit(word, mine, memory_order_relaxed);
	if (!(old & HOLDERS & ~me))
		return TRANSFER_NONE;
	return old & me ? TRANSFER_UPGRADE : TRANSFER_WRITE;
}

#endif
