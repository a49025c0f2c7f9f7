// SPDX-License-Identifier: GPL-2.0-only
/*
 * matrix [-t] [-n READS] [-r REPEATS] [-s WAY] [-k RING] [-o FILE]: what each way to
 * submit costs, with hints and without, in lines of JSON.
 *
 * For each way, kind of ring and number of queues the same requests are made
 * without hints, at rq_affinity 0, 1 and 2, and with hints of each class, again
 * and again by turns. A line is one such run: where requests completed, how many
 * of them elsewhere than their CQE was made, and the wakeups, interrupts between
 * CPUs and context switches meanwhile. What to make of it is for the reader.
 *
 * With -t it is transfers of cache lines, which the coherence instrument counts
 * between markers (Documentation/coherence.rst): nothing else is, as that would
 * cost some. The instrument writes a line for each CPU of a run, in the order of
 * ours, and the last of a run has its sums.
 *
 * Not a test: it fails only if it cannot measure.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../tools/coherence/marker.h"
#include "t.h"

#define MAX_CPUS 8
#define BATCH 8
/*
 * Reads from each CPU before those whose transfers are counted: at least once round
 * a queue of the drive, whose entries and requests are the last CPU's until then.
 */
#define WARM_UP 16
#define REGION 0
#define EVENTS                                                \
	"block:block_rq_complete io_uring:io_uring_complete " \
	"block:block_bio_queue sched:sched_wakeup"
#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)
/* What passthrough needs. */
#define BIG (IORING_SETUP_SQE128 | IORING_SETUP_CQE32)
/* At most so much is read ahead. */
#define AHEAD_KIB "16"
#define FILE_BYTES (4 << 20)

static const struct ring_kind {
	const char *name;
	unsigned int flags;
} rings[] = {
	{ "default", 0 },
	{ "coop", IORING_SETUP_COOP_TASKRUN },
	{ "defer", DEFER },
	{ "sqpoll", IORING_SETUP_SQPOLL },
	{ "iopoll", IORING_SETUP_IOPOLL },
	{ "default", BIG },
	{ "coop", BIG | IORING_SETUP_COOP_TASKRUN },
	{ "defer", BIG | DEFER },
	{ "sqpoll", BIG | IORING_SETUP_SQPOLL },
};

static const char *const queue_names[] = {
	[T_ONE_QUEUE] = "one",
	[T_TWO_QUEUES] = "two",
	[T_QUEUE_PER_CPU] = "per-cpu",
	[T_DRIVE] = "drive",
};

/* What is submitted to: the device, or what is stacked on it. */
enum layer { BARE, LOOP, CRYPT, RAID1, FILES, NR_LAYERS };

static const struct submitter {
	const char *name;
	unsigned int op, sqe_flags;
	unsigned int batch; /* requests in flight together */
	bool cached; /* through the page cache */
	bool ahead; /* and in order, so that more is read than is asked for */
	bool waited; /* by a worker for the device, and so what comes next is its */
	bool moves; /* to another CPU with the request in flight */
	bool follow; /* and home with it, instead of being named */
	bool named; /* home is the consumer's CPU, which the SQ thread is not on */
	bool busy; /* looks for its CQE again and again, and never sleeps */
	bool all_classes; /* also if transfers are counted, which takes its time */
	enum layer layer;
} submitters[] = {
	{ .name = "direct", .op = IORING_OP_READ, .all_classes = true },
	{ .name = "batch", .op = IORING_OP_READ, .batch = BATCH },
	{ .name = "worker", .op = IORING_OP_READ, .sqe_flags = IOSQE_ASYNC },
	{ .name = "worker-batch",
	  .op = IORING_OP_READ,
	  .sqe_flags = IOSQE_ASYNC,
	  .batch = BATCH },
	{ .name = "worker-link",
	  .op = IORING_OP_READ,
	  .sqe_flags = IOSQE_ASYNC | IOSQE_IO_LINK,
	  .batch = 4 },
	{ .name = "link",
	  .op = IORING_OP_READ,
	  .sqe_flags = IOSQE_IO_LINK,
	  .batch = 4 },
	{ .name = "fixed",
	  .op = IORING_OP_READ_FIXED,
	  .sqe_flags = IOSQE_FIXED_FILE },
	{ .name = "vectored", .op = IORING_OP_READV },
	{ .name = "write", .op = IORING_OP_WRITE },
	{ .name = "cached", .op = IORING_OP_READ, .cached = true },
	{ .name = "worker-cached",
	  .op = IORING_OP_READ,
	  .sqe_flags = IOSQE_ASYNC,
	  .cached = true,
	  .waited = true },
	{ .name = "readahead", .op = IORING_OP_READ, .ahead = true },
	{ .name = "passthru", .op = IORING_OP_URING_CMD },
	{ .name = "fsync", .op = IORING_OP_FSYNC, .waited = true },
	{ .name = "migrated", .op = IORING_OP_READ, .moves = true },
	{ .name = "followed",
	  .op = IORING_OP_READ,
	  .moves = true,
	  .follow = true },
	{ .name = "named", .op = IORING_OP_READ, .named = true },
	{ .name = "busy", .op = IORING_OP_READ, .busy = true },
	{ .name = "loop", .op = IORING_OP_READ, .layer = LOOP },
	{ .name = "crypt", .op = IORING_OP_READ, .layer = CRYPT },
	{ .name = "raid1", .op = IORING_OP_READ, .layer = RAID1 },
	{ .name = "file", .op = IORING_OP_READ, .layer = FILES },
	{ .name = "worker-file",
	  .op = IORING_OP_READ,
	  .sqe_flags = IOSQE_ASYNC,
	  .layer = FILES },
};

