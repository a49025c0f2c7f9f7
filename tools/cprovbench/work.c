// SPDX-License-Identifier: GPL-2.0-only
/* What the workloads have in common. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

static sem_t finished;
static pthread_mutex_t sums_lock = PTHREAD_MUTEX_INITIALIZER;

/* One step of the work may begin. */
bool next_step(struct bench *b)
{
	if (b->stop)
		return false;
	return !b->opt.ios || b->steps++ < b->opt.ios;
}

void count_step(struct bench *b)
{
	if (!b->opt.ios)
		b->steps++;
}

int cpu_of(const struct bench *b, unsigned int nth)
{
	return b->opt.cpus[nth % (unsigned int)b->opt.nr_cpus];
}

void request_init(struct request *rq, struct flow *flow, unsigned int slot,
		  unsigned int bytes)
{
	memset(rq, 0, sizeof(*rq));
	rq->flow = flow;
	rq->slot = slot;
	rq->bytes = bytes;
	rq->buf = allocate(bytes);
}

uint64_t place(const struct bench *b, uint64_t seed, unsigned int bytes)
{
	uint64_t chunk = bytes / BLOCK;

	return scatter(seed) % (b->target.blocks / chunk) * chunk;
}

/*
 * What the data say is next, if they are ours, at this step: by the data alone a place
 * would be followed by the same whenever it is come to, which soon goes in a circle, of
 * as many places as the square root of all, and several who walk meet.
 */
uint64_t after(const struct bench *b, const struct request *rq, uint64_t step)
{
	uint64_t link = b->target.patterned ? block_link(rq->buf, 0) :
					      rq->block << 20;

	return place(b, link ^ scatter(step << 8 ^ rq->slot), rq->bytes);
}

/* One of many things that they name. */
uint64_t linked(const struct bench *b, const struct request *rq,
		unsigned int nth)
{
	uint64_t link = b->target.patterned ? block_link(rq->buf, nth) :
					      rq->block << 20 ^ nth;

	return place(b, link, rq->bytes);
}

void flow_begin(struct flow *f, const char *name, struct io_locality_hint hint)
{
	memset(f, 0, sizeof(*f));
	f->name = name;
	f->hint = hint;
	hist_init(&f->latency);
	hist_init(&f->ready);
}

void flow_add(struct flow *to, const struct flow *from)
{
	unsigned int i;

	to->ios += from->ios;
	to->bytes += from->bytes;
	to->wrong += from->wrong;
	to->receipts += from->receipts;
	to->known += from->known;
	to->remote += from->remote;
	to->ahead += from->ahead;
	to->behind += from->behind;
	for (i = 0; i < NR_REASONS; i++)
		to->reasons[i] += from->reasons[i];
	hist_merge(&to->latency, &from->latency);
	hist_merge(&to->ready, &from->ready);
}

static void part_begin(struct part *part, const char *name)
{
	part->name = name;
	hist_init(&part->submit);
	hist_init(&part->complete);
}

/* The phase as a thread of it begins it: others may have counted already. */
static void phase_begin(struct phase *own, const struct phase *p)
{
	unsigned int i;

	memset(own, 0, sizeof(*own));
	own->name = p->name;
	own->nr_flows = p->nr_flows;
	own->nr_parts = p->nr_parts;
	for (i = 0; i < p->nr_flows; i++)
		flow_begin(&own->flows[i], p->flows[i].name, p->flows[i].hint);
	for (i = 0; i < p->nr_parts; i++)
		part_begin(&own->parts[i], p->parts[i].name);
}

static void phase_add(struct phase *to, const struct phase *from)
{
	unsigned int i;

	to->sleeps += from->sleeps;
	to->urgent_sleeps += from->urgent_sleeps;
	if (from->fewest)
		to->fewest = from->fewest; /* of mixed, which has one thread */
	for (i = 0; i < to->nr_flows; i++)
		flow_add(&to->flows[i], &from->flows[i]);
	for (i = 0; i < to->nr_parts; i++) {
		hist_merge(&to->parts[i].submit, &from->parts[i].submit);
		hist_merge(&to->parts[i].complete, &from->parts[i].complete);
	}
}

/* A thread that does a part of what @of does. */
void helper_start(struct worker *helper, struct worker *of, unsigned int nth,
		  void *(*run_helper)(void *))
{
	helper->b = of->b;
	helper->phase = of->phase;
	helper->nth = nth;
	phase_begin(&helper->own, &of->own);
	if (pthread_create(&helper->thread, NULL, run_helper, helper))
		die("cannot start a thread");
}

