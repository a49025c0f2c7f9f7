/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the completion provenance selftests share, by the file that has it.
 *
 * A helper that can fail for a reason worth telling returns NULL for success
 * and that reason, as text, otherwise. Everything a test changes in the system
 * is handed to t_undo(), which puts it back however the test ends.
 */
#ifndef CPROV_T_H
#define CPROV_T_H

#include <kselftest.h>
#include <linux/completion_provenance.h>
#include <linux/io_uring.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define T_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Seconds. An emulated machine is slow; a hang is to be told from that. */
#define T_TIMEOUT 180

/* A budget that no request outlives, in microseconds. */
#define T_LONG_US 60000000u

/* The policy's knobs and counters. */
#define T_KNOBS "/sys/kernel/completion_provenance"

/* ---- t_sys.c: files, and putting things back ---- */

/* A line of text in a static buffer of its own; the caller may keep one. */
const char *t_text(const char *fmt, ...) __printf(1, 2);
long long t_now_ms(void);

bool t_exists(const char *fmt, ...) __printf(1, 2);
/* The file's text without the line's end; -errno if it cannot be read. */
int t_read(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* A number at the start of a file; @none if there is none. */
long long t_read_num(long long none, const char *fmt, ...) __printf(2, 3);
/* 0 or -errno. */
int t_write(const char *path, const char *fmt, ...) __printf(2, 3);
/* t_write(), and the value found before comes back at the end. */
int t_set(const char *path, const char *fmt, ...) __printf(2, 3);

/*
 * Have fn(arg) called at the end, last come first served, in a process that
 * survives this one: assertions, timeouts and crashes undo too.
 */
void t_undo(void (*fn)(const char *arg), const char *arg);
/* The end: returns when all is undone. For FIXTURE_TEARDOWN(). */
void t_undo_all(void);

#define T_CGROUP "/sys/fs/cgroup"

/* Make a control group, @dir below T_CGROUP; it is gone at the end. */
const char *t_cgroup(const char *dir);
/* Be in one until the end. */
const char *t_cgroup_enter(const char *dir);

/* fork(), and the child dies with its parent. */
pid_t t_fork(void);
/* Zeroes that it, and its children, share; NULL if there is no memory. */
void *t_shared(size_t size);
/* Run a program; its exit status, or -errno. Its output goes to stderr. */
int t_run(const char *const argv[]);
bool t_have_program(const char *name);
/* How often a thread has gone to sleep, if it sleeps now; else -1. */
long long t_asleep(pid_t tid);

struct t_output {
	int status; /* of the command, or -errno */
	char out[16384];
	char err[4096];
};

/* Run a command line with sh, and keep what it prints. */
void t_sh(struct t_output *output, const char *fmt, ...) __printf(2, 3);

/* ---- t_need.c: what a test cannot do without ---- */

#define T_KERNEL 0x01 /* a kernel that answers the probe */
#define T_POLICY 0x02 /* the policy module, loaded if need be */
#define T_ROOT 0x04
#define T_TRACE 0x08 /* the tracepoints of completion provenance */
#define T_NULL_BLK 0x10 /* null_blk devices on demand */
#define T_TWO_CPUS 0x20 /* a CPU to go to */
#define T_STEERING 0x40 /* no boot option that rules steering out */
#define T_RULE 0x80 /* rules in configfs; implies T_POLICY */
#define T_CTL 0x100 /* cprovctl, in PATH or $CPROVCTL */
#define T_TASK_DEFAULT 0x200 /* defaults that rings inherit; implies T_KERNEL */

/* NULL, or what is missing: SKIP(return, "%s", why). */
const char *t_need(unsigned int what);
bool t_booted_with(const char *option);
bool t_policy_loaded(void);
const char *t_policy_load(void);
const char *t_policy_unload(void);

/* A program that was built with the tests; good until the next call. */
const char *t_own_program(const char *name);

/* ---- t_topo.c: CPUs, caches, nodes ---- */

#define T_MAX_CPUS 64

/* Online CPUs, in order; how many there are, at most T_MAX_CPUS. */
int t_cpus(int cpus[T_MAX_CPUS]);
int t_nr_cpu_ids(void);
/* Whether a list such as "0-3,8" or "0, 1" has the number. */
bool t_in_list(const char *list, int nr);
bool t_share_cache(int a, int b);
/* Whether another CPU that is online does so with this one. */
bool t_has_neighbour(int cpu);
/* -1 if the kernel has no nodes. */
int t_node_of(int cpu);
int t_nr_nodes(void);
/* Run on this CPU only, from now on; 0 or -errno. */
int t_pin(int cpu);
int t_pin_task(pid_t tid, int cpu);
int t_unpin(void);
/*
 * Be on a CPU while allowed on the home too, if that is not -1: a home that the
 * task may not run on would count as the CPU that it submits from.
 */
int t_stand_on(int cpu, int home);
/* Have a process of its own, which dies with this one, run there and never sleep. */
pid_t t_occupy(int cpu);
/* Comes back online at the end. */
int t_cpu_offline(int cpu);
int t_cpu_online(int cpu);

/* ---- t_ring.c: io_uring by its system calls ---- */

struct t_ring {
	int fd;
	unsigned int flags;
	unsigned int queued;
	unsigned int sq_mask, cq_mask;
	unsigned int *sq_head, *sq_tail, *sq_flags;
	unsigned int *cq_head, *cq_tail;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	void *map;
	size_t map_size, sqes_size;
};

/* 0 or -errno. @p may be NULL. */
int t_ring_init(struct t_ring *ring, unsigned int entries, unsigned int flags);
int t_ring_init_params(struct t_ring *ring, unsigned int entries,
		       struct io_uring_params *p);
/* With IORING_SETUP_SQPOLL, and only then, its thread stays on @sq_cpu. */
int t_ring_init_on(struct t_ring *ring, unsigned int entries,
		   unsigned int flags, int sq_cpu);
/*
 * With an SQ thread that stays on a CPU, and sleeps after so long with nothing to
 * do; 0: as the kernel has it.
 */
int t_ring_init_sqpoll(struct t_ring *ring, unsigned int entries, int cpu,
		       unsigned int idle_ms);
/* A ring that another process has made. */
int t_ring_map(struct t_ring *ring, int fd, const struct io_uring_params *p);
void t_ring_exit(struct t_ring *ring);
/* All there are; those that are closed are gone then. */
void t_rings_unmap(void);
/* Its thread, if there is one, and once that has begun; else -1, or who made the ring. */
pid_t t_sq_thread(const struct t_ring *ring);
/* io_uring_register(2): what it returns, or -errno. */
int t_register(struct t_ring *ring, unsigned int op, const void *arg,
	       unsigned int nr);
/* Zeroed but for user_data, which counts from 0 since the ring was made. */
struct io_uring_sqe *t_sqe(struct t_ring *ring);
/* Submits all, and waits for @wait completions; 0 or -errno. */
int t_submit(struct t_ring *ring, unsigned int wait);
/* Has CQEs made of what is done, as far as that is left to the task, and does not wait. */
int t_reap(struct t_ring *ring);
/*
 * Waits for @wait completions or so many milliseconds: 0, -ETIME if none came
 * in time, or another -errno. Completions that did come make it 0.
 */
int t_wait_ms(struct t_ring *ring, unsigned int wait, unsigned int ms);
/* The same; after @min_ms one completion will do. */
int t_wait_min_ms(struct t_ring *ring, unsigned int wait, unsigned int min_ms,
		  unsigned int ms);
/* The next completion, if there is one. */
bool t_cqe(struct t_ring *ring, struct io_uring_cqe *cqe);
/* The same, with what a CQE32 ring's has besides; elsewhere @big stays. */
bool t_cqe_big(struct t_ring *ring, struct io_uring_cqe *cqe, __u64 big[2]);
/* Waits for one completion; its result, or -errno of the wait. */
int t_wait_res(struct t_ring *ring);
/* Submits what is queued, one request, and returns its result. */
int t_submit_res(struct t_ring *ring);

void t_prep_rw(struct io_uring_sqe *sqe, unsigned int op, int fd,
	       const void *buf, unsigned int len, __u64 off);

/* What is queued next is linked to a read of a pipe, and so waits for it. */
struct t_held {
	int pipe[2];
	char byte;
};

/* 0 or -errno. */
int t_hold_next(struct t_ring *ring, struct t_held *held);
/* Ends that read, the next CQE; its result, 1 if all is well. */
int t_let_go(struct t_ring *ring, struct t_held *held);

/* Of a block device, as a command. Its result may be -EOPNOTSUPP. */
void t_prep_discard(struct io_uring_sqe *sqe, int fd, __u64 off, __u64 len);

/* ---- t_hint.c: hints ---- */

/* 0 or -errno, as of all that follow. */
int t_locality(int fd, void *reg);
int t_probe(int fd, struct io_locality_probe *probe);
int t_enable(struct t_ring *ring, const struct io_locality_hint *hint,
	     const struct io_locality_slot *slots, unsigned int nr);
/* Bounded batching, no default and no slots. */
int t_enable_batch(struct t_ring *ring);
/* Receipts, the default if it is not NULL, and no slots. */
int t_enable_receipts(struct t_ring *ring, const struct io_locality_hint *hint);
/* For the rings that this task makes from now on; NULL takes it away. */
int t_task_default(const struct io_locality_hint *hint);
int t_update(struct t_ring *ring, const struct io_locality_hint *hint,
	     unsigned int first, const struct io_locality_slot *slots,
	     unsigned int nr);
int t_disable(struct t_ring *ring);

/* Step-critical, home where it is submitted, no flow, T_LONG_US. */
struct io_locality_hint t_hint(void);
struct io_locality_hint t_hint_of(unsigned int cls, int cpu, __u32 flow);
/* The same, as a slot. */
struct io_locality_slot t_slot_of(const struct io_locality_hint *hint);

/* n > 0 is slot n - 1. */
void t_sqe_slot(struct io_uring_sqe *sqe, unsigned int n);
void t_sqe_flags(struct io_uring_sqe *sqe, unsigned int flags);
void t_sqe_attr(struct io_uring_sqe *sqe, const void *ptr, __u64 mask);
void t_sqe_hint(struct io_uring_sqe *sqe, const struct io_locality_hint *hint);

/* ---- t_rule.c: rules, and the hint that a new ring gets ---- */

#define T_RULES "/sys/kernel/config/completion_provenance"

/* 0 or -errno. It goes at the end, if it still is there. */
int t_rule_make(const char *rule);
int t_rule_del(const char *rule);
int t_rule_set(const char *rule, const char *attr, const char *value);
const char *t_rule_get(const char *rule, const char *attr);
/* How many rings got its hint; -1 if it is not there. */
long long t_rule_rings(const char *rule);
/* A rule that is active: "attribute=value attribute=value ...". */
const char *t_rule(const char *rule, const char *attrs);

/* Whether a ring has a default hint, as fdinfo shows it. */
bool t_ring_default(const struct t_ring *ring, struct io_locality_hint *hint);
/* The default of a ring made now: NULL, "none", or why there is no ring. */
const char *t_new_ring(struct io_locality_hint *hint);

/* Who makes a ring; what is 0 stays as it is. */
struct t_who {
	const char *comm;
	uid_t ruid, euid;
	const char *cgroup; /* its directory */
};

/* The flow of the default, which must be below 255; 0: none; -1: it failed. */
int t_new_ring_as(const struct t_who *who);

/* ---- t_trace.c: a tracing instance of one's own ---- */

/* @seq orders events over all CPUs: the instance's clock is a counter. */
struct t_event {
	unsigned long long seq;
	int cpu;
	bool idle; /* in the idle task, and not in an interrupt of it */
	char name[32];
	char fields[400];
};

struct t_trace {
	char dir[96];
	struct t_event *events;
	size_t nr;
};

struct t_dev;

/* NULL, or why not. @events is "system:name system:name ...". */
const char *t_trace_open(struct t_trace *trace, const char *events);
/* The same, and if there is a device, only its events; each must have a "dev". */
const char *t_trace_open_dev(struct t_trace *trace, const char *events,
			     const struct t_dev *dev);
/* An event filter, such as "dev == 42". */
const char *t_trace_filter(struct t_trace *trace, const char *event,
			   const char *fmt, ...) __printf(3, 4);
/* Forget what was traced, and trace. */
void t_trace_start(struct t_trace *trace);
/* What was traced since, in order, into @trace->events; goes on tracing. */
const char *t_trace_load(struct t_trace *trace);
/* Poll until there is such an event, or T_TIMEOUT: see t_find(). */
const struct t_event *t_trace_await(struct t_trace *trace, const char *name,
				    const char *field, long long value);

/* The field's value, as a signed number if the kernel's is; @none: absent. */
long long t_field(const struct t_event *event, const char *field,
		  long long none);
/* Events by name, NULL: any, and the value of a field, NULL: any. */
const struct t_event *t_find(const struct t_trace *trace, const char *name,
			     const char *field, long long value);
size_t t_count(const struct t_trace *trace, const char *name, const char *field,
	       long long value);
/* Whether anything completed with a hint, and none of it had a home. */
bool t_homeless(const struct t_trace *trace);
/* A function of the kernel, as fields have it; 0: there is none. */
long long t_function(const char *name);

/* ---- t_dev.c: block devices ---- */

struct t_dev {
	char path[64]; /* /dev/nullb3 */
	char name[32]; /* nullb3 */
	unsigned long long dev; /* as tracepoints have it */
	unsigned long long bytes;
};

const char *t_dev_find(struct t_dev *dev, const char *path);
/* @options is "attribute=value ...", on top of one queue and 64 MiB. */
const char *t_null_blk(struct t_dev *dev, const char *options);
/* One with so many queues to submit to, and so many to poll. */
const char *t_null_blk_polled(struct t_dev *dev, int submit, int poll);
/* @direct: by direct I/O, which the backing file must be capable of. */
const char *t_loop(struct t_dev *dev, const char *file, bool direct);
/* A request takes @nsec and then completes as an interrupt would do it. */
const char *t_slow_dev(struct t_dev *dev, unsigned long long nsec);
/* The table has one target; @params as dmsetup would take them. */
const char *t_dm(struct t_dev *dev, unsigned long long sectors,
		 const char *target, const char *params);
/* Of the same size, with another target. What uses the device does not notice. */
const char *t_dm_remap(const struct t_dev *dev, const char *target,
		       const char *params);
const char *t_dm_message(const struct t_dev *dev, const char *message);
/* aes-xts-plain64 with a key of its own; @options: "" or as in the table. */
const char *t_dm_crypt(struct t_dev *dev, const struct t_dev *below,
		       const char *options);
/* Blocks of T_THIN_BLOCK, none of them there yet. */
#define T_THIN_BLOCK 65536
const char *t_dm_thin(struct t_dev *dev, struct t_dev *pool,
		      const struct t_dev *data, const struct t_dev *meta);
/* raid1, or raid5 with chunks of T_MD_CHUNK; in sync as it is. */
#define T_MD_CHUNK 65536
const char *t_md(struct t_dev *dev, int level, const struct t_dev *legs,
		 unsigned int nr);
const char *t_md_fail(const struct t_dev *md, const struct t_dev *leg);
/* A file system on it; @dir receives where it is mounted. */
const char *t_ext4(const struct t_dev *dev, char dir[64]);
/* Of no less than T_XFS_MIB. */
#define T_XFS_MIB 320
const char *t_xfs(const struct t_dev *dev, char dir[64]);
/* A queue attribute, which gets its old value back at the end. */
int t_queue_set(const struct t_dev *dev, const char *attr, const char *value);
int t_queue_get(const struct t_dev *dev, const char *attr, char *buf,
		size_t size);
/* The hardware queue that serves a CPU, -1 if none is known to. */
int t_queue_of(const struct t_dev *dev, int cpu);
/* O_DIRECT; -errno on failure. */
int t_dev_open(const struct t_dev *dev, int flags);

/* ---- t_carry.c: what reached a device with which flow ---- */

#define T_CARRY_EVENTS "cprov:cprov_complete block:block_rq_complete"

/* Sectors that completed on it, and those whose request was of the flow. */
long long t_sectors(const struct t_trace *trace, const struct t_dev *dev);
long long t_sectors_of(const struct t_trace *trace, const struct t_dev *dev,
		       __u32 flow);
/* Whether it is an event of that name, of the device. */
bool t_is_of_dev(const struct t_event *event, const char *name,
		 const struct t_dev *dev);
/* The first decision on it for a request of the flow; NULL: there is none. */
const struct t_event *t_decision(const struct t_trace *trace,
				 const struct t_dev *dev, __u32 flow);
/* The last completion on it of a request of the flow; NULL: there is none. */
const struct t_event *t_last_done(const struct t_trace *trace,
				  const struct t_dev *dev, __u32 flow);

/*
 * The drive of several paths that may be written to. A path is a hidden disk,
 * of which only the trace tells the number: T_PATH_EVENT.
 */
#define T_PATH_EVENT "block:block_bio_remap"
#define T_MAX_PATHS 4
const char *t_multipath(struct t_dev *dev);
/* How many paths were taken; their numbers only are filled in. */
unsigned int t_paths(const struct t_trace *trace, const struct t_dev *dev,
		     struct t_dev paths[T_MAX_PATHS]);

/* ---- t_nvme.c: commands to a drive, on a ring with big SQEs ---- */

struct t_nvme {
	int fd; /* the generic character device */
	int nsid; /* not above 0: none */
	int block; /* bytes */
};

const char *t_nvme_open(struct t_nvme *nvme, const struct t_dev *dev);
void t_prep_nvme_read(struct io_uring_sqe *sqe, const struct t_nvme *nvme,
		      void *buf, unsigned int blocks, __u32 from);

/* ---- t_shot.c: one request, and what became of it ---- */

/* enum cprov_reason of the kernel. */
enum t_reason {
	T_STEERED,
	T_AT_HOME,
	T_SHARED_CACHE,
	T_SAME_NODE,
	T_CLASS,
	T_EXPIRED,
	T_OFFLINE,
	T_POLLED,
	T_THREADED_IRQS,
	T_RQ_AFFINITY,
	T_ISOLATED,
	T_DISABLED,
	T_SWAMPED,
	T_NR_REASONS
};

const char *t_reason_name(int reason);
const char *t_class_name(int cls);

struct t_shot {
	/* In: */
	struct io_locality_hint hint;
	int submit_cpu;
	unsigned long long off;
	bool write;
	unsigned int sqe_flags, rw_flags;
	/* Out: */
	int res;
	int queue_cpu, queue_reason; /* -1: was not asked for */
	int irq_cpu; /* where it was decided, -1: never */
	int chosen_cpu, reason;
	int home_cpu; /* as the token has it */
	int done_cpu; /* where it completed */
	unsigned int nr_decided, nr_done;
};

#define T_SHOT_EVENTS \
	"cprov:cprov_queue cprov:cprov_complete block:block_rq_complete"

/*
 * One at a time, each from its CPU, 4 KiB at its offset, with its hint. Flows
 * tell them apart, so each must have its own. NULL, or why it failed.
 */
const char *t_shoot(struct t_ring *ring, int fd, struct t_trace *trace,
		    struct t_shot *shots, size_t nr);
/* Where the request of one of these was issued, whoever did; -1: nowhere. */
int t_issued_on(const struct t_trace *trace, const struct t_shot *shot);

/*
 * What the rules say of a decision taken on @cpu, for a request in its window. To
 * @rq_affinity it only matters whether it is 2.
 */
struct t_verdict {
	int cpu; /* -1: as without a hint */
	int reason;
};

struct t_verdict t_rule_complete(const struct io_locality_hint *hint, int home,
				 int cpu, int rq_affinity);
struct t_verdict t_rule_queue(const struct io_locality_hint *hint, int home,
			      int cpu);
/* Where the kernel completes without a hint what interrupts @irq. */
int t_stock_cpu(int rq_affinity, int irq, int submit);

/* ---- t_way.c: the way of one request, from whatever ring to the CQE ---- */

enum t_queues { T_ONE_QUEUE, T_TWO_QUEUES, T_QUEUE_PER_CPU, T_DRIVE };

/*
 * null_blk with so many queues; or a drive, with interrupts: one that may be
 * written to if there is any, see t_way_writable().
 */
const char *t_way_dev(struct t_dev *dev, enum t_queues queues);
bool t_way_writable(enum t_queues queues);

/*
 * What a request leaves in the trace. It is told apart by a number of its own,
 * which is its flow, its user_data and where on the device it is.
 */
struct t_way {
	unsigned int nr_decided, nr_done, nr_cqes;
	int submit_cpu, irq_cpu, home_cpu, reason; /* of the first decision */
	int done_cpu; /* where it completed last, -1: never */
	int cqe_cpu; /* where the ring's next instruction ran, -1: never */
	int res;
	unsigned long long done_seq, cqe_seq;
};

#define T_WAY_EVENTS T_SHOT_EVENTS " io_uring:io_uring_complete"
#define T_WAY_BYTES 4096

/* From 1, never the same twice. */
unsigned int t_way_next(void);
__u64 t_way_off(unsigned int nr);
void t_way_find(struct t_way *way, const struct t_trace *trace,
		const struct t_dev *dev, unsigned int nr);
/* Requests that the device has not completed; -1 if that is not told. */
long long t_inflight(const struct t_dev *dev);

/* Of T_KNOBS/counters; -1 if there is none. */
long long t_counter(const char *kind, int cls, int reason);
long long t_counters_sum(void);
void t_counters_reset(void);

#endif /* CPROV_T_H */
