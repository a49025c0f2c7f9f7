// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovbench - what people do with storage that somebody waits for, with locality
 * hints where the kernel has them: see cprovbench(1)
 */
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cprovbench.h"

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verrx(2, fmt, ap);
}

/* Not the user's mistake: another kernel or device may have it. */
void lacking(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verrx(3, fmt, ap);
}

/* The clock that receipts have. */
uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void *allocate(size_t bytes)
{
	void *p = NULL;

	if (posix_memalign(&p, BLOCK, bytes))
		die("out of memory");
	/* Touched, so that no page is missing while something is measured. */
	memset(p, 0, bytes);
	return p;
}

void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on CPU %d: %s", cpu, strerror(errno));
}

/* On any of the CPUs that may be used. */
void roam(const struct bench *b)
{
	cpu_set_t set;
	int i;

	CPU_ZERO(&set);
	for (i = 0; i < b->opt.nr_cpus; i++)
		CPU_SET((size_t)b->opt.cpus[i], &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on the CPUs of --cpus: %s", strerror(errno));
}

static void probe(struct bench *b)
{
	struct io_locality_probe answer;
	bool off;
	int ret;

	memset(&answer, 0, sizeof(answer));
	ret = cprov_probe(-1, &answer);
	b->kernel_has_hints = !ret;
	off = !ret && !(answer.state & IO_LOCALITY_STATE_HINTS);
	if (b->opt.hints == HINTS_NEED && ret)
		lacking("this kernel takes no locality hints");
	if (b->opt.hints == HINTS_NEED && off)
		lacking("hints are turned off: sysctl kernel.completion_provenance=1");
	b->hinted = b->kernel_has_hints && !off && b->opt.hints != HINTS_OFF &&
		    ring_takes_hints(b->opt.ring);
	b->receipts = b->hinted && b->opt.receipts &&
		      answer.enable_flags & IO_LOCALITY_F_RECEIPTS;
	/* Without hints the class is only a name in the results. */
	b->step_critical = ret ||
			   answer.state & IO_LOCALITY_STATE_STEP_CRITICAL;
}

static void prepare(struct bench *b)
{
	bool directory = b->opt.workload == WORK_LOADER;

	if (b->opt.prepare && directory)
		dataset_prepare(&b->opt);
	else if (b->opt.prepare)
		target_prepare(&b->opt);
	if (directory)
		dataset_open(&b->target, &b->opt);
	else
		target_open(&b->target, &b->opt);
}

int main(int argc, char **argv)
{
	struct bench b;
	unsigned int i, j;
	bool wrong = false;

	memset(&b, 0, sizeof(b));
	parse_options(&b.opt, argc, argv);
	prepare(&b);
	if (ring_polls(b.opt.ring))
		device_must_poll(&b.target, &b.opt);
	if (b.opt.ring == RING_PASSTHROUGH)
		device_passthrough(&b.target, &b.opt);
	probe(&b);
	run(&b);
	report(&b);
	for (i = 0; i < b.nr_phases; i++)
		for (j = 0; j < b.phases[i].nr_flows; j++)
			wrong |= b.phases[i].flows[j].wrong;
	return wrong;
}
