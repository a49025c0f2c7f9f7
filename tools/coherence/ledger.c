// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger: see ledger.h. It is written as lines of JSON, which are described
 * in Documentation/coherence.rst.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

struct region {
	bool paused; /* between a pause and what goes on or ends it */
	uint64_t runs;
	uint64_t units;
	uint64_t misplaced; /* markers that made no sense where they were */
	uint64_t (*begun)[COUNTS]; /* readings at the begin, for each vCPU */
	uint64_t (*sums)[COUNTS]; /* of the runs that have ended */
};

struct vcpu *vcpus;
unsigned int nr_vcpus;
_Atomic uint64_t active_regions;

static const char *const count_names[COUNTS] = {
	[COUNT_INSTRUCTIONS] = "instructions",
	[COUNT_READS] = "reads",
	[COUNT_WRITES] = "writes",
	[COUNT_MMIO_READS] = "mmio_reads",
	[COUNT_MMIO_WRITES] = "mmio_writes",
	[COUNT_IPIS] = "ipis",
	[COUNT_UNTRACKED] = "untracked",
};

static const char *const transfer_names[TRANSFER_KINDS] = {
	[TRANSFER_READ] = "read",
	[TRANSFER_WRITE] = "write",
	[TRANSFER_UPGRADE] = "upgrade",
};

/* For everything below, and taken before any vCPU's lock. */
static pthread_mutex_t regions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct region regions[COHERENCE_REGIONS];
static FILE *output;
static size_t output_top;

static void *allocate(size_t nr, size_t size)
{
	void *p = calloc(nr, size);

	/* There is no guest to go back to: it would count wrongly. */
	if (!p) {
		fputs("coherence: out of memory\n", stderr);
		abort();
	}
	return p;
}

bool ledger_init(unsigned int nr, FILE *out, size_t top)
{
	unsigned int i;

	vcpus = aligned_alloc(_Alignof(struct vcpu), nr * sizeof(*vcpus));
	if (!vcpus)
		return false;
	memset(vcpus, 0, nr * sizeof(*vcpus));
	for (i = 0; i < nr; i++)
		pthread_mutex_init(&vcpus[i].lock, NULL);
	nr_vcpus = nr;
	output = out;
	output_top = top;
	return true;
}

/* ---- payments ---- */

static uint64_t transfers(const struct payment *p)
{
	return p->n[TRANSFER_READ] + p->n[TRANSFER_WRITE] +
	       p->n[TRANSFER_UPGRADE];
}

static void add(struct payment *to, const struct payment *from)
{
	int kind;

	for (kind = 0; kind < TRANSFER_KINDS; kind++)
		to->n[kind] += from->n[kind];
}

/* Multiplicative hashing, which spreads what is in the low bits upwards. */
static struct payment *find_slot(const struct payments *ps, uint64_t pc,
				 uint64_t line)
{
	uint64_t hash = (pc ^ line << 20) * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = hash >> 32;

	for (;; i++) {
		struct payment *p = &ps->slots[i & (ps->size - 1)];

		if (!transfers(p) || (p->pc == pc && p->line == line))
			return p;
	}
}

static void grow(struct payments *ps)
{
	struct payments bigger = {
		.size = ps->size ? ps->size * 2 : 1024,
		.used = ps->used,
	};
	size_t i;

	bigger.slots = allocate(bigger.size, sizeof(*bigger.slots));
	for (i = 0; i < ps->size; i++) {
		const struct payment *p = &ps->slots[i];

		if (transfers(p))
			*find_slot(&bigger, p->pc, p->line) = *p;
	}
	free(ps->slots);
	*ps = bigger;
}

void ledger_enter(struct vcpu *v, enum transfer kind, uint64_t pc,
		  uint64_t line, uint64_t vaddr)
{
	uint64_t active;

	pthread_mutex_lock(&v->lock);
	/*
	 * Whoever ends a region clears its bit and then takes this lock. Either
	 * that comes later, and finds this payment, or it came before, and the
	 * lock makes the bit's end seen here.
	 */
	active = atomic_load_explicit(&active_regions, memory_order_relaxed);
	for (; active; active &= active - 1) {
		struct payments *ps = &v->payments[__builtin_ctzll(active)];
		struct payment *p;

		if (ps->used * 4 >= ps->size * 3)
			grow(ps);
		p = find_slot(ps, pc, line);
		if (!transfers(p)) {
			p->pc = pc;
			p->line = line;
			ps->used++;
		}
		p->vaddr = vaddr;
		p->n[kind]++;
	}
	pthread_mutex_unlock(&v->lock);
}

/* ---- what is written down ---- */

static int by_line(const void *a, const void *b)
{
	const struct payment *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return (x->pc > y->pc) - (x->pc < y->pc);
}

static int by_pc(const void *a, const void *b)
{
	const struct payment *x = a, *y = b;

	return (x->pc > y->pc) - (x->pc < y->pc);
}

