// SPDX-License-Identifier: GPL-2.0-only
/* The workloads. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cprovbench.h"

#define BULK_DEPTH 8
#define PREFETCH_DEPTH 4
#define PREFETCH_BYTES (8 * BLOCK)
#define BULK_BYTES (32 * BLOCK)

struct worker {
	struct bench *b;
	struct phase *phase; /* where the sums are */
	struct phase own;
	unsigned int nth;
	pthread_t thread;
};

static sem_t finished;
static pthread_mutex_t sums_lock = PTHREAD_MUTEX_INITIALIZER;

/* One step of the work may begin. */
static bool next_step(struct bench *b)
{
	if (b->stop)
		return false;
	return !b->opt.ios || b->steps++ < b->opt.ios;
}

static void count_step(struct bench *b)
{
	if (!b->opt.ios)
		b->steps++;
}

static int cpu_of(const struct bench *b, unsigned int nth)
{
	return b->opt.cpus[nth % (unsigned int)b->opt.nr_cpus];
}

static void request_init(struct request *rq, struct flow *flow,
			 unsigned int slot, unsigned int bytes)
{
	memset(rq, 0, sizeof(*rq));
	rq->flow = flow;
	rq->slot = slot;
	rq->bytes = bytes;
	rq->buf = allocate(bytes);
}

static uint64_t place(const struct bench *b, uint64_t seed, unsigned int bytes)
{
	uint64_t chunk = bytes / BLOCK;

	return scatter(seed) % (b->target.blocks / chunk) * chunk;
}

/* What the data say is next, if they are ours. */
static uint64_t after(const struct bench *b, const struct request *rq,
		      uint64_t step)
{
	if (!b->target.patterned)
		return place(b, step ^ rq->block << 20, rq->bytes);
	return place(b, block_next(rq->buf, b->target.blocks), rq->bytes);
}

/* ---- chase: each read says where the next one is ---- */

static void chase(struct worker *w, bool migrate)
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

/* ---- peak: as many reads as a core can ask for, in batches ---- */