/*
 * Without a hint or with one, of a class, at a value of rq_affinity. For the classes that
 * are steered 2 is no other than 1.
 */
static const struct mode {
	const char *name;
	const char *rq_affinity;
	int cls; /* -1: no hint */
	bool always; /* whatever is counted */
} modes[] = {
	{ "stock", "2", -1, true },
	{ "stock", "0", -1, true },
	{ "stock", "1", -1, true },
	{ "step_critical", "1", IO_LOCALITY_CLASS_STEP_CRITICAL, true },
	{ "latency", "1", IO_LOCALITY_CLASS_LATENCY, true },
	{ "throughput", "1", IO_LOCALITY_CLASS_THROUGHPUT, false },
	{ "prefetch", "1", IO_LOCALITY_CLASS_PREFETCH, false },
	{ "throughput", "2", IO_LOCALITY_CLASS_THROUGHPUT, false },
	{ "prefetch", "2", IO_LOCALITY_CLASS_PREFETCH, false },
};

struct counts {
	long long ipis_call, ipis_reschedule, switches;
};

struct run {
	struct counts counts;
	unsigned int cpus, reads, done, early, remote, far, wakeups;
	unsigned int below; /* remote ones of what loop's worker submitted */
	unsigned int per_cpu[T_MAX_CPUS];
};

static struct {
	unsigned int reads, repeats;
	const char *only, *only_ring;
	FILE *out;
	bool transfers, between_markers, nvme;
	int cpus[T_MAX_CPUS], nr, sq_cpu;
	bool share_cache[T_MAX_CPUS][T_MAX_CPUS];
	struct t_trace trace;
	struct t_dev dev;
	struct t_dev stack[NR_LAYERS]; /* that of BARE is not used */
	struct t_ring ring;
	int direct[NR_LAYERS], cached, ahead;
	struct t_nvme generic; /* of the drive, for passthrough */
	const char *affinity; /* as it was set last; NULL: by somebody else */
} m = { .reads = 16, .repeats = 3 };

static alignas(4096) char buf[BATCH * T_WAY_BYTES];
static struct iovec iov[BATCH];

static void __noreturn die(const char *why)
{
	fprintf(stderr, "matrix: %s\n", why);
	t_undo_all();
	exit(1);
}

static void must(const char *why)
{
	if (why)
		die(why);
}

/* -errno or 0 of a helper. */
static void must_do(int ret, const char *what)
{
	if (ret)
		die(t_text("%s: %s", what, strerror(-ret)));
}

/* ---- counting ---- */

/* Whether it has workers of its own. A file system has none for who reads. */
static bool has_workers(enum layer layer)
{
	return layer != BARE && layer != FILES;
}

/*
 * Workers of io_uring and the SQ thread are threads of this process. Where those of a
 * layer work for it as well, all context switches of the machine count.
 */
static long long switches(enum layer layer)
{
	struct rusage usage;
	long long nr = 0;
	char line[256];
	FILE *file;

	if (!has_workers(layer)) {
		getrusage(RUSAGE_SELF, &usage);
		return usage.ru_nvcsw + usage.ru_nivcsw;
	}
	file = fopen("/proc/stat", "re");
	if (!file)
		die("cannot read /proc/stat");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "ctxt %lld", &nr) == 1)
			break;
	fclose(file);
	return nr;
}

static void count(struct counts *counts, enum layer layer, int sign)
{
	FILE *file = fopen("/proc/interrupts", "re");
	static char *line;
	static size_t size;

	if (!file)
		die("cannot read /proc/interrupts");
	while (getline(&line, &size, file) > 0) {
		char *at = strchr(line, ':'), *end;
		long long sum = 0, nr;

		if (!at)
			continue;
		for (at++; nr = strtoll(at, &end, 10), end != at; at = end)
			sum += nr;
		if (strstr(at, "Function call interrupts"))
			counts->ipis_call += sign * sum;
		else if (strstr(at, "Rescheduling interrupts"))
			counts->ipis_reschedule += sign * sum;
	}
	fclose(file);
	counts->switches += sign * switches(layer);
}