/* Those that pay most first; the address settles ties, for equal reports. */
static int by_transfers(const void *a, const void *b)
{
	uint64_t x = transfers(a), y = transfers(b);

	if (x != y)
		return x > y ? -1 : 1;
	return by_line(a, b);
}

/* Adds up neighbours that compare equal, in place. */
static size_t merge(struct payment *list, size_t nr,
		    int (*compare)(const void *, const void *))
{
	size_t i, merged = 0;

	for (i = 0; i < nr; i++) {
		if (merged && !compare(&list[merged - 1], &list[i]))
			add(&list[merged - 1], &list[i]);
		else
			list[merged++] = list[i];
	}
	return merged;
}

static void put_transfers(const struct payment *p)
{
	int kind;

	for (kind = TRANSFER_READ; kind < TRANSFER_KINDS; kind++)
		fprintf(output, ",\"%s\":%" PRIu64, transfer_names[kind],
			p->n[kind]);
}

static void put_counts(const uint64_t counts[COUNTS])
{
	int i;

	for (i = 0; i < COUNTS; i++)
		fprintf(output, "%s\"%s\":%" PRIu64, i ? "," : "",
			count_names[i], counts[i]);
}

static size_t shown(size_t nr)
{
	return output_top && nr > output_top ? output_top : nr;
}

/* @vaddr: all of them are of one line, and the offset into it is worth telling. */
static void put_pcs(struct payment *list, size_t nr, bool vaddr)
{
	size_t i;

	qsort(list, nr, sizeof(*list), by_transfers);
	fputs("[", output);
	for (i = 0; i < shown(nr); i++) {
		fprintf(output, "%s{\"pc\":\"0x%" PRIx64 "\"", i ? "," : "",
			list[i].pc);
		if (vaddr)
			fprintf(output, ",\"vaddr\":\"0x%" PRIx64 "\"",
				list[i].vaddr);
		put_transfers(&list[i]);
		fputc('}', output);
	}
	fputc(']', output);
}

/* @list is sorted by line, then by pc; @sums has the sum of each line. */
static void put_lines(struct payment *list, size_t nr, struct payment *sums,
		      size_t nr_lines)
{
	size_t i;

	qsort(sums, nr_lines, sizeof(*sums), by_transfers);
	fputs("[", output);
	for (i = 0; i < shown(nr_lines); i++) {
		const struct payment *sum = &sums[i];
		size_t low = 0, high = nr, end;

		while (low < high) {
			size_t middle = (low + high) / 2;

			if (list[middle].line < sum->line)
				low = middle + 1;
			else
				high = middle;
		}
		for (end = low; end < nr && list[end].line == sum->line;)
			end++;
		fprintf(output,
			"%s{\"line\":\"0x%" PRIx64 "\",\"vaddr\":\"0x%" PRIx64
			"\"",
			i ? "," : "", sum->line << LINE_SHIFT,
			sum->vaddr & ~(uint64_t)(LINE_BYTES - 1));
		put_transfers(sum);
		fputs(",\"pcs\":", output);
		/* Stays within this line's part of the list. */
		put_pcs(list + low, end - low, true);
		fputc('}', output);
	}
	fputc(']', output);
}

static size_t collect(unsigned int region, struct payment **list)
{
	size_t nr = 0, i;
	unsigned int cpu;

	*list = NULL;
	for (cpu = 0; cpu < nr_vcpus; cpu++) {
		struct vcpu *v = &vcpus[cpu];
		struct payments *ps = &v->payments[region];

		pthread_mutex_lock(&v->lock);
		if (ps->used) {
			*list = realloc(*list,
					(nr + ps->used) * sizeof(**list));
			if (!*list)
				abort();
			for (i = 0; i < ps->size; i++)
				if (transfers(&ps->slots[i]))
					(*list)[nr++] = ps->slots[i];
		}
		pthread_mutex_unlock(&v->lock);
	}
	return nr;
}

static void sum_vcpu(unsigned int cpu, unsigned int region, struct payment *sum)
{
	struct payments *ps = &vcpus[cpu].payments[region];
	size_t i;

	memset(sum, 0, sizeof(*sum));
	pthread_mutex_lock(&vcpus[cpu].lock);
	for (i = 0; i < ps->size; i++)
		add(sum, &ps->slots[i]);
	pthread_mutex_unlock(&vcpus[cpu].lock);
}

