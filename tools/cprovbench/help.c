// SPDX-License-Identifier: GPL-2.0-only
/* What --help prints: of all workloads, or of one and what is for that. */
#include <stdlib.h>

#include "cprovbench.h"

#define OF(workload) (1U << (workload))
#define ALL (OF(WORKLOADS) - 1)
#define WITH_THREADS                                         \
	(OF(WORK_CHASE) | OF(WORK_MIGRATE) | OF(WORK_HOPS) | \
	 OF(WORK_DATABASE) | OF(WORK_LOADER))
#define OF_FILES (ALL & ~OF(WORK_LOADER))

static const struct {
	const char *text;
	/* A command line after this, that does something sensible. */
	const char *example;
} workloads[WORKLOADS] = {
	[WORK_CHASE] = {
		"  chase     one read at a time, each of which says where the next one is, as an\n"
		"            agent's or a retrieval loop's\n",
		"--ring defer --cpus 2 chase tensors",
	},
	[WORK_PEAK] = {
		"  peak      reads of random places, --depth of them in flight, submitted and\n"
		"            reaped in batches by one thread\n",
		"--fixed --cpus 1 peak tensors",
	},
	[WORK_SWAP] = {
		"  swap      tensors of a KV cache in many reads each: one after the other, then\n"
		"            the next ones submitted before one is consumed\n",
		"--prepare swap tensors",
	},
	[WORK_MIXED] = {
		"  mixed     on one ring: a chase, bulk reads and prefetches\n",
		"--ring defer --wait 8 mixed tensors",
	},
	[WORK_HANDOFF] = {
		"  handoff   one thread submits, another consumes\n",
		"--cpus 0,2 handoff tensors",
	},
	[WORK_MIGRATE] = {
		"  migrate   a chase whose thread moves between submission and completion\n",
		"--cpus 0,2 migrate tensors",
	},
	[WORK_HOPS] = {
		"  hops      queries of a graph that is on the drive, as an index of vectors: a beam\n"
		"            of nodes at a time, which say where the next ones are\n",
		"--beam 8 --threads 2 hops tensors",
	},
	[WORK_DATABASE] = {
		"  database  a sequential scan, and backends that fetch pages of the heap one by one\n"
		"            as an index says, with rings of their own or through I/O workers\n",
		"--threads 2 --workers 1 database tensors",
	},
	[WORK_LOADER] = {
		"  loader    of data for training: the files of DIRECTORY, shuffled, read ahead of a\n"
		"            trainer that waits for them in that order\n",
		"--prepare --threads 2 loader files",
	},
};

