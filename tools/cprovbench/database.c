// SPDX-License-Identifier: GPL-2.0-only
/*
 * database: backends that look rows up, and a sequential scan. They read as those of
 * PostgreSQL 18 do: with rings of their own (io_method=io_uring), or by handing each
 * read to an I/O worker and waiting for it (io_method=worker).
 */
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "work.h"

#define ROWS 8 /* that a query finds in a page of the index */

enum { FLOW_INDEX, FLOW_HEAP, FLOW_SCAN, FLOWS };

/* A read that its thread waits for, whoever submits it. */
struct job {
	struct request rq;
	struct io_locality_hint hint;
	sem_t there;
};

/* What the I/O workers are to read: each job at most once, so there is room. */
struct pool {
	pthread_mutex_t lock;
	struct job **queue;
	unsigned int size;
	uint64_t put, taken;
	sem_t queued;
};

struct database {
	struct pool pool;
	atomic_uint at_work;
	pthread_barrier_t all_through;
};

struct helper {
	struct worker w; /* first: it is what the thread is given */
	struct database *db;
};

/* How a backend and the scan read: by the pool, or by a ring of their own. */
struct reader {
	struct pool *pool;
	struct lane lane;
};

static void wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

/* ---- the I/O workers ---- */

static void pool_init(struct pool *pool, unsigned int size)
{
	memset(pool, 0, sizeof(*pool));
	pthread_mutex_init(&pool->lock, NULL);
	sem_init(&pool->queued, 0, 0);
	pool->queue = allocate(size * sizeof(*pool->queue));
	pool->size = size;
}

/* @job: NULL ends a worker. */
static void pool_put(struct pool *pool, struct job *job)
{
	pthread_mutex_lock(&pool->lock);
	pool->queue[pool->put++ % pool->size] = job;
	pthread_mutex_unlock(&pool->lock);
	sem_post(&pool->queued);
}

static struct job *pool_take(struct pool *pool)
{
	struct job *job;

	wait_for(&pool->queued);
	pthread_mutex_lock(&pool->lock);
	job = pool->queue[pool->taken++ % pool->size];
	pthread_mutex_unlock(&pool->lock);
	return job;
}

/*
 * Not pinned: the kernel takes the task that submits to be at the home that it names,
 * which the affinity must allow.
 */
static void *io_worker(void *data)
{
	struct helper *me = data;
	struct lane lane;
	struct job *job;

	roam(me->w.b);
	lane_open(&lane, me->w.b, 1, me->w.own.flows, FLOWS);
	while ((job = pool_take(&me->db->pool))) {
		uint64_t begin = job->rq.submitted_ns;

		lane_queue(&lane, &job->rq);
		/* The backend has waited since it handed the read over. */
		job->rq.submitted_ns = begin;
		lane_submit(&lane, 1);
		lane_take(&lane);
		sem_post(&job->there);
	}
	lane_close(&lane);
	return NULL;
}

/* ---- reading ---- */

static void job_init(struct job *job, struct flow *flow, unsigned int slot,
		     unsigned int bytes)
{
	request_init(&job->rq, flow, slot, bytes);
	job->rq.owner = job;
	sem_init(&job->there, 0, 0);
}

static void reader_open(struct reader *r, struct helper *of,
			unsigned int entries)
{
	memset(r, 0, sizeof(*r));
	if (of->w.b->opt.workers)
		r->pool = &of->db->pool;
	else
		lane_open(&r->lane, of->w.b, entries, of->w.own.flows, FLOWS);
}

static void reader_close(struct reader *r)
{
	if (!r->pool)
		lane_close(&r->lane);
}

static void read_begin(struct reader *r, const struct bench *b, struct job *job,
		       uint64_t block)
{
	job->rq.block = block;
	if (!r->pool) {
		lane_queue(&r->lane, &job->rq);
		lane_submit(&r->lane, 0);
		return;
	}
	if (b->opt.home == HOME_BACKEND) {
		/* Where this thread is is known now, not before. */
		job->hint = job->rq.flow->hint;
		job->hint.home_cpu = (__s16)sched_getcpu();
		job->rq.hint = &job->hint;
	}
	job->rq.submitted_ns = now_ns();
	pool_put(r->pool, job);
}

