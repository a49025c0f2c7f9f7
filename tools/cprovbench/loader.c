// SPDX-License-Identifier: GPL-2.0-only
/*
 * loader: training. Workers read whole files, shuffled anew in each epoch, a window
 * ahead of a trainer that wants them in that order. What it wants next is
 * step-critical, what is further ahead is prefetched; a read is what it was when it
 * was submitted.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "work.h"

#define READS 4 /* of a worker in flight */

enum { FLOW_NEXT, FLOW_AHEAD, FLOWS };

struct sample {
	unsigned int nr; /* of its file */
	char *buf;
	size_t bytes;
	bool there;
};

struct loader {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct sample *window;
	unsigned int *order; /* of this epoch */
	uint64_t taken; /* by workers, in the order of all epochs */
	atomic_ullong wanted; /* by the trainer */
	bool over;
};

struct helper {
	struct worker w; /* first: it is what the thread is given */
	struct loader *loader;
	struct lane lane;
	struct request requests[READS], *idle[READS];
	unsigned int nr_idle;
};

/* Fisher and Yates's. */
static void shuffle(unsigned int *order, unsigned int n, uint64_t epoch)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint64_t j = scatter(epoch << 32 | i) % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

/* ---- the workers ---- */

/* The next of the order, when it is near enough to what is wanted. */
static struct sample *take(struct helper *me, uint64_t *at)
{
	struct loader *l = me->loader;
	unsigned int files = me->w.b->target.files, depth = me->w.b->opt.depth;
	struct sample *s = NULL;

	pthread_mutex_lock(&l->lock);
	while (!l->over && l->taken >= l->wanted + depth)
		pthread_cond_wait(&l->changed, &l->lock);
	if (!l->over) {
		*at = l->taken++;
		if (!(*at % files))
			shuffle(l->order, files, *at / files);
		s = &l->window[*at % depth];
		s->nr = l->order[*at % files];
	}
	pthread_mutex_unlock(&l->lock);
	return s;
}

static void read_next(struct helper *me, const struct file *file,
		      struct sample *s, uint64_t at, uint64_t offset)
{
	struct request *rq = me->idle[--me->nr_idle];
	uint64_t left = (file->bytes - offset + BLOCK - 1) / BLOCK * BLOCK;

	rq->slot = at == me->loader->wanted ? FLOW_NEXT : FLOW_AHEAD;
	rq->flow = &me->w.own.flows[rq->slot];
	rq->file = file;
	rq->block = offset / BLOCK;
	rq->buf = s->buf + offset;
	/* Direct reads are of whole blocks: the last one comes back short. */
	rq->bytes = me->w.b->opt.block;
	if (rq->bytes > left)
		rq->bytes = (unsigned int)left;
	lane_queue(&me->lane, rq);
}

static void load(struct helper *me, struct sample *s, uint64_t at)
{
	struct file file = dataset_file(&me->w.b->target, s->nr);
	uint64_t offset = 0;

	while (offset < file.bytes || me->nr_idle < READS) {
		for (; me->nr_idle && offset < file.bytes;
		     offset += me->w.b->opt.block)
			read_next(me, &file, s, at, offset);
		lane_submit(&me->lane, 1);
		me->idle[me->nr_idle++] = lane_wait(&me->lane);
	}
	s->bytes = file.bytes;
	close(file.fd);
}

static void *load_all(void *data)
{
	struct helper *me = data;
	struct loader *l = me->loader;
	struct sample *s;
	uint64_t at;

	pin(cpu_of(me->w.b, me->w.nth));
	lane_open(&me->lane, me->w.b, READS, me->w.own.flows, FLOWS);
	for (me->nr_idle = 0; me->nr_idle < READS; me->nr_idle++)
		me->idle[me->nr_idle] = &me->requests[me->nr_idle];
	while ((s = take(me, &at))) {
		load(me, s, at);
		pthread_mutex_lock(&l->lock);
		s->there = true;
		pthread_cond_broadcast(&l->changed);
		pthread_mutex_unlock(&l->lock);
	}
	lane_close(&me->lane);
	return NULL;
}

/* ---- the trainer ---- */

static void train(struct worker *w, struct loader *l)
{
	struct bench *b = w->b;
	char *batch = allocate(DATASET_FILE_MAX);

	while (next_step(b)) {
		struct sample *s = &l->window[l->wanted % b->opt.depth];
		uint64_t begin = now_ns();

		pthread_mutex_lock(&l->lock);
		while (!s->there)
			pthread_cond_wait(&l->changed, &l->lock);
		pthread_mutex_unlock(&l->lock);
		hist_add(&w->own.parts[0].complete, now_ns() - begin);
		memcpy(batch, s->buf, s->bytes);
		pthread_mutex_lock(&l->lock);
		s->there = false;
		l->wanted++;
		pthread_cond_broadcast(&l->changed);
		pthread_mutex_unlock(&l->lock);
		count_step(b);
	}
	mark_end(b);
	free(batch);
}

static void loader_init(struct loader *l, const struct bench *b)
{
	unsigned int i;

	memset(l, 0, sizeof(*l));
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->changed, NULL);
	l->order = allocate(b->target.files * sizeof(*l->order));
	l->window = allocate(b->opt.depth * sizeof(*l->window));
	for (i = 0; i < b->opt.depth; i++)
		l->window[i].buf = allocate(DATASET_FILE_MAX);
}

void loader(struct worker *w)
{
	const struct options *opt = &w->b->opt;
	struct helper *helpers = allocate(opt->threads * sizeof(*helpers));
	struct loader l;
	unsigned int i;

	loader_init(&l, w->b);
	for (i = 0; i < opt->threads; i++) {
		helpers[i].loader = &l;
		/* The trainer has the first CPU. */
		helper_start(&helpers[i].w, w, i + 1, load_all);
	}
	train(w, &l);
	pthread_mutex_lock(&l.lock);
	l.over = true;
	pthread_cond_broadcast(&l.changed);
	pthread_mutex_unlock(&l.lock);
	for (i = 0; i < opt->threads; i++)
		helper_join(&helpers[i].w, w);
	for (i = 0; i < opt->depth; i++)
		free(l.window[i].buf);
	free(l.window);
	free(l.order);
	free(helpers);
}
