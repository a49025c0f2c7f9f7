// SPDX-License-Identifier: GPL-2.0-only
/* What was measured, as JSON. */
#include <stdlib.h>
#include <sys/utsname.h>

#include "json.h"
#include "report.h"

static void put_text_or_null(struct json *js, const char *key, const char *s)
{
	if (s)
		json_string(js, key, s);
	else
		json_null(js, key);
}

static void put_hist(struct json *js, const char *key, const struct hist *h)
{
	unsigned int i;
	char name[16];

	if (!h->n) {
		json_null(js, key);
		return;
	}
	json_open(js, key, '{');
	json_number(js, "n", h->n);
	json_number(js, "min", h->min);
	json_real(js, "mean", (double)h->sum / (double)h->n, 0);
	for (i = 0; i < NR_PERCENTS; i++) {
		snprintf(name, sizeof(name), "p%g", percents[i]);
		json_number(js, name, hist_percentile(h, percents[i]));
	}
	json_number(js, "max", h->max);
	json_close(js, '}');
}

static void put_flow(struct json *js, const struct bench *b,
		     const struct phase *p, const struct flow *f)
{
	unsigned int i;

	json_open(js, NULL, '{');
	json_string(js, "name", f->name);
	put_text_or_null(js, "class",
			 b->hinted ? class_name(f->hint.io_class) : NULL);
	json_number(js, "ios", f->ios);
	json_number(js, "bytes", f->bytes);
	json_number(js, "wrong", f->wrong);
	json_real(js, "iops", per_second(f->ios, p->ns), 1);
	json_real(js, "gb_per_s", per_second(f->bytes, p->ns) / 1e9, 6);
	json_number(js, "receipts", f->receipts);
	json_number(js, "remote", f->remote);
	if (b->opt.workload == WORK_MIXED) {
		json_number(js, "ahead", f->ahead);
		json_number(js, "behind", f->behind);
	}
	json_open(js, "reasons", '{');
	for (i = 0; i < NR_REASONS; i++)
		if (f->reasons[i])
			json_number(js, reason_name(i), f->reasons[i]);
	json_close(js, '}');
	put_hist(js, "latency_ns", &f->latency);
	put_hist(js, "done_to_ready_ns", &f->ready);
	json_close(js, '}');
}

static void put_classes(struct json *js, const struct bench *b,
			const struct phase *p)
{
	struct flow sum;
	unsigned int i;

	json_open(js, "classes", '[');
	for (i = 0; i < IO_LOCALITY_NR_CLASSES; i++) {
		if (class_begin(&sum, p, i))
			put_flow(js, b, p, &sum);
		class_end(&sum);
	}
	json_close(js, ']');
}

static void put_phase(struct json *js, const struct bench *b,
		      const struct phase *p)
{
	unsigned int i;

	json_open(js, NULL, '{');
	json_string(js, "name", p->name);
	json_number(js, "ns", p->ns);
	json_open(js, "flows", '[');
	for (i = 0; i < p->nr_flows; i++)
		put_flow(js, b, p, &p->flows[i]);
	json_close(js, ']');
	put_classes(js, b, p);
	if (b->opt.workload == WORK_MIXED) {
		json_number(js, "sleeps", p->sleeps);
		json_number(js, "urgent_sleeps", p->urgent_sleeps);
		json_number(js, "fewest", p->fewest);
	}
	for (i = 0; i < p->nr_parts; i++) {
		json_open(js, p->parts[i].name, '{');
		put_hist(js, "submit_ns", &p->parts[i].submit);
		put_hist(js, "complete_ns", &p->parts[i].complete);
		json_close(js, '}');
	}
	json_close(js, '}');
}

void put_json(FILE *out, const struct bench *b)
{
	struct json js = { .file = out };
	struct utsname name;
	unsigned int i;

	uname(&name);
	json_open(&js, NULL, '{');
	json_number(&js, "cprovbench", 1);
	put_text_or_null(&js, "label", b->opt.label);
	json_string(&js, "workload", workload_names[b->opt.workload]);
	json_string(&js, "ring", ring_names[b->opt.ring]);
	if (b->opt.sq_cpu >= 0)
		json_integer(&js, "sq_cpu", b->opt.sq_cpu);
	json_string(&js, "kernel", name.release);
	json_string(&js, "target", b->opt.target);
	json_bool(&js, "emulated", emulated());
	json_bool(&js, "hints", b->hinted);
	json_bool(&js, "verified", b->opt.verify);
	json_number(&js, "threads", b->opt.threads);
	json_number(&js, "workers", b->opt.workers);
	json_number(&js, "block", b->opt.block);
	json_number(&js, "wait", b->opt.wait);
	json_open(&js, "phases", '[');
	for (i = 0; i < b->nr_phases; i++)
		put_phase(&js, b, &b->phases[i]);
	json_close(&js, ']');
	json_close(&js, '}');
	fputc('\n', out);
}
