// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherence-validate - accesses in a known order, with the number of transfers
 * that the coherence instrument must count for them.
 *
 * A case is a round of accesses, each by a thread that is pinned to its CPU and
 * waits until the one before is over. The lines are touched by nothing else, so
 * that a round costs exactly what the model says, which is told below beside
 * each. Semaphores pass the turn; their lines are not looked at.
 *
 * For each case one line of JSON says which region it was and what is due.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "marker.h"

#define CPUS 4
#define LINE 64
#define PAGE 4096
#define MAX_STEPS 8
#define MAX_DUE 2
#define WARM_UP 8
#define NR_LOOPS 10
#define AHCI "/sys/bus/pci/devices/0000:00:1f.2"
#define AHCI_VERSION 0x10

enum access {
	LOAD, /* one read */
	STORE, /* one write */
	ADD, /* a read, then a write: no lock prefix */
	LOCKED_ADD, /* one access that reads and writes: a write to the model */
};

struct step {
	unsigned int cpu;
	enum access access;
	unsigned int at; /* offset into the arena */
	unsigned int times; /* 0 = once */
};

/* Transfers of one line in one round. */
struct due {
	unsigned int at;
	unsigned int read;
	unsigned int write;
	unsigned int upgrade;
};

struct test {
	const char *name;
	unsigned int nr_steps;
	unsigned int nr_due;
	struct step steps[MAX_STEPS];
	struct due due[MAX_DUE];
	bool pauses; /* in every other round, which is not counted */
};

static const struct test tests[] = {
	/* Each CPU has its line, which nobody takes from it. */
	{ "private",
	  2,
	  2,
	  { { 0, ADD, 0, 100 }, { 1, ADD, PAGE, 100 } },
	  { { 0, 0, 0, 0 }, { PAGE, 0, 0, 0 } },
	  false },
	/* Each of two stores fetches the line from the other: 2. */
	{ "ping-pong-store",
	  2,
	  1,
	  { { 0, STORE, 0, 0 }, { 1, STORE, 0, 0 } },
	  { { 0, 0, 2, 0 } },
	  false },
	/* The same: what is locked has the line once, to write: 2. */
	{ "ping-pong-locked",
	  2,
	  1,
	  { { 0, LOCKED_ADD, 0, 0 }, { 1, LOCKED_ADD, 0, 0 } },
	  { { 0, 0, 2, 0 } },
	  false },
	/* The read fetches the line, the write takes the other's copy: 2 + 2. */
	{ "ping-pong-add",
	  2,
	  1,
	  { { 0, ADD, 0, 0 }, { 1, ADD, 0, 0 } },
	  { { 0, 2, 0, 2 } },
	  false },
	/* Only the first of a hundred pays: 2. */
	{ "ping-pong-often",
	  2,
	  1,
	  { { 0, STORE, 0, 100 }, { 1, STORE, 0, 100 } },
	  { { 0, 0, 2, 0 } },
	  false },
	/* Two counters in a line cost what one costs. */
	{ "false-sharing",
	  2,
	  1,
	  { { 0, ADD, 0, 0 }, { 1, ADD, LINE / 2, 0 } },
	  { { 0, 2, 0, 2 } },
	  false },
	/* In neighbouring lines they cost nothing. */
	{ "padded",
	  2,
	  2,
	  { { 0, ADD, 0, 0 }, { 1, ADD, LINE, 0 } },
	  { { 0, 0, 0, 0 }, { LINE, 0, 0, 0 } },
	  false },
	/*
	 * The write takes the line from three readers; the writer had it, as its
	 * owner: 1 upgrade. Each reader fetches it once: 3.
	 */
	{ "read-mostly",
	  4,
	  1,
	  { { 0, STORE, 0, 0 },
	    { 1, LOAD, 0, 16 },
	    { 2, LOAD, 0, 16 },
	    { 3, LOAD, 0, 16 } },
	  { { 0, 3, 0, 1 } },
	  false },
	/* All have it, and keep it. */
	{ "read-only",
	  4,
	  1,
	  { { 0, LOAD, 0, 16 },
	    { 1, LOAD, 0, 16 },
	    { 2, LOAD, 0, 16 },
	    { 3, LOAD, 0, 16 } },
	  { { 0, 0, 0, 0 } },
	  false },
	/* Handed on: each store fetches it from a reader's, each load from a writer's. */
	{ "hand-over",
	  4,
	  1,
	  { { 0, STORE, 0, 0 },
	    { 1, LOAD, 0, 0 },
	    { 2, STORE, 0, 0 },
	    { 3, LOAD, 0, 0 } },
	  { { 0, 2, 2, 0 } },
	  false },
	/* An access that ends in the next line is one of both. */
	{ "split-line",
	  2,
	  2,
	  { { 0, STORE, LINE - 4, 0 }, { 1, STORE, LINE - 4, 0 } },
	  { { 0, 0, 2, 0 }, { LINE, 0, 2, 0 } },
	  false },
	/* And so where the next line is on the next page. */
	{ "split-page",
	  2,
	  2,
	  { { 0, STORE, PAGE - 4, 0 }, { 1, STORE, PAGE - 4, 0 } },
	  { { PAGE - LINE, 0, 2, 0 }, { PAGE, 0, 2, 0 } },
	  false },
	/* Rounds that are paused cost as much, and are not counted. */
	{ "paused",
	  2,
	  1,
	  { { 0, STORE, 0, 0 }, { 1, STORE, 0, 0 } },
	  { { 0, 0, 2, 0 } },
	  true },
};

