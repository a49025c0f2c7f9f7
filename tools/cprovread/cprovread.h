/* SPDX-License-Identifier: GPL-2.0-only */
/* cprovread - read, verify, and count where the completions ran */
#ifndef CPROVREAD_H
#define CPROVREAD_H

#include <linux/completion_provenance.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "json.h"

/* Block of a sampled read, and what O_DIRECT offsets are aligned to. */
#define SAMPLE_SIZE 4096u
#define MAX_DEPTHS 8

/* ---- main.c ---- */

/* Exit status 2: nothing was measured, as opposed to measured and found bad. */
void __attribute__((noreturn, format(printf, 1, 2))) die(const char *fmt, ...);
/* A finding that makes the result invalid: reported, never hidden. */
void __attribute__((format(printf, 1, 2))) finding(const char *fmt, ...);

/* ---- options.c ---- */

struct options {
	const char *path;
	const char *label;
	const char *output;
	uint64_t offset;
	uint64_t length; /* 0 = to the end */
	unsigned int *cpus;
	unsigned int nr_cpus;
	unsigned int block;
	unsigned int whole_depth;
	unsigned int depths[MAX_DEPTHS];
	unsigned int nr_depths;
	unsigned int samples;
	uint64_t seed;
	const char *ring;
	unsigned int ring_flags;
	bool hinted;
	bool hint_optional;
	struct io_locality_hint hint;
	unsigned char digest[32];
};

void options_parse(struct options *opt, int argc, char **argv);
const char *class_name(unsigned int io_class);

/* ---- reader.c: O_DIRECT reads through io_uring ---- */

struct reader;

/* Reads of one thread on one CPU at one queue depth. */
struct batch {
	const uint64_t *offsets; /* into the target */
	unsigned int nr;
	unsigned int size;
	unsigned int depth;
	bool sample; /* compare with the whole, do not store */
};

struct reader *reader_open(const struct options *opt);
void reader_close(struct reader *rd);
uint64_t reader_length(const struct reader *rd);
dev_t reader_disk(const struct reader *rd);
bool reader_hinted(const struct reader *rd);
/* Reads that are no part of any count: metadata, caches, first use. */
void reader_warm_up(struct reader *rd);
/* False if a sampled block differs; an I/O error is a finding, and false. */
bool reader_run(struct reader *rd, const struct batch *batch);
/* SHA-256 of the whole, as read. */
void reader_digest(const struct reader *rd, unsigned char digest[32]);

/* ---- tracehist.c: events counted by the kernel, in a trace instance ---- */

struct completions {
	uint64_t reads; /* of the expected sizes */
	uint64_t odd_reads; /* of other sizes: split or merged */
	uint64_t others; /* metadata, writes: not of this program */
	uint64_t *per_cpu; /* reads by CPU */
};

void trace_start(dev_t disk, pid_t tid);
void trace_stop(void);
/* Sizes are in sectors, zero for none. */
void trace_completions(struct completions *sum, const unsigned int sizes[3]);
uint64_t trace_wakeups(void);

/* ---- counts.c: interrupts, switches, decisions ---- */

unsigned int possible_cpus(void);

struct ipis {
	uint64_t call;
	uint64_t reschedule;
};

struct switches {
	uint64_t voluntary;
	uint64_t involuntary;
};

void count_ipis(struct ipis *ipis);
void count_switches(struct switches *sw);

/* The policy's counters: complete/step_critical/at_home and the like. */
struct decisions {
	size_t nr;
	struct decision {
		char *point, *io_class, *reason; /* no class: deferred */
		uint64_t count;
	} * list;
};

void decisions_read(struct decisions *dec);
/* What happened since @before; both stay valid. */
void decisions_subtract(struct decisions *dec, const struct decisions *before);
/* Steered or as good as home: not a decline. */
bool decision_is_home(const struct decision *d);

#endif /* CPROVREAD_H */