static void tracing(bool on)
{
	t_write(t_text("%s/tracing_on", m.trace.dir), on ? "1" : "0");
}

/*
 * The device whose requests count: loop has its own, those of dm and md are below, and
 * null_blk with a file system is another.
 */
static const struct t_dev *counted(const struct submitter *sub)
{
	switch (sub->layer) {
	case LOOP:
	case FILES:
		return &m.stack[sub->layer];
	default:
		return &m.dev;
	}
}

static void tally(const struct submitter *sub, struct run *run)
{
	for (size_t i = 0; i < m.trace.nr; i++) {
		const struct t_event *event = &m.trace.events[i];

		if (!strcmp(event->name, "sched_wakeup")) {
			run->wakeups++;
		} else if (t_is_of_dev(event, "block_rq_complete",
				       counted(sub))) {
			run->done++;
			run->per_cpu[event->cpu]++;
		}
	}
}

static void compare(struct run *run, int done, int cqe)
{
	run->remote += done != cqe;
	run->far += !m.share_cache[done][cqe];
}

/*
 * Where each request of a device completed and where its CQE was made, by its number.
 * One that was done before its submitter had moved has nothing to say on moving.
 */
static void match_numbers(struct run *run, unsigned int first, bool moves,
			  const struct t_dev *dev)
{
	static int done[4096], cqe[4096];

	for (unsigned int i = 0; i < run->reads; i++) {
		done[i] = -1;
		cqe[i] = -1;
	}
	for (size_t i = 0; i < m.trace.nr; i++) {
		const struct t_event *event = &m.trace.events[i];

		if (t_is_of_dev(event, "block_rq_complete", dev)) {
			long long off = t_field(event, "sector", 0) * 512;

			for (unsigned int nr = 0; nr < run->reads; nr++)
				if ((long long)t_way_off(first + nr) == off &&
				    done[nr] < 0) {
					done[nr] = event->cpu;
					break;
				}
		} else if (!strcmp(event->name, "io_uring_complete")) {
			unsigned int nr =
				t_field(event, "user_data", 0) - first;

			if (nr < run->reads)
				cqe[nr] = event->cpu;
		}
	}
	for (unsigned int i = 0; i < run->reads; i++) {
		if (done[i] < 0 || cqe[i] < 0)
			die(t_text("request %u of %u left no trace", i,
				   run->reads));
		if (moves && cqe[i] != m.cpus[(i / m.reads + 1) % m.nr])
			run->early++;
		else
			compare(run, done[i], cqe[i]);
	}
	if (run->early > run->reads / 2)
		die("the drive is too fast for a submitter that moves");
}

/*
 * Of what has no sector, or not its own: one read at a time, each request of the
 * device is for the CQE that comes next, or was read ahead for one of the same CPU.
 * What comes before a CPU's first CQE may have been read ahead for the CPU before.
 */
static void match_order(const struct submitter *sub, struct run *run,
			unsigned int first)
{
	unsigned int nr = 0;
	int done[64];

	for (size_t i = 0; i < m.trace.nr; i++) {
		const struct t_event *event = &m.trace.events[i];

		if (!strcmp(event->name, "block_rq_complete")) {
			if (nr == T_ARRAY_SIZE(done))
				die("too many requests for a read");
			done[nr++] = event->cpu;
		} else if (!strcmp(event->name, "io_uring_complete")) {
			unsigned int at =
				t_field(event, "user_data", 0) - first;

			if (sub->ahead && at % m.reads == 0) {
				run->early += nr;
				nr = 0;
			}
			while (nr)
				compare(run, done[--nr], event->cpu);
		}
	}
	run->early += nr;
}

/*
 * Next is who issued it, a worker, as that waits for it. Of a flush first the queue's
 * own request is done, and then and there that of the bio, which is not counted.
 */
static void match_issuer(struct run *run)
{
	int issuer = -1;

	for (size_t i = 0; i < m.trace.nr; i++) {
		const struct t_event *event = &m.trace.events[i];

		if (!strcmp(event->name, "block_bio_queue")) {
			issuer = event->cpu;
		} else if (!strcmp(event->name, "block_rq_complete")) {
			if (issuer >= 0) {
				compare(run, event->cpu, issuer);
			} else {
				run->done--;
				run->per_cpu[event->cpu]--;
			}
			issuer = -1;
		}
	}
}

