// SPDX-License-Identifier: GPL-2.0-only
/*
 * icount-validate - units with a known number of instructions, to try the counter
 *
 * Region n has loops of rounds[n] rounds, of two instructions each. What differs
 * between regions is what is known: the rest of a unit is the same in all. The
 * guest's own count is the time stamp counter, which under -icount shift=0 ticks
 * once per instruction while no CPU sleeps.
 *
 * In the last region a quarter of the units is shorter, and the one at the lower
 * quartile is like few others, and not what is to be reported.
 *
 * Writes a line of JSON for each region: its rounds, and the median of ticks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "marker.h"

#define UNITS 101

static const uint64_t rounds[] = { 1, 2, 10, 1000, 20000, 500 };

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t rounds_of(unsigned int region, int unit)
{
	if (region < sizeof(rounds) / sizeof(rounds[0]) - 1 || unit >= 28)
		return rounds[region];
	return unit < 23 ? 100 : 200;
}

static uint64_t loop(uint64_t n)
{
	uint64_t begin = __rdtsc();

	__asm__ volatile("1:\n\t"
			 "decq %0\n\t"
			 "jnz 1b"
			 : "+r"(n)
			 :
			 : "cc");
	return __rdtsc() - begin;
}

int main(void)
{
	uint64_t ticks[UNITS];
	unsigned int region;
	int i;

	for (region = 0; region < sizeof(rounds) / sizeof(rounds[0]);
	     region++) {
		coherence_begin(region);
		for (i = 0; i < UNITS; i++) {
			ticks[i] = loop(rounds_of(region, i));
			coherence_unit(region);
		}
		coherence_end(region);
		qsort(ticks, UNITS, sizeof(ticks[0]), by_size);
		printf("{\"region\":%u,\"rounds\":%" PRIu64
		       ",\"ticks\":%" PRIu64 "}\n",
		       region, rounds[region], ticks[UNITS / 2]);
	}
	return 0;
}
