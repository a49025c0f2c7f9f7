/* SPDX-License-Identifier: GPL-2.0-only */
/* The workloads, and what they have in common. */
#ifndef WORK_H
#define WORK_H

#include <pthread.h>

#include "cprovbench.h"

struct worker {
	struct bench *b;
	struct phase *phase; /* where the sums are */
	struct phase own;
	unsigned int nth;
	pthread_t thread;
};

bool next_step(struct bench *b);
void count_step(struct bench *b);
int cpu_of(const struct bench *b, unsigned int nth);
void request_init(struct request *rq, struct flow *flow, unsigned int slot,
		  unsigned int bytes);
uint64_t place(const struct bench *b, uint64_t seed, unsigned int bytes);
uint64_t after(const struct bench *b, const struct request *rq, uint64_t step);
uint64_t linked(const struct bench *b, const struct request *rq,
		unsigned int nth);
void helper_start(struct worker *helper, struct worker *of, unsigned int nth,
		  void *(*run_helper)(void *));
void helper_join(struct worker *helper, struct worker *of);

void chase(struct worker *w, bool migrate);
void peak(struct worker *w);
void swap(struct worker *w);
void loader(struct worker *w);
void mixed(struct worker *w);
void database(struct worker *w);
void hops(struct worker *w);
void handoff(struct worker *w);

#endif
