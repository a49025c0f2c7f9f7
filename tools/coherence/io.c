// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherence-io - reads of 4 KiB, one after the other, between the markers of the
 * coherence instrument
 *
 * Each read is submitted to io_uring and waited for by one thread, which is its
 * consumer and stays on its CPU. What is read is not looked at: it comes from
 * the device, which is no CPU.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/fs.h>

#include <cprov.h>

#include "marker.h"

#define BLOCK 4096
/* A thousand times what a read takes here, for an emulator may stall. */
#define BUDGET_US 10000000

enum hint {
	HINT_NONE, /* the ring does not opt in */
	HINT_RING, /* it does, and no request has a hint */
	HINT_LATENCY,
	HINT_STEP_CRITICAL,
};

struct options {
	const char *device;
	unsigned long cpu;
	unsigned long region;
	unsigned long ios;
	unsigned long warm_up;
	enum hint hint;
	unsigned int ring_flags;
	unsigned int entries;
	bool receipts;
};

struct reader {
	struct io_uring ring;
	struct cprov_ring cr;
	uint64_t blocks;
	uint64_t state;
	void *buf;
	int fd;
};

static __attribute__((noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	fputs("coherence-io: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

static void pin(unsigned long cpu)
{
	cpu_set_t set;

	if (cpu >= CPU_SETSIZE)
		die("there is no CPU %lu", cpu);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cannot run on CPU %lu: %s", cpu, strerror(errno));
}

static void open_device(struct reader *rd, const struct options *opt)
{
	uint64_t bytes;

	rd->fd = open(opt->device, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (rd->fd < 0)
		die("%s: %s", opt->device, strerror(errno));
	if (ioctl(rd->fd, BLKGETSIZE64, &bytes))
		die("%s is no block device: %s", opt->device, strerror(errno));
	rd->blocks = bytes / BLOCK;
	if (!rd->blocks)
		die("%s is empty", opt->device);
	rd->buf = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rd->buf == MAP_FAILED)
		die("mmap: %s", strerror(errno));
}

static unsigned int class_of(enum hint hint)
{
	return hint == HINT_LATENCY ? IO_LOCALITY_CLASS_LATENCY :
				      IO_LOCALITY_CLASS_STEP_CRITICAL;
}

static void open_ring(struct reader *rd, const struct options *opt)
{
	struct io_locality_hint hint =
		cprov_hint(class_of(opt->hint), BUDGET_US);
	unsigned int ring_flags = opt->ring_flags, flags = 0;
	int ret;

	if (opt->receipts) {
		ring_flags |= IORING_SETUP_CQE32;
		flags |= IO_LOCALITY_F_RECEIPTS;
	}
	ret = io_uring_queue_init(opt->entries, &rd->ring, ring_flags);
	if (ret)
		die("io_uring: %s", strerror(-ret));
	if (opt->hint == HINT_NONE)
		return;
	ret = cprov_ring_enable_flags(&rd->cr, &rd->ring, flags,
				      opt->hint == HINT_RING ? NULL : &hint,
				      NULL, 0);
	if (ret < 0)
		die("the kernel refuses the hint: %s", strerror(-ret));
	if (!ret)
		die("this kernel takes no hints");
}

/* A full-period generator, so that neighbours are not read in turn. */
static uint64_t next_block(struct reader *rd)
{
	rd->state = rd->state * UINT64_C(6364136223846793005) + 1;
	return (rd->state >> 33) % rd->blocks;
}

static void read_one(struct reader *rd)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&rd->ring);
	struct io_uring_cqe *cqe;
	int ret;

	if (!sqe)
		die("the submission queue is full: a bug of this program");
	io_uring_prep_read(sqe, rd->fd, rd->buf, BLOCK, next_block(rd) * BLOCK);
	do {
		ret = io_uring_submit_and_wait(&rd->ring, 1);
	} while (ret == -EINTR);
	if (ret < 0)
		die("io_uring_enter: %s", strerror(-ret));
	ret = io_uring_wait_cqe(&rd->ring, &cqe);
	if (ret)
		die("no completion: %s", strerror(-ret));
	if (cqe->res != BLOCK)
		die("a read returned %d", cqe->res);
	io_uring_cqe_seen(&rd->ring, cqe);
}

static void measure(struct reader *rd, const struct options *opt)
{
	unsigned int region = (unsigned int)opt->region;
	unsigned long i;

	for (i = 0; i < opt->warm_up; i++)
		read_one(rd);
	coherence_begin(region);
	for (i = 0; i < opt->ios; i++) {
		read_one(rd);
		coherence_unit(region);
	}
	coherence_end(region);
}

static void print_help(FILE *to)
{
	fputs("usage: coherence-io [OPTION...] DEVICE\n"
	      "Reads of 4 KiB, one after the other, for the coherence instrument.\n\n"
	      "  --cpu N       where the reading thread stays; default 0\n"
	      "  --region N    the region that is counted; default 0\n"
	      "  --ios N       reads between the markers; default 1000\n"
	      "  --warm-up N   reads before; default 200\n"
	      "  --ring NAME   default or defer (DEFER_TASKRUN)\n"
	      "  --entries N   of the submission queue; default 1\n"
	      "  --hint NAME   none; ring: it opts in, and its requests have none;\n"
	      "                latency or step_critical, whose home is that CPU\n"
	      "  --hinted      --hint step_critical\n"
	      "  --receipts    the ring has large CQEs, with receipts\n"
	      "  --help\n",
	      to);
}

static unsigned long parse_number(const char *name, const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-')
		die("--%s %s: not a number", name, text);
	return n;
}

static enum hint parse_hint(const char *text)
{
	static const char *const names[] = {
		[HINT_NONE] = "none",
		[HINT_RING] = "ring",
		[HINT_LATENCY] = "latency",
		[HINT_STEP_CRITICAL] = "step_critical",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i]))
			return (enum hint)i;
	die("--hint %s: not known", text);
}