static void match_below(struct run *run, unsigned int first)
{
	struct run below = { .reads = run->reads };

	match_numbers(&below, first, false, &m.dev);
	run->below = below.remote;
}

static void look_up(const struct submitter *sub, struct run *run,
		    unsigned int first)
{
	must(t_trace_load(&m.trace));
	tally(sub, run);
	if (sub->waited)
		match_issuer(run);
	else if (sub->ahead || sub->op == IORING_OP_URING_CMD ||
		 sub->layer == FILES)
		match_order(sub, run, first);
	else
		match_numbers(run, first, sub->moves, counted(sub));
	if (sub->layer == LOOP)
		match_below(run, first);
}

/* ---- one run ---- */

static struct io_uring_sqe *prepare(const struct submitter *sub,
				    unsigned int place, unsigned int nr,
				    const struct io_locality_hint *hint)
{
	struct io_uring_sqe *sqe = t_sqe(&m.ring);
	char *at = buf + place * T_WAY_BYTES;

	if (sub->op == IORING_OP_URING_CMD) {
		t_prep_nvme_read(sqe, &m.generic, at,
				 T_WAY_BYTES / m.generic.block,
				 t_way_off(nr) / m.generic.block);
	} else if (sub->op == IORING_OP_FSYNC) {
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fd = m.direct[BARE];
	} else if (sub->op == IORING_OP_READV) {
		iov[place] = (struct iovec){ at, T_WAY_BYTES };
		t_prep_rw(sqe, sub->op, m.direct[BARE], &iov[place], 1,
			  t_way_off(nr));
	} else if (sub->ahead) {
		t_prep_rw(sqe, sub->op, m.ahead, at, T_WAY_BYTES,
			  t_way_off(nr) / 2);
	} else {
		t_prep_rw(sqe, sub->op,
			  sub->cached ? m.cached : m.direct[sub->layer], at,
			  T_WAY_BYTES,
			  sub->layer == FILES ? t_way_off(nr) % FILE_BYTES :
						t_way_off(nr));
	}
	sqe->flags = sub->sqe_flags;
	if (sqe->flags & IOSQE_FIXED_FILE)
		sqe->fd = 0;
	sqe->user_data = nr;
	if (hint)
		t_sqe_hint(sqe, hint);
	return sqe;
}

/* What a CQE has to say. */
static int good_res(const struct submitter *sub)
{
	switch (sub->op) {
	case IORING_OP_URING_CMD:
	case IORING_OP_FSYNC:
		return 0;
	default:
		return T_WAY_BYTES;
	}
}

static void finish(const struct submitter *sub, unsigned int nr)
{
	struct io_uring_cqe cqe;

	while (nr) {
		must_do(sub->busy ? t_reap(&m.ring) : t_submit(&m.ring, nr),
			"waiting");
		for (; nr && t_cqe(&m.ring, &cqe); nr--) {
			if (cqe.res != good_res(sub))
				die(t_text("a request ended with %d", cqe.res));
			if (m.between_markers)
				coherence_unit(REGION);
		}
	}
}

/* Requests of one CPU; @to is the CPU that it moves to, if it does. */
static void go(const struct submitter *sub, const struct mode *mode, int from,
	       int to, unsigned int *next, unsigned int left)
{
	unsigned int batch = sub->batch ? sub->batch : 1;
	const bool hinted = mode->cls >= 0 && (sub->moves || sub->named);
	const int home = sub->follow ? -1 : sub->moves ? to : from;
	struct io_locality_hint hint = { 0 };
	cpu_set_t both;

	if (hinted)
		hint = t_hint_of(mode->cls, home, 1);
	if (sub->follow)
		hint.flags |= IO_LOCALITY_FOLLOW_TASK;
	while (left) {
		unsigned int nr = left < batch ? left : batch;

		for (unsigned int i = 0; i < nr; i++) {
			struct io_uring_sqe *sqe = prepare(
				sub, i, (*next)++, hinted ? &hint : NULL);

			if (i == nr - 1)
				sqe->flags &= ~IOSQE_IO_LINK;
		}
		if (sub->moves) {
			/* A home counts only if the task may go there. */
			CPU_ZERO(&both);
			CPU_SET(from, &both);
			must_do(t_pin(from), "pinning");
			CPU_SET(to, &both);
			sched_setaffinity(0, sizeof(both), &both);
			must_do(t_submit(&m.ring, 0), "submitting");
			must_do(t_pin(to), "pinning");
		} else {
			must_do(t_submit(&m.ring, 0), "submitting");
		}
		finish(sub, nr);
		left -= nr;
	}
}

static void set_affinity_of(const struct t_dev *dev, const char *value)
{
	must_do(t_write(t_text("/sys/block/%s/queue/rq_affinity", dev->name),
			"%s", value),
		"rq_affinity");
}