#define NR_TESTS (sizeof(tests) / sizeof(tests[0]))

static unsigned char arena[2 * PAGE] __attribute__((aligned(PAGE)));
static sem_t turns[CPUS];
static unsigned long rounds = 500;
static FILE *output;

static __attribute__((noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verrx(2, fmt, ap);
}

static void pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on CPU %u: %s", cpu, strerror(errno));
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg)
{
	int err = pthread_create(thread, NULL, run, arg);

	if (err)
		die("pthread_create: %s", strerror(err));
}

/* One instruction each, whatever the compiler thinks. */
static void access_memory(enum access access, void *p)
{
	unsigned long value = 1;

	switch (access) {
	case LOAD:
		__asm__ volatile("movq (%1), %0"
				 : "=r"(value)
				 : "r"(p)
				 : "memory");
		break;
	case STORE:
		__asm__ volatile("movq %0, (%1)"
				 :
				 : "r"(value), "r"(p)
				 : "memory");
		break;
	case ADD:
		__asm__ volatile("addq %0, (%1)"
				 :
				 : "r"(value), "r"(p)
				 : "memory");
		break;
	case LOCKED_ADD:
		__asm__ volatile("lock addq %0, (%1)"
				 :
				 : "r"(value), "r"(p)
				 : "memory");
		break;
	}
}

struct player {
	const struct test *test;
	unsigned int region;
	unsigned int cpu;
};

static bool mine(const struct player *pl, unsigned int step)
{
	return pl->test->steps[step % pl->test->nr_steps].cpu == pl->cpu;
}

/* As many rounds are counted as without. */
static void mark_pausing(const struct player *pl, unsigned long round)
{
	if (round < WARM_UP)
		return;
	if (round == WARM_UP + 2 * rounds) {
		coherence_end(pl->region);
	} else if ((round - WARM_UP) % 2) {
		coherence_unit(pl->region);
		coherence_pause(pl->region);
	} else {
		coherence_begin(pl->region);
	}
}

/* The first CPU of the round marks: nobody else has its turn then. */
static void mark(const struct player *pl, unsigned long round)
{
	if (pl->test->pauses) {
		mark_pausing(pl, round);
		return;
	}
	if (round == WARM_UP)
		coherence_begin(pl->region);
	if (round > WARM_UP)
		coherence_unit(pl->region);
	if (round == WARM_UP + rounds)
		coherence_end(pl->region);
}

