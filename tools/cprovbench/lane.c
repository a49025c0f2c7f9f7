// SPDX-License-Identifier: GPL-2.0-only
/* A ring whose requests have the hints of their flows, and what came back. */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "cprovbench.h"
#include "marker.h"

/* Reads before those that are marked. */
#define MARK_AFTER 100

static unsigned int ring_flags(enum ring_kind kind)
{
	switch (kind) {
	case RING_COOP:
		return IORING_SETUP_COOP_TASKRUN;
	case RING_DEFER:
		return IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
	case RING_SQPOLL:
		return IORING_SETUP_SQPOLL;
	default:
		return 0;
	}
}

/* The first flow's hint is the ring's default, and each has a slot. */
static void enable_hints(struct lane *lane, struct flow *flows,
			 unsigned int nr_flows)
{
	struct io_locality_slot slots[MAX_FLOWS];
	unsigned int i, flags = 0;
	int ret;

	memset(slots, 0, sizeof(slots));
	for (i = 0; i < nr_flows; i++)
		slots[i].hint = flows[i].hint;
	if (lane->bench->receipts)
		flags |= IO_LOCALITY_F_RECEIPTS;
	ret = cprov_ring_enable_flags(&lane->cr, &lane->ring, flags,
				      &flows[0].hint, slots, nr_flows);
	if (ret <= 0)
		die("the kernel refuses the hints: %s",
		    ret ? strerror(-ret) : "it has none");
}

void lane_open(struct lane *lane, struct bench *b, unsigned int entries,
	       struct flow *flows, unsigned int nr_flows)
{
	unsigned int flags = ring_flags(b->opt.ring);
	int ret;

	memset(lane, 0, sizeof(*lane));
	lane->bench = b;
	if (b->opt.ring == RING_PREAD)
		return;
	lane->cqe32 = b->receipts;
	if (lane->cqe32)
		flags |= IORING_SETUP_CQE32;
	ret = io_uring_queue_init(entries, &lane->ring, flags);
	if (ret)
		die("io_uring with a %s ring: %s", ring_names[b->opt.ring],
		    strerror(-ret));
	if (b->hinted)
		enable_hints(lane, flows, nr_flows);
}

void lane_close(struct lane *lane)
{
	if (lane->bench->opt.ring != RING_PREAD)
		io_uring_queue_exit(&lane->ring);
}

void lane_queue(struct lane *lane, struct request *rq)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&lane->ring);

	/* An SQ thread may not have taken the last ones yet. */
	while (!sqe) {
		lane_submit(lane, 0);
		if (lane->bench->opt.ring == RING_SQPOLL)
			io_uring_sqring_wait(&lane->ring);
		sqe = io_uring_get_sqe(&lane->ring);
	}
	io_uring_prep_read(sqe, lane->bench->target.fd, rq->buf, rq->bytes,
			   rq->block * BLOCK);
	io_uring_sqe_set_data(sqe, rq);
	if (rq->slot)
		cprov_prep_slot(&lane->cr, sqe, rq->slot);
	rq->submitted_ns = now_ns();
}

/* @wait: for how many completions, so that one system call does both. */
void lane_submit(struct lane *lane, unsigned int wait)
{
	int ret;

	do {
		ret = io_uring_submit_and_wait(&lane->ring, wait);
	} while (ret == -EINTR || ret == -EAGAIN || ret == -EBUSY);
	if (ret < 0)
		die("submitting: %s", strerror(-ret));
}

static void verify(struct lane *lane, struct request *rq)
{
	unsigned int i;

	if (!lane->bench->opt.verify)
		return;
	for (i = 0; i < rq->bytes / BLOCK; i++)
		if (!block_is_right((char *)rq->buf + i * BLOCK,
				    rq->block + i)) {
			rq->flow->wrong++;
			return;
		}
}

static unsigned int field(uint64_t info, unsigned int low, unsigned int bits)
{
	return (unsigned int)(info >> low) & ((1U << bits) - 1);
}

static void take_receipt(struct flow *flow,
			 const struct io_locality_receipt *receipt,
			 uint64_t now)
{
	int cpu = sched_getcpu();

	if (!receipt->info)
		return;
	flow->receipts++;
	flow->reasons[field(receipt->info, IO_LOCALITY_RECEIPT_REASON, 6)]++;
	if (field(receipt->info, IO_LOCALITY_RECEIPT_CPU, 13) !=
	    (unsigned int)cpu)
		flow->remote++;
	if (receipt->done_ns && receipt->done_ns <= now) {
		flow->known++;
		hist_add(&flow->ready, now - receipt->done_ns);
	}
}

/*
 * What begins with the first read, as making rings and touching their memory does,
 * is not to be divided by the number of reads.
 */
static void mark_read(struct bench *b)
{
	unsigned long long nth;

	if (b->region < 0)
		return;
	nth = b->done++;
	if (nth == MARK_AFTER)
		coherence_begin((unsigned int)b->region);
	else if (nth > MARK_AFTER && !b->marked)
		coherence_unit((unsigned int)b->region);
}

/* Before anything is torn down, by the first thread that is through. */
void mark_end(struct bench *b)
{
	if (b->region >= 0 && b->done > MARK_AFTER &&
	    !atomic_exchange(&b->marked, true))
		coherence_end((unsigned int)b->region);
}

static void done(struct lane *lane, struct request *rq, int res, uint64_t now)
{
	if (res != (int)rq->bytes)
		die("a read of %u bytes at %llu returned %d", rq->bytes,
		    (unsigned long long)rq->block * BLOCK, res);
	mark_read(lane->bench);
	rq->flow->ios++;
	rq->flow->bytes += rq->bytes;
	hist_add(&rq->flow->latency, now - rq->submitted_ns);
	verify(lane, rq);
}

struct request *lane_wait(struct lane *lane)
{
	struct io_uring_cqe *cqe;
	struct request *rq;
	uint64_t now;
	int ret;

	do {
		ret = io_uring_wait_cqe(&lane->ring, &cqe);
	} while (ret == -EINTR);
	if (ret)
		die("waiting: %s", strerror(-ret));
	now = now_ns();
	rq = io_uring_cqe_get_data(cqe);
	if (lane->cqe32)
		take_receipt(rq->flow,
			     (const struct io_locality_receipt *)cqe->big_cqe,
			     now);
	ret = cqe->res;
	io_uring_cqe_seen(&lane->ring, cqe);
	done(lane, rq, ret, now);
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
	done(lane, rq, (int)ret, now_ns());
}
