/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef CPROVBENCH_H
#define CPROVBENCH_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cprov.h>
#include <libaio.h>

#define BLOCK 4096U
#define BULK_BYTES (32 * BLOCK)
#define MAX_CPUS 256
#define MAX_FLOWS 3
/* Reads of mixed, of all flows: nobody can wait for more. */
#define MIXED_IN_FLIGHT 13U
#define MAX_PARTS 2
#define MAX_THREADS 64
#define NR_REASONS 64
#define AIO_EVENTS 32

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2))) void lacking(const char *fmt,
							     ...);
uint64_t now_ns(void);
void *allocate(size_t bytes);
void pin(int cpu);

struct bench;

void roam(const struct bench *b);

/* ---- hist.c: log-linear, as HdrHistogram's, which Debian 12 has not for C ---- */

#define HIST_SUB_BITS 7
#define HIST_SUB 128U
#define HIST_SLOTS ((65 - HIST_SUB_BITS) * HIST_SUB)

struct hist {
	uint64_t *slots;
	uint64_t n, sum, min, max;
};

void hist_init(struct hist *h);
void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *to, const struct hist *from);
uint64_t hist_percentile(const struct hist *h, double percent);

/* ---- options.c ---- */

enum workload {
	WORK_CHASE,
	WORK_PEAK,
	WORK_SWAP,
	WORK_MIXED,
	WORK_HANDOFF,
	WORK_MIGRATE,
	WORK_HOPS,
	WORK_DATABASE,
	WORK_LOADER,
	WORKLOADS,
};

/* Those from RING_LIBAIO on are no rings. */
enum ring_kind {
	RING_DEFAULT,
	RING_COOP,
	RING_DEFER,
	RING_SQPOLL,
	RING_IOPOLL,
	RING_HYBRID,
	RING_PASSTHROUGH,
	RING_LIBAIO,
	RING_PREAD,
};

enum hints { HINTS_AUTO, HINTS_OFF, HINTS_NEED };

/* Of reads that an I/O worker submits for a backend. */
enum home { HOME_UNSAID, HOME_WORKER, HOME_BACKEND };

struct options {
	enum workload workload;
	enum ring_kind ring;
	enum hints hints;
	enum home home;
	const char *target, *label, *output;
	int cpus[MAX_CPUS], nr_cpus;
	unsigned int threads, depth, block, overlap, budget_us;
	unsigned int beam, hops, workers, wait;
	uint64_t ios, seconds, tensor, total;
	int region, sq_cpu;
	bool verify, prepare, json, receipts, fixed, help;
};

extern const char *const workload_names[];
extern const char *const ring_names[];
const char *class_name(unsigned int io_class);
const char *reason_name(unsigned int reason);
bool ring_takes_hints(enum ring_kind kind);
bool ring_polls(enum ring_kind kind);
void parse_options(struct options *opt, int argc, char **argv);

/* ---- help.c ---- */

__attribute__((noreturn)) void help(int workload);

/* ---- target.c: what is read, and what must be in it ---- */

struct target {
	int fd;
	uint64_t blocks;
	bool patterned;
	int ng_fd; /* of passthrough: the generic device, ... */
	uint32_t nsid, lba_bytes; /* ... and how it counts */
	unsigned int files; /* of a directory */
};

void target_open(struct target *tg, const struct options *opt);
void target_prepare(const struct options *opt);
void pattern(uint64_t *buf, uint64_t block, size_t bytes);
bool block_is_right(const void *data, uint64_t block, size_t bytes);
uint64_t block_link(const void *data, unsigned int nth);
uint64_t scatter(uint64_t n);

/* ---- dataset.c: many files, in a directory ---- */

#define DATASET_FILE_MAX (256 * BLOCK)

struct file {
	int fd;
	uint64_t bytes;
	uint64_t first; /* of its blocks in the pattern */
};

void dataset_prepare(const struct options *opt);
void dataset_open(struct target *tg, const struct options *opt);
struct file dataset_file(const struct target *tg, unsigned int nr);

/* ---- device.c: the device below the target ---- */

struct request;

