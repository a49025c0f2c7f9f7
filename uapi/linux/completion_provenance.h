/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Completion provenance: tell the kernel who waits for a storage request, so
 * that its completion runs where the waiter is.
 *
 * A program that submits I/O knows who will consume the result. It says so
 * with a *locality hint* (struct io_locality_hint): which flow the request
 * belongs to, the home CPU or node of its consumer, its class, and for how
 * long locality is worth anything. The kernel turns the hint into a small
 * token that travels with the request to the device and back, and a policy
 * module decides from it on which CPU the completion runs. A hint is never
 * needed for correctness: a kernel that ignores every hint returns the same
 * data.
 *
 * THE INTERFACE IN FIVE STEPS
 *
 * 1. Probe. io_uring_register(fd, IORING_REGISTER_LOCALITY, &reg, 1) with
 *    reg.op = IO_LOCALITY_PROBE fills reg.probe: the ABI version, the most
 *    slots a ring may have, and whether a policy is loaded now. fd may be a
 *    ring or -1. A kernel without support answers -EINVAL.
 *
 * 2. Opt in. reg.op = IO_LOCALITY_ENABLE gives the ring a default hint
 *    (IO_LOCALITY_F_DEFAULT), a table of slots, both, or neither. Until a ring
 *    opts in, the bytes described in step 3 mean what they mean on any other
 *    kernel, so old programs may leave anything in them.
 *
 * 3. Submit. On a ring that opted in, IORING_OP_READ, READV, READ_FIXED,
 *    READ_MULTISHOT, WRITE, WRITEV and WRITE_FIXED, and IORING_OP_URING_CMD to
 *    NVMe take their hint from, in this order:
 *      - the struct that attr_ptr (SQE byte 48) points to, if attr_type_mask
 *        (byte 56) is IORING_RW_ATTR_FLAG_LOCALITY, but for URING_CMD, whose
 *        command is there;
 *      - the slot named by the __u16 at SQE byte 46: n > 0 is slot n - 1;
 *      - the ring's default.
 *    The __u8 at SQE byte 45 holds override flags (IO_LOCALITY_SQE_*).
 *    FSYNC, FALLOCATE, and URING_CMD to block devices have the ring's default.
 *    Naming both a slot and a struct is an error, as is an unknown bit in
 *    attr_type_mask, or an attr_ptr with no bit set.
 *
 * 4. Change. IO_LOCALITY_UPDATE replaces a range of slots and, with
 *    IO_LOCALITY_F_DEFAULT, the default. All of it takes effect or none.
 *    Requests that were submitted before keep the hint they had.
 *
 * 5. Opt out. IO_LOCALITY_DISABLE frees the table. Closing the ring does too.
 *
 * PROGRAMS THAT KNOW NOTHING OF HINTS
 *
 * reg.op = IO_LOCALITY_TASK_DEFAULT, with fd a ring or -1, gives the calling
 * thread a default hint (IO_LOCALITY_F_DEFAULT; without, takes it away) for the
 * rings that it creates from then on. Threads and processes that it starts inherit
 * it, and exec keeps it, so a launcher can set it for a program; an exec that gains
 * privilege drops it. All that a hint is for on such a ring has it: the ring has
 * not opted in, so nothing of its SQEs is looked at, and IO_LOCALITY_ENABLE works
 * as on any other ring and replaces the default. IO_LOCALITY_DISABLE takes it away.
 * A default that may not be used when the ring is created, since the cpuset or the
 * privilege changed, is left out. No ring creation fails for a default.
 *
 * BATCHES
 *
 * A ring with IORING_SETUP_DEFER_TASKRUN and without IORING_SETUP_IOPOLL may opt
 * in with IO_LOCALITY_F_BOUNDED_BATCH. A hint's class then also says what the
 * completion does to a task that waits in io_uring_enter(2) for several: a
 * STEP_CRITICAL one ends the wait, whatever min_complete was, and no wait begins
 * while its CQE is in the ring. Of the reads, writes and commands that the task
 * finds completed together, its CQE comes first. A PREFETCH one counts, but does
 * not wake the task while a request of another class, with a hint, is in flight.
 * One of any other class may be batched as ever, but with IO_LOCALITY_BOUNDED_BATCH
 * in its hint no longer than its budget, counted from the start of the wait: when
 * the least such budget is over, of requests in flight or with a CQE in the ring,
 * the wait ends with what is there, or, if nothing is, with the next completion
 * that wakes the task. What else ends a wait, or does not, stands in
 * Documentation/block/completion-provenance.rst.
 *
 * LIMITS
 *
 * A policy may limit how many requests of a class a user, or a control group,
 * submits in a second. One past that is treated as if it had no hint, which is no
 * error.
 *
 * RECEIPTS
 *
 * A ring that opts in with IO_LOCALITY_F_RECEIPTS learns of each read, write and
 * NVMe command that had a hint how it came back. IO_LOCALITY_CQE_F_REMOTE in
 * cqe->flags says that it was completed on another CPU than the one that put the
 * CQE into the ring.
 * With IORING_SETUP_CQE32, cqe->big_cqe is a struct io_locality_receipt. It is all
 * zero where there is none: for a request that ended where it was issued, such as
 * one that the page cache served, even if that had to wait for a device, and for
 * READ_MULTISHOT. Where a worker stands between the device and the ring, only the
 * flow and the CPU of the completion are known. URING_CMD has the device's result
 * in place of done_ns.
 *
 * HOME
 *
 * home_cpu -1 with home_node -1 is the CPU that the request is submitted from;
 * home_cpu -1 with a node is any CPU of that node; a CPU with home_node -1 is
 * that CPU. A completion goes to where its next instruction runs: with
 * IORING_SETUP_SQPOLL that is the SQ thread, otherwise it is the submitting
 * task, which is taken to be on home_cpu if its affinity lets it run there,
 * and on the CPU it submits from if not. IO_LOCALITY_FOLLOW_TASK says that it
 * migrates, and home with it.
 *
 * Of a ring that has opted in the SQ thread may first try by itself what
 * IOSQE_ASYNC, or a drain, hands to a worker, which would be elsewhere: if it is a
 * read or write with direct I/O, without RWF_NOWAIT, and none of several.
 *
 * What a worker issues for an SQ thread, and does not wait for, has no home, as no
 * worker runs where that thread does: it ends near the worker, unless it is one of
 * several.
 *
 * Several are the requests of a call that submits three or more, less those that are
 * linked or drained, as these mostly come one after another. If workers issue them,
 * they are at home there, as the task is told of several at a time; except that they
 * go to a home that is named, but for IORING_SETUP_SQPOLL.
 *
 * ERRORS
 *
 * Bad input is refused, at registration through errno, per request through
 * cqe->res, and nothing else of the request or the call takes effect:
 *   -EINVAL  unknown op, class, flag or mask bit; nonzero reserved field;
 *            home_cpu below -1, at or past nr_cpu_ids, or not a possible CPU;
 *            home_node below -1 or not a possible node; a home_cpu that is not
 *            on home_node; a slot out of range; too many slots; an override
 *            flag where there is no hint to override; bounded batching on a
 *            ring that cannot have it
 *   -EFAULT  a pointer that cannot be read (or, for the probe, written)
 *   -EPERM   a home outside the cpuset of the task that enabled the ring;
 *            IO_LOCALITY_CLASS_STEP_CRITICAL on a ring enabled without
 *            CAP_SYS_NICE (unless the sysctl
 *            kernel.completion_provenance_step_critical is 1); ENABLE, UPDATE
 *            or setting a TASK_DEFAULT while the sysctl
 *            kernel.completion_provenance is 0, which makes requests be
 *            treated as if their ring had not opted in
 *   -EBADF   an op that needs a ring, and fd is none
 *   -EEXIST  a ring with IORING_SETUP_SINGLE_ISSUER, of another task
 *   -EBUSY   IO_LOCALITY_ENABLE on a ring that has opted in
 *   -ENXIO   IO_LOCALITY_UPDATE on a ring that has not, or _DISABLE on one that has
 *            no default from elsewhere either
 *   -EACCES  the ring is restricted and IORING_REGISTER_LOCALITY is not among
 *            the register ops it allows
 *   -ENOMEM  no memory, or the memory cgroup's limit is reached
 * A home that is offline is accepted, as it disturbs nobody: the completion then
 * runs where it would have run without a hint, and is counted.
 *
 * A program built against this header runs unchanged on every kernel that has
 * the feature; the numbers below do not collide with upstream's.
 */