/* It freezes the queue, which takes its time, so only if it changes. */
static void set_affinity(const char *value)
{
	if (m.affinity && !strcmp(m.affinity, value))
		return;
	set_affinity_of(&m.dev, value);
	/* dm-crypt and md have no requests of their own. */
	if (m.stack[LOOP].name[0])
		set_affinity_of(&m.stack[LOOP], value);
	if (m.stack[FILES].name[0])
		set_affinity_of(&m.stack[FILES], value);
	m.affinity = value;
}

/* What was read ahead may still be on its way, and is not for the next CPU's reads. */
static void settle(const struct submitter *sub)
{
	while (sub->ahead && t_inflight(&m.dev) > 0)
		usleep(1000);
}

static void count_events(const struct submitter *sub, const struct mode *mode,
			 int from, int to, unsigned int *next, struct run *run)
{
	tracing(true);
	count(&run->counts, sub->layer, -1);
	go(sub, mode, from, to, next, m.reads);
	count(&run->counts, sub->layer, 1);
	tracing(false);
	settle(sub);
}

static void count_transfers(const struct submitter *sub,
			    const struct mode *mode, int from, int to,
			    unsigned int *next)
{
	go(sub, mode, from, to, next, WARM_UP);
	must_do(t_pin(from), "pinning");
	m.between_markers = true;
	coherence_begin(REGION);
	go(sub, mode, from, to, next, m.reads);
	coherence_end(REGION);
	m.between_markers = false;
	settle(sub);
}

static void measure(const struct submitter *sub, const struct mode *mode,
		    struct run *run)
{
	struct io_locality_hint hint = t_hint_of(mode->cls, -1, 1);
	unsigned int first, next;

	memset(run, 0, sizeof(*run));
	set_affinity(mode->rq_affinity);
	if (mode->cls >= 0)
		must_do(t_enable(&m.ring, &hint, NULL, 0), "opting in");
	/* What is in the page cache needs no device to be read, and a worker to be written. */
	if (sub->cached || sub->ahead || sub->op == IORING_OP_WRITE)
		posix_fadvise(m.cached, 0, 0, POSIX_FADV_DONTNEED);

	first = t_way_next();
	next = first;
	if (m.transfers) {
		coherence_reset(REGION);
	} else {
		t_trace_start(&m.trace);
		tracing(false);
	}
	for (int i = 0; i < m.nr; i++) {
		int cpu = m.cpus[i], to = m.cpus[(i + 1) % m.nr];

		/* A consumer that shares its CPU with an SQ thread has none. */
		if (cpu == m.sq_cpu)
			continue;
		must_do(t_pin(cpu), "pinning");
		if (m.transfers)
			count_transfers(sub, mode, cpu, to, &next);
		else
			count_events(sub, mode, cpu, to, &next, run);
		run->reads += m.reads;
		run->cpus++;
	}
	while (t_way_next() < next)
		;
	if (!m.transfers)
		look_up(sub, run, first);
	if (mode->cls >= 0)
		must_do(t_disable(&m.ring), "opting out");
}

static void print_events(const struct run *run)
{
	fprintf(m.out,
		"\"counted\":\"events\",\"requests\":%u,\"early\":%u,\"remote\":%u,\"far\":%u,\"below\":%u,\"wakeups\":%u,\"ipis_call\":%lld,\"ipis_reschedule\":%lld,\"switches\":%lld,\"per_cpu\":[",
		run->done, run->early, run->remote, run->far, run->below,
		run->wakeups, run->counts.ipis_call,
		run->counts.ipis_reschedule, run->counts.switches);
	for (int i = 0; i < m.nr; i++)
		fprintf(m.out, "%s%u", i ? "," : "", run->per_cpu[m.cpus[i]]);
	fprintf(m.out, "]}\n");
}

static void print_run(const struct submitter *sub, const struct ring_kind *ring,
		      enum t_queues queues, const struct mode *mode,
		      unsigned int repeat, const struct run *run)
{
	fprintf(m.out,
		"{\"submitter\":\"%s\",\"ring\":\"%s\",\"queues\":\"%s\",\"mode\":\"%s\",\"rq_affinity\":%s,\"repeat\":%u,\"reads\":%u,",
		sub->name, ring->name, queue_names[queues], mode->name,
		mode->rq_affinity, repeat, run->reads);
	if (m.transfers)
		fprintf(m.out, "\"counted\":\"transfers\",\"cpus\":%u}\n",
			run->cpus);
	else
		print_events(run);
	fflush(m.out);
}

/* ---- the matrix ---- */