void device_must_poll(const struct target *tg, const struct options *opt);
void device_passthrough(struct target *tg, const struct options *opt);
void device_prep_read(const struct target *tg, struct io_uring_sqe *sqe,
		      const struct request *rq);

/* ---- lane.c: a ring, or none, and the requests of a thread ---- */

struct flow {
	const char *name;
	struct io_locality_hint hint;
	uint64_t ios, bytes, wrong, receipts, known, remote;
	uint64_t ahead, behind; /* completions that were there as well */
	uint64_t reasons[NR_REASONS];
	struct hist latency; /* from submission until the consumer has it */
	struct hist ready; /* from the device's being done until then */
};

struct request {
	struct flow *flow;
	unsigned int slot;
	void *buf;
	const struct file *file; /* or NULL: the target */
	uint64_t block; /* of BLOCK bytes */
	unsigned int bytes;
	uint64_t submitted_ns;
	const struct io_locality_hint *hint; /* its own, or NULL: its slot's */
	void *owner;
	unsigned int buffer; /* its number, if it is registered, plus one */
	int res;
	struct io_locality_receipt receipt;
	struct iocb iocb; /* of libaio */
};

struct lane {
	struct bench *bench;
	struct io_uring ring;
	struct cprov_ring cr;
	bool no_default; /* so each request that has a hint names its slot */
	io_context_t aio;
	struct iocb **queued; /* of libaio, which has no ring to keep them in */
	unsigned int nr_queued, nr_entries;
	struct io_event events[AIO_EVENTS]; /* that came and were not asked for */
	unsigned int nr_events, nr_taken;
};

void lane_open(struct lane *lane, struct bench *b, unsigned int entries,
	       struct flow *flows, unsigned int nr_flows);
void lane_register(struct lane *lane, struct request *requests,
		   unsigned int nr);
void lane_close(struct lane *lane);
void lane_queue(struct lane *lane, struct request *rq);
void lane_submit(struct lane *lane, unsigned int wait);
int request_fd(const struct bench *b, const struct request *rq);
unsigned int lane_ready(struct lane *lane);
struct request *lane_take(struct lane *lane);
void consume(struct bench *b, struct request *rq);
struct request *lane_wait(struct lane *lane);
void lane_pread(struct lane *lane, struct request *rq);
void mark_urgent(struct bench *b);
void mark_urgent_taken(struct bench *b);
void mark_end(struct bench *b);

/* ---- aio.c: a lane of libaio ---- */

void aio_open(struct lane *lane, unsigned int entries);
void aio_close(struct lane *lane);
void aio_queue(struct lane *lane, struct request *rq);
void aio_submit(struct lane *lane);
unsigned int aio_ready(struct lane *lane);
struct request *aio_take(struct lane *lane);

/* ---- work.c ---- */

/* What is done by several reads: a tensor, a hop, a query. */
struct part {
	const char *name;
	struct hist submit; /* handing its reads over, if that is told */
	struct hist complete; /* from the beginning until all is there */
};

struct phase {
	const char *name;
	struct flow flows[MAX_FLOWS];
	struct part parts[MAX_PARTS];
	unsigned int nr_flows, nr_parts;
	uint64_t ns, steps, sleeps;
	uint64_t urgent_sleeps; /* while an urgent read was in flight */
	unsigned int fewest; /* completions that a wait ended with */
};

struct bench {
	struct options opt;
	struct target target;
	bool kernel_has_hints, hinted, receipts, step_critical;
	struct phase phases[2];
	unsigned int nr_phases;
	int region; /* of the coherence instrument, for this phase; or -1 */
	atomic_ullong done; /* reads of this phase, for its markers */
	pthread_mutex_t marks_lock; /* for those that follow */
	unsigned long long before; /* reads that are not counted */
	bool begun, ended;
	bool urgent; /* a read of mixed, which is in flight and marked */
	uint64_t begin_ns, end_ns;
	atomic_ullong steps;
	atomic_bool stop;
};

void flow_begin(struct flow *f, const char *name, struct io_locality_hint hint);
void flow_add(struct flow *to, const struct flow *from);
void run(struct bench *b);

/* ---- report.c ---- */

void report(const struct bench *b);

#endif