#ifndef _UAPI_LINUX_COMPLETION_PROVENANCE_H
#define _UAPI_LINUX_COMPLETION_PROVENANCE_H

#include <linux/types.h>

/* Raised when something that programs rely on changes; additions keep it. */
#define IO_LOCALITY_ABI_VERSION		1

/* The io_uring_register(2) opcode. Upstream's last is 37 in Linux 7.3. */
#define IORING_REGISTER_LOCALITY	200

/* The attr_type_mask bit. Upstream uses bit 0 (protection information). */
#define IORING_RW_ATTR_FLAG_LOCALITY	(1ULL << 32)

/* Most slots that one ring may register. */
#define IO_LOCALITY_MAX_SLOTS		4096

/* Where the inline fields are in struct io_uring_sqe, in bytes. */
#define IO_LOCALITY_SQE_FLAGS_OFFSET	45	/* __u8, IO_LOCALITY_SQE_* */
#define IO_LOCALITY_SQE_SLOT_OFFSET	46	/* __u16, 0 = default, n = slot n - 1 */
#define IO_LOCALITY_SQE_ATTR_OFFSET	48	/* __u64, attr_ptr */
#define IO_LOCALITY_SQE_MASK_OFFSET	56	/* __u64, attr_type_mask */

/**
 * enum io_locality_class - what a completion is worth to its consumer
 * @IO_LOCALITY_CLASS_THROUGHPUT: Nobody waits for this one alone: complete it
 *	wherever that is cheapest. What a request without a hint is.
 * @IO_LOCALITY_CLASS_LATENCY: Somebody waits: bring it to the home CPU.
 * @IO_LOCALITY_CLASS_STEP_CRITICAL: A step of a control loop is blocked on it:
 *	bring it there with no deferral that can be avoided, nor held by a batch.
 * @IO_LOCALITY_CLASS_PREFETCH: Nobody waits yet: never spend anything on it.
 */