static void *play(void *arg)
{
	const struct player *pl = arg;
	unsigned int nr = pl->test->nr_steps, i, n;
	unsigned long last = WARM_UP + rounds * (pl->test->pauses ? 2 : 1);
	unsigned long round;

	pin(pl->cpu);
	/* One more, in which the last mark is set. */
	for (round = 0; round <= last; round++) {
		for (i = 0; i < nr; i++) {
			const struct step *step = &pl->test->steps[i];

			if (!mine(pl, i))
				continue;
			if (!mine(pl, i + nr - 1))
				while (sem_wait(&turns[pl->cpu]))
					;
			if (!i)
				mark(pl, round);
			for (n = 0; n < step->times || !n; n++)
				access_memory(step->access, arena + step->at);
			if (!mine(pl, i + 1))
				sem_post(&turns[pl->test->steps[(i + 1) % nr]
							.cpu]);
		}
	}
	return NULL;
}

static void report_due(const struct test *test, unsigned int region)
{
	unsigned int i;

	fprintf(output,
		"{\"case\":\"%s\",\"region\":%u,\"rounds\":%lu,\"due\":[",
		test->name, region, rounds);
	for (i = 0; i < test->nr_due; i++) {
		const struct due *due = &test->due[i];

		fprintf(output,
			"%s{\"vaddr\":\"0x%" PRIxPTR
			"\",\"read\":%lu,\"write\":%lu,\"upgrade\":%lu}",
			i ? "," : "", (uintptr_t)(arena + due->at),
			due->read * rounds, due->write * rounds,
			due->upgrade * rounds);
	}
	fputs("]}\n", output);
}

static void run_test(const struct test *test, unsigned int region)
{
	struct player players[CPUS];
	pthread_t threads[CPUS];
	unsigned int cpu;

	memset(arena, 1, sizeof(arena));
	for (cpu = 0; cpu < CPUS; cpu++)
		if (sem_init(&turns[cpu], 0, 0))
			die("sem_init: %s", strerror(errno));
	for (cpu = 0; cpu < CPUS; cpu++) {
		players[cpu] = (struct player){ test, region, cpu };
		start(&threads[cpu], play, &players[cpu]);
	}
	sem_post(&turns[test->steps[0].cpu]);
	for (cpu = 0; cpu < CPUS; cpu++)
		pthread_join(threads[cpu], NULL);
	report_due(test, region);
}

/* ---- what is counted besides ---- */

/* Of all vCPUs, in the region where it is least. */
static void report_count(const char *name, unsigned int region,
			 unsigned int nr_regions, unsigned long least,
			 unsigned long most)
{
	fprintf(output,
		"{\"case\":\"%s\",\"region\":%u,\"nr_regions\":%u,\"count\":\"%s\",\"least\":%lu,\"most\":%lu}\n",
		name, region, nr_regions, name, least, most);
}

/*
 * A load, a store and two more make a round of four instructions. Of several
 * loops the one counts that the fewest timer interrupts came into.
 */
static void run_loop(unsigned int region)
{
	unsigned long n = 200000, left, value = 0;
	unsigned int i;

	pin(1);
	memset(arena, 1, sizeof(arena));
	for (i = 0; i < NR_LOOPS; i++) {
		left = n;
		coherence_begin(region + i);
		__asm__ volatile("1:\n\t"
				 "movq (%2), %1\n\t"
				 "movq %1, 8(%2)\n\t"
				 "decq %0\n\t"
				 "jnz 1b"
				 : "+r"(left), "+r"(value)
				 : "r"(arena)
				 : "memory", "cc");
		coherence_end(region + i);
	}
	report_count("instructions", region, NR_LOOPS, n * 4,
		     n * 4 * 102 / 100);
	report_count("reads", region, NR_LOOPS, n, n * 102 / 100);
	report_count("writes", region, NR_LOOPS, n, n * 102 / 100);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f))
		die("%s: %s", path, strerror(errno));
}

/*
 * The same on a register of a device: the AHCI controller that QEMU's q35 has, as the
 * guest's kernel has no driver for it. Its version is read twice and written once, which
 * does nothing, so that neither is taken for the other. Besides there are only the timer's.
 */
