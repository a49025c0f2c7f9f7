// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hints: how they are registered, and where in an SQE they are.
 */
#include "t.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

int t_locality(int fd, void *reg)
{
	return syscall(__NR_io_uring_register, fd, IORING_REGISTER_LOCALITY,
		       reg, 1) < 0 ?
		       -errno :
		       0;
}

int t_probe(int fd, struct io_locality_probe *probe)
{
	struct io_locality_register reg;
	int ret;

	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_PROBE;
	ret = t_locality(fd, &reg);
	memcpy(probe, &reg.probe, sizeof(*probe));
	return ret;
}

static int table_op(struct t_ring *ring, unsigned int op,
		    const struct io_locality_hint *hint, unsigned int first,
		    const struct io_locality_slot *slots, unsigned int nr)
{
	struct io_locality_register reg;

	memset(&reg, 0, sizeof(reg));
	reg.op = op;
	if (hint) {
		reg.flags = IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	reg.first_slot = first;
	reg.nr_slots = nr;
	reg.slots = (uintptr_t)slots;
	return t_locality(ring->fd, &reg);
}

int t_enable(struct t_ring *ring, const struct io_locality_hint *hint,
	     const struct io_locality_slot *slots, unsigned int nr)
{
	return table_op(ring, IO_LOCALITY_ENABLE, hint, 0, slots, nr);
}

int t_enable_batch(struct t_ring *ring)
{
	struct io_locality_register reg = {
		.op = IO_LOCALITY_ENABLE,
		.flags = IO_LOCALITY_F_BOUNDED_BATCH,
	};

	return t_locality(ring->fd, &reg);
}

int t_enable_receipts(struct t_ring *ring, const struct io_locality_hint *hint)
{
	struct io_locality_register reg = {
		.op = IO_LOCALITY_ENABLE,
		.flags = IO_LOCALITY_F_RECEIPTS,
	};

	if (hint) {
		reg.flags |= IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	return t_locality(ring->fd, &reg);
}

int t_task_default(const struct io_locality_hint *hint)
{
	struct io_locality_register reg = { .op = IO_LOCALITY_TASK_DEFAULT };

	if (hint) {
		reg.flags = IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	return t_locality(-1, &reg);
}

int t_update(struct t_ring *ring, const struct io_locality_hint *hint,
	     unsigned int first, const struct io_locality_slot *slots,
	     unsigned int nr)
{
	return table_op(ring, IO_LOCALITY_UPDATE, hint, first, slots, nr);
}

int t_disable(struct t_ring *ring)
{
	return table_op(ring, IO_LOCALITY_DISABLE, NULL, 0, NULL, 0);
}

struct io_locality_hint t_hint_of(unsigned int cls, int cpu, __u32 flow)
{
	struct io_locality_hint hint;

	memset(&hint, 0, sizeof(hint));
	hint.flow_id = flow;
	hint.home_cpu = cpu;
	hint.home_node = -1;
	hint.io_class = cls;
	hint.budget_us = T_LONG_US;
	return hint;
}

struct io_locality_hint t_hint(void)
{
	return t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 0);
}

struct io_locality_slot t_slot_of(const struct io_locality_hint *hint)
{
	struct io_locality_slot slot;

	memset(&slot, 0, sizeof(slot));
	slot.hint = *hint;
	return slot;
}

void t_sqe_slot(struct io_uring_sqe *sqe, unsigned int n)
{
	__u16 inline_slot = n;

	memcpy((char *)sqe + IO_LOCALITY_SQE_SLOT_OFFSET, &inline_slot,
	       sizeof(inline_slot));
}

void t_sqe_flags(struct io_uring_sqe *sqe, unsigned int flags)
{
	((__u8 *)sqe)[IO_LOCALITY_SQE_FLAGS_OFFSET] = flags;
}

void t_sqe_attr(struct io_uring_sqe *sqe, const void *ptr, __u64 mask)
{
	__u64 addr = (uintptr_t)ptr;

	memcpy((char *)sqe + IO_LOCALITY_SQE_ATTR_OFFSET, &addr, sizeof(addr));
	memcpy((char *)sqe + IO_LOCALITY_SQE_MASK_OFFSET, &mask, sizeof(mask));
}

void t_sqe_hint(struct io_uring_sqe *sqe, const struct io_locality_hint *hint)
{
	t_sqe_attr(sqe, hint, IORING_RW_ATTR_FLAG_LOCALITY);
}
