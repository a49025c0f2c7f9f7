/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * cprov.h - locality hints for programs that use liburing, header only
 *
 * Every function is safe on a kernel without completion provenance: there a
 * ring stays inactive and the functions that prepare a request do nothing.
 *
 *	struct io_uring ring;
 *	struct cprov_ring cr;
 *	struct io_locality_hint hint =
 *		cprov_hint(IO_LOCALITY_CLASS_LATENCY, 0);
 *
 *	hint.flow_id = cprov_flow_id("kv-cache", 8, &block, sizeof(block));
 *	io_uring_queue_init(64, &ring, 0);
 *	if (cprov_ring_enable(&cr, &ring, &hint, NULL, 0) < 0)
 *		...			// the kernel has it and refused, as
 *					// STEP_CRITICAL without CAP_SYS_NICE
 *
 *	sqe = io_uring_get_sqe(&ring);
 *	io_uring_prep_read(sqe, fd, buf, len, off);	// gets the default hint
 *	cprov_prep_flags(&cr, sqe, IO_LOCALITY_SQE_PREFETCH);
 *
 * Call the cprov_prep_*() functions after the io_uring_prep_*() one, which
 * clears the bytes they write. None of them sleeps or allocates; none is safe
 * for two threads on one SQE.
 */
#ifndef CPROV_H
#define CPROV_H

#include <errno.h>
#include <liburing.h>
#include <linux/completion_provenance.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct cprov_ring - a ring and whether its requests may carry hints
 * @ring: The ring, which must stay where it is.
 * @active: The ring has opted in.
 */
struct cprov_ring {
	struct io_uring *ring;
	bool active;
};

/* Of linux/io_uring.h since Linux 6.3. */
#define CPROV_USE_REGISTERED_RING (1u << 31)

static inline int cprov_register_op(int fd, unsigned int op,
				    struct io_locality_register *reg)
{
	long ret = syscall(__NR_io_uring_register, fd, op, reg, 1);

	return ret < 0 ? -errno : (int)ret;
}

static inline int cprov_register(int fd, struct io_locality_register *reg)
{
	return cprov_register_op(fd, IORING_REGISTER_LOCALITY, reg);
}

/* A ring that is registered may have no file descriptor. */
static inline int cprov_ring_register(const struct cprov_ring *cr,
				      struct io_locality_register *reg)
{
	unsigned int op = IORING_REGISTER_LOCALITY;
	int fd = cr->ring->ring_fd;

	if (fd < 0) {
		op |= CPROV_USE_REGISTERED_RING;
		fd = cr->ring->enter_ring_fd;
	}
	return cprov_register_op(fd, op, reg);
}

/**
 * cprov_probe - what the kernel offers
 * @fd: A ring, or -1.
 * @probe: Filled in on success.
 *
 * That io_uring is disabled (the sysctl kernel.io_uring_disabled) is told by the
 * creation of a ring only.
 *
 * Return: 0; -EINVAL if the kernel has no completion provenance; -ENOSYS if it
 *	has no io_uring; -EPERM if a sandbox forbids the system call.
 */
static inline int cprov_probe(int fd, struct io_locality_probe *probe)
{
	struct io_locality_register reg;
	int ret;

	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_PROBE;
	ret = cprov_register(fd, &reg);
	if (!ret)
		*probe = reg.probe;
	/* Some kernels look at the file before they look at the operation. */
	if (ret == -EBADF && fd < 0)
		ret = -EINVAL;
	return ret;
}

/**
 * cprov_hint - a hint whose home is the submitting CPU
 * @io_class: enum io_locality_class.
 * @budget_us: Active window in microseconds, 0 = the policy's default.
 *
 * Return: the hint, of no flow and with no flags.
 */
static inline struct io_locality_hint cprov_hint(unsigned int io_class,
						 uint32_t budget_us)
{
	struct io_locality_hint hint;

	memset(&hint, 0, sizeof(hint));
	hint.home_cpu = -1;
	hint.home_node = -1;
	hint.io_class = (__u16)io_class;
	hint.budget_us = budget_us;
	return hint;
}

/**
 * cprov_ring_enable_flags - opt a ring in, with what it has to opt in to
 * @cr: Set up, whatever is returned.
 * @ring: An initialised ring.
 * @flags: IO_LOCALITY_F_RECEIPTS, and IO_LOCALITY_F_BOUNDED_BATCH, which needs
 *	a ring with IORING_SETUP_DEFER_TASKRUN.
 * @hint: The default for its requests, or NULL.
 * @slots: The table, or NULL.
 * @nr_slots: Number of entries in @slots.
 *
 * Return: 1 if the ring opted in; 0 if the kernel has no completion
 *	provenance, so that hints do nothing; a negative errno if it has and
 *	refused: see linux/completion_provenance.h.
 */
