// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values by their size: each power of two has HIST_SUB slots, so that a value is
 * known to within one part in HIST_SUB, from a nanosecond to centuries.
 */
#include "cprovbench.h"

void hist_init(struct hist *h)
{
	h->slots = allocate(HIST_SLOTS * sizeof(*h->slots));
	h->n = 0;
	h->sum = 0;
	h->max = 0;
	h->min = UINT64_MAX;
}

static unsigned int slot_of(uint64_t value)
{
	unsigned int shift;

	if (value < HIST_SUB)
		return (unsigned int)value;
	shift = 63 - HIST_SUB_BITS - (unsigned int)__builtin_clzll(value);
	return (shift + 1) * HIST_SUB +
	       (unsigned int)((value >> shift) - HIST_SUB);
}

/* The largest value of a slot, so that a percentile is never flattered. */
static uint64_t value_of(unsigned int slot)
{
	unsigned int shift = slot / HIST_SUB;

	if (!shift)
		return slot;
	shift--;
	return (((uint64_t)(slot % HIST_SUB) + HIST_SUB + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t value)
{
	h->slots[slot_of(value)]++;
	h->n++;
	h->sum += value;
	if (value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	unsigned int i;

	for (i = 0; i < HIST_SLOTS; i++)
		to->slots[i] += from->slots[i];
	to->n += from->n;
	to->sum += from->sum;
	if (from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
	const double share = percent / 100 * (double)h->n;
	uint64_t rank = (uint64_t)share;
	uint64_t seen = 0;
	unsigned int i;

	/* Up, or too many would be above it; but not for what is off by rounding. */
	if (share - (double)rank > share * 1e-12)
		rank++;

	if (!rank)
		rank = 1;
	for (i = 0; i < HIST_SLOTS; i++) {
		seen += h->slots[i];
		if (seen >= rank)
			return value_of(i) < h->max ? value_of(i) : h->max;
	}
	return 0;
}
