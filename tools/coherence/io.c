// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherence-io - reads of 4 KiB, or writes, one after the other or so many at a time,
 * between the markers of the coherence instrument
 *
 * Each read is submitted to io_uring and waited for by one thread, which is its
 * consumer and stays on its CPU. What is read is not looked at: it comes from
 * the device, which is no CPU.
 *
 * Without hints the same is executed, but for what tells the kernel of them.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
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
/* Reads that only pass are submitted so many at a time. */
#define PASS_BATCH 64
/* Of a table, the last slots are used, so many in rotation. */
#define LAST_SLOTS 16
#define NO_HOME ULONG_MAX
#define RING_DEFER (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)

enum hint {
	HINT_NONE, /* the ring does not opt in */
	HINT_OTHER, /* nor here, but another ring does */
	HINT_RING, /* it does, and no request has a hint */
	HINT_THROUGHPUT,
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
	bool batch;
	bool urgent; /* the first of those together, whatever the others are */
	bool write;
	unsigned long depth;
	unsigned long unit; /* in reads; 0: those that are in flight together */
	unsigned long flows; /* 0: the hint is the ring's */
	unsigned long slots; /* 0: likewise */
	unsigned long pass;
	unsigned long home; /* NO_HOME: the submitter's CPU */
};

struct reader {
	struct io_uring ring;
	struct cprov_ring cr;
	uint64_t blocks;
	uint64_t state;
	char *bufs; /* one for each read in flight */
	struct io_locality_hint *hints; /* likewise */
	unsigned int flows;
	unsigned int flow; /* of the next read */
	unsigned int slots;
	unsigned int slot; /* of the next read, counted from the last */
	bool urgent; /* the slot after these is for it */
	bool write;
	int fd;
};

static __attribute__((noreturn)) void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verrx(2, fmt, ap);
}

static void allow_cpu(cpu_set_t *set, unsigned long cpu)
{
	if (cpu >= CPU_SETSIZE)
		die("there is no CPU %lu", cpu);
	CPU_SET(cpu, set);
	if (sched_setaffinity(0, sizeof(*set), set))
		die("cannot run on CPU %lu: %s", cpu, strerror(errno));
}

/*
 * A home that the thread may not run on is none. It may, but as a realtime thread
 * it is woken where it was.
 */
static void pin(const struct options *opt)
{
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	allow_cpu(&set, opt->cpu);
	if (opt->home == NO_HOME)
		return;
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		die("cannot be a realtime thread: %s", strerror(errno));
	allow_cpu(&set, opt->home);
}

/* The most that are in flight at a time. */
static unsigned long batch_of(const struct options *opt)
{
	return opt->pass && opt->depth < PASS_BATCH ? PASS_BATCH : opt->depth;
}