static void write_region(unsigned int nth, bool open)
{
	const struct region *r = &regions[nth];
	struct payment *list, *sums, sum;
	size_t nr, nr_groups;
	unsigned int cpu;

	fprintf(output,
		"{\"region\":%u,\"open\":%s,\"runs\":%" PRIu64
		",\"units\":%" PRIu64 ",\"misplaced\":%" PRIu64 ",\"vcpus\":[",
		nth, open ? "true" : "false", r->runs, r->units, r->misplaced);
	for (cpu = 0; cpu < nr_vcpus; cpu++) {
		fputs(cpu ? ",{" : "{", output);
		put_counts(r->sums[cpu]);
		sum_vcpu(cpu, nth, &sum);
		put_transfers(&sum);
		fputc('}', output);
	}

	/* What several vCPUs paid at one place is one payment here. */
	nr = collect(nth, &list);
	sums = allocate(nr + 1, sizeof(*sums));
	if (nr)
		qsort(list, nr, sizeof(*list), by_pc);
	memcpy(sums, list ? list : sums, nr * sizeof(*sums));
	nr_groups = merge(sums, nr, by_pc);
	fprintf(output, "],\"nr_pcs\":%zu,\"pcs\":", nr_groups);
	put_pcs(sums, nr_groups, false);

	if (nr)
		qsort(list, nr, sizeof(*list), by_line);
	nr = merge(list, nr, by_line);
	nr_groups = 0;
	for (size_t i = 0; i < nr; i++) {
		if (nr_groups && sums[nr_groups - 1].line == list[i].line)
			add(&sums[nr_groups - 1], &list[i]);
		else
			sums[nr_groups++] = list[i];
	}
	fprintf(output, ",\"nr_lines\":%zu,\"lines\":", nr_groups);
	put_lines(list, nr, sums, nr_groups);
	fputs("}\n", output);
	fflush(output);
	free(sums);
	free(list);
}

/* ---- markers ---- */

static void read_counts(uint64_t (*to)[COUNTS])
{
	unsigned int cpu, i;

	for (cpu = 0; cpu < nr_vcpus; cpu++)
		for (i = 0; i < COUNTS; i++)
			to[cpu][i] = atomic_load_explicit(&vcpus[cpu].counts[i],
							  memory_order_relaxed);
}

static void begin(struct region *r)
{
	if (!r->begun) {
		r->begun = allocate(nr_vcpus, sizeof(*r->begun));
		r->sums = allocate(nr_vcpus, sizeof(*r->sums));
	}
	r->paused = false;
	r->runs++;
	read_counts(r->begun);
}

static void end(struct region *r)
{
	uint64_t now[MAX_VCPUS][COUNTS];
	unsigned int cpu, i;

	read_counts(now);
	for (cpu = 0; cpu < nr_vcpus; cpu++)
		for (i = 0; i < COUNTS; i++)
			r->sums[cpu][i] += now[cpu][i] - r->begun[cpu][i];
}

/* Before the vCPUs' locks are taken, by who writes it down: see ledger_enter(). */
static void stop(struct region *r, uint64_t bit)
{
	end(r);
	atomic_fetch_and_explicit(&active_regions, ~bit, memory_order_relaxed);
}

static void reset(struct region *r, unsigned int nth)
{
	unsigned int cpu;

	for (cpu = 0; cpu < nr_vcpus; cpu++) {
		struct vcpu *v = &vcpus[cpu];

		pthread_mutex_lock(&v->lock);
		free(v->payments[nth].slots);
		memset(&v->payments[nth], 0, sizeof(v->payments[nth]));
		pthread_mutex_unlock(&v->lock);
	}
	free(r->begun);
	free(r->sums);
	memset(r, 0, sizeof(*r));
}

void ledger_mark(enum coherence_op op, unsigned int nth)
{
	uint64_t bit = UINT64_C(1) << nth;
	struct region *r = &regions[nth];
	bool open;

	/* Only changed with the lock held. */
	pthread_mutex_lock(&regions_lock);
	open = atomic_load_explicit(&active_regions, memory_order_relaxed) &
	       bit;
	if (op == COHERENCE_BEGIN && !open) {
		begin(r);
		atomic_fetch_or_explicit(&active_regions, bit,
					 memory_order_relaxed);
	} else if (op == COHERENCE_PAUSE && open) {
		stop(r, bit);
		r->paused = true;
	} else if (op == COHERENCE_END && (open || r->paused)) {
		if (open)
			stop(r, bit);
		r->paused = false;
		write_region(nth, false);
	} else if (op == COHERENCE_UNIT && open) {
		r->units++;
	} else if (op == COHERENCE_RESET && !open) {
		reset(r, nth);
	} else {
		r->misplaced++;
	}
	pthread_mutex_unlock(&regions_lock);
}

/* QEMU ends: regions without an end are told apart, and what there was in all. */
void ledger_close(void)
{
	uint64_t counts[MAX_VCPUS][COUNTS], open;
	unsigned int cpu, nth;

	pthread_mutex_lock(&regions_lock);
	open = atomic_exchange_explicit(&active_regions, 0,
					memory_order_relaxed);
	for (nth = 0; nth < COHERENCE_REGIONS; nth++) {
		if (open >> nth & 1)
			end(&regions[nth]);
		else if (!regions[nth].paused)
			continue;
		write_region(nth, true);
	}
	read_counts(counts);
	fputs("{\"total\":[", output);
	for (cpu = 0; cpu < nr_vcpus; cpu++) {
		fputs(cpu ? ",{" : "{", output);
		put_counts(counts[cpu]);
		fputc('}', output);
	}
	fputs("]}\n", output);
	fclose(output);
	pthread_mutex_unlock(&regions_lock);
}