/* What there is no sense in, or no way to do. */
static bool is_cell(const struct submitter *sub, const struct ring_kind *ring,
		    enum t_queues queues)
{
	const bool passthru = sub->op == IORING_OP_URING_CMD;
	const bool big = ring->flags & IORING_SETUP_SQE128;

	if (m.only && strcmp(m.only, sub->name))
		return false;
	if (m.only_ring && strcmp(m.only_ring, ring->name))
		return false;
	if (passthru != big || (passthru && (queues != T_DRIVE || !m.nvme)))
		return false;
	/* Only null_blk has queues that can be polled here. */
	if (ring->flags & IORING_SETUP_IOPOLL)
		return !strcmp(sub->name, "direct") && queues != T_DRIVE;
	if (sub->op == IORING_OP_WRITE && !t_way_writable(queues))
		return false;
	/* Behind an SQ thread nobody is interrupted for who is awake, with a hint or without. */
	if (sub->busy && ring->flags & IORING_SETUP_SQPOLL)
		return false;
	/* Of other rings it is the submitter's, as without a name. */
	if (sub->named && !(ring->flags & IORING_SETUP_SQPOLL))
		return false;
	/* null_blk has no cache to be flushed. */
	if (sub->op == IORING_OP_FSYNC)
		return queues == T_DRIVE;
	/*
	 * null_blk is done before the submitter can move; an SQ thread stays
	 * where it is, whoever moves.
	 */
	if (sub->moves)
		return queues == T_DRIVE &&
		       !(ring->flags & IORING_SETUP_SQPOLL);
	return true;
}

static int nr_queues(enum t_queues queues)
{
	return queues == T_ONE_QUEUE ? 1 : queues == T_TWO_QUEUES ? 2 : m.nr;
}

static const char *open_dev(const struct ring_kind *ring, enum t_queues queues)
{
	int nr = nr_queues(queues);

	if (ring->flags & IORING_SETUP_IOPOLL)
		return t_null_blk(&m.dev,
				  t_text("submit_queues=%d poll_queues=%d", nr,
					 nr));
	return t_way_dev(&m.dev, queues);
}

static int open_direct(const struct t_dev *dev, int flags)
{
	int fd = t_dev_open(dev, flags);

	if (fd < 0)
		die(t_text("cannot open %s", dev->path));
	return fd;
}

/* Whether there is a cell with that on the device. */
static bool has_layer(const struct ring_kind *ring, enum t_queues queues,
		      enum layer layer)
{
	for (size_t s = 0; s < T_ARRAY_SIZE(submitters); s++)
		if (submitters[s].layer == layer &&
		    is_cell(&submitters[s], ring, queues))
			return true;
	return false;
}

/* md wants a device of its own, which a part of dm's is. */
static void open_raid1(void)
{
	struct t_dev part;

	must(t_dm(&part, m.dev.bytes / 512, "linear",
		  t_text("%s 0", m.dev.path)));
	must(t_md(&m.stack[RAID1], 1, &part, 1));
	m.direct[RAID1] = open_direct(&m.stack[RAID1], O_RDONLY);
}

static void write_file(const char *path)
{
	static char zeroes[1 << 16];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool good = fd >= 0;

	for (int at = 0; good && at < FILE_BYTES; at += sizeof(zeroes))
		good = write(fd, zeroes, sizeof(zeroes)) == sizeof(zeroes);
	if (!good || fsync(fd) || close(fd))
		die(t_text("cannot fill %s", path));
}

/* What is read is of the file alone, as a file system that is mounted knows all of it. */
static int open_in(const char *dir)
{
	const char *path = t_text("%s/file", dir);
	int fd;

	write_file(path);
	/* Or it would be written to when the file was read. */
	if (mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL))
		die("cannot mount a file system read-only");
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		die(t_text("cannot open %s", path));
	return fd;
}

/*
 * A file system has to be on a null_blk that keeps what is written. That is slower, so
 * other cells have another. A drive that takes its time may keep nothing, so it has the
 * file once that is written. Each is made once, for all rings.
 */
static void open_file(enum t_queues queues)
{
	static struct {
		struct t_dev dev;
		int fd;
	} made[T_DRIVE + 1];
	struct t_dev *dev = &made[queues].dev, linear;
	char dir[64];

	if (!made[queues].dev.name[0]) {
		must(t_null_blk(dev,
				t_text("submit_queues=%d memory_backed=1",
				       queues == T_DRIVE ? 1 :
							   nr_queues(queues))));
		if (queues == T_DRIVE) {
			must(t_dm(&linear, dev->bytes / 512, "linear",
				  t_text("%s 0", dev->path)));
			must(t_ext4(&linear, dir));
			made[queues].fd = open_in(dir);
			must(t_dm_remap(&linear, "linear",
					t_text("%s 0", m.dev.path)));
			*dev = m.dev;
		} else {
			must(t_ext4(dev, dir));
			made[queues].fd = open_in(dir);
		}
	}
	m.stack[FILES] = *dev;
	m.direct[FILES] = dup(made[queues].fd);
	if (m.direct[FILES] < 0)
		die("no other descriptor of a file");
}