static void read_end(struct reader *r, struct bench *b, struct job *job)
{
	if (r->pool) {
		wait_for(&job->there);
		consume(b, &job->rq);
		return;
	}
	/* Of the reads ahead another one may be there first. */
	while (sem_trywait(&job->there)) {
		struct job *of = lane_wait(&r->lane)->owner;

		sem_post(&of->there);
	}
}

/* What is measured ends with the last thread, and before any is torn down. */
static void finish(struct helper *me)
{
	if (!--me->db->at_work)
		mark_end(me->w.b);
	pthread_barrier_wait(&me->db->all_through);
}

/* ---- the backends: a page of the index, then the rows that it names ---- */

static void query(struct helper *me, struct reader *r, struct job *index,
		  struct job *heap, uint64_t nth)
{
	uint64_t begin = now_ns(), key = nth * MAX_THREADS + me->w.nth;
	struct bench *b = me->w.b;
	unsigned int i;

	read_begin(r, b, index, place(b, key, index->rq.bytes));
	read_end(r, b, index);
	for (i = 0; i < ROWS; i++) {
		read_begin(r, b, heap, linked(b, &index->rq, i));
		read_end(r, b, heap);
	}
	hist_add(&me->w.own.parts[0].complete, now_ns() - begin);
}

static void *backend(void *data)
{
	struct helper *me = data;
	struct bench *b = me->w.b;
	struct job index, heap;
	struct reader r;
	uint64_t n;

	pin(cpu_of(b, me->w.nth));
	reader_open(&r, me, 1);
	job_init(&index, &me->w.own.flows[FLOW_INDEX], FLOW_INDEX,
		 b->opt.block);
	job_init(&heap, &me->w.own.flows[FLOW_HEAP], FLOW_HEAP, b->opt.block);
	for (n = 0; next_step(b); n++) {
		query(me, &r, &index, &heap, n);
		count_step(b);
	}
	finish(me);
	reader_close(&r);
	free(index.rq.buf);
	free(heap.rq.buf);
	return NULL;
}

/* ---- the scan: all of the target in order, again and again ---- */

/* As many reads as there are queries, or counts of two runs would not compare. */
static bool scan_on(const struct bench *b, uint64_t begun)
{
	return b->opt.ios ? begun < b->opt.ios : !b->stop;
}

static void *scan(void *data)
{
	struct helper *me = data;
	struct bench *b = me->w.b;
	unsigned int depth = b->opt.depth, i;
	struct job *jobs = allocate(depth * sizeof(*jobs));
	uint64_t chunk = BULK_BYTES / BLOCK, chunks = b->target.blocks / chunk;
	uint64_t begun = 0, ended = 0;
	struct reader r;

	pin(cpu_of(b, me->w.nth));
	reader_open(&r, me, depth);
	for (i = 0; i < depth; i++)
		job_init(&jobs[i], &me->w.own.flows[FLOW_SCAN], FLOW_SCAN,
			 BULK_BYTES);
	for (;;) {
		for (; begun < ended + depth && scan_on(b, begun); begun++)
			read_begin(&r, b, &jobs[begun % depth],
				   begun % chunks * chunk);
		if (ended == begun)
			break;
		read_end(&r, b, &jobs[ended++ % depth]);
	}
	finish(me);
	reader_close(&r);
	for (i = 0; i < depth; i++)
		free(jobs[i].rq.buf);
	free(jobs);
	return NULL;
}

/* ---- all of them ---- */

void database(struct worker *w)
{
	const struct options *opt = &w->b->opt;
	unsigned int nr = opt->threads + 1, i;
	struct helper *helpers =
		allocate((nr + opt->workers) * sizeof(*helpers));
	struct database db = { .at_work = nr };

	/* A backend has one read at a time, the scan its depth. */
	pthread_barrier_init(&db.all_through, NULL, nr);
	pool_init(&db.pool, opt->threads + opt->depth + opt->workers);
	for (i = 0; i < nr + opt->workers; i++) {
		helpers[i].db = &db;
		helper_start(&helpers[i].w, w, i,
			     i < opt->threads ? backend :
			     i < nr	      ? scan :
						io_worker);
	}
	for (i = 0; i < nr; i++)
		helper_join(&helpers[i].w, w);
	for (i = 0; i < opt->workers; i++)
		pool_put(&db.pool, NULL);
	for (i = nr; i < nr + opt->workers; i++)
		helper_join(&helpers[i].w, w);
	free(db.pool.queue);
	free(helpers);
}