static void open_device(struct reader *rd, const struct options *opt)
{
	size_t size = batch_of(opt) * BLOCK;
	uint64_t bytes;

	rd->write = opt->write;
	rd->fd = open(opt->device,
		      (opt->write ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	if (rd->fd < 0)
		die("%s: %s", opt->device, strerror(errno));
	if (ioctl(rd->fd, BLKGETSIZE64, &bytes))
		die("%s is no block device: %s", opt->device, strerror(errno));
	rd->blocks = bytes / BLOCK;
	if (!rd->blocks)
		die("%s is empty", opt->device);
	rd->bufs = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rd->bufs == MAP_FAILED)
		die("mmap: %s", strerror(errno));
}

static unsigned int class_of(enum hint hint)
{
	switch (hint) {
	case HINT_THROUGHPUT:
		return IO_LOCALITY_CLASS_THROUGHPUT;
	case HINT_LATENCY:
		return IO_LOCALITY_CLASS_LATENCY;
	default:
		return IO_LOCALITY_CLASS_STEP_CRITICAL;
	}
}

static struct io_locality_hint hint_of(const struct options *opt)
{
	struct io_locality_hint hint =
		cprov_hint(class_of(opt->hint), BUDGET_US);

	if (opt->home != NO_HOME)
		hint.home_cpu = (int16_t)opt->home;
	return hint;
}

/* Different ones for different numbers, all over the 32 bits, and none is 0. */
static uint32_t flow_id(unsigned int n)
{
	return (n + 1) * UINT32_C(2654435761);
}

static unsigned int nr_slots(const struct options *opt)
{
	return (unsigned int)opt->slots + opt->urgent;
}

static struct io_locality_slot *make_slots(const struct options *opt)
{
	unsigned int nr = nr_slots(opt), i;
	struct io_locality_slot *slots;

	if (!nr)
		return NULL;
	slots = calloc(nr, sizeof(*slots));
	if (!slots)
		die("no memory for %u slots", nr);
	for (i = 0; i < nr; i++) {
		slots[i].hint = hint_of(opt);
		slots[i].hint.flow_id = flow_id(i);
	}
	if (opt->urgent)
		slots[nr - 1].hint.io_class = IO_LOCALITY_CLASS_STEP_CRITICAL;
	return slots;
}

static void enable_hints(struct reader *rd, const struct options *opt,
			 unsigned int flags)
{
	struct io_locality_hint hint = hint_of(opt);
	struct io_locality_slot *slots = make_slots(opt);
	bool own = opt->flows || opt->slots || opt->hint == HINT_RING;
	int ret;

	ret = cprov_ring_enable_flags(&rd->cr, &rd->ring, flags,
				      own ? NULL : &hint, slots, nr_slots(opt));
	free(slots);
	if (ret < 0)
		die("the kernel refuses the hint: %s", strerror(-ret));
	if (!ret)
		die("this kernel takes no hints");
}

static void make_hints(struct reader *rd, const struct options *opt)
{
	unsigned long nr = batch_of(opt), i;

	rd->flows = (unsigned int)opt->flows;
	rd->slots = (unsigned int)opt->slots;
	rd->urgent = opt->urgent;
	rd->hints = calloc(nr, sizeof(*rd->hints));
	if (!rd->hints)
		die("no memory for %lu hints", nr);
	for (i = 0; i < nr; i++)
		rd->hints[i] = hint_of(opt);
}

static void open_ring(struct reader *rd, const struct options *opt)
{
	unsigned int ring_flags = opt->ring_flags, flags = 0;
	unsigned int entries = opt->entries;
	int ret;

	if (entries < batch_of(opt))
		entries = (unsigned int)batch_of(opt);
	if (opt->receipts) {
		ring_flags |= IORING_SETUP_CQE32;
		flags |= IO_LOCALITY_F_RECEIPTS;
	}
	if (opt->batch)
		flags |= IO_LOCALITY_F_BOUNDED_BATCH;
	ret = io_uring_queue_init(entries, &rd->ring, ring_flags);
	if (ret)
		die("io_uring: %s", strerror(-ret));
	make_hints(rd, opt);
	if (opt->hint != HINT_NONE)
		enable_hints(rd, opt, flags);
}

/* A full-period generator, so that neighbours are not read in turn. */
static uint64_t next_block(struct reader *rd)
{
	rd->state = rd->state * UINT64_C(6364136223846793005) + 1;
	return (rd->state >> 33) % rd->blocks;
}

/* Whatever the number of flows and slots is, as many instructions. */
static void name_hint(struct reader *rd, struct io_uring_sqe *sqe,
		      unsigned int i)
{
	unsigned int last = rd->slots < LAST_SLOTS ? rd->slots : LAST_SLOTS;

	if (rd->urgent && !i) {
		cprov_prep_slot(&rd->cr, sqe, rd->slots);
	} else if (rd->flows) {
		rd->hints[i].flow_id = flow_id(rd->flow);
		rd->flow = (rd->flow + 1) % rd->flows;
		cprov_prep_hint(&rd->cr, sqe, &rd->hints[i]);
	} else if (rd->slots) {
		cprov_prep_slot(&rd->cr, sqe, rd->slots - 1 - rd->slot);
		rd->slot = (rd->slot + 1) % last;
	}
}

static void prepare_one(struct reader *rd, unsigned int i)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&rd->ring);

	if (!sqe)
		die("the submission queue is full: a bug of this program");
	io_uring_prep_rw(rd->write ? IORING_OP_WRITE : IORING_OP_READ, sqe,
			 rd->fd, rd->bufs + (size_t)i * BLOCK, BLOCK,
			 next_block(rd) * BLOCK);
	name_hint(rd, sqe, i);
}

/* One of @left. What is urgent ends the wait for all: wait for the rest once more. */
static void reap_one(struct reader *rd, unsigned int left)
{
	struct io_uring_cqe *cqe;
	int ret;

	ret = io_uring_peek_cqe(&rd->ring, &cqe);
	if (ret == -EAGAIN)
		ret = io_uring_wait_cqe_nr(&rd->ring, &cqe, left);
	if (ret)
		die("no completion: %s", strerror(-ret));
	if (cqe->res != BLOCK)
		die("a %s returned %d", rd->write ? "write" : "read", cqe->res);
	io_uring_cqe_seen(&rd->ring, cqe);
}

static void read_batch(struct reader *rd, unsigned int nr)
{
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++)
		prepare_one(rd, i);
	do {
		ret = io_uring_submit_and_wait(&rd->ring, nr);
	} while (ret == -EINTR);
	if (ret < 0)
		die("io_uring_enter: %s", strerror(-ret));
	for (i = 0; i < nr; i++)
		reap_one(rd, nr - i);
}

static void read_all(struct reader *rd, unsigned long ios, unsigned int nr)
{
	unsigned long i;

	for (i = 0; i < ios; i += nr)
		read_batch(rd, nr);
}

/* What was asked for another ring gets, which stays open, and not the one that counts. */
static void give_to_other(struct reader *other, struct options *opt)
{
	struct options its = *opt;

	its.hint = HINT_STEP_CRITICAL;
	its.ring_flags = RING_DEFER;
	open_device(other, &its);
	open_ring(other, &its);
	read_all(other, its.warm_up, (unsigned int)its.depth);
	opt->hint = HINT_NONE;
	opt->receipts = false;
	opt->batch = false;
	opt->urgent = false;
}