static void run_mmio(unsigned int region)
{
	unsigned long n = 20000, left;
	unsigned int value = 0, i;
	unsigned char *registers;
	int fd;

	pin(1);
	if (!access(AHCI "/driver", F_OK))
		die("%s: a driver has the device", AHCI);
	write_file(AHCI "/enable", "1");
	fd = open(AHCI "/resource5", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("%s/resource5: %s", AHCI, strerror(errno));
	registers = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (registers == MAP_FAILED)
		die("%s/resource5: %s", AHCI, strerror(errno));
	for (i = 0; i < NR_LOOPS; i++) {
		left = n;
		coherence_begin(region + i);
		__asm__ volatile("1:\n\t"
				 "movl (%2), %1\n\t"
				 "movl (%2), %1\n\t"
				 "movl %1, (%2)\n\t"
				 "decq %0\n\t"
				 "jnz 1b"
				 : "+r"(left), "+r"(value)
				 : "r"(registers + AHCI_VERSION)
				 : "memory", "cc");
		coherence_end(region + i);
	}
	if (!value || value == UINT32_MAX)
		die("%s: %#x is no version", AHCI, value);
	munmap(registers, PAGE);
	close(fd);
	report_count("mmio_reads", region, NR_LOOPS, n * 2, n * 2 * 102 / 100);
	report_count("mmio_writes", region, NR_LOOPS, n, n * 102 / 100);
}

static atomic_bool spinning, stop;

static void *spin(void *arg)
{
	(void)arg;
	pin(2);
	spinning = true;
	while (!stop)
		;
	return NULL;
}

/* Interrupts from other CPUs, as their receivers count them. */
static unsigned long received_ipis(void)
{
	FILE *f = fopen("/proc/interrupts", "re");
	unsigned long sum = 0;
	char *line = NULL;
	size_t size = 0;

	if (!f)
		die("/proc/interrupts: %s", strerror(errno));
	while (getline(&line, &size, f) > 0) {
		char *p = strchr(line, ':'), *end;
		unsigned long n;

		if (!p || (!strstr(p, "Function call interrupts") &&
			   !strstr(p, "Rescheduling interrupts") &&
			   !strstr(p, "IRQ work interrupts")))
			continue;
		for (p++; n = strtoul(p, &end, 10), end != p; p = end)
			sum += n;
	}
	free(line);
	fclose(f);
	return sum;
}

/*
 * The only other thread that runs gets one interrupt for each barrier. What the
 * kernel sends besides, it counts.
 */
static void run_ipis(unsigned int region)
{
	unsigned long n = 500, i, received;
	pthread_t thread;

	pin(1);
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
		    0, 0))
		die("membarrier: %s", strerror(errno));
	start(&thread, spin, NULL);
	while (!spinning)
		sched_yield();
	received = received_ipis();
	coherence_begin(region);
	for (i = 0; i < n; i++) {
		syscall(__NR_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0,
			0);
		coherence_unit(region);
	}
	coherence_end(region);
	received = received_ipis() - received;
	stop = true;
	pthread_join(thread, NULL);
	if (received < n)
		die("%lu barriers, and the kernel counts %lu interrupts", n,
		    received);
	/* The readings are a little wider than the region. */
	report_count("ipis", region, 1, received * 98 / 100, received);
}

static void print_help(FILE *to)
{
	fputs("usage: coherence-validate [OPTION...]\n"
	      "Accesses with a known number of transfers, for the coherence instrument.\n\n"
	      "  --rounds N      of each case; default 500\n"
	      "  --output FILE   what is due, in JSON; default: standard output\n"
	      "  --help\n",
	      to);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	unsigned int i;
	char *end;
	int opt;

	output = stdout;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'r':
			rounds = strtoul(optarg, &end, 10);
			if (*end || !rounds)
				die("--rounds %s: not a number above 0",
				    optarg);
			break;
		case 'o':
			output = fopen(optarg, "we");
			if (!output)
				die("%s: %s", optarg, strerror(errno));
			break;
		case 'h':
			print_help(stdout);
			return 0;
		default:
			print_help(stderr);
			return 2;
		}
	}
	if (optind < argc) {
		print_help(stderr);
		return 2;
	}
	for (i = 0; i < NR_TESTS; i++)
		run_test(&tests[i], i);
	run_loop(NR_TESTS);
	run_ipis(NR_TESTS + NR_LOOPS);
	run_mmio(NR_TESTS + NR_LOOPS + 1);
	if (fclose(output))
		die("cannot write: %s", strerror(errno));
	return 0;
}
