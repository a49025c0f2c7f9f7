// SPDX-License-Identifier: GPL-2.0-only
/* A ring whose requests have the hints of their flows, and what came back. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cprovbench.h"
#include "marker.h"

/* Reads before those that are marked. */
#define MARK_AFTER 100

/* Debian 12's liburing is older. */
#ifndef IORING_SETUP_HYBRID_IOPOLL
#define IORING_SETUP_HYBRID_IOPOLL (1U << 17)
#endif

/* @flag is what the kernel must know, and @since the first that does. */
static const struct {
	unsigned int flags, flag;
	const char *since;
} kinds[] = {
	[RING_COOP] = { IORING_SETUP_COOP_TASKRUN, IORING_SETUP_COOP_TASKRUN,
			"5.19" },
	[RING_DEFER] = { IORING_SETUP_SINGLE_ISSUER |
				 IORING_SETUP_DEFER_TASKRUN,
			 IORING_SETUP_DEFER_TASKRUN, "6.1" },
	[RING_SQPOLL] = { IORING_SETUP_SQPOLL, 0, NULL },
	[RING_IOPOLL] = { IORING_SETUP_IOPOLL, 0, NULL },
	[RING_HYBRID] = { IORING_SETUP_IOPOLL | IORING_SETUP_HYBRID_IOPOLL,
			  IORING_SETUP_HYBRID_IOPOLL, "6.13" },
	[RING_PASSTHROUGH] = { IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
			       IORING_SETUP_SQE128, "5.19" },
	[RING_PREAD] = { 0, 0, NULL },
};

static int ring_open(struct io_uring *ring, const struct options *opt,
		     unsigned int entries, unsigned int flags)
{
	struct io_uring_params params;

	memset(&params, 0, sizeof(params));
	params.flags = flags;
	if (opt->sq_cpu >= 0) {
		params.flags |= IORING_SETUP_SQ_AFF;
		params.sq_thread_cpu = (unsigned int)opt->sq_cpu;
	}
	return io_uring_queue_init_params(entries, ring, &params);
}

/* The kernel says EINVAL for every flag: it is the one without which it works. */
static bool kernel_lacks(const struct options *opt)
{
	unsigned int flag = kinds[opt->ring].flag;
	unsigned int flags =
		flag == IORING_SETUP_HYBRID_IOPOLL ? IORING_SETUP_IOPOLL : 0;
	struct io_uring ring;

	if (!flag || ring_open(&ring, opt, 1, flags))
		return false;
	io_uring_queue_exit(&ring);
	return true;
}

__attribute__((noreturn)) static void no_ring(const struct options *opt,
					      int error)
{
	const char *name = ring_names[opt->ring];

	if (error == ENOSYS || error == EPERM)
		lacking("io_uring is not to be had (%s): see the sysctl kernel.io_uring_disabled and what confines this process; libaio and pread do without",
			strerror(error));
	if (error == EINVAL && kernel_lacks(opt))
		lacking("this kernel has no %s rings: Linux %s and later have",
			name, kinds[opt->ring].since);
	if (error == EINVAL && opt->sq_cpu >= 0)
		die("no SQ thread can be on CPU %d: it must be online, and in this process's cpuset",
		    opt->sq_cpu);
	die("io_uring with %s: %s", name, strerror(error));
}

/*
 * What has no hint is of class throughput, and costs least: so the bulk reads beside
 * urgent ones. But it is not told how they came back, so who asks for that gives one.
 */
static bool goes_without(const struct bench *b, const struct flow *flow)
{
	return b->opt.workload == WORK_MIXED && !b->receipts &&
	       flow->hint.io_class == IO_LOCALITY_CLASS_THROUGHPUT;
}

/*
 * The first flow's hint is the ring's default, unless another is to have none, and
 * each has a slot.
 */
