// SPDX-License-Identifier: GPL-2.0-only
/* handoff: one thread submits, another consumes */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include "work.h"

struct handoff {
	struct worker *w;
	struct lane lane;
	struct request *requests;
	struct request **idle; /* a ring that the consumer fills */
	uint64_t taken;
	sem_t nr_idle, opened, reaped;
	atomic_ullong submitted;
	atomic_bool all_submitted;
};

static void *handoff_submit(void *data)
{
	struct handoff *h = data;
	struct bench *b = h->w->b;
	uint64_t step = 0;

	pin(cpu_of(b, 1));
	lane_open(&h->lane, b, b->opt.depth, h->w->own.flows, 1);
	sem_post(&h->opened);
	while (next_step(b)) {
		struct request *rq;

		while (sem_wait(&h->nr_idle))
			;
		rq = h->idle[h->taken++ % b->opt.depth];
		rq->block = place(b, ++step, rq->bytes);
		lane_queue(&h->lane, rq);
		h->submitted++;
		lane_submit(&h->lane, 0);
		count_step(b);
	}
	h->all_submitted = true;
	/* A last read, for a consumer that waits for one. */
	while (sem_wait(&h->nr_idle))
		;
	lane_queue(&h->lane, h->idle[h->taken++ % b->opt.depth]);
	lane_submit(&h->lane, 0);
	/* Completions of a ring run in the task that submitted: stay for them. */
	while (sem_wait(&h->reaped))
		;
	return NULL;
}

void handoff(struct worker *w)
{
	struct bench *b = w->b;
	struct handoff h = { .w = w };
	uint64_t reaped = 0, given;
	pthread_t submitter;
	unsigned int i;

	sem_init(&h.nr_idle, 0, b->opt.depth);
	sem_init(&h.opened, 0, 0);
	sem_init(&h.reaped, 0, 0);
	h.requests = allocate(b->opt.depth * sizeof(*h.requests));
	h.idle = allocate(b->opt.depth * sizeof(*h.idle));
	for (i = 0; i < b->opt.depth; i++) {
		request_init(&h.requests[i], &w->own.flows[0], 0, b->opt.block);
		h.idle[i] = &h.requests[i];
	}
	given = b->opt.depth;
	if (pthread_create(&submitter, NULL, handoff_submit, &h))
		die("cannot start a thread");
	while (sem_wait(&h.opened))
		;
	while (!h.all_submitted || reaped <= h.submitted) {
		h.idle[given++ % b->opt.depth] = lane_wait(&h.lane);
		reaped++;
		sem_post(&h.nr_idle);
	}
	mark_end(b);
	sem_post(&h.reaped);
	pthread_join(submitter, NULL);
	lane_close(&h.lane);
	for (i = 0; i < b->opt.depth; i++)
		free(h.requests[i].buf);
	free(h.requests);
	free(h.idle);
}
