// SPDX-License-Identifier: GPL-2.0-only
/* The command line. */
#include <errno.h>
#include <getopt.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "cprovread.h"

static const char usage[] =
	"Usage: cprovread --sha256 DIGEST [OPTION...] FILE|DEVICE\n"
	"\n"
	"Read FILE or DEVICE with O_DIRECT through io_uring, verify every byte, and\n"
	"count where the completions ran. The whole of it is read in large blocks, a\n"
	"share of it from each CPU; then a sample of it in blocks of 4 KiB, from each\n"
	"CPU in turn at each queue depth. The result is one line of JSON. Needs root\n"
	"and tracefs.\n"
	"\n"
	"  -s, --sha256 DIGEST    what the bytes read must hash to, in hex\n"
	"      --offset BYTES     start here (multiple of 4096; default 0)\n"
	"      --length BYTES     this far (default: to the end)\n"
	"  -c, --cpus LIST        CPUs to read from, such as 0-3,8 (default: all that\n"
	"                         this process may use)\n"
	"  -b, --block BYTES      block of the whole read (default 131072)\n"
	"  -q, --whole-depth N    its queue depth (default 8)\n"
	"  -d, --depths LIST      queue depths of the sample (default 1,8,32)\n"
	"  -n, --samples N        reads per CPU and queue depth (default 128)\n"
	"      --seed N           of the choice of sampled blocks (default 1)\n"
	"  -r, --ring KIND        defer, coop or plain task work (default defer)\n"
	"  -H, --hint CLASS,US    opt the ring in: a default hint with the submitting CPU\n"
	"                         as home, of CLASS throughput, latency, step_critical or\n"
	"                         prefetch, with a budget of US microseconds\n"
	"      --hint-optional    read without hints on a kernel that has none\n"
	"  -l, --label TEXT       goes into the result\n"
	"  -o, --output FILE      the result goes there (default: standard output)\n"
	"  -h, --help             this text\n"
	"\n"
	"Examples:\n"
	"  cprovread -s $(sha256sum <model.bin | cut -d' ' -f1) model.bin\n"
	"  cprovread -s $DIGEST --length 64M --cpus 2 --depths 1 -n 1000 /dev/nvme0n1\n"
	"  cprovread -s $DIGEST --hint step_critical,5000000 /mnt/model.bin | jq .remote_ratio\n"
	"\n"
	"Exit status: 0 verified and counted; 1 wrong data, a failed read, or counts that\n"
	"do not add up (see \"errors\" in the result); 2 nothing was measured.\n";

static const char *const class_names[IO_LOCALITY_NR_CLASSES] = {
	[IO_LOCALITY_CLASS_THROUGHPUT] = "throughput",
	[IO_LOCALITY_CLASS_LATENCY] = "latency",
	[IO_LOCALITY_CLASS_STEP_CRITICAL] = "step_critical",
	[IO_LOCALITY_CLASS_PREFETCH] = "prefetch",
};

const char *class_name(unsigned int io_class)
{
	return class_names[io_class];
}

static uint64_t parse_number(const char *what, const char *s, uint64_t min,
			     uint64_t max)
{
	unsigned int shift = 0;
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(s, &end, 0);
	if (end != s && *end) {
		switch (*end++) {
		case 'K':
			shift = 10;
			break;
		case 'M':
			shift = 20;
			break;
		case 'G':
			shift = 30;
			break;
		default:
			end--;
		}
	}
	if (end == s || *end || errno || *s == '-' || n > UINT64_MAX >> shift ||
	    n << shift < min || n << shift > max)
		die("bad %s '%s'", what, s);
	return n << shift;
}

/* Numbers and ranges between commas; returns how many, at most @max. */
static unsigned int parse_list(const char *what, const char *s,
			       unsigned int *list, unsigned int max,
			       unsigned int limit)
{
	char *copy = strdup(s), *save, *item, *dash;
	unsigned int nr = 0;
	uint64_t first, last;

	if (!copy)
		die("out of memory");
	for (item = strtok_r(copy, ",", &save); item;
	     item = strtok_r(NULL, ",", &save)) {
		dash = strchr(item, '-');
		if (dash)
			*dash = '\0';
		first = parse_number(what, item, 0, limit);
		last = dash ? parse_number(what, dash + 1, first, limit) :
			      first;
		for (; first <= last; first++) {
			if (nr == max)
				die("too many values in %s '%s'", what, s);
			list[nr++] = (unsigned int)first;
		}
	}
	free(copy);
	if (!nr)
		die("no value in %s '%s'", what, s);
	return nr;
}

static void parse_digest(unsigned char digest[32], const char *s)
{
	size_t i;

	if (strlen(s) != 64 || strspn(s, "0123456789abcdefABCDEF") != 64)
		die("a SHA-256 digest has 64 hexadecimal digits, not '%s'", s);
	for (i = 0; i < 32; i++)
		sscanf(s + 2 * i, "%2hhx", &digest[i]);
}