static void enable_hints(struct lane *lane, struct flow *flows,
			 unsigned int nr_flows)
{
	struct io_locality_slot slots[MAX_FLOWS];
	unsigned int i, flags = 0;
	int ret;

	memset(slots, 0, sizeof(slots));
	for (i = 0; i < nr_flows; i++) {
		slots[i].hint = flows[i].hint;
		if (goes_without(lane->bench, &flows[i]))
			lane->no_default = true;
	}
	if (lane->bench->receipts)
		flags |= IO_LOCALITY_F_RECEIPTS;
	/* Who waits for several does not want that of what is urgent. */
	if (lane->bench->opt.wait > 1 && lane->bench->opt.ring == RING_DEFER)
		flags |= IO_LOCALITY_F_BOUNDED_BATCH;
	ret = cprov_ring_enable_flags(&lane->cr, &lane->ring, flags,
				      lane->no_default ? NULL : &flows[0].hint,
				      slots, nr_flows);
	if (ret <= 0)
		die("the kernel refuses the hints: %s",
		    ret ? strerror(-ret) : "it has none");
}

void lane_open(struct lane *lane, struct bench *b, unsigned int entries,
	       struct flow *flows, unsigned int nr_flows)
{
	unsigned int flags = kinds[b->opt.ring].flags;
	int ret;

	memset(lane, 0, sizeof(*lane));
	lane->bench = b;
	if (b->opt.ring == RING_LIBAIO)
		aio_open(lane, entries);
	if (b->opt.ring >= RING_LIBAIO)
		return;
	if (b->receipts)
		flags |= IORING_SETUP_CQE32;
	ret = ring_open(&lane->ring, &b->opt, entries, flags);
	if (ret)
		no_ring(&b->opt, -ret);
	if (b->hinted)
		enable_hints(lane, flows, nr_flows);
}

/* The target and all buffers, so that no request has to look for them. */
void lane_register(struct lane *lane, struct request *requests, unsigned int nr)
{
	struct iovec *buffers = allocate(nr * sizeof(*buffers));
	unsigned int i;
	int ret;

	for (i = 0; i < nr; i++) {
		buffers[i].iov_base = requests[i].buf;
		buffers[i].iov_len = requests[i].bytes;
		requests[i].buffer = i + 1;
	}
	ret = io_uring_register_buffers(&lane->ring, buffers, nr);
	free(buffers);
	if (ret == -ENOMEM)
		die("%u buffers of %u bytes are more than may be locked: see ulimit -l",
		    nr, requests[0].bytes);
	if (ret)
		die("registering buffers: %s", strerror(-ret));
	ret = io_uring_register_files(&lane->ring, &lane->bench->target.fd, 1);
	if (ret)
		die("registering the target: %s", strerror(-ret));
}

void lane_close(struct lane *lane)
{
	if (lane->bench->opt.ring == RING_LIBAIO)
		aio_close(lane);
	if (lane->bench->opt.ring < RING_LIBAIO)
		io_uring_queue_exit(&lane->ring);
}

static struct io_uring_sqe *get_sqe(struct lane *lane)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&lane->ring);

	/* An SQ thread may not have taken the last ones yet. */
	while (!sqe) {
		lane_submit(lane, 0);
		if (lane->bench->opt.ring == RING_SQPOLL)
			io_uring_sqring_wait(&lane->ring);
		sqe = io_uring_get_sqe(&lane->ring);
	}
	return sqe;
}

int request_fd(const struct bench *b, const struct request *rq)
{
	return rq->file ? rq->file->fd : b->target.fd;
}

/* By the numbers that lane_register() gave. */
static void prep_read_fixed(struct io_uring_sqe *sqe, const struct request *rq)
{
	io_uring_prep_read_fixed(sqe, 0, rq->buf, rq->bytes, rq->block * BLOCK,
				 (int)rq->buffer - 1);
	sqe->flags |= IOSQE_FIXED_FILE;
}