enum io_locality_class {
	IO_LOCALITY_CLASS_THROUGHPUT	= 0,
	IO_LOCALITY_CLASS_LATENCY	= 1,
	IO_LOCALITY_CLASS_STEP_CRITICAL	= 2,
	IO_LOCALITY_CLASS_PREFETCH	= 3,
};

#define IO_LOCALITY_NR_CLASSES		4

/*
 * io_locality_hint.flags. The block layer acts on none but FOLLOW_TASK: they travel
 * with the request for the layers that do.
 */
/* Do not migrate the consumer right after the completion. */
#define IO_LOCALITY_ANTI_MIGRATE	(1U << 0)
/* The completion may be batched, but not past the budget: see BATCHES above. */
#define IO_LOCALITY_BOUNDED_BATCH	(1U << 1)
/* The flow repeats: keep memory registrations for it. */
#define IO_LOCALITY_REUSE_REGISTRATION	(1U << 2)
/*
 * Home is where the task is at completion time that runs the completion's next
 * instruction: see HOME above. Of a task that sleeps it is where it ran last, or if
 * it may not run there any more, a CPU where it may.
 * home_cpu and home_node are not looked at then. The kernel follows 32767 tasks at
 * a time: home of another is where it is when the request is issued, until there
 * is room, which is looked for once in a second.
 */