static inline int cprov_ring_enable_flags(struct cprov_ring *cr,
					  struct io_uring *ring, uint32_t flags,
					  const struct io_locality_hint *hint,
					  const struct io_locality_slot *slots,
					  unsigned int nr_slots)
{
	struct io_locality_register reg;
	int ret;

	cr->ring = ring;
	cr->active = false;
	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_PROBE;
	ret = cprov_ring_register(cr, &reg);
	if (ret == -EINVAL)
		return 0;

	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_ENABLE;
	reg.flags = flags;
	if (hint) {
		reg.flags |= IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	reg.nr_slots = nr_slots;
	reg.slots = (__u64)(uintptr_t)slots;
	ret = cprov_ring_register(cr, &reg);
	if (ret < 0)
		return ret;
	cr->active = true;
	return 1;
}

/**
 * cprov_ring_enable - opt a ring in
 * @cr: Set up, whatever is returned.
 * @ring: An initialised ring.
 * @hint: The default for its requests, or NULL.
 * @slots: The table, or NULL.
 * @nr_slots: Number of entries in @slots.
 *
 * Return: as cprov_ring_enable_flags().
 */
static inline int cprov_ring_enable(struct cprov_ring *cr,
				    struct io_uring *ring,
				    const struct io_locality_hint *hint,
				    const struct io_locality_slot *slots,
				    unsigned int nr_slots)
{
	return cprov_ring_enable_flags(cr, ring, 0, hint, slots, nr_slots);
}

/**
 * cprov_task_default - give the rings that this thread creates a default hint
 * @hint: The hint, or NULL to take it away.
 *
 * Threads and processes that it starts inherit it. For launchers: a program that
 * knows its rings enables them.
 *
 * Return: 1 if it is set; 0 if the kernel has no completion provenance, or no
 *	io_uring; a negative errno if it has and refused.
 */
static inline int cprov_task_default(const struct io_locality_hint *hint)
{
	struct io_locality_register reg;
	struct io_locality_probe probe;
	int ret;

	ret = cprov_probe(-1, &probe);
	/* Only a sandbox keeps a kernel that has it from saying so. */
	if (ret && ret != -EPERM)
		return 0;
	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_TASK_DEFAULT;
	if (hint) {
		reg.flags = IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	ret = cprov_register(-1, &reg);
	return ret < 0 ? ret : 1;
}

/**
 * cprov_ring_update - replace slots, the default, or both
 * @cr: The ring.
 * @hint: The new default, or NULL to keep it.
 * @first: The first slot to replace.
 * @slots: Its successors, or NULL.
 * @nr_slots: Number of entries in @slots.
 *
 * Return: 0, also on an inactive ring; a negative errno, and nothing changed.
 */
static inline int cprov_ring_update(struct cprov_ring *cr,
				    const struct io_locality_hint *hint,
				    unsigned int first,
				    const struct io_locality_slot *slots,
				    unsigned int nr_slots)
{
	struct io_locality_register reg;

	if (!cr->active)
		return 0;
	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_UPDATE;
	if (hint) {
		reg.flags = IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	reg.first_slot = first;
	reg.nr_slots = nr_slots;
	reg.slots = (__u64)(uintptr_t)slots;
	return cprov_ring_register(cr, &reg);
}

/**
 * cprov_ring_disable - opt a ring out
 * @cr: The ring; inactive afterwards.
 *
 * Return: 0, also on an inactive ring; a negative errno.
 */
static inline int cprov_ring_disable(struct cprov_ring *cr)
{
	struct io_locality_register reg;

	if (!cr->active)
		return 0;
	cr->active = false;
	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_DISABLE;
	return cprov_ring_register(cr, &reg);
}

/**
 * cprov_prep_hint - give a request a hint of its own
 * @cr: The ring.
 * @sqe: A prepared read or write.
 * @hint: Must stay in place until the request was submitted.
 */
static inline void cprov_prep_hint(const struct cprov_ring *cr,
				   struct io_uring_sqe *sqe,
				   const struct io_locality_hint *hint)
{
	__u64 ptr = (__u64)(uintptr_t)hint, mask = IORING_RW_ATTR_FLAG_LOCALITY;

	if (!cr->active)
		return;
	memcpy((char *)sqe + IO_LOCALITY_SQE_ATTR_OFFSET, &ptr, sizeof(ptr));
	memcpy((char *)sqe + IO_LOCALITY_SQE_MASK_OFFSET, &mask, sizeof(mask));
}

/**
 * cprov_prep_slot - give a request the hint of a registered slot
 * @cr: The ring.
 * @sqe: A prepared read or write.
 * @slot: Index into the table, from 0. One past its end fails the request with
 *	-EINVAL.
 */
static inline void cprov_prep_slot(const struct cprov_ring *cr,
				   struct io_uring_sqe *sqe, unsigned int slot)
{
	__u16 inline_slot = (__u16)(slot < 0xffff ? slot + 1 : 0xffff);

	if (cr->active)
		memcpy((char *)sqe + IO_LOCALITY_SQE_SLOT_OFFSET, &inline_slot,
		       sizeof(inline_slot));
}

/**
 * cprov_prep_flags - override parts of the hint for one request
 * @cr: The ring.
 * @sqe: A prepared read or write.
 * @flags: IO_LOCALITY_SQE_* flags.
 */
static inline void cprov_prep_flags(const struct cprov_ring *cr,
				    struct io_uring_sqe *sqe,
				    unsigned int flags)
{
	if (cr->active)
		((__u8 *)sqe)[IO_LOCALITY_SQE_FLAGS_OFFSET] = (__u8)flags;
}

/**
 * struct cprov_receipt - how a request came back
 * @done_ns: CLOCK_MONOTONIC when the device's driver was done, 0 = not known.
 * @flow_id: Flow of its hint.
 * @cpu: CPU that it was completed on.
 * @submit_cpu: CPU that it was submitted from; 0 and not known if @reason is
 *	IO_LOCALITY_REASON_UNKNOWN or IO_LOCALITY_REASON_OVER_LIMIT.
 * @reason: enum io_locality_reason.
 */
struct cprov_receipt {
	uint64_t done_ns;
	uint32_t flow_id;
	unsigned int cpu;
	unsigned int submit_cpu;
	unsigned int reason;
};

/**
 * cprov_cqe_receipt - unpack a receipt
 * @cqe: A CQE of a ring with IORING_SETUP_CQE32 that was enabled with
 *	IO_LOCALITY_F_RECEIPTS, of a read or write.
 * @receipt: Filled in; zero where nothing is known.
 *
 * Return: whether there is one: not for a request without a hint, or one that
 *	no device was needed for.
 */
static inline bool cprov_cqe_receipt(const struct io_uring_cqe *cqe,
				     struct cprov_receipt *receipt)
{
	const unsigned int cpu_mask = (1u << (IO_LOCALITY_RECEIPT_SUBMIT_CPU -
					      IO_LOCALITY_RECEIPT_CPU)) -
				      1;
	struct io_locality_receipt raw;

	memcpy(&raw, (const char *)cqe + sizeof(*cqe), sizeof(raw));
	receipt->done_ns = raw.done_ns;
	receipt->flow_id = (uint32_t)(raw.info >> IO_LOCALITY_RECEIPT_FLOW);
	receipt->cpu = (unsigned int)(raw.info >> IO_LOCALITY_RECEIPT_CPU) &
		       cpu_mask;
	receipt->submit_cpu =
		(unsigned int)(raw.info >> IO_LOCALITY_RECEIPT_SUBMIT_CPU) &
		cpu_mask;
	receipt->reason =
		(unsigned int)(raw.info >> IO_LOCALITY_RECEIPT_REASON);
	return raw.done_ns || raw.info;
}

/**
 * cprov_ready_ns - device_done_to_userspace_ready of a request, as of now
 * @receipt: Its receipt; call it right after the CQE was seen.
 *
 *	struct cprov_receipt r;
 *	uint64_t log2_of_ns[64] = { 0 };
 *
 *	io_uring_wait_cqe(&ring, &cqe);
 *	if (cprov_cqe_receipt(cqe, &r) && r.done_ns)
 *		log2_of_ns[63 - __builtin_clzll(cprov_ready_ns(&r) | 1)]++;
 *
 * Return: nanoseconds since the driver was done; 0 if when that was is not known, or
 *	is later than now, as in a time namespace with an offset it may be.
 */
static inline uint64_t cprov_ready_ns(const struct cprov_receipt *receipt)
{
	struct timespec ts;
	uint64_t now_ns;

	if (!receipt->done_ns)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	return now_ns > receipt->done_ns ? now_ns - receipt->done_ns : 0;
}

static inline uint32_t cprov_fnv1a(uint32_t hash, const void *data, size_t len)
{
	const unsigned char *p = (const unsigned char *)data;

	while (len--)
		hash = (hash ^ *p++) * UINT32_C(16777619);
	return hash;
}

/**
 * cprov_flow_id - a flow's identity from a pipeline and a resource
 * @pipeline: What consumes: an agent, a GPU stream, a query.
 * @pipeline_len: Its length in bytes.
 * @resource: What is read: a file, a table, a tensor.
 * @resource_len: Its length in bytes.
 *
 * FNV-1a in 32 bits (Fowler, Noll and Vo), the lengths hashed in so that two
 * pairs that join to the same bytes differ.
 *
 * Return: never 0, which would mean that there is no flow.
 */
static inline uint32_t cprov_flow_id(const void *pipeline, size_t pipeline_len,
				     const void *resource, size_t resource_len)
{
	uint32_t hash = UINT32_C(2166136261);
	uint64_t len = pipeline_len;

	hash = cprov_fnv1a(hash, &len, sizeof(len));
	hash = cprov_fnv1a(hash, pipeline, pipeline_len);
	hash = cprov_fnv1a(hash, resource, resource_len);
	return hash ? hash : 1;
}

#ifdef __cplusplus
}
#endif

#endif /* CPROV_H */