void lane_queue(struct lane *lane, struct request *rq)
{
	const struct target *tg = &lane->bench->target;
	struct io_uring_sqe *sqe;

	if (lane->bench->opt.ring == RING_LIBAIO) {
		aio_queue(lane, rq);
		return;
	}
	sqe = get_sqe(lane);
	if (lane->bench->opt.ring == RING_PASSTHROUGH)
		device_prep_read(tg, sqe, rq);
	else if (rq->buffer)
		prep_read_fixed(sqe, rq);
	else
		io_uring_prep_read(sqe, request_fd(lane->bench, rq), rq->buf,
				   rq->bytes, rq->block * BLOCK);
	io_uring_sqe_set_data(sqe, rq);
	if (rq->hint)
		cprov_prep_hint(&lane->cr, sqe, rq->hint);
	else if ((rq->slot || lane->no_default) &&
		 !goes_without(lane->bench, rq->flow))
		cprov_prep_slot(&lane->cr, sqe, rq->slot);
	rq->submitted_ns = now_ns();
}

/* @wait: for how many completions, so that one system call does both. */
void lane_submit(struct lane *lane, unsigned int wait)
{
	int ret;

	if (lane->bench->opt.ring == RING_LIBAIO) {
		aio_submit(lane);
		return;
	}
	do {
		ret = io_uring_submit_and_wait(&lane->ring, wait);
	} while (ret == -EINTR || ret == -EAGAIN || ret == -EBUSY);
	if (ret < 0)
		die("submitting: %s", strerror(-ret));
}

/* All that was asked for, but for the end of a file. */
static unsigned int due(const struct request *rq)
{
	uint64_t left;

	if (!rq->file)
		return rq->bytes;
	left = rq->file->bytes - rq->block * BLOCK;
	return left < rq->bytes ? (unsigned int)left : rq->bytes;
}

static void verify(const struct bench *b, struct request *rq)
{
	uint64_t block = rq->block + (rq->file ? rq->file->first : 0);
	unsigned int i, left = due(rq);

	if (!b->opt.verify)
		return;
	for (i = 0; left; i++) {
		unsigned int n = left < BLOCK ? left : BLOCK;

		if (!block_is_right((char *)rq->buf + i * BLOCK, block + i,
				    n)) {
			rq->flow->wrong++;
			return;
		}
		left -= n;
	}
}

static unsigned int field(uint64_t info, unsigned int low, unsigned int bits)
{
	return (unsigned int)(info >> low) & ((1U << bits) - 1);
}

/* A passthrough command has its own result where others have the time. */
static void take_receipt(struct flow *flow,
			 const struct io_locality_receipt *receipt,
			 bool has_time, uint64_t now)
{
	int cpu = sched_getcpu();

	if (!receipt->info)
		return;
	flow->receipts++;
	flow->reasons[field(receipt->info, IO_LOCALITY_RECEIPT_REASON, 6)]++;
	if (field(receipt->info, IO_LOCALITY_RECEIPT_CPU, 13) !=
	    (unsigned int)cpu)
		flow->remote++;
	if (has_time && receipt->done_ns && receipt->done_ns <= now) {
		flow->known++;
		hist_add(&flow->ready, now - receipt->done_ns);
	}
}

/* What there is while an urgent read is in flight: the region after that of all. */
static unsigned int urgent_region(const struct bench *b)
{
	return (unsigned int)b->region + 1;
}

/*
 * What begins with the first read, as making rings and touching their memory does,
 * is not to be divided by the number of reads.
 */
static void mark_begin(struct bench *b)
{
	pthread_mutex_lock(&b->marks_lock);
	if (!b->ended) {
		/* There are few regions: it may have been another run's. */
		coherence_reset((unsigned int)b->region);
		if (b->opt.workload == WORK_MIXED)
			coherence_reset(urgent_region(b));
		b->before = b->done;
		b->begun = true;
		coherence_begin((unsigned int)b->region);
	}
	pthread_mutex_unlock(&b->marks_lock);
}

