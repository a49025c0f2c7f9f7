// SPDX-License-Identifier: GPL-2.0-only
/* peak: as many reads as a core can ask for, in batches */
#include <stdlib.h>

#include "work.h"

void peak(struct worker *w)
{
	struct bench *b = w->b;
	unsigned int depth = b->opt.depth, batch = (depth + 3) / 4, nr, i;
	struct request *requests = allocate(depth * sizeof(*requests)), *rq;
	unsigned int in_flight = 0;
	struct lane lane;
	uint64_t step = 0;

	lane_open(&lane, b, depth, w->own.flows, 1);
	for (i = 0; i < depth; i++)
		request_init(&requests[i], &w->own.flows[0], 0, b->opt.block);
	if (b->opt.fixed)
		lane_register(&lane, requests, depth);
	for (i = 0; i < depth; i++) {
		if (!next_step(b))
			continue;
		requests[i].block = place(b, ++step, b->opt.block);
		lane_queue(&lane, &requests[i]);
		in_flight++;
		count_step(b);
	}
	while (in_flight) {
		nr = batch < in_flight ? batch : in_flight;
		lane_submit(&lane, nr);
		for (; nr; nr--) {
			rq = lane_wait(&lane);
			in_flight--;
			if (!next_step(b))
				continue;
			rq->block = place(b, ++step, rq->bytes);
			lane_queue(&lane, rq);
			in_flight++;
			count_step(b);
		}
	}
	mark_end(b);
	lane_close(&lane);
	for (i = 0; i < depth; i++)
		free(requests[i].buf);
	free(requests);
}
