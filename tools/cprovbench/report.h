/* SPDX-License-Identifier: GPL-2.0-only */
/* What both forms of the report have: that for people, and JSON. */
#ifndef CPROVBENCH_REPORT_H
#define CPROVBENCH_REPORT_H

#include "cprovbench.h"

#define NR_PERCENTS 4
extern const double percents[NR_PERCENTS];

/* An emulator's clock measures the emulator. */
bool emulated(void);
double per_second(uint64_t n, uint64_t ns);

/* The sums of the flows of a class; how many these are. */
unsigned int class_begin(struct flow *sum, const struct phase *p,
			 unsigned int io_class);
void class_end(struct flow *sum);

void put_json(FILE *out, const struct bench *b);

#endif /* CPROVBENCH_REPORT_H */
