// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring by its system calls: the tests write bytes of an SQE that no library
 * knows of, and are to run where no library is.
 */
#include "t.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef BLOCK_URING_CMD_DISCARD
#define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)
#endif

/* How many CQEs of the usual size, or SQEs, one takes. */
static unsigned int cqe_units(const struct t_ring *ring)
{
	return ring->flags & IORING_SETUP_CQE32 ? 2 : 1;
}

static unsigned int sqe_units(const struct t_ring *ring)
{
	return ring->flags & IORING_SETUP_SQE128 ? 2 : 1;
}

int t_ring_map(struct t_ring *ring, int fd, const struct io_uring_params *p)
{
	unsigned int *array;
	size_t cq_size;
	char *map;

	memset(ring, 0, sizeof(*ring));
	ring->fd = fd;
	ring->flags = p->flags;

	ring->map_size = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	cq_size = p->cq_off.cqes +
		  p->cq_entries * cqe_units(ring) * sizeof(struct io_uring_cqe);
	if (cq_size > ring->map_size)
		ring->map_size = cq_size;
	map = mmap(NULL, ring->map_size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQ_RING);
	ring->sqes_size =
		p->sq_entries * sqe_units(ring) * sizeof(struct io_uring_sqe);
	ring->sqes = mmap(NULL, ring->sqes_size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	if (map == MAP_FAILED || ring->sqes == MAP_FAILED)
		return -ENOMEM;

	ring->map = map;
	ring->sq_mask = *(unsigned int *)(map + p->sq_off.ring_mask);
	ring->cq_mask = *(unsigned int *)(map + p->cq_off.ring_mask);
	ring->sq_head = (unsigned int *)(map + p->sq_off.head);
	ring->sq_tail = (unsigned int *)(map + p->sq_off.tail);
	ring->sq_flags = (unsigned int *)(map + p->sq_off.flags);
	ring->cq_head = (unsigned int *)(map + p->cq_off.head);
	ring->cq_tail = (unsigned int *)(map + p->cq_off.tail);
	ring->cqes = (struct io_uring_cqe *)(map + p->cq_off.cqes);
	array = (unsigned int *)(map + p->sq_off.array);
	for (unsigned int i = 0; i < p->sq_entries; i++)
		array[i] = i;
	return 0;
}

int t_ring_init_params(struct t_ring *ring, unsigned int entries,
		       struct io_uring_params *p)
{
	int fd, ret;

	fd = syscall(__NR_io_uring_setup, entries, p);
	if (fd < 0)
		return -errno;
	ret = t_ring_map(ring, fd, p);
	if (ret)
		close(fd);
	return ret;
}

int t_ring_init(struct t_ring *ring, unsigned int entries, unsigned int flags)
{
	struct io_uring_params p;

	memset(&p, 0, sizeof(p));
	p.flags = flags;
	return t_ring_init_params(ring, entries, &p);
}

static int init_on(struct t_ring *ring, unsigned int entries,
		   unsigned int flags, int sq_cpu, unsigned int idle_ms)
{
	struct io_uring_params p;

	memset(&p, 0, sizeof(p));
	p.flags = flags;
	if (flags & IORING_SETUP_SQPOLL) {
		p.flags |= IORING_SETUP_SQ_AFF;
		p.sq_thread_cpu = sq_cpu;
		p.sq_thread_idle = idle_ms;
	}
	return t_ring_init_params(ring, entries, &p);
}

int t_ring_init_on(struct t_ring *ring, unsigned int entries,
		   unsigned int flags, int sq_cpu)
{
	return init_on(ring, entries, flags, sq_cpu, 0);
}

int t_ring_init_sqpoll(struct t_ring *ring, unsigned int entries, int cpu,
		       unsigned int idle_ms)
{
	return init_on(ring, entries, IORING_SETUP_SQPOLL, cpu, idle_ms);
}

/* fdinfo has "SqThread:\t42". */
pid_t t_sq_thread(const struct t_ring *ring)
{
	static const char name[] = "SqThread:";
	char text[4096];
	const char *at;

	if (t_read(text, sizeof(text), "/proc/self/fdinfo/%d", ring->fd))
		return -1;
	at = strstr(text, name);
	return at ? atoi(at + strlen(name)) : -1;
}

void t_rings_unmap(void)
{
	unsigned long maps[64][2];
	size_t nr = 0;
	char line[512];
	FILE *file = fopen("/proc/self/maps", "re");

	while (file && nr < T_ARRAY_SIZE(maps) &&
	       fgets(line, sizeof(line), file))
		if (strstr(line, "[io_uring]") &&
		    sscanf(line, "%lx-%lx", &maps[nr][0], &maps[nr][1]) == 2)
			nr++;
	if (file)
		fclose(file);
	while (nr--)
		munmap((void *)maps[nr][0], maps[nr][1] - maps[nr][0]);
}

void t_ring_exit(struct t_ring *ring)
{
	munmap(ring->sqes, ring->sqes_size);
	munmap(ring->map, ring->map_size);
	close(ring->fd);
}

int t_register(struct t_ring *ring, unsigned int op, const void *arg,
	       unsigned int nr)
{
	int ret = syscall(__NR_io_uring_register, ring->fd, op, arg, nr);

	return ret < 0 ? -errno : ret;
}

struct io_uring_sqe *t_sqe(struct t_ring *ring)
{
	unsigned int nr = *ring->sq_tail + ring->queued++;
	struct io_uring_sqe *sqe =
		&ring->sqes[(nr & ring->sq_mask) * sqe_units(ring)];

	memset(sqe, 0, sqe_units(ring) * sizeof(*sqe));
	sqe->user_data = nr;
	return sqe;
}

static int enter(struct t_ring *ring, unsigned int submit, unsigned int wait,
		 unsigned int flags)
{
	int ret;

	do {
		ret = syscall(__NR_io_uring_enter, ring->fd, submit, wait,
			      flags, NULL, 0);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int t_submit(struct t_ring *ring, unsigned int wait)
{
	unsigned int flags = wait ? IORING_ENTER_GETEVENTS : 0;
	int ret;

	__atomic_store_n(ring->sq_tail, *ring->sq_tail + ring->queued,
			 __ATOMIC_RELEASE);
	if (ring->flags & IORING_SETUP_SQPOLL) {
		ring->queued = 0;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(ring->sq_flags, __ATOMIC_RELAXED) &
		    IORING_SQ_NEED_WAKEUP)
			flags |= IORING_ENTER_SQ_WAKEUP;
		ret = enter(ring, 0, wait, flags);
		return ret < 0 ? ret : 0;
	}
	/* A request that is refused ends a call: go on with the next. */
	while (ring->queued) {
		ret = enter(ring, ring->queued, 0, 0);
		if (ret < 0)
			return ret;
		ring->queued -= ret;
	}
	if (!wait)
		return 0;
	ret = enter(ring, 0, wait, flags);
	return ret < 0 ? ret : 0;
}

int t_reap(struct t_ring *ring)
{
	int ret = enter(ring, 0, 0, IORING_ENTER_GETEVENTS);

	return ret < 0 ? ret : 0;
}

int t_wait_min_ms(struct t_ring *ring, unsigned int wait, unsigned int min_ms,
		  unsigned int ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000L,
	};
	struct io_uring_getevents_arg arg = {
		.min_wait_usec = min_ms * 1000,
		.ts = (uintptr_t)&ts,
	};
	int ret;

	do {
		ret = syscall(__NR_io_uring_enter, ring->fd, 0, wait,
			      IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
			      &arg, sizeof(arg));
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

int t_wait_ms(struct t_ring *ring, unsigned int wait, unsigned int ms)
{
	return t_wait_min_ms(ring, wait, 0, ms);
}

bool t_cqe_big(struct t_ring *ring, struct io_uring_cqe *cqe, __u64 big[2])
{
	const struct io_uring_cqe *from;
	unsigned int head = *ring->cq_head;

	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	from = &ring->cqes[(head & ring->cq_mask) * cqe_units(ring)];
	memcpy(cqe, from, sizeof(*cqe));
	if (big && cqe_units(ring) == 2)
		memcpy(big, from + 1, 2 * sizeof(*big));
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

bool t_cqe(struct t_ring *ring, struct io_uring_cqe *cqe)
{
	return t_cqe_big(ring, cqe, NULL);
}

int t_wait_res(struct t_ring *ring)
{
	struct io_uring_cqe cqe;
	int ret;

	while (!t_cqe(ring, &cqe)) {
		ret = enter(ring, 0, 1, IORING_ENTER_GETEVENTS);
		if (ret < 0)
			return ret;
	}
	return cqe.res;
}

int t_submit_res(struct t_ring *ring)
{
	int ret = t_submit(ring, 0);

	return ret ? ret : t_wait_res(ring);
}

void t_prep_rw(struct io_uring_sqe *sqe, unsigned int op, int fd,
	       const void *buf, unsigned int len, __u64 off)
{
	sqe->opcode = op;
	sqe->fd = fd;
	sqe->addr = (uintptr_t)buf;
	sqe->len = len;
	sqe->off = off;
}

int t_hold_next(struct t_ring *ring, struct t_held *held)
{
	struct io_uring_sqe *sqe;

	if (pipe(held->pipe))
		return -errno;
	sqe = t_sqe(ring);
	t_prep_rw(sqe, IORING_OP_READ, held->pipe[0], &held->byte, 1, -1ULL);
	sqe->flags = IOSQE_IO_LINK;
	return 0;
}

int t_let_go(struct t_ring *ring, struct t_held *held)
{
	int ret = write(held->pipe[1], "a", 1) == 1 ? t_wait_res(ring) : -errno;

	close(held->pipe[0]);
	close(held->pipe[1]);
	return ret;
}

void t_prep_discard(struct io_uring_sqe *sqe, int fd, __u64 off, __u64 len)
{
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	sqe->cmd_op = BLOCK_URING_CMD_DISCARD;
	sqe->addr = off;
	sqe->addr3 = len;
}