/* It is about to be submitted; of mixed, which has one thread. */
void mark_urgent(struct bench *b)
{
	if (!b->begun)
		return;
	b->urgent = true;
	coherence_begin(urgent_region(b));
}

/* Nothing is written down for each, which would hold up this CPU and no other. */
void mark_urgent_taken(struct bench *b)
{
	if (!b->urgent)
		return;
	coherence_unit(urgent_region(b));
	coherence_pause(urgent_region(b));
	b->urgent = false;
}

/*
 * Before anything is torn down, by the first thread that is through. Only here are the
 * reads told: a thread that told its own could do so before another has marked the
 * beginning, or after this one has marked the end, unless all waited for each other.
 */
void mark_end(struct bench *b)
{
	unsigned long long last;

	if (b->region < 0)
		return;
	pthread_mutex_lock(&b->marks_lock);
	if (b->begun && !b->ended) {
		for (last = b->done; b->before < last; b->before++)
			coherence_unit((unsigned int)b->region);
		coherence_end((unsigned int)b->region);
		if (b->opt.workload == WORK_MIXED)
			coherence_end(urgent_region(b));
	}
	b->ended = true;
	pthread_mutex_unlock(&b->marks_lock);
}

/* The thread that waits for the request has it: only here its result is looked at. */
void consume(struct bench *b, struct request *rq)
{
	uint64_t now = now_ns();

	if (rq->res != (int)due(rq))
		die("a read of %u bytes at %llu by %s returned %d%s%s",
		    rq->bytes, (unsigned long long)rq->block * BLOCK,
		    ring_names[b->opt.ring], rq->res, rq->res < 0 ? ": " : "",
		    rq->res < 0 ? strerror(-rq->res) : "");
	take_receipt(rq->flow, &rq->receipt, b->opt.ring != RING_PASSTHROUGH,
		     now);
	if (b->region >= 0 && b->done++ == MARK_AFTER)
		mark_begin(b);
	rq->flow->ios++;
	rq->flow->bytes += due(rq);
	hist_add(&rq->flow->latency, now - rq->submitted_ns);
	verify(b, rq);
}

/* How many are there to be taken. libaio has to be asked, and waits for one. */
unsigned int lane_ready(struct lane *lane)
{
	if (lane->bench->opt.ring == RING_LIBAIO)
		return aio_ready(lane);
	return io_uring_cq_ready(&lane->ring);
}

/* The next request that is done, for whoever consumes it. */
struct request *lane_take(struct lane *lane)
{
	struct io_uring_cqe *cqe;
	struct request *rq;
	int ret;

	if (lane->bench->opt.ring == RING_LIBAIO)
		return aio_take(lane);
	do {
		ret = io_uring_wait_cqe(&lane->ring, &cqe);
	} while (ret == -EINTR);
	if (ret)
		die("waiting: %s", strerror(-ret));
	rq = io_uring_cqe_get_data(cqe);
	rq->res = cqe->res;
	/* A command says that it was done, and not how much. */
	if (lane->bench->opt.ring == RING_PASSTHROUGH && !rq->res)
		rq->res = (int)rq->bytes;
	if (lane->bench->receipts)
		memcpy(&rq->receipt, cqe->big_cqe, sizeof(rq->receipt));
	io_uring_cqe_seen(&lane->ring, cqe);
	return rq;
}

struct request *lane_wait(struct lane *lane)
{
	struct request *rq = lane_take(lane);

	consume(lane->bench, rq);
	return rq;
}

void lane_pread(struct lane *lane, struct request *rq)
{
	ssize_t ret;

	rq->submitted_ns = now_ns();
	ret = pread(lane->bench->target.fd, rq->buf, rq->bytes,
		    (off_t)(rq->block * BLOCK));
	if (ret < 0)
		die("pread: %s", strerror(errno));
	rq->res = (int)ret;
	consume(lane->bench, rq);
}