static void parse_hint(struct io_locality_hint *hint, const char *s)
{
	const char *comma = strchr(s, ',');
	size_t len = comma ? (size_t)(comma - s) : strlen(s);
	unsigned int i;

	memset(hint, 0, sizeof(*hint));
	hint->home_cpu = -1;
	hint->home_node = -1;
	if (comma)
		hint->budget_us = (uint32_t)parse_number("budget", comma + 1, 0,
							 UINT32_MAX);
	for (i = 0; i < IO_LOCALITY_NR_CLASSES; i++) {
		if (strlen(class_names[i]) == len &&
		    !strncmp(class_names[i], s, len)) {
			hint->io_class = (uint16_t)i;
			return;
		}
	}
	die("no such class in the hint '%s'", s);
}

static unsigned int parse_ring(const char *s)
{
	if (!strcmp(s, "defer"))
		return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	if (!strcmp(s, "coop"))
		return IORING_SETUP_COOP_TASKRUN;
	if (!strcmp(s, "plain"))
		return 0;
	die("no such kind of ring: '%s'", s);
}

/* All CPUs that this process may use. */
static unsigned int usable_cpus(unsigned int *cpus, unsigned int max)
{
	cpu_set_t *set = CPU_ALLOC(max);
	size_t size = CPU_ALLOC_SIZE(max);
	unsigned int cpu, nr = 0;

	if (!set || sched_getaffinity(0, size, set))
		die("sched_getaffinity: %s", strerror(errno));
	for (cpu = 0; cpu < max; cpu++)
		if (CPU_ISSET_S(cpu, size, set))
			cpus[nr++] = cpu;
	CPU_FREE(set);
	return nr;
}

enum { OFFSET = 256, LENGTH, SEED, HINT_OPTIONAL };

static const struct option long_options[] = {
	{ "sha256", required_argument, NULL, 's' },
	{ "offset", required_argument, NULL, OFFSET },
	{ "length", required_argument, NULL, LENGTH },
	{ "cpus", required_argument, NULL, 'c' },
	{ "block", required_argument, NULL, 'b' },
	{ "whole-depth", required_argument, NULL, 'q' },
	{ "depths", required_argument, NULL, 'd' },
	{ "samples", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, SEED },
	{ "ring", required_argument, NULL, 'r' },
	{ "hint", required_argument, NULL, 'H' },
	{ "hint-optional", no_argument, NULL, HINT_OPTIONAL },
	{ "label", required_argument, NULL, 'l' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void parse_one(struct options *opt, int c, const char *arg)
{
	switch (c) {
	case 's':
		parse_digest(opt->digest, arg);
		break;
	case OFFSET:
		opt->offset = parse_number("offset", arg, 0, INT64_MAX);
		break;
	case LENGTH:
		opt->length = parse_number("length", arg, 1, INT64_MAX);
		break;
	case 'c':
		opt->nr_cpus = parse_list("list of CPUs", arg, opt->cpus,
					  possible_cpus(), possible_cpus() - 1);
		break;
	case 'b':
		opt->block = (unsigned int)parse_number("block", arg,
							SAMPLE_SIZE, 1 << 30);
		if (opt->block % SAMPLE_SIZE)
			die("the block must be a multiple of %u", SAMPLE_SIZE);
		break;
	case 'q':
		opt->whole_depth =
			(unsigned int)parse_number("queue depth", arg, 1, 4096);
		break;
	case 'd':
		opt->nr_depths = parse_list("list of queue depths", arg,
					    opt->depths, MAX_DEPTHS, 4096);
		break;
	case 'n':
		opt->samples = (unsigned int)parse_number("number of samples",
							  arg, 1, 1 << 30);
		break;
	case SEED:
		opt->seed = parse_number("seed", arg, 0, UINT64_MAX);
		break;
	case 'r':
		opt->ring = arg;
		opt->ring_flags = parse_ring(arg);
		break;
	case 'H':
		opt->hinted = true;
		parse_hint(&opt->hint, arg);
		break;
	case HINT_OPTIONAL:
		opt->hint_optional = true;
		break;
	case 'l':
		opt->label = arg;
		break;
	case 'o':
		opt->output = arg;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		die("try --help");
	}
}

void options_parse(struct options *opt, int argc, char **argv)
{
	bool digest = false;
	unsigned int i;
	int c;

	*opt = (struct options){
		.block = 131072,
		.whole_depth = 8,
		.depths = { 1, 8, 32 },
		.nr_depths = 3,
		.samples = 128,
		.seed = 1,
		.ring = "defer",
		.ring_flags = parse_ring("defer"),
	};
	opt->cpus = calloc(possible_cpus(), sizeof(*opt->cpus));
	if (!opt->cpus)
		die("out of memory");
	while ((c = getopt_long(argc, argv, "s:c:b:q:d:n:r:H:l:o:h",
				long_options, NULL)) != -1) {
		digest |= c == 's';
		parse_one(opt, c, optarg);
	}
	if (argc - optind != 1 || !digest)
		die("a digest and one file or device are needed; try --help");
	opt->path = argv[optind];
	if (!opt->label)
		opt->label = opt->path;
	if (!opt->nr_cpus)
		opt->nr_cpus = usable_cpus(opt->cpus, possible_cpus());
	for (i = 0; i < opt->nr_depths; i++)
		if (!opt->depths[i])
			die("a queue depth must not be 0");
}