#define IO_LOCALITY_FOLLOW_TASK		(1U << 3)

#define IO_LOCALITY_FLAGS_ALL		(IO_LOCALITY_ANTI_MIGRATE | \
					 IO_LOCALITY_BOUNDED_BATCH | \
					 IO_LOCALITY_REUSE_REGISTRATION | \
					 IO_LOCALITY_FOLLOW_TASK)

/**
 * struct io_locality_hint - who consumes a request, and how urgently
 * @flow_id: Identity of a repeated flow, for instance a hash of a pipeline and
 *	a resource; 0 = none. Requests of different flows are not merged.
 * @home_cpu: CPU of the consumer, or -1: the CPU submitted from.
 * @home_node: NUMA node of the consumer, or -1: the node of @home_cpu. With
 *	@home_cpu -1 and a node: any CPU of that node.
 * @io_class: enum io_locality_class.
 * @flags: IO_LOCALITY_* flags.
 * @budget_us: Active window in microseconds, 0 = the policy's default for the
 *	class. Past it the request is treated as IO_LOCALITY_CLASS_THROUGHPUT.
 *	It starts when a request is made for the device, or for the first of those
 *	that are submitted together, anew on each of a stack of devices, and is
 *	kept to within one eighth, rounded up.
 */
struct io_locality_hint {
	__u32	flow_id;
	__s16	home_cpu;
	__s16	home_node;
	__u16	io_class;
	__u16	flags;
	__u32	budget_us;
};

/**
 * struct io_locality_slot - one entry of a ring's table
 * @hint: The hint that a request naming this slot gets.
 * @prefetch_confidence: How likely a prefetch is to be used, 0 to 100 percent.
 *	Kept for the policy; nothing in the block layer reads it.
 * @temperature: Data temperature, 0 (cold) to 100 (hot metadata). Kept likewise.
 * @__reserved0: Must be zero.
 * @consumer_dev: Opaque identity of a consuming device, such as a GPU or an
 *	RDMA NIC; 0 = the CPU. Kept likewise.
 * @__reserved: Must be zero.
 */
struct io_locality_slot {
	struct io_locality_hint	hint;
	__u16			prefetch_confidence;
	__u16			temperature;
	__u32			__reserved0;
	__u64			consumer_dev;
	__u64			__reserved[4];
};

/* Override flags, in the SQE byte at IO_LOCALITY_SQE_FLAGS_OFFSET. */
/*
 * This request has no hint, whatever the default is; the slot must be 0. For one that
 * may never end, as a read of an eventfd, or never begin, as what is linked to that, if
 * a PREFETCH is not to wait for it.
 */
#define IO_LOCALITY_SQE_NONE		(1U << 0)
/* Home is the CPU submitted from, whatever the hint names. */
#define IO_LOCALITY_SQE_HOME_SUBMITTER	(1U << 1)
/* The class is IO_LOCALITY_CLASS_PREFETCH, whatever the hint says. */
#define IO_LOCALITY_SQE_PREFETCH	(1U << 2)

#define IO_LOCALITY_SQE_ALL		(IO_LOCALITY_SQE_NONE | \
					 IO_LOCALITY_SQE_HOME_SUBMITTER | \
					 IO_LOCALITY_SQE_PREFETCH)

/**
 * enum io_locality_op - what IORING_REGISTER_LOCALITY is asked to do
 * @IO_LOCALITY_PROBE: Fill io_locality_register.probe.
 * @IO_LOCALITY_ENABLE: Opt the ring in.
 * @IO_LOCALITY_UPDATE: Replace slots or the default.
 * @IO_LOCALITY_DISABLE: Opt the ring out.
 * @IO_LOCALITY_TASK_DEFAULT: Set or clear the default of rings to come.
 */
enum io_locality_op {
	IO_LOCALITY_PROBE	= 0,
	IO_LOCALITY_ENABLE	= 1,
	IO_LOCALITY_UPDATE	= 2,
	IO_LOCALITY_DISABLE	= 3,
	IO_LOCALITY_TASK_DEFAULT = 4,
};

