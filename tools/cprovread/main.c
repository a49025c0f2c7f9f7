// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovread - read a file or a block device with O_DIRECT through io_uring,
 * verify every byte, and count where the completions ran.
 *
 * A measurement is a list of windows, one for each CPU and queue depth. All
 * counts are cumulative, and a window is the difference of two readings.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cprovread.h"

#define MAX_FINDINGS 20

static char *findings[MAX_FINDINGS];
static unsigned int nr_findings;

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verrx(2, fmt, ap);
}

void finding(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	fprintf(stderr, "cprovread: %s\n", text);
	if (nr_findings < MAX_FINDINGS)
		findings[nr_findings] = text;
	else
		free(text);
	nr_findings++;
}

static void *allocate(size_t nr, size_t size)
{
	void *p = calloc(nr, size);

	if (!p)
		die("out of memory");
	return p;
}

/* All counts at one moment, or their growth over a window. */
struct counts {
	struct completions completions;
	uint64_t wakeups;
	struct ipis ipis;
	struct switches switches;
};

struct window {
	const char *phase;
	unsigned int depth;
	unsigned int cpu;
	unsigned int ios;
	struct counts counts;
};

struct measurement {
	const struct options *opt;
	struct reader *rd;
	struct window *windows;
	unsigned int nr_windows;
	unsigned int sizes[3]; /* of our requests, in sectors */
	bool reads_ok;
};

static void counts_init(struct counts *c)
{
	c->completions.per_cpu = allocate(possible_cpus(), sizeof(uint64_t));
}

/* The narrowest counts are read last, and first afterwards. */
static void counts_begin(struct counts *c, const unsigned int sizes[3])
{
	trace_completions(&c->completions, sizes);
	c->wakeups = trace_wakeups();
	count_ipis(&c->ipis);
	count_switches(&c->switches);
}

static void counts_end(struct counts *c, const struct counts *before,
		       const unsigned int sizes[3])
{
	unsigned int cpu;

	count_switches(&c->switches);
	count_ipis(&c->ipis);
	c->wakeups = trace_wakeups();
	trace_completions(&c->completions, sizes);

	c->switches.voluntary -= before->switches.voluntary;
	c->switches.involuntary -= before->switches.involuntary;
	c->ipis.call -= before->ipis.call;
	c->ipis.reschedule -= before->ipis.reschedule;
	c->wakeups -= before->wakeups;
	c->completions.reads -= before->completions.reads;
	c->completions.odd_reads -= before->completions.odd_reads;
	c->completions.others -= before->completions.others;
	for (cpu = 0; cpu < possible_cpus(); cpu++)
		c->completions.per_cpu[cpu] -= before->completions.per_cpu[cpu];
}

static void pin(unsigned int cpu)
{
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	size_t size = CPU_ALLOC_SIZE(cpu + 1);

	if (!set)
		die("out of memory");
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	if (sched_setaffinity(0, size, set))
		die("cannot run on CPU %u: %s", cpu, strerror(errno));
	CPU_FREE(set);
}

/* One read must be one request, or the counts mean something else. */
static void check_window(const struct window *w)
{
	const struct completions *c = &w->counts.completions;

	if (c->reads == w->ios && !c->odd_reads)
		return;
	finding("%s, depth %u, CPU %u: %u reads, %" PRIu64
		" completions of their size and %" PRIu64
		" of another: requests were split or merged, or somebody else reads the disk",
		w->phase, w->depth, w->cpu, w->ios, c->reads, c->odd_reads);
}

static void measure(struct measurement *m, struct window *w,
		    const struct batch *batch)
{
	static struct counts before;

	if (!before.completions.per_cpu)
		counts_init(&before);
	counts_init(&w->counts);
	w->ios = batch->nr;
	pin(w->cpu);
	reader_warm_up(m->rd);
	counts_begin(&before, m->sizes);
	m->reads_ok = reader_run(m->rd, batch) && m->reads_ok;
	counts_end(&w->counts, &before, m->sizes);
	check_window(w);
}

static struct window *next_window(struct measurement *m, const char *phase,
				  unsigned int depth, unsigned int cpu)
{
	struct window *w = &m->windows[m->nr_windows++];

	w->phase = phase;
	w->depth = depth;
	w->cpu = cpu;
	return w;
}

/*
 * Each CPU reads its share. Neighbouring blocks never meet in one submission,
 * where they would be merged: a share is read as @depth streams, in turn.
 */
