// SPDX-License-Identifier: GPL-2.0-only
/* The command line. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cprovbench.h"
#include "marker.h"

const char *const workload_names[] = { "chase",	  "peak",    "swap", "mixed",
				       "handoff", "migrate", "hops", "database",
				       "loader",  NULL };
const char *const ring_names[] = { "default", "coop",	"defer",       "sqpoll",
				   "iopoll",  "hybrid", "passthrough", "libaio",
				   "pread",   NULL };
static const char *const hints_names[] = { "auto", "off", "need", NULL };
static const char *const home_names[] = { "", "worker", "backend", NULL };

static unsigned int parse_name(const char *what, const char *s,
			       const char *const *names)
{
	unsigned int i;

	for (i = 0; names[i]; i++)
		if (!strcmp(s, names[i]))
			return i;
	die("%s '%s' is not known: see --help", what, s);
}

static uint64_t parse_number(const char *what, const char *s, uint64_t min,
			     uint64_t max)
{
	unsigned int shift = 0;
	uint64_t n;
	char *end;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (*end == 'K')
		shift = 10;
	else if (*end == 'M')
		shift = 20;
	else if (*end == 'G')
		shift = 30;
	if (shift)
		end++;
	if (errno || end == s || *end || *s == '-' || n > max >> shift ||
	    n << shift < min)
		die("--%s %s: not a number from %llu to %llu", what, s,
		    (unsigned long long)min, (unsigned long long)max);
	return n << shift;
}

static unsigned int parse_unsigned(const char *what, const char *s,
				   unsigned int min, unsigned int max)
{
	return (unsigned int)parse_number(what, s, min, max);
}

static void parse_cpus(struct options *opt, const char *s)
{
	char *end;

	opt->nr_cpus = 0;
	for (; *s; s = end) {
		unsigned long first = strtoul(s, &end, 10), last = first;

		if (end != s && *end == '-') {
			s = end + 1;
			last = strtoul(s, &end, 10);
		}
		if (end == s || last < first || last >= CPU_SETSIZE ||
		    (*end && *end != ','))
			die("--cpus: not a list of CPUs");
		for (; first <= last; first++) {
			if (opt->nr_cpus == MAX_CPUS)
				die("--cpus: more than %d", MAX_CPUS);
			opt->cpus[opt->nr_cpus++] = (int)first;
		}
		if (*end)
			end++;
	}
	if (!opt->nr_cpus)
		die("--cpus: none");
}

static void all_cpus(struct options *opt)
{
	cpu_set_t set;
	int i;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity: %s", strerror(errno));
	for (i = 0; i < CPU_SETSIZE && opt->nr_cpus < MAX_CPUS; i++)
		if (CPU_ISSET((size_t)i, &set))
			opt->cpus[opt->nr_cpus++] = i;
}

/* What is polled for completes where it is polled: there is nothing to steer. */
bool ring_takes_hints(enum ring_kind kind)
{
	return !ring_polls(kind) && kind < RING_LIBAIO;
}

bool ring_polls(enum ring_kind kind)
{
	return kind == RING_IOPOLL || kind == RING_HYBRID;
}

static void check_ring(const struct options *opt)
{
	const char *name = ring_names[opt->ring];

	if (opt->ring == RING_PREAD && opt->workload != WORK_CHASE)
		die("pread is for chase");
	if (opt->nr_cpus < 2 &&
	    (opt->workload == WORK_HANDOFF || opt->workload == WORK_MIGRATE))
		die("%s goes from one CPU to another, and there is one only",
		    workload_names[opt->workload]);
	if (opt->workload == WORK_HANDOFF) {
		if (opt->ring == RING_DEFER)
			die("a DEFER_TASKRUN ring is of one thread, and handoff has two");
		if (ring_polls(opt->ring))
			die("who polls an %s ring keeps others from it, and handoff has two threads",
			    name);
	}
	if (opt->hints == HINTS_NEED && !ring_takes_hints(opt->ring))
		die("%s takes no hints, and --hints need asks for them: use --hints off, or a ring that is default, coop, defer, sqpoll or passthrough",
		    name);
	if (opt->ring == RING_PASSTHROUGH && opt->workload == WORK_LOADER)
		die("passthrough reads a namespace, and loader reads files");
	if (opt->ring == RING_PASSTHROUGH && opt->home == HOME_BACKEND)
		die("a command has no room for a hint of its own: passthrough is not for --home backend");
	if (opt->fixed && opt->workload != WORK_PEAK)
		die("--fixed is for peak");
	if (opt->fixed && opt->ring >= RING_PASSTHROUGH)
		die("--fixed is for rings that read: not for %s", name);
	if (opt->sq_cpu >= 0 && opt->ring != RING_SQPOLL)
		die("--sq-cpu is for --ring sqpoll: %s has no SQ thread", name);
}