void helper_join(struct worker *helper, struct worker *of)
{
	pthread_join(helper->thread, NULL);
	phase_add(&of->own, &helper->own);
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
	case WORK_HOPS:
		hops(w);
		break;
	case WORK_DATABASE:
		database(w);
		break;
	case WORK_LOADER:
		loader(w);
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

static void supervise(struct bench *b, const struct phase *p,
		      unsigned int running, uint64_t limit)
{
	uint64_t begin = now_ns();
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

/* Those whose threads do different things. */
static bool starts_threads(enum workload workload)
{
	return workload == WORK_DATABASE || workload == WORK_LOADER;
}

static void run_phase(struct bench *b, struct phase *p, uint64_t limit)
{
	unsigned int nr = starts_threads(b->opt.workload) ? 1 : b->opt.threads;
	struct worker workers[MAX_THREADS];
	unsigned int i;

	b->steps = 0;
	b->stop = false;
	b->region = b->opt.region < 0 ? -1 :
					b->opt.region + (int)(p - b->phases);
	b->done = 0;
	b->begun = false;
	b->ended = false;
	b->urgent = false;
	p->ns = now_ns();
	for (i = 0; i < nr; i++) {
		workers[i].b = b;
		workers[i].phase = p;
		workers[i].nth = i;
		phase_begin(&workers[i].own, p);
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start a thread");
	}
	supervise(b, p, nr, limit);
	for (i = 0; i < nr; i++)
		pthread_join(workers[i].thread, NULL);
	p->ns = now_ns() - p->ns;
}

static void flow_init(struct bench *b, struct phase *p, const char *name,
		      unsigned int io_class)
{
	struct io_locality_hint hint = cprov_hint(io_class, b->opt.budget_us);

	hint.flow_id = cprov_flow_id(name, strlen(name), b->opt.target,
				     strlen(b->opt.target));
	flow_begin(&p->flows[p->nr_flows++], name, hint);
}

static void add_part(struct phase *p, const char *name)
{
	part_begin(&p->parts[p->nr_parts++], name);
}

static struct phase *add_phase(struct bench *b, const char *name)
{
	struct phase *p = &b->phases[b->nr_phases++];

	p->name = name;
	return p;
}

static void plan_database(struct bench *b, unsigned int urgent)
{
	bool to_backend = b->opt.home == HOME_BACKEND;
	struct phase *p = add_phase(b, !b->opt.workers ? "rings" :
				       to_backend      ? "workers-home" :
							 "workers");
	unsigned int i;

	flow_init(b, p, "index", urgent);
	flow_init(b, p, "heap", urgent);
	flow_init(b, p, "scan", IO_LOCALITY_CLASS_THROUGHPUT);
	add_part(p, "query");
	/* What comes next is for the worker to do, and it is not pinned. */
	for (i = 0; b->opt.workers && !to_backend && i < p->nr_flows; i++)
		p->flows[i].hint.flags |= IO_LOCALITY_FOLLOW_TASK;
}

static void plan(struct bench *b)
{
	/* What only root may use without the administrator's leave. */
	unsigned int urgent = b->step_critical ?
				      IO_LOCALITY_CLASS_STEP_CRITICAL :
				      IO_LOCALITY_CLASS_LATENCY;
	struct phase *p;

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
		add_part(&b->phases[0], "tensor");
		add_part(&b->phases[1], "tensor");
		break;
	case WORK_HOPS:
		p = add_phase(b, "hops");
		flow_init(b, p, "node", urgent);
		add_part(p, "hop");
		add_part(p, "query");
		break;
	case WORK_DATABASE:
		plan_database(b, urgent);
		break;
	case WORK_LOADER:
		p = add_phase(b, "loader");
		flow_init(b, p, "next", urgent);
		flow_init(b, p, "ahead", IO_LOCALITY_CLASS_PREFETCH);
		add_part(p, "sample");
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
}

void run(struct bench *b)
{
	unsigned int i;

	sem_init(&finished, 0, 0);
	pthread_mutex_init(&b->marks_lock, NULL);
	plan(b);
	b->begin_ns = now_ns();
	for (i = 0; i < b->nr_phases; i++) {
		uint64_t limit = b->opt.seconds / b->nr_phases;

		run_phase(b, &b->phases[i], limit ? limit : 1);
	}
	b->end_ns = now_ns();
}