static void measure_whole(struct measurement *m)
{
	const struct options *opt = m->opt;
	uint64_t length = reader_length(m->rd);
	uint64_t blocks = (length + opt->block - 1) / opt->block;
	uint64_t *offsets = allocate(blocks, sizeof(*offsets));
	struct batch batch = {
		.offsets = offsets,
		.size = opt->block,
	};
	unsigned int i;

	for (i = 0; i < opt->nr_cpus; i++) {
		uint64_t first = blocks * i / opt->nr_cpus, b;
		uint64_t share = blocks * (i + 1) / opt->nr_cpus - first;
		uint64_t stream, at;

		if (!share)
			continue;
		/* Streams of one block would be neighbours. */
		batch.depth = opt->whole_depth;
		if (batch.depth > share / 2)
			batch.depth = share > 1 ? (unsigned int)(share / 2) : 1;
		stream = (share + batch.depth - 1) / batch.depth;
		batch.nr = 0;
		for (at = 0; at < stream; at++)
			for (b = at; b < share; b += stream)
				offsets[batch.nr++] = (first + b) * opt->block;
		measure(m, next_window(m, "whole", batch.depth, opt->cpus[i]),
			&batch);
	}
	free(offsets);
}

/* splitmix64, by Sebastiano Vigna (public domain). */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/*
 * Different even blocks in random order: no two are neighbours, so no two are
 * merged. A small target is sampled again from its start.
 */
static void choose_samples(uint64_t *offsets, unsigned int nr, uint64_t length,
			   uint64_t *state)
{
	uint64_t slots = length / SAMPLE_SIZE / 2, i, j, tmp;
	uint64_t *all = allocate(slots, sizeof(*all));

	for (i = 0; i < slots; i++)
		all[i] = i * 2 * SAMPLE_SIZE;
	for (i = 0; i < nr; i++) {
		if (i < slots) {
			j = i + next_random(state) % (slots - i);
			tmp = all[i];
			all[i] = all[j];
			all[j] = tmp;
		}
		offsets[i] = all[i % slots];
	}
	free(all);
}

static void measure_samples(struct measurement *m)
{
	const struct options *opt = m->opt;
	uint64_t *offsets = allocate(opt->samples, sizeof(*offsets)),
		 state = opt->seed;
	struct batch batch = {
		.offsets = offsets,
		.nr = opt->samples,
		.size = SAMPLE_SIZE,
		.sample = true,
	};
	unsigned int d, i;

	for (d = 0; d < opt->nr_depths; d++) {
		batch.depth = opt->depths[d];
		for (i = 0; i < opt->nr_cpus; i++) {
			choose_samples(offsets, opt->samples,
				       reader_length(m->rd), &state);
			measure(m,
				next_window(m, "sample", batch.depth,
					    opt->cpus[i]),
				&batch);
		}
	}
	free(offsets);
}

static uint64_t remote(const struct window *w)
{
	return w->counts.completions.reads -
	       w->counts.completions.per_cpu[w->cpu];
}

/* The part that a window and a total have in common. */
static void put_counts(struct json *js, uint64_t ios, uint64_t away,
		       const struct counts *c)
{
	json_number(js, "ios", ios);
	json_number(js, "completions", c->completions.reads);
	json_number(js, "remote", away);
	json_ratio(js, "remote_ratio", away, ios);
	json_number(js, "ipis", c->ipis.call + c->ipis.reschedule);
	json_number(js, "ipis_call", c->ipis.call);
	json_number(js, "ipis_reschedule", c->ipis.reschedule);
	json_number(js, "wakeups", c->wakeups);
	json_number(js, "context_switches",
		    c->switches.voluntary + c->switches.involuntary);
	json_number(js, "involuntary_switches", c->switches.involuntary);
	json_number(js, "other_completions",
		    c->completions.others + c->completions.odd_reads);
}

static void put_array(struct json *js, const char *key, const uint64_t *values)
{
	unsigned int cpu;

	json_open(js, key, '[');
	for (cpu = 0; cpu < possible_cpus(); cpu++)
		json_number(js, NULL, values[cpu]);
	json_close(js, ']');
}

static void put_windows(struct json *js, const struct measurement *m)
{
	unsigned int i;

	json_open(js, "windows", '[');
	for (i = 0; i < m->nr_windows; i++) {
		const struct window *w = &m->windows[i];

		json_open(js, NULL, '{');
		json_string(js, "phase", w->phase);
		json_number(js, "depth", w->depth);
		json_number(js, "cpu", w->cpu);
		put_counts(js, w->ios, remote(w), &w->counts);
		put_array(js, "completions_per_cpu",
			  w->counts.completions.per_cpu);
		json_close(js, '}');
	}
	json_close(js, ']');
}

static void put_totals(struct json *js, const struct measurement *m)
{
	unsigned int n = possible_cpus(), i, cpu;
	uint64_t *map = allocate((size_t)n * n, sizeof(*map)), ios = 0,
		 away = 0;
	struct counts sum = { 0 };

	counts_init(&sum);
	for (i = 0; i < m->nr_windows; i++) {
		const struct window *w = &m->windows[i];
		const struct counts *c = &w->counts;

		ios += w->ios;
		away += remote(w);
		sum.completions.reads += c->completions.reads;
		sum.completions.odd_reads += c->completions.odd_reads;
		sum.completions.others += c->completions.others;
		sum.wakeups += c->wakeups;
		sum.ipis.call += c->ipis.call;
		sum.ipis.reschedule += c->ipis.reschedule;
		sum.switches.voluntary += c->switches.voluntary;
		sum.switches.involuntary += c->switches.involuntary;
		for (cpu = 0; cpu < n; cpu++) {
			sum.completions.per_cpu[cpu] +=
				c->completions.per_cpu[cpu];
			map[(size_t)w->cpu * n + cpu] +=
				c->completions.per_cpu[cpu];
		}
	}
	put_counts(js, ios, away, &sum);
	put_array(js, "completions_per_cpu", sum.completions.per_cpu);
	json_open(js, "map", '[');
	for (cpu = 0; cpu < n; cpu++)
		put_array(js, NULL, map + (size_t)cpu * n);
	json_close(js, ']');
	free(sum.completions.per_cpu);
	free(map);
}