static unsigned int parse_ring(const char *text)
{
	if (!strcmp(text, "default"))
		return 0;
	if (!strcmp(text, "defer"))
		return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	die("--ring %s: not known", text);
}

static void parse(struct options *opt, int argc, char **argv)
{
	static const struct option options[] = {
		{ "cpu", required_argument, NULL, 'c' },
		{ "region", required_argument, NULL, 'r' },
		{ "ios", required_argument, NULL, 'i' },
		{ "warm-up", required_argument, NULL, 'w' },
		{ "ring", required_argument, NULL, 'R' },
		{ "entries", required_argument, NULL, 'E' },
		{ "hint", required_argument, NULL, 'n' },
		{ "hinted", no_argument, NULL, 'H' },
		{ "receipts", no_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int c, i;

	while ((c = getopt_long(argc, argv, "", options, &i)) != -1) {
		switch (c) {
		case 'c':
			opt->cpu = parse_number("cpu", optarg);
			break;
		case 'r':
			opt->region = parse_number("region", optarg);
			if (opt->region >= COHERENCE_REGIONS)
				die("regions are 0 to %d",
				    COHERENCE_REGIONS - 1);
			break;
		case 'i':
			opt->ios = parse_number("ios", optarg);
			break;
		case 'w':
			opt->warm_up = parse_number("warm-up", optarg);
			break;
		case 'H':
			opt->hint = HINT_STEP_CRITICAL;
			break;
		case 'E':
			opt->entries =
				(unsigned int)parse_number("entries", optarg);
			break;
		case 'n':
			opt->hint = parse_hint(optarg);
			break;
		case 'R':
			opt->ring_flags = parse_ring(optarg);
			break;
		case 'e':
			opt->receipts = true;
			break;
		case 'h':
			print_help(stdout);
			exit(0);
		default:
			print_help(stderr);
			exit(2);
		}
	}
	if (optind != argc - 1) {
		print_help(stderr);
		exit(2);
	}
	opt->device = argv[optind];
}

int main(int argc, char **argv)
{
	struct options opt = { .ios = 1000, .warm_up = 200, .entries = 1 };
	struct reader rd = { .state = 1 };

	parse(&opt, argc, argv);
	pin(opt.cpu);
	open_device(&rd, &opt);
	open_ring(&rd, &opt);
	measure(&rd, &opt);
	io_uring_queue_exit(&rd.ring);
	return 0;
}
