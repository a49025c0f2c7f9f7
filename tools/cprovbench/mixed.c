// SPDX-License-Identifier: GPL-2.0-only
/* mixed: three flows of a device */
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "work.h"

#define BULK_DEPTH 8
#define PREFETCH_DEPTH 4
#define PREFETCH_BYTES (8 * BLOCK)

/* No result of a read. */
#define QUEUED INT_MIN

/* How often this thread slept until now. */
static uint64_t sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)usage.ru_nvcsw;
}

/* The first request is urgent: its time is from here, before it is submitted, ... */
static void urgent_begin(struct worker *w)
{
	w->own.urgent_sleeps -= sleeps();
	mark_urgent(w->b);
}

/* ... to here, where it is there and nothing was done with it. */
static void urgent_end(struct worker *w)
{
	mark_urgent_taken(w->b);
	w->own.urgent_sleeps += sleeps();
}

/* The nth of those that are there: what is ahead of it is looked at first. */
static struct request *take(struct worker *w, struct lane *lane,
			    unsigned int nth, unsigned int ready)
{
	struct request *rq = lane_take(lane);

	if (rq->flow == &w->own.flows[0])
		urgent_end(w);
	rq->flow->ahead += nth;
	rq->flow->behind += ready - 1 - nth;
	consume(w->b, rq);
	return rq;
}

static void queue(struct lane *lane, struct request *rq)
{
	rq->res = QUEUED;
	lane_queue(lane, rq);
}

/* All that was queued is submitted now, whenever that was. */
static void submit(struct worker *w, struct lane *lane,
		   struct request *requests, unsigned int nr, unsigned int wait)
{
	bool urgent = requests[0].res == QUEUED;
	uint64_t now = now_ns();
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (requests[i].res == QUEUED) {
			requests[i].res = 0;
			requests[i].submitted_ns = now;
		}
	if (urgent)
		urgent_begin(w);
	lane_submit(lane, wait);
}

void mixed(struct worker *w)
{
	static const unsigned int depths[MAX_FLOWS] = { 1, BULK_DEPTH,
							PREFETCH_DEPTH };

	_Static_assert(1 + BULK_DEPTH + PREFETCH_DEPTH == MIXED_IN_FLIGHT, "");
	static const unsigned int sizes[MAX_FLOWS] = { BLOCK, BULK_BYTES,
						       PREFETCH_BYTES };
	struct request requests[MIXED_IN_FLIGHT], *rq;
	unsigned int nr = 0, flow, i, left, ready, wait = w->b->opt.wait;
	struct bench *b = w->b;
	struct lane lane;
	uint64_t step = 0;

	lane_open(&lane, b, 64, w->own.flows, MAX_FLOWS);
	for (flow = 0; flow < MAX_FLOWS; flow++)
		for (i = 0; i < depths[flow]; i++) {
			rq = &requests[nr++];
			request_init(rq, &w->own.flows[flow], flow,
				     sizes[flow]);
			rq->block = place(b, nr, rq->bytes);
			queue(&lane, rq);
		}
	left = nr;
	w->own.sleeps = sleeps();
	w->own.fewest = nr;
	while (left) {
		submit(w, &lane, requests, nr, wait < left ? wait : left);
		ready = lane_ready(&lane);
		if (ready < w->own.fewest && wait <= left)
			w->own.fewest = ready;
		for (i = 0; i < ready; i++) {
			rq = take(w, &lane, i, ready);
			if (!next_step(b)) {
				left--;
				continue;
			}
			rq->block = after(b, rq, ++step);
			queue(&lane, rq);
			count_step(b);
		}
	}
	w->own.sleeps = sleeps() - w->own.sleeps;
	mark_end(b);
	lane_close(&lane);
	for (i = 0; i < nr; i++)
		free(requests[i].buf);
}