static void open_stack(const struct ring_kind *ring, enum t_queues queues)
{
	memset(m.stack, 0, sizeof(m.stack));
	if (has_layer(ring, queues, LOOP)) {
		must(t_loop(&m.stack[LOOP], m.dev.path, true));
		m.direct[LOOP] = open_direct(&m.stack[LOOP], O_RDONLY);
	}
	if (has_layer(ring, queues, CRYPT)) {
		must(t_dm_crypt(&m.stack[CRYPT], &m.dev, ""));
		m.direct[CRYPT] = open_direct(&m.stack[CRYPT], O_RDONLY);
	}
	if (has_layer(ring, queues, RAID1))
		open_raid1();
	if (has_layer(ring, queues, FILES))
		open_file(queues);
}

static void open_cached(void)
{
	/* A file has what is so when it is opened. */
	must_do(t_queue_set(&m.dev, "read_ahead_kb", AHEAD_KIB),
		"read_ahead_kb");
	m.cached = open(m.dev.path, O_RDONLY | O_CLOEXEC);
	m.ahead = open(m.dev.path, O_RDONLY | O_CLOEXEC);
	if (m.cached < 0 || m.ahead < 0)
		die("cannot open the device");
	/* A page at a time, so that a read is a request. */
	posix_fadvise(m.cached, 0, 0, POSIX_FADV_RANDOM);
}

static void open_ring(const struct ring_kind *ring)
{
	struct io_uring_params params = { .flags = ring->flags };

	m.sq_cpu = -1;
	if (ring->flags & IORING_SETUP_SQPOLL) {
		/* Not the last, where a single interrupt of a drive is. */
		m.sq_cpu = m.cpus[m.nr > 2];
		params.flags |= IORING_SETUP_SQ_AFF;
		params.sq_thread_cpu = m.sq_cpu;
		params.sq_thread_idle = 60000;
	}
	must_do(t_ring_init_params(&m.ring, BATCH, &params), "ring");
}

static void open_all(const struct ring_kind *ring, enum t_queues queues)
{
	struct iovec all = { buf, sizeof(buf) };

	/* So has an SQ thread, and what that makes. */
	must_do(t_unpin(), "running anywhere");
	must(open_dev(ring, queues));
	t_queue_set(&m.dev, "scheduler", "none");
	/* Comes back at the end, however often it is set until then. */
	t_queue_set(&m.dev, "rq_affinity", "0");
	m.affinity = NULL;
	open_stack(ring, queues);
	m.direct[BARE] =
		open_direct(&m.dev, t_way_writable(queues) ? O_RDWR : O_RDONLY);
	open_cached();
	m.generic.fd = -1;
	if (ring->flags & IORING_SETUP_SQE128)
		must(t_nvme_open(&m.generic, &m.dev));
	if (m.generic.fd >= 0 && m.generic.nsid <= 0)
		die("the drive has no namespace");
	open_ring(ring);
	must_do(t_register(&m.ring, IORING_REGISTER_BUFFERS, &all, 1),
		"registering");
	must_do(t_register(&m.ring, IORING_REGISTER_FILES, &m.direct[BARE], 1),
		"registering");
	if (!m.transfers) {
		must(t_trace_filter(&m.trace, "block:block_rq_complete",
				    "dev == %llu || dev == %llu || dev == %llu",
				    m.dev.dev, m.stack[LOOP].dev,
				    m.stack[FILES].dev));
		must(t_trace_filter(&m.trace, "block:block_bio_queue",
				    "dev == %llu", m.dev.dev));
	}
}

static void close_all(void)
{
	t_ring_exit(&m.ring);
	for (int layer = BARE; layer < NR_LAYERS; layer++)
		if (layer == BARE || m.stack[layer].name[0])
			close(m.direct[layer]);
	close(m.cached);
	close(m.ahead);
	if (m.generic.fd >= 0)
		close(m.generic.fd);
}

/*
 * A worker has the affinity that the task has when it is made. Pinned, it would be
 * left on the CPU that was measured first. One that was made while another was busy is,
 * and after a while it may be the only one left: so there are some anew for each way.
 */
static void make_workers(const struct submitter *sub)
{
	must_do(t_unpin(), "running anywhere");
	for (unsigned int i = 0; i < BATCH; i++)
		prepare(sub, i, t_way_next(), NULL)->flags |= IOSQE_ASYNC;
	must_do(t_submit(&m.ring, 0), "submitting");
	finish(sub, BATCH);
}

