// SPDX-License-Identifier: GPL-2.0-only
/*
 * hist-test: percentiles of hist.c against those of the sorted values themselves. They
 * are at most 0.8 percent too high, and never too low, as the manual says.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cprovbench.h"

#define MAX_VALUES 100000U
/* One part in so many is 0.8 percent. */
#define BOUND 125U

/* In thousandths, as 99.9 percent is no binary fraction. */
static const unsigned int shares[] = { 0, 1, 500, 900, 990, 999, 1000 };
static uint64_t values[MAX_VALUES];
static unsigned int nr_values, failures;

/* As main.c's, with room behind, so that a slot too many is seen and harms nothing. */
void *allocate(size_t bytes)
{
	void *p = calloc(2, bytes);

	if (!p)
		abort();
	return p;
}

static void add(uint64_t value)
{
	if (nr_values == MAX_VALUES)
		abort();
	values[nr_values++] = value;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void expect(bool right, const char *name, const char *what)
{
	if (right)
		return;
	printf("%s: %s\n", name, what);
	failures++;
}

/* The least value that so large a share of all is not above. */
static uint64_t exact(unsigned int share)
{
	uint64_t rank = ((uint64_t)nr_values * share + 999) / 1000;

	return values[rank ? rank - 1 : 0];
}

static void check_percentiles(const char *name, const struct hist *h)
{
	unsigned int i;

	for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		uint64_t got = hist_percentile(h, shares[i] / 10.0);
		uint64_t due = exact(shares[i]);

		if (got >= due && got - due <= due / BOUND && got <= h->max)
			continue;
		printf("%s: p%g is %" PRIu64 ", of %u values it is %" PRIu64
		       "\n",
		       name, shares[i] / 10.0, got, nr_values, due);
		failures++;
	}
}

/* What is in two histograms and merged is as if it had been in one, in any order. */
static void check_merged(const char *name, const struct hist *whole)
{
	struct hist h[2];
	unsigned int i;
	bool same;

	hist_init(&h[0]);
	hist_init(&h[1]);
	for (i = 0; i < nr_values; i++)
		hist_add(&h[i % 3 == 0], values[nr_values - 1 - i]);
	hist_merge(&h[0], &h[1]);
	same = !memcmp(h[0].slots, whole->slots,
		       HIST_SLOTS * sizeof(*whole->slots));
	same = same && h[0].n == whole->n && h[0].sum == whole->sum;
	same = same && h[0].min == whole->min && h[0].max == whole->max;
	expect(same, name, "merged it is another");
	free(h[0].slots);
	free(h[1].slots);
}

/* Of the values until now, which are forgotten. */
static void check(const char *name)
{
	uint64_t n = 0, sum = 0;
	struct hist h;
	unsigned int i;

	hist_init(&h);
	for (i = 0; i < nr_values; i++) {
		hist_add(&h, values[i]);
		sum += values[i];
	}
	for (i = 0; i < HIST_SLOTS; i++)
		n += h.slots[i];
	qsort(values, nr_values, sizeof(values[0]), by_size);
	expect(n == nr_values, name, "not every value has a slot");
	expect(h.n == nr_values && h.sum == sum, name,
	       "number or sum is wrong");
	expect(h.min == values[0] && h.max == values[nr_values - 1], name,
	       "least or most is wrong");
	check_percentiles(name, &h);
	check_merged(name, &h);
	free(h.slots);
	nr_values = 0;
}

static void check_from_1(void)
{
	static const unsigned int most[] = { 1,	  2,	3,    10,
					     100, 127,	128,  129,
					     999, 1000, 1001, MAX_VALUES };
	char name[32];
	unsigned int i, n;

	for (i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		/* Downwards: what is added need not be sorted. */
		for (n = most[i]; n; n--)
			add(n);
		snprintf(name, sizeof(name), "1 to %u", most[i]);
		check(name);
	}
}

static void check_constant(uint64_t value)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < 1000; i++)
		add(value);
	snprintf(name, sizeof(name), "always %" PRIu64, value);
	check(name);
	/* With one far above it is not the most that is told instead of the slot's. */
	for (i = 0; i < 1000; i++)
		add(value);
	add(UINT64_MAX);
	strncat(name, ", but once", sizeof(name) - strlen(name) - 1);
	check(name);
}

/* Where slots begin and end. */
static void check_slots(void)
{
	unsigned int bit;

	check_constant(0);
	for (bit = 0; bit < 64; bit++) {
		check_constant((UINT64_C(1) << bit) - 1);
		check_constant(UINT64_C(1) << bit);
		check_constant((UINT64_C(1) << bit) + 1);
		check_constant(UINT64_C(3) << bit >> 1);
	}
	check_constant(UINT64_MAX - 1);
	check_constant(UINT64_MAX);
}

/* A rank of one more or less tells of the other. */
static void check_two(unsigned int rare)
{
	char name[32];
	unsigned int i;

	for (i = 0; i < 1000; i++)
		add(i < rare ? 3000000000 : 100);
	snprintf(name, sizeof(name), "%u of 1000 far above", rare);
	check(name);
}

/* As many of each size, from nothing to all that there is. */
static void check_sizes(void)
{
	uint64_t random = 1;
	unsigned int i;

	add(0);
	add(UINT64_MAX);
	for (i = 0; i < 50000; i++) {
		random = random * UINT64_C(6364136223846793005) + 1;
		add(random >> (i % 64));
	}
	check("of all sizes");
}

static void check_empty(void)
{
	struct hist empty, h;
	unsigned int i;

	hist_init(&empty);
	hist_init(&h);
	for (i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		expect(!hist_percentile(&empty, shares[i] / 10.0), "empty",
		       "a percentile is not 0");
	hist_merge(&h, &empty);
	expect(!h.n && !hist_percentile(&h, 50), "empty",
	       "merged with the like it is not");
	hist_add(&h, 7);
	hist_merge(&h, &empty);
	expect(h.n == 1 && h.min == 7 && h.max == 7, "empty",
	       "merged into another it changes that");
	hist_merge(&empty, &h);
	expect(empty.n == 1 && empty.min == 7 && empty.max == 7, "empty",
	       "another merged into it is not there");
	expect(hist_percentile(&empty, 50) == 7, "empty",
	       "of another merged into it there is no percentile");
	free(empty.slots);
	free(h.slots);
}

int main(void)
{
	static const unsigned int rare[] = { 1,	  2,   9,   10,	 11, 99,
					     100, 101, 499, 500, 501 };
	unsigned int i;

	check_empty();
	check_from_1();
	check_slots();
	for (i = 0; i < sizeof(rare) / sizeof(rare[0]); i++)
		check_two(rare[i]);
	check_sizes();
	return failures != 0;
}