/* io_locality_probe.ops has one bit for each. */
#define IO_LOCALITY_OPS_ALL		((1U << IO_LOCALITY_PROBE) | \
					 (1U << IO_LOCALITY_ENABLE) | \
					 (1U << IO_LOCALITY_UPDATE) | \
					 (1U << IO_LOCALITY_DISABLE) | \
					 (1U << IO_LOCALITY_TASK_DEFAULT))

/* io_locality_register.flags: @hint is given (ENABLE, UPDATE, TASK_DEFAULT). */
#define IO_LOCALITY_F_DEFAULT		(1U << 0)
/* io_locality_register.flags: see BATCHES above (ENABLE). */
#define IO_LOCALITY_F_BOUNDED_BATCH	(1U << 1)
/* io_locality_register.flags: see RECEIPTS above (ENABLE). */
#define IO_LOCALITY_F_RECEIPTS		(1U << 2)

#define IO_LOCALITY_F_ALL		(IO_LOCALITY_F_DEFAULT | \
					 IO_LOCALITY_F_BOUNDED_BATCH | \
					 IO_LOCALITY_F_RECEIPTS)

/* io_uring_cqe.flags: see RECEIPTS above. Upstream has bits 0 to 5 and 15. */
#define IO_LOCALITY_CQE_F_REMOTE	(1U << 13)

/**
 * struct io_locality_receipt - how a request came back, in cqe->big_cqe
 * @done_ns: When the driver reported the request done, in nanoseconds of
 *	CLOCK_MONOTONIC, as the initial time namespace has it; 0 = not known. Of a
 *	stack of devices, the topmost that has requests.
 * @info: The IO_LOCALITY_RECEIPT_* fields.
 */
struct io_locality_receipt {
	__u64	done_ns;
	__u64	info;
};

/* io_locality_receipt.info, each field by the number of its lowest bit. */
#define IO_LOCALITY_RECEIPT_FLOW	0	/* 32 bits: flow_id */
#define IO_LOCALITY_RECEIPT_CPU		32	/* 13 bits: where it was completed */
#define IO_LOCALITY_RECEIPT_SUBMIT_CPU	45	/* 13 bits: where it was submitted */
#define IO_LOCALITY_RECEIPT_REASON	58	/* 6 bits: io_locality_reason */

/**
 * enum io_locality_reason - why a completion ran where it did
 * @IO_LOCALITY_REASON_UNKNOWN: Not known: a worker stood between, the driver does not
 *	say, or it failed before a device had it. done_ns and the submit CPU are 0
 *	then.
 * @IO_LOCALITY_REASON_NO_POLICY: No policy was loaded: as without a hint.
 * @IO_LOCALITY_REASON_OVER_LIMIT: The policy admitted no more of its class: as
 *	without a hint. done_ns and the submit CPU are 0 then.
 * @IO_LOCALITY_REASON_STEERED: Sent to the home CPU.
 * @IO_LOCALITY_REASON_AT_HOME: It was on the home CPU, perhaps since it had been
 *	given the home's hardware queue.
 * @IO_LOCALITY_REASON_SHARED_CACHE: It shared the home's last-level cache, which is
 *	enough for its class, or as it had no home but where it was submitted.
 * @IO_LOCALITY_REASON_SAME_NODE: Any CPU of the node would do, and this was one.
 * @IO_LOCALITY_REASON_CLASS: Its class is not steered.
 * @IO_LOCALITY_REASON_EXPIRED: Its window was over.
 * @IO_LOCALITY_REASON_OFFLINE: The home CPU was offline.
 * @IO_LOCALITY_REASON_POLLED: It was polled for.
 * @IO_LOCALITY_REASON_THREADED_IRQS: Interrupts are threads on this system.
 * @IO_LOCALITY_REASON_RQ_AFFINITY: The device's rq_affinity is 0.
 * @IO_LOCALITY_REASON_ISOLATED: The home CPU is isolated and was not named.
 * @IO_LOCALITY_REASON_DISABLED: The administrator switched steering off.
 * @IO_LOCALITY_REASON_SWAMPED: The home CPU had been sent as many as it is to take.
 *
 * More may be added. 0 is none: there is no receipt.
 */