static void check_hops(struct options *opt)
{
	if (opt->workload != WORK_HOPS && opt->beam)
		die("--beam is for hops");
	if (opt->workload != WORK_HOPS && opt->hops)
		die("--hops is for hops");
	if (!opt->beam)
		opt->beam = 4;
	if (!opt->hops)
		opt->hops = 8;
}

static void check_tensor(struct options *opt)
{
	/* What is read at once has to be in the target, whatever it is called. */
	if (opt->workload == WORK_MIXED || opt->workload == WORK_DATABASE) {
		opt->tensor = BULK_BYTES;
		return;
	}
	if (opt->workload != WORK_SWAP) {
		opt->tensor = opt->block;
		return;
	}
	if (opt->tensor % opt->block)
		die("--tensor is no multiple of --block");
	if (opt->tensor / opt->block * (opt->overlap + 1) > 4096)
		die("a tensor, and those ahead of it, are more than 4096 reads");
}

static unsigned int usual_block(enum workload workload)
{
	switch (workload) {
	case WORK_SWAP:
	case WORK_LOADER:
		return BULK_BYTES;
	case WORK_DATABASE:
		return 2 * BLOCK;
	default:
		return BLOCK;
	}
}

static bool has_threads(enum workload workload)
{
	return workload == WORK_CHASE || workload == WORK_MIGRATE ||
	       workload == WORK_HOPS || workload == WORK_DATABASE ||
	       workload == WORK_LOADER;
}

static void check(struct options *opt)
{
	if (!opt->depth)
		opt->depth = opt->workload == WORK_PEAK ? 32 : 8;
	if (!opt->block)
		opt->block = usual_block(opt->workload);
	if (opt->block % BLOCK)
		die("--block is no multiple of %u", BLOCK);
	check_tensor(opt);
	check_hops(opt);
	if (opt->threads > 1 && !has_threads(opt->workload))
		die("--threads is for chase, migrate, hops, database and loader");
	if (opt->workers && opt->workload != WORK_DATABASE)
		die("--workers is for database");
	if (opt->wait && opt->workload != WORK_MIXED)
		die("--wait is for mixed");
	if (opt->wait && opt->ring == RING_LIBAIO)
		die("--wait is for rings: libaio is asked for one, and gives what there is");
	if (!opt->wait)
		opt->wait = 1;
	if (opt->home && !opt->workers)
		die("--home is for the --workers of database");
	if (opt->total && !(opt->prepare && opt->workload == WORK_LOADER))
		die("--total is for --prepare of loader");
	if (!opt->total)
		opt->total = 256 << 20;
	check_ring(opt);
}

enum {
	OPT_TENSOR = 256,
	OPT_OVERLAP,
	OPT_BEAM,
	OPT_HOPS,
	OPT_WAIT,
	OPT_WORKERS,
	OPT_HOME,
	OPT_BUDGET,
	OPT_NO_VERIFY,
	OPT_NO_RECEIPTS,
	OPT_PREPARE,
	OPT_TOTAL,
	OPT_REGION,
	OPT_SQ_CPU,
	OPT_FIXED,
};

static const struct option options[] = {
	{ "ring", required_argument, NULL, 'r' },
	{ "sq-cpu", required_argument, NULL, OPT_SQ_CPU },
	{ "hints", required_argument, NULL, 'H' },
	{ "no-receipts", no_argument, NULL, OPT_NO_RECEIPTS },
	{ "cpus", required_argument, NULL, 'c' },
	{ "threads", required_argument, NULL, 't' },
	{ "seconds", required_argument, NULL, 's' },
	{ "ios", required_argument, NULL, 'n' },
	{ "block", required_argument, NULL, 'b' },
	{ "depth", required_argument, NULL, 'd' },
	{ "fixed", no_argument, NULL, OPT_FIXED },
	{ "tensor", required_argument, NULL, OPT_TENSOR },
	{ "overlap", required_argument, NULL, OPT_OVERLAP },
	{ "beam", required_argument, NULL, OPT_BEAM },
	{ "hops", required_argument, NULL, OPT_HOPS },
	{ "wait", required_argument, NULL, OPT_WAIT },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "home", required_argument, NULL, OPT_HOME },
	{ "budget", required_argument, NULL, OPT_BUDGET },
	{ "no-verify", no_argument, NULL, OPT_NO_VERIFY },
	{ "prepare", no_argument, NULL, OPT_PREPARE },
	{ "total", required_argument, NULL, OPT_TOTAL },
	{ "region", required_argument, NULL, OPT_REGION },
	{ "label", required_argument, NULL, 'l' },
	{ "json", no_argument, NULL, 'j' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{},
};