static void peak(struct worker *w)
{
	struct bench *b = w->b;
	unsigned int depth = b->opt.depth, batch = (depth + 3) / 4, nr, i;
	struct request *requests = allocate(depth * sizeof(*requests)), *rq;
	unsigned int in_flight = 0;
	struct lane lane;
	uint64_t step = 0;

	lane_open(&lane, b, depth, w->own.flows, 1);
	for (i = 0; i < depth; i++) {
		request_init(&requests[i], &w->own.flows[0], 0, b->opt.block);
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

/* ---- swap: tensors, one after the other or overlapped ---- */

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
	hist_add(&phase->submit, now_ns() - t->begin_ns);
}

static void tensor_wait(struct lane *lane, struct tensor *t,
			struct phase *phase)
{
	while (t->left) {
		struct tensor *of = lane_wait(lane)->owner;

		if (!--of->left)
			hist_add(&phase->complete, now_ns() - of->begin_ns);
	}
}

static void swap(struct worker *w)
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

/* ---- mixed: three flows of a device ---- */

static void mixed(struct worker *w)
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

/* ---- handoff: one thread submits, another consumes ---- */

struct handoff {
	struct worker *w;
	struct lane lane;
	struct request *requests;
	struct request **idle; /* a ring that the consumer fills */
	uint64_t taken;
	sem_t nr_idle, opened;
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
	while (sem_wait(&h->opened))
		;
	return NULL;
}

static void handoff(struct worker *w)
{
	struct bench *b = w->b;
	struct handoff h = { .w = w };
	uint64_t reaped = 0, given;
	pthread_t submitter;
	unsigned int i;

	sem_init(&h.nr_idle, 0, b->opt.depth);
	sem_init(&h.opened, 0, 0);
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
	sem_post(&h.opened);
	pthread_join(submitter, NULL);
	lane_close(&h.lane);
	for (i = 0; i < b->opt.depth; i++)
		free(h.requests[i].buf);
	free(h.requests);
	free(h.idle);
}

/* ---- all of them ---- */

static void phase_init(struct phase *p)
{
	unsigned int i;

	for (i = 0; i < p->nr_flows; i++) {
		hist_init(&p->flows[i].latency);
		hist_init(&p->flows[i].ready);
	}
	hist_init(&p->submit);
	hist_init(&p->complete);
}

static void phase_add(struct phase *to, const struct phase *from)
{
	unsigned int i, j;

	for (i = 0; i < to->nr_flows; i++) {
		struct flow *f = &to->flows[i];
		const struct flow *g = &from->flows[i];

		f->ios += g->ios;
		f->bytes += g->bytes;
		f->wrong += g->wrong;
		f->receipts += g->receipts;
		f->known += g->known;
		f->remote += g->remote;
		for (j = 0; j < NR_REASONS; j++)
			f->reasons[j] += g->reasons[j];
		hist_merge(&f->latency, &g->latency);
		hist_merge(&f->ready, &g->ready);
	}
	hist_merge(&to->submit, &from->submit);
	hist_merge(&to->complete, &from->complete);
}

static void *work(void *data)
{
	struct worker *w = data;

	pin(cpu_of(w->b, w->nth));
	switch (w->b->opt.workload) {
	case WORK_CHASE:
		chase(w, false);
		break;
	case WORK_MIGRATE:
		chase(w, true);
		break;
	case WORK_PEAK:
		peak(w);
		break;
	case WORK_SWAP:
		swap(w);
		break;
	case WORK_MIXED:
		mixed(w);
		break;
	default:
		handoff(w);
		break;
	}
	pthread_mutex_lock(&sums_lock);
	phase_add(w->phase, &w->own);
	pthread_mutex_unlock(&sums_lock);
	sem_post(&finished);
	return NULL;
}

/* A terminal has one line that is rewritten, a log one every 15 seconds. */
static void progress(const struct bench *b, const struct phase *p,
		     uint64_t seconds, uint64_t limit)
{
	uint64_t steps = b->steps, left;

	if (!isatty(STDERR_FILENO) && seconds % 15)
		return;
	if (b->opt.ios)
		left = steps ? seconds *
				       (b->opt.ios - (steps < b->opt.ios ?
							      steps :
							      b->opt.ios)) /
				       steps :
			       0;
	else
		left = limit > seconds ? limit - seconds : 0;
	fprintf(stderr,
		"%s%s, %s: %llu steps, %llu s elapsed, about %llu s left%s",
		isatty(STDERR_FILENO) ? "\r\033[K" : "",
		workload_names[b->opt.workload], p->name,
		(unsigned long long)steps, (unsigned long long)seconds,
		(unsigned long long)left, isatty(STDERR_FILENO) ? "" : "\n");
}

static void supervise(struct bench *b, const struct phase *p, uint64_t limit)
{
	uint64_t begin = now_ns();
	unsigned int running = b->opt.threads;
	struct timespec due;

	clock_gettime(CLOCK_REALTIME, &due);
	due.tv_sec++;
	while (running) {
		uint64_t seconds = (now_ns() - begin) / 1000000000;

		if (!b->opt.ios && seconds >= limit)
			b->stop = true;
		if (!sem_timedwait(&finished, &due)) {
			running--;
			continue;
		}
		clock_gettime(CLOCK_REALTIME, &due);
		due.tv_sec++;
		progress(b, p, (now_ns() - begin) / 1000000000, limit);
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void run_phase(struct bench *b, struct phase *p, uint64_t limit)
{
	struct worker workers[MAX_THREADS];
	unsigned int i;

	phase_init(p);
	b->steps = 0;
	b->stop = false;
	b->region = b->opt.region < 0 ? -1 :
					b->opt.region + (int)(p - b->phases);
	b->done = 0;
	b->marked = false;
	p->ns = now_ns();
	for (i = 0; i < b->opt.threads; i++) {
		workers[i].b = b;
		workers[i].phase = p;
		workers[i].own = *p;
		workers[i].nth = i;
		phase_init(&workers[i].own);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start a thread");
	}
	supervise(b, p, limit);
	for (i = 0; i < b->opt.threads; i++)
		pthread_join(workers[i].thread, NULL);
	p->ns = now_ns() - p->ns;
}

static void flow_init(struct bench *b, struct phase *p, const char *name,
		      unsigned int io_class)
{
	struct flow *f = &p->flows[p->nr_flows++];

	f->name = name;
	f->hint = cprov_hint(io_class, b->opt.budget_us);
	f->hint.flow_id = cprov_flow_id(name, strlen(name), b->opt.target,
					strlen(b->opt.target));
}

static struct phase *add_phase(struct bench *b, const char *name)
{
	struct phase *p = &b->phases[b->nr_phases++];

	p->name = name;
	return p;
}

void run(struct bench *b)
{
	/* What only root may use without the administrator's leave. */
	unsigned int urgent = b->step_critical ?
				      IO_LOCALITY_CLASS_STEP_CRITICAL :
				      IO_LOCALITY_CLASS_LATENCY;
	struct phase *p;
	unsigned int i;

	sem_init(&finished, 0, 0);
	switch (b->opt.workload) {
	case WORK_PEAK:
		flow_init(b, add_phase(b, "peak"), "batch",
			  IO_LOCALITY_CLASS_LATENCY);
		break;
	case WORK_SWAP:
		flow_init(b, add_phase(b, "sequential"), "tensor",
			  IO_LOCALITY_CLASS_LATENCY);
		flow_init(b, add_phase(b, "overlapped"), "tensor",
			  IO_LOCALITY_CLASS_LATENCY);
		b->phases[0].tensors = true;
		b->phases[1].tensors = true;
		break;
	case WORK_MIXED:
		p = add_phase(b, "mixed");
		flow_init(b, p, "step", urgent);
		flow_init(b, p, "bulk", IO_LOCALITY_CLASS_THROUGHPUT);
		flow_init(b, p, "prefetch", IO_LOCALITY_CLASS_PREFETCH);
		break;
	default:
		p = add_phase(b, workload_names[b->opt.workload]);
		flow_init(b, p, "step", urgent);
		if (b->opt.workload == WORK_MIGRATE)
			p->flows[0].hint.flags |= IO_LOCALITY_FOLLOW_TASK;
		if (b->opt.workload == WORK_HANDOFF)
			p->flows[0].hint.home_cpu = (__s16)cpu_of(b, 0);
		break;
	}
	b->begin_ns = now_ns();
	for (i = 0; i < b->nr_phases; i++) {
		uint64_t limit = b->opt.seconds / b->nr_phases;

		run_phase(b, &b->phases[i], limit ? limit : 1);
	}
	b->end_ns = now_ns();
}