/* One reason may occur in several classes: only one of them is ours. */
static void put_decisions(struct json *js, const struct decisions *dec,
			  const char *io_class)
{
	size_t i, j;

	json_open(js, "declined", '{');
	for (i = 0; i < dec->nr; i++) {
		const struct decision *d = &dec->list[i];

		if (d->io_class && !strcmp(d->point, "complete") &&
		    !strcmp(d->io_class, io_class) && !decision_is_home(d))
			json_number(js, d->reason, d->count);
	}
	json_close(js, '}');
	/* The list is sorted, so each point is one run of it. */
	json_open(js, "decisions", '{');
	for (i = 0; i < dec->nr; i = j) {
		json_open(js, dec->list[i].point, '{');
		for (j = i; j < dec->nr &&
			    !strcmp(dec->list[i].point, dec->list[j].point);
		     j++)
			if (!dec->list[j].io_class ||
			    !strcmp(dec->list[j].io_class, io_class))
				json_number(js, dec->list[j].reason,
					    dec->list[j].count);
		json_close(js, '}');
	}
	json_close(js, '}');
}

static void put_hint(struct json *js, const struct options *opt)
{
	json_open(js, "hint", '{');
	json_string(js, "class", class_name(opt->hint.io_class));
	json_number(js, "budget_us", opt->hint.budget_us);
	json_close(js, '}');
}

static void put_digest(struct json *js, const unsigned char digest[32])
{
	char hex[65];
	int i;

	for (i = 0; i < 32; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	json_string(js, "sha256", hex);
}

static void put_findings(struct json *js)
{
	unsigned int i;

	json_open(js, "errors", '[');
	for (i = 0; i < nr_findings && i < MAX_FINDINGS; i++)
		json_string(js, NULL, findings[i]);
	json_close(js, ']');
}

static void put_result(const struct measurement *m, const struct decisions *dec,
		       const unsigned char digest[32], bool data_ok)
{
	const struct options *opt = m->opt;
	struct json js = { .file = stdout };

	if (opt->output) {
		js.file = fopen(opt->output, "we");
		if (!js.file)
			die("cannot write to %s: %s", opt->output,
			    strerror(errno));
	}
	json_open(&js, NULL, '{');
	json_string(&js, "label", opt->label);
	json_string(&js, "target", opt->path);
	json_string(&js, "ring", opt->ring);
	if (reader_hinted(m->rd))
		put_hint(&js, opt);
	json_number(&js, "bytes", reader_length(m->rd));
	put_digest(&js, digest);
	json_bool(&js, "data_ok", data_ok);
	put_totals(&js, m);
	put_decisions(&js, dec, class_name(opt->hint.io_class));
	put_findings(&js);
	put_windows(&js, m);
	json_close(&js, '}');
	fputc('\n', js.file);
	if (fflush(js.file) || ferror(js.file))
		die("cannot write the result: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct decisions before, after;
	struct measurement m = { .reads_ok = true };
	unsigned char digest[32];
	struct options opt;
	unsigned int tail;
	bool data_ok;

	options_parse(&opt, argc, argv);
	m.opt = &opt;
	m.rd = reader_open(&opt);
	m.windows =
		allocate(opt.nr_cpus * (1 + opt.nr_depths), sizeof(*m.windows));
	/* At the end of a file, a request may be rounded up to its block. */
	tail = (unsigned int)(reader_length(m.rd) % opt.block);
	m.sizes[0] = opt.block / 512;
	m.sizes[1] = (tail + 511) / 512;
	m.sizes[2] =
		(tail + SAMPLE_SIZE - 1) / SAMPLE_SIZE * (SAMPLE_SIZE / 512);

	trace_start(reader_disk(m.rd), gettid());
	decisions_read(&before);
	measure_whole(&m);
	m.sizes[0] = SAMPLE_SIZE / 512;
	m.sizes[1] = 0;
	m.sizes[2] = 0;
	measure_samples(&m);
	decisions_read(&after);
	decisions_subtract(&after, &before);
	trace_stop();

	reader_digest(m.rd, digest);
	data_ok = m.reads_ok && !memcmp(digest, opt.digest, sizeof(digest));
	if (memcmp(digest, opt.digest, sizeof(digest)))
		finding("the bytes read do not have the digest given");
	put_result(&m, &after, digest, data_ok);
	reader_close(m.rd);
	return nr_findings ? 1 : 0;
}