/* Whose wakeups count: those of the program's tasks, and of a layer's workers. */
static void count_wakeups(const struct submitter *sub)
{
	if (!m.transfers)
		must(t_trace_filter(&m.trace, "sched:sched_wakeup",
				    "comm ~ \"matrix*\" || comm ~ \"iou-*\"%s",
				    has_workers(sub->layer) ?
					    " || comm ~ \"kworker*\"" :
					    ""));
}

static void cells_of(const struct ring_kind *ring, enum t_queues queues)
{
	struct run run;

	open_all(ring, queues);
	for (size_t s = 0; s < T_ARRAY_SIZE(submitters); s++) {
		const struct submitter *sub = &submitters[s];

		if (!is_cell(sub, ring, queues))
			continue;
		if (!(ring->flags & IORING_SETUP_IOPOLL))
			make_workers(sub);
		count_wakeups(sub);
		/* The first fills caches. */
		if (!m.transfers)
			measure(sub, &modes[0], &run);
		for (unsigned int r = 0; r < m.repeats; r++) {
			for (size_t i = 0; i < T_ARRAY_SIZE(modes); i++) {
				if (!modes[i].always && m.transfers &&
				    !sub->all_classes)
					continue;
				measure(sub, &modes[i], &run);
				print_run(sub, ring, queues, &modes[i], r,
					  &run);
			}
		}
	}
	close_all();
}

/* So that who pays for a transfer can be named. */
static void say_where_the_policy_is(void)
{
	char text[64];

	must_do(t_read(text, sizeof(text),
		       "/sys/module/completion_provenance/sections/.text"),
		"the policy's address");
	fprintf(m.out, "{\"module\":{\"text\":\"%s\"}}\n", text);
}

static bool is_submitter(const char *name)
{
	for (size_t i = 0; i < T_ARRAY_SIZE(submitters); i++)
		if (!strcmp(submitters[i].name, name))
			return true;
	return false;
}

static bool is_ring(const char *name)
{
	for (size_t i = 0; i < T_ARRAY_SIZE(rings); i++)
		if (!strcmp(rings[i].name, name))
			return true;
	return false;
}

static void options(int argc, char **argv)
{
	int opt;

	m.out = stdout;
	while ((opt = getopt(argc, argv, "tn:r:s:k:o:")) != -1) {
		switch (opt) {
		case 't':
			m.transfers = true;
			break;
		case 'n':
			m.reads = atoi(optarg);
			break;
		case 'r':
			m.repeats = atoi(optarg);
			break;
		case 's':
			m.only = optarg;
			break;
		case 'k':
			m.only_ring = optarg;
			break;
		case 'o':
			m.out = fopen(optarg, "we");
			break;
		default:
			die("matrix [-t] [-n READS] [-r REPEATS] [-s WAY] [-k RING] [-o FILE]");
		}
	}
	if (m.only && !is_submitter(m.only))
		die(t_text("there is no way to submit that is called %s",
			   m.only));
	if (m.only_ring && !is_ring(m.only_ring))
		die(t_text("there is no kind of ring that is called %s",
			   m.only_ring));
	if (!m.out || !m.reads || m.reads > 512 || !m.repeats)
		die("a file that can be written, 1 to 512 reads, and a repeat are needed");
}

int main(int argc, char **argv)
{
	options(argc, argv);
	must(t_need(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
		    T_TWO_CPUS | T_STEERING));
	m.nr = t_cpus(m.cpus);
	if (m.nr > MAX_CPUS)
		m.nr = MAX_CPUS;
	must(t_way_dev(&m.dev, T_DRIVE));
	m.nvme = !strncmp(m.dev.name, "nvme", 4);
	/* Each run empties the trace, for which the kernel waits and waits. */
	t_set("/sys/kernel/rcu_expedited", "1");
	for (int a = 0; a < m.nr; a++)
		for (int b = 0; b < m.nr; b++)
			m.share_cache[m.cpus[a]][m.cpus[b]] =
				t_share_cache(m.cpus[a], m.cpus[b]);
	if (m.transfers)
		say_where_the_policy_is();
	else
		must(t_trace_open(&m.trace, EVENTS));
	for (size_t r = 0; r < T_ARRAY_SIZE(rings); r++)
		for (int q = T_ONE_QUEUE; q <= T_DRIVE; q++) {
			bool any = false;

			for (size_t s = 0; s < T_ARRAY_SIZE(submitters); s++)
				any |= is_cell(&submitters[s], &rings[r], q);
			if (any)
				cells_of(&rings[r], q);
		}
	t_undo_all();
	return 0;
}