static void measure(struct reader *rd, const struct options *opt)
{
	unsigned int region = (unsigned int)opt->region;
	unsigned int depth = (unsigned int)opt->depth;
	unsigned long unit = opt->unit ? opt->unit : depth, i;

	read_all(rd, opt->pass, PASS_BATCH);
	read_all(rd, opt->warm_up, depth);
	coherence_begin(region);
	for (i = 0; i < opt->ios; i += depth) {
		read_batch(rd, depth);
		if (!((i + depth) % unit))
			coherence_unit(region);
	}
	coherence_end(region);
}

static void print_help(FILE *to)
{
	fputs("usage: coherence-io [OPTION...] DEVICE\n"
	      "Reads of 4 KiB, or writes, for the coherence instrument.\n\n"
	      "  --cpu N       where the reading thread stays; default 0\n"
	      "  --region N    the region that is counted; default 0\n"
	      "  --ios N       reads between the markers; default 1000\n"
	      "  --warm-up N   reads before; default 200\n"
	      "  --ring NAME   default, defer (DEFER_TASKRUN) or iopoll (IOPOLL, of a device\n"
	      "                with queues that are polled)\n"
	      "  --write       writes of zeroes instead: what the device had is lost\n"
	      "  --entries N   of the submission queue; default 1, at least the depth\n"
	      "  --depth N     reads that are submitted and waited for together, which\n"
	      "                are a unit; default 1\n"
	      "  --unit N      reads that are a unit instead, a multiple of the depth\n"
	      "  --hint NAME   none; other: another ring has all that is said here, and\n"
	      "                this one nothing; ring: it opts in, and its requests have\n"
	      "                none; throughput, latency or step_critical, whose home is\n"
	      "                that CPU\n"
	      "  --home N      whose home is this one, where the thread may run, too\n"
	      "  --flows N     each read has its own hint, of the next of N flows\n"
	      "  --slots N     the hints are in a table of N, whose last ones are used\n"
	      "  --urgent      the first of those together is step_critical, by a slot of\n"
	      "                its own\n"
	      "  --pass N      reads before all others, 64 at a time; default 0\n"
	      "  --hinted      --hint step_critical\n"
	      "  --receipts    the ring has large CQEs, with receipts\n"
	      "  --batch       the ring has bounded batching\n"
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

/* From 1 to @max. */
static unsigned long parse_count(const char *name, const char *text,
				 unsigned long max)
{
	unsigned long n = parse_number(name, text);

	if (!n || n > max)
		die("--%s %s: not from 1 to %lu", name, text, max);
	return n;
}

static enum hint parse_hint(const char *text)
{
	static const char *const names[] = {
		[HINT_NONE] = "none",
		[HINT_OTHER] = "other",
		[HINT_RING] = "ring",
		[HINT_THROUGHPUT] = "throughput",
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
		return RING_DEFER;
	if (!strcmp(text, "iopoll"))
		return IORING_SETUP_IOPOLL;
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
		{ "batch", no_argument, NULL, 'b' },
		{ "depth", required_argument, NULL, 'd' },
		{ "unit", required_argument, NULL, 'U' },
		{ "flows", required_argument, NULL, 'f' },
		{ "slots", required_argument, NULL, 's' },
		{ "urgent", no_argument, NULL, 'u' },
		{ "write", no_argument, NULL, 'W' },
		{ "pass", required_argument, NULL, 'p' },
		{ "home", required_argument, NULL, 'o' },
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
		case 'b':
			opt->batch = true;
			break;
		case 'd':
			opt->depth = parse_count("depth", optarg, 32768);
			break;
		case 'U':
			opt->unit = parse_count("unit", optarg, 32768);
			break;
		case 'f':
			opt->flows = parse_count("flows", optarg, INT_MAX);
			break;
		case 's':
			opt->slots = parse_count("slots", optarg,
						 IO_LOCALITY_MAX_SLOTS);
			break;
		case 'u':
			opt->urgent = true;
			break;
		case 'W':
			opt->write = true;
			break;
		case 'p':
			opt->pass = parse_number("pass", optarg);
			break;
		case 'o':
			opt->home = parse_number("home", optarg);
			if (opt->home > SHRT_MAX)
				die("there is no CPU %s", optarg);
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
	struct options opt = {
		.ios = 1000,
		.warm_up = 200,
		.entries = 1,
		.depth = 1,
		.home = NO_HOME,
	};
	struct reader rd = { .state = 1 }, other = { .state = 1 };

	parse(&opt, argc, argv);
	pin(&opt);
	if (opt.hint == HINT_OTHER)
		give_to_other(&other, &opt);
	open_device(&rd, &opt);
	open_ring(&rd, &opt);
	measure(&rd, &opt);
	io_uring_queue_exit(&rd.ring);
	return 0;
}
