// SPDX-License-Identifier: GPL-2.0-only
/* chase: each read says where the next one is */
#include <stdlib.h>

#include "work.h"

void chase(struct worker *w, bool migrate)
{
	struct bench *b = w->b;
	struct request rq;
	struct lane lane;
	uint64_t step = w->nth;

	lane_open(&lane, b, 64, w->own.flows, 1);
	request_init(&rq, &w->own.flows[0], 0, b->opt.block);
	rq.block = place(b, w->nth, rq.bytes);
	while (next_step(b)) {
		if (b->opt.ring == RING_PREAD) {
			lane_pread(&lane, &rq);
		} else {
			lane_queue(&lane, &rq);
			lane_submit(&lane, migrate ? 0 : 1);
			if (migrate)
				pin(cpu_of(b, (unsigned int)step + 1));
			lane_wait(&lane);
		}
		rq.block = after(b, &rq, ++step);
		count_step(b);
	}
	mark_end(b);
	lane_close(&lane);
	free(rq.buf);
}