static void parse_option(struct options *opt, int c)
{
	switch (c) {
	case 'r':
		opt->ring = parse_name("ring", optarg, ring_names);
		break;
	case OPT_SQ_CPU:
		opt->sq_cpu =
			(int)parse_number("sq-cpu", optarg, 0, CPU_SETSIZE - 1);
		break;
	case 'H':
		opt->hints = parse_name("hints", optarg, hints_names);
		break;
	case 'c':
		parse_cpus(opt, optarg);
		break;
	case 't':
		opt->threads =
			parse_unsigned("threads", optarg, 1, MAX_THREADS);
		break;
	case 's':
		opt->seconds = parse_number("seconds", optarg, 1, 1U << 30);
		break;
	case 'n':
		opt->ios = parse_number("ios", optarg, 1, UINT64_MAX);
		break;
	case 'b':
		opt->block = parse_unsigned("block", optarg, BLOCK, 1U << 26);
		break;
	case 'd':
		opt->depth = parse_unsigned("depth", optarg, 1, 4096);
		break;
	case OPT_FIXED:
		opt->fixed = true;
		break;
	case OPT_TENSOR:
		opt->tensor = parse_number("tensor", optarg, BLOCK, 1U << 31);
		break;
	case OPT_OVERLAP:
		opt->overlap = parse_unsigned("overlap", optarg, 1, 64);
		break;
	case OPT_BEAM:
		opt->beam = parse_unsigned("beam", optarg, 1, 64);
		break;
	case OPT_HOPS:
		opt->hops = parse_unsigned("hops", optarg, 1, 4096);
		break;
	case OPT_WAIT:
		opt->wait = parse_unsigned("wait", optarg, 1, MIXED_IN_FLIGHT);
		break;
	case OPT_WORKERS:
		opt->workers =
			parse_unsigned("workers", optarg, 0, MAX_THREADS);
		break;
	case OPT_HOME:
		opt->home = parse_name("home", optarg, home_names);
		break;
	case OPT_BUDGET:
		opt->budget_us =
			parse_unsigned("budget", optarg, 0, UINT32_MAX);
		break;
	case OPT_NO_VERIFY:
		opt->verify = false;
		break;
	case OPT_NO_RECEIPTS:
		opt->receipts = false;
		break;
	case OPT_PREPARE:
		opt->prepare = true;
		break;
	case OPT_TOTAL:
		opt->total = parse_number("total", optarg, DATASET_FILE_MAX,
					  UINT64_MAX);
		break;
	case OPT_REGION:
		opt->region = (int)parse_number("region", optarg, 0,
						COHERENCE_REGIONS - 2);
		break;
	case 'l':
		opt->label = optarg;
		break;
	case 'j':
		opt->json = true;
		break;
	case 'o':
		opt->output = optarg;
		break;
	case 'h':
		opt->help = true;
		break;
	default:
		fputs("Try cprovbench --help.\n", stderr);
		exit(2);
	}
}

void parse_options(struct options *opt, int argc, char **argv)
{
	int c;

	opt->region = -1;
	opt->sq_cpu = -1;
	opt->threads = 1;
	opt->overlap = 1;
	opt->seconds = 5;
	opt->tensor = 4 << 20;
	opt->verify = true;
	opt->receipts = true;
	while ((c = getopt_long(argc, argv, "r:H:c:t:s:n:b:d:l:jo:h", options,
				NULL)) != -1)
		parse_option(opt, c);
	if (opt->help)
		help(optind < argc ? (int)parse_name("workload", argv[optind],
						     workload_names) :
				     -1);
	if (argc - optind != 2) {
		fputs("A workload and what to read are needed: see cprovbench --help.\n",
		      stderr);
		exit(2);
	}
	opt->workload = parse_name("workload", argv[optind], workload_names);
	opt->target = argv[optind + 1];
	if (!opt->nr_cpus)
		all_cpus(opt);
	check(opt);
}