static const struct {
	unsigned int of;
	const char *text;
} options[] = {
	{ ALL,
	  "  -r, --ring KIND        default, coop, defer (DEFER_TASKRUN), sqpoll, iopoll,\n"
	  "                         hybrid (HYBRID_IOPOLL), passthrough (NVMe commands), or,\n"
	  "                         which are no rings, libaio or pread (default: default)\n"
	  "      --sq-cpu N         the SQ thread of sqpoll runs on this CPU\n"
	  "  -H, --hints WHEN       auto, off, or need (default auto)\n"
	  "      --no-receipts      do not ask the kernel how requests came back\n"
	  "  -c, --cpus LIST        CPUs to use, such as 0-3,8: threads are pinned to them in\n"
	  "                         turn; handoff consumes on the first, submits on the second\n" },
	{ WITH_THREADS,
	  "  -t, --threads N        of chase, migrate and hops; backends of database; workers of\n"
	  "                         loader (default 1)\n" },
	{ ALL,
	  "  -s, --seconds N        run for so long (default 5)\n"
	  "  -n, --ios N            or until so many reads were begun; for swap, tensors; for\n"
	  "                         hops and database, queries; for loader, files\n"
	  "  -b, --block BYTES      of a read (default 4096; swap and loader: 131072); of\n"
	  "                         database, a page (8192)\n" },
	{ OF(WORK_HANDOFF) | OF(WORK_DATABASE) | OF(WORK_LOADER) |
		  OF(WORK_PEAK),
	  "  -d, --depth N          reads in flight of handoff, and of the scan of database;\n"
	  "                         files that loader reads ahead (default 8); reads in flight\n"
	  "                         of peak (32)\n" },
	{ OF(WORK_PEAK),
	  "      --fixed            of peak: the target and all buffers are registered\n" },
	{ OF(WORK_SWAP),
	  "      --tensor BYTES     of swap (default 4M)\n"
	  "      --overlap N        tensors that are submitted ahead (default 1)\n" },
	{ OF(WORK_MIXED),
	  "      --wait N           completions that mixed waits for at a time (default 1)\n" },
	{ OF(WORK_HOPS),
	  "      --beam N           nodes of hops that are read together (default 4)\n"
	  "      --hops N           of a query (default 8)\n" },
	{ OF(WORK_DATABASE),
	  "      --workers N        threads of database that read for the others; 0, the\n"
	  "                         default, gives each of these a ring\n"
	  "      --home WHOSE       of reads by such a worker: worker, wherever it is by then\n"
	  "                         (default), or backend\n" },
	{ ALL,
	  "      --budget US        of the hints (default 0: the policy's)\n"
	  "      --no-verify        do not check the data\n"
	  "      --prepare          first write the pattern that is verified OVER ALL that is\n"
	  "                         in FILE or on DEVICE; in DIRECTORY, files for loader\n" },
	{ OF(WORK_LOADER),
	  "      --total BYTES      that --prepare writes of these at most (default 256M)\n" },
	{ ALL,
	  "      --region N         between the markers of the coherence instrument\n"
	  "  -l, --label TEXT       goes into the result\n"
	  "  -j, --json             the result is one line of JSON\n"
	  "  -o, --output FILE      it goes there (default: standard output)\n"
	  "  -h, --help             this text; after a workload, what is for that\n" },
};

static void put_usage(const char *workload, unsigned int of)
{
	printf("Usage: cprovbench [OPTION...] %s %s%s%s\n\n", workload,
	       of & OF_FILES ? "FILE|DEVICE" : "",
	       of & OF_FILES && of & OF(WORK_LOADER) ? "|" : "",
	       of & OF(WORK_LOADER) ? "DIRECTORY" : "");
}

static void put_options(unsigned int of)
{
	size_t i;

	puts("");
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].of & of)
			fputs(options[i].text, stdout);
}

static void help_all(void)
{
	enum workload w;

	put_usage("WORKLOAD", ALL);
	puts("Read FILE or DEVICE with O_DIRECT as programs do that wait for storage, verify\n"
	     "what was read, and tell how long the consumer waited. Requests carry locality\n"
	     "hints, on a kernel that takes them.\n");
	for (w = 0; w < WORKLOADS; w++)
		fputs(workloads[w].text, stdout);
	put_options(ALL);
	puts("\n"
	     "Examples:\n"
	     "  truncate -s 1G tensors && cprovbench --prepare swap tensors\n"
	     "  cprovbench --ring defer --cpus 2 chase tensors\n"
	     "  cprovbench --json --hints off mixed tensors | jq .phases[].flows[].latency_ns\n"
	     "\n"
	     "Exit status: 0 all data were right; 1 some were not; 2 nothing was measured;\n"
	     "3 nor could it be: the kernel or the device has not what was asked for.");
}

static void help_one(enum workload w)
{
	put_usage(workload_names[w], OF(w));
	fputs(workloads[w].text, stdout);
	put_options(OF(w));
	printf("\nExample:\n  cprovbench %s\n\ncprovbench(1) says more.\n",
	       workloads[w].example);
}

/* Of a workload, or of all if it is -1. */
void help(int workload)
{
	if (workload < 0)
		help_all();
	else
		help_one((enum workload)workload);
	exit(0);
}
