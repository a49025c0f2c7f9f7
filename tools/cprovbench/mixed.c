// SPDX-License-Identifier: GPL-2.0-only
/* mixed: three flows of a device */
#include <stdlib.h>

#include "work.h"

#define BULK_DEPTH 8
#define PREFETCH_DEPTH 4
#define PREFETCH_BYTES (8 * BLOCK)

void mixed(struct worker *w)
{
	static const unsigned int depths[MAX_FLOWS] = { 1, BULK_DEPTH,
							PREFETCH_DEPTH };
	static const unsigned int sizes[MAX_FLOWS] = { BLOCK, BULK_BYTES,
						       PREFETCH_BYTES };
	struct request requests[1 + BULK_DEPTH + PREFETCH_DEPTH], *rq;
	unsigned int nr = 0, flow, i, left;
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
			lane_queue(&lane, rq);
		}
	left = nr;
	while (left) {
		lane_submit(&lane, 1);
		rq = lane_wait(&lane);
		if (!next_step(b)) {
			left--;
			continue;
		}
		rq->block = after(b, rq, ++step);
		lane_queue(&lane, rq);
		count_step(b);
	}
	mark_end(b);
	lane_close(&lane);
	for (i = 0; i < nr; i++)
		free(requests[i].buf);
}
