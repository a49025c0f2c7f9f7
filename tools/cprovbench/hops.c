// SPDX-License-Identifier: GPL-2.0-only
/*
 * hops: a search of a graph of which each node is on the drive, as DiskANN has it
 * for vectors. A beam of nodes is read together; their data name their neighbours,
 * the nearest of which are the next beam. So a hop waits for its last read.
 */
#include <stdlib.h>
#include <string.h>

#include "work.h"

#define DEGREE 32 /* neighbours of a node */

struct search {
	struct worker *w;
	struct lane lane;
	struct request *beam;
	uint64_t query;
	uint64_t *nodes, *distances; /* the nearest that are known, in order */
	unsigned int nr;
};

/* Stands for that of two vectors. */
static uint64_t distance(uint64_t query, uint64_t node)
{
	return scatter(query ^ scatter(node));
}

static void consider(struct search *s, uint64_t node)
{
	uint64_t far = distance(s->query, node);
	unsigned int i = s->nr;

	while (i && s->distances[i - 1] > far)
		i--;
	/* What is as near as its neighbour is that. */
	if (i == s->w->b->opt.beam || (i && s->distances[i - 1] == far))
		return;
	if (s->nr < s->w->b->opt.beam)
		s->nr++;
	memmove(&s->nodes[i + 1], &s->nodes[i],
		(s->nr - i - 1) * sizeof(*s->nodes));
	memmove(&s->distances[i + 1], &s->distances[i],
		(s->nr - i - 1) * sizeof(*s->distances));
	s->nodes[i] = node;
	s->distances[i] = far;
}

/* What an index has in memory: where to begin. */
static void search_begin(struct search *s)
{
	struct bench *b = s->w->b;
	unsigned int i;

	s->nr = 0;
	for (i = 0; i < DEGREE; i++)
		consider(s, place(b, s->query ^ i, b->opt.block));
}

static void hop(struct search *s)
{
	unsigned int nr = s->nr, i, j;
	uint64_t begin = now_ns();

	for (i = 0; i < nr; i++) {
		s->beam[i].block = s->nodes[i];
		lane_queue(&s->lane, &s->beam[i]);
	}
	lane_submit(&s->lane, nr);
	for (i = 0; i < nr; i++)
		lane_wait(&s->lane);
	hist_add(&s->w->own.parts[0].complete, now_ns() - begin);
	s->nr = 0;
	for (i = 0; i < nr; i++)
		for (j = 0; j < DEGREE; j++)
			consider(s, linked(s->w->b, &s->beam[i], j));
}

static void search(struct search *s)
{
	uint64_t begin = now_ns();
	unsigned int i;

	search_begin(s);
	for (i = 0; i < s->w->b->opt.hops; i++)
		hop(s);
	hist_add(&s->w->own.parts[1].complete, now_ns() - begin);
}

void hops(struct worker *w)
{
	struct bench *b = w->b;
	struct search s = { .w = w };
	unsigned int i;
	uint64_t n;

	lane_open(&s.lane, b, b->opt.beam, w->own.flows, 1);
	s.beam = allocate(b->opt.beam * sizeof(*s.beam));
	s.nodes = allocate(b->opt.beam * sizeof(*s.nodes));
	s.distances = allocate(b->opt.beam * sizeof(*s.distances));
	for (i = 0; i < b->opt.beam; i++)
		request_init(&s.beam[i], &w->own.flows[0], 0, b->opt.block);
	for (n = 0; next_step(b); n++) {
		s.query = scatter(n << 8 | w->nth);
		search(&s);
		count_step(b);
	}
	mark_end(b);
	lane_close(&s.lane);
	for (i = 0; i < b->opt.beam; i++)
		free(s.beam[i].buf);
	free(s.beam);
	free(s.nodes);
	free(s.distances);
}
