// SPDX-License-Identifier: GPL-2.0-only
/* What was measured, for people. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const char *const class_names[IO_LOCALITY_NR_CLASSES] = {
	[IO_LOCALITY_CLASS_THROUGHPUT] = "throughput",
	[IO_LOCALITY_CLASS_LATENCY] = "latency",
	[IO_LOCALITY_CLASS_STEP_CRITICAL] = "step_critical",
	[IO_LOCALITY_CLASS_PREFETCH] = "prefetch",
};

static const char *const reason_names[NR_REASONS] = {
	[IO_LOCALITY_REASON_UNKNOWN] = "unknown",
	[IO_LOCALITY_REASON_NO_POLICY] = "no_policy",
	[IO_LOCALITY_REASON_OVER_LIMIT] = "over_limit",
	[IO_LOCALITY_REASON_STEERED] = "steered",
	[IO_LOCALITY_REASON_AT_HOME] = "at_home",
	[IO_LOCALITY_REASON_SHARED_CACHE] = "shared_cache",
	[IO_LOCALITY_REASON_SAME_NODE] = "same_node",
	[IO_LOCALITY_REASON_CLASS] = "class",
	[IO_LOCALITY_REASON_EXPIRED] = "expired",
	[IO_LOCALITY_REASON_OFFLINE] = "offline",
	[IO_LOCALITY_REASON_POLLED] = "polled",
	[IO_LOCALITY_REASON_THREADED_IRQS] = "threaded_irqs",
	[IO_LOCALITY_REASON_RQ_AFFINITY] = "rq_affinity",
	[IO_LOCALITY_REASON_ISOLATED] = "isolated",
	[IO_LOCALITY_REASON_DISABLED] = "disabled",
	[IO_LOCALITY_REASON_SWAMPED] = "swamped",
};

const double percents[NR_PERCENTS] = { 50, 90, 99, 99.9 };

const char *class_name(unsigned int io_class)
{
	return class_names[io_class];
}

const char *reason_name(unsigned int reason)
{
	return reason_names[reason] ? reason_names[reason] : "newer";
}

bool emulated(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256];
	bool tcg = false;

	while (f && fgets(line, sizeof(line), f))
		tcg |= !!strstr(line, "QEMU TCG");
	if (f)
		fclose(f);
	return tcg;
}

double per_second(uint64_t n, uint64_t ns)
{
	return ns ? (double)n * 1e9 / (double)ns : 0;
}

unsigned int class_begin(struct flow *sum, const struct phase *p,
			 unsigned int io_class)
{
	struct io_locality_hint hint = { .io_class = (__u16)io_class };
	unsigned int i, n = 0;

	flow_begin(sum, class_name(io_class), hint);
	for (i = 0; i < p->nr_flows; i++)
		if (p->flows[i].hint.io_class == io_class) {
			flow_add(sum, &p->flows[i]);
			n++;
		}
	return n;
}

void class_end(struct flow *sum)
{
	free(sum->latency.slots);
	free(sum->ready.slots);
}

static void say_hist(FILE *out, const char *what, const struct hist *h)
{
	unsigned int i;

	if (!h->n)
		return;
	fprintf(out, "    %-22s %10.1f", what, (double)h->min / 1e3);
	for (i = 0; i < NR_PERCENTS; i++)
		fprintf(out, " %10.1f",
			(double)hist_percentile(h, percents[i]) / 1e3);
	fprintf(out, " %10.1f\n", (double)h->max / 1e3);
}

static void say_flow(FILE *out, const struct bench *b, const struct phase *p,
		     const struct flow *f)
{
	unsigned int i;

	fprintf(out, ": %" PRIu64 " reads, %.0f a second, %.3f GB/s", f->ios,
		per_second(f->ios, p->ns), per_second(f->bytes, p->ns) / 1e9);
	if (b->opt.verify)
		fprintf(out, ", %" PRIu64 " with wrong data", f->wrong);
	if (f->receipts)
		fprintf(out, "; %" PRIu64 " of %" PRIu64 " completed elsewhere",
			f->remote, f->receipts);
	for (i = 0; i < NR_REASONS; i++)
		if (f->reasons[i])
			fprintf(out, ", %s %" PRIu64, reason_name(i),
				f->reasons[i]);
	if (b->opt.workload == WORK_MIXED && f->ios)
		fprintf(out,
			"; found with %.2f completions ahead of each and %.2f behind",
			(double)f->ahead / (double)f->ios,
			(double)f->behind / (double)f->ios);
	fprintf(out, "\n    %-22s %10s %10s %10s %10s %10s %10s\n",
		"microseconds", "min", "p50", "p90", "p99", "p99.9", "max");
	say_hist(out, "submitted to ready", &f->latency);
	say_hist(out, "device done to ready", &f->ready);
}

/* A class of one flow is that flow. */
static void say_classes(FILE *out, const struct bench *b, const struct phase *p)
{
	struct flow sum;
	unsigned int i;

	for (i = 0; i < IO_LOCALITY_NR_CLASSES; i++) {
		if (class_begin(&sum, p, i) > 1) {
			fprintf(out, "  class %s", sum.name);
			say_flow(out, b, p, &sum);
		}
		class_end(&sum);
	}
}

static void say_part(FILE *out, const struct part *part)
{
	char what[32];

	snprintf(what, sizeof(what), "submitting a %s", part->name);
	say_hist(out, what, &part->submit);
	snprintf(what, sizeof(what), "a %s complete", part->name);
	say_hist(out, what, &part->complete);
}

static void put_text(FILE *out, const struct bench *b)
{
	unsigned int i, j;

	fprintf(out, "%s on %s, ring %s, %s%s\n",
		workload_names[b->opt.workload], b->opt.target,
		ring_names[b->opt.ring],
		b->hinted	    ? "with hints" :
		b->kernel_has_hints ? "without hints" :
				      "on a kernel that takes no hints",
		b->opt.verify ? ", data verified" : ", data not verified");
	if (emulated())
		fputs("The processor is emulated: times tell nothing of a real one.\n",
		      out);
	for (i = 0; i < b->nr_phases; i++) {
		const struct phase *p = &b->phases[i];
		const struct flow *f;

		fprintf(out, "%s: %.3f s", p->name, (double)p->ns / 1e9);
		if (b->opt.workload == WORK_MIXED)
			fprintf(out,
				", slept %" PRIu64 " times, %" PRIu64
				" of them with an urgent read in flight",
				p->sleeps, p->urgent_sleeps);
		fputc('\n', out);
		for (j = 0; j < p->nr_flows; j++) {
			f = &p->flows[j];
			fprintf(out, "  %s%s%s", f->name, b->hinted ? ", " : "",
				b->hinted ? class_name(f->hint.io_class) : "");
			say_flow(out, b, p, f);
		}
		say_classes(out, b, p);
		for (j = 0; j < p->nr_parts; j++)
			say_part(out, &p->parts[j]);
	}
}

void report(const struct bench *b)
{
	FILE *out = stdout;

	if (b->opt.output)
		out = fopen(b->opt.output, "we");
	if (!out)
		die("%s: %s", b->opt.output, strerror(errno));
	if (b->opt.json)
		put_json(out, b);
	else
		put_text(out, b);
	if (fflush(out) || ferror(out))
		die("writing the result: %s", strerror(errno));
}
