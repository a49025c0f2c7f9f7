// SPDX-License-Identifier: GPL-2.0-only
/* swap: tensors, one after the other or overlapped */
#include <stdlib.h>

#include "work.h"

struct tensor {
	struct request *requests;
	unsigned int nr, left;
	uint64_t begin_ns;
};

static void tensor_submit(struct lane *lane, struct tensor *t,
			  struct phase *phase, uint64_t at)
{
	unsigned int i;

	t->begin_ns = now_ns();
	t->left = t->nr;
	for (i = 0; i < t->nr; i++) {
		struct request *rq = &t->requests[i];

		rq->block = at + (uint64_t)i * (rq->bytes / BLOCK);
		lane_queue(lane, rq);
	}
	lane_submit(lane, 0);
	hist_add(&phase->parts[0].submit, now_ns() - t->begin_ns);
}

static void tensor_wait(struct lane *lane, struct tensor *t,
			struct phase *phase)
{
	while (t->left) {
		struct tensor *of = lane_wait(lane)->owner;

		if (!--of->left)
			hist_add(&phase->parts[0].complete,
				 now_ns() - of->begin_ns);
	}
}

void swap(struct worker *w)
{
	struct bench *b = w->b;
	unsigned int ahead = w->phase == &b->phases[1] ? b->opt.overlap : 0;
	unsigned int nr = (unsigned int)(b->opt.tensor / b->opt.block), i, j;
	struct tensor *ring = allocate((ahead + 1) * sizeof(*ring));
	uint64_t submitted = 0, waited = 0;
	struct lane lane;

	lane_open(&lane, b, nr * (ahead + 1), w->own.flows, 1);
	for (i = 0; i <= ahead; i++) {
		ring[i].nr = nr;
		ring[i].requests = allocate(nr * sizeof(*ring[i].requests));
		for (j = 0; j < nr; j++) {
			request_init(&ring[i].requests[j], &w->own.flows[0], 0,
				     b->opt.block);
			ring[i].requests[j].owner = &ring[i];
		}
	}
	for (;;) {
		while (submitted <= waited + ahead && next_step(b)) {
			tensor_submit(&lane, &ring[submitted % (ahead + 1)],
				      &w->own,
				      place(b, submitted,
					    (unsigned int)b->opt.tensor));
			submitted++;
		}
		if (waited == submitted)
			break;
		tensor_wait(&lane, &ring[waited % (ahead + 1)], &w->own);
		waited++;
		count_step(b);
	}
	mark_end(b);
	lane_close(&lane);
	for (i = 0; i <= ahead; i++) {
		for (j = 0; j < nr; j++)
			free(ring[i].requests[j].buf);
		free(ring[i].requests);
	}
	free(ring);
}