enum io_locality_reason {
	IO_LOCALITY_REASON_UNKNOWN	= 1,
	IO_LOCALITY_REASON_NO_POLICY	= 2,
	IO_LOCALITY_REASON_OVER_LIMIT	= 3,
	IO_LOCALITY_REASON_STEERED	= 4,
	IO_LOCALITY_REASON_AT_HOME	= 5,
	IO_LOCALITY_REASON_SHARED_CACHE	= 6,
	IO_LOCALITY_REASON_SAME_NODE	= 7,
	IO_LOCALITY_REASON_CLASS	= 8,
	IO_LOCALITY_REASON_EXPIRED	= 9,
	IO_LOCALITY_REASON_OFFLINE	= 10,
	IO_LOCALITY_REASON_POLLED	= 11,
	IO_LOCALITY_REASON_THREADED_IRQS = 12,
	IO_LOCALITY_REASON_RQ_AFFINITY	= 13,
	IO_LOCALITY_REASON_ISOLATED	= 14,
	IO_LOCALITY_REASON_DISABLED	= 15,
	IO_LOCALITY_REASON_SWAMPED	= 16,
};

/* io_locality_probe.state */
#define IO_LOCALITY_STATE_POLICY	(1U << 0)	/* a policy is loaded */
#define IO_LOCALITY_STATE_HINTS		(1U << 1)	/* hints are switched on */
#define IO_LOCALITY_STATE_STEP_CRITICAL	(1U << 2)	/* the caller may use it */

/**
 * struct io_locality_probe - the answer to IO_LOCALITY_PROBE
 * @abi_version: IO_LOCALITY_ABI_VERSION of the kernel.
 * @state: IO_LOCALITY_STATE_* as of this call.
 * @max_slots: Most slots that a ring may register.
 * @nr_classes: Number of classes the kernel knows.
 * @hint_flags: io_locality_hint.flags that the kernel accepts.
 * @sqe_flags: Override flags that the kernel accepts.
 * @enable_flags: io_locality_register.flags that ENABLE accepts.
 * @ops: The ops that the kernel knows, 1 << enum io_locality_op each.
 * @__reserved: Zero.
 */
struct io_locality_probe {
	__u32	abi_version;
	__u32	state;
	__u32	max_slots;
	__u32	nr_classes;
	__u32	hint_flags;
	__u32	sqe_flags;
	__u32	enable_flags;
	__u32	ops;
	__u64	__reserved[3];
};

/**
 * struct io_locality_register - argument of IORING_REGISTER_LOCALITY
 * @op: enum io_locality_op.
 * @flags: IO_LOCALITY_F_*; 0 for PROBE and DISABLE.
 * @nr_slots: ENABLE: size of the table, at most IO_LOCALITY_MAX_SLOTS. UPDATE:
 *	number of slots to replace.
 * @first_slot: UPDATE: the first slot to replace. Otherwise 0.
 * @slots: Address of an array of @nr_slots struct io_locality_slot; 0 if none.
 * @hint: The ring's default, or the task's, with IO_LOCALITY_F_DEFAULT. Otherwise
 *	zero.
 * @__reserved: Must be zero.
 * @probe: Written by PROBE; all of it must be zero on entry.
 */
struct io_locality_register {
	__u32	op;
	__u32	flags;
	union {
		struct {
			__u32			nr_slots;
			__u32			first_slot;
			__u64			slots;
			struct io_locality_hint	hint;
			__u64			__reserved[3];
		};
		struct io_locality_probe	probe;
	};
};

#endif /* _UAPI_LINUX_COMPLETION_PROVENANCE_H */
