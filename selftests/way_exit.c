// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program with hinted requests of every sort in flight is killed, at any point,
 * or cancels them: no request, page or reference stays behind. The device has
 * nothing in flight, every page that was pinned is let go, and the policy's module
 * can be unloaded at once.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define DEPTH 16
#define DEVICE \
	"submit_queues=2 hw_queue_depth=4 irqmode=2 completion_nsec=2000000"

FIXTURE(leave)
{
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd, buffered;
	long long pinned;
};

FIXTURE_VARIANT(leave)
{
	unsigned int flags;
};

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

T_VARIANT(leave, ring, .flags = 0);
T_VARIANT(leave, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(leave, defer, .flags = DEFER);
T_VARIANT(leave, sqpoll, .flags = IORING_SETUP_SQPOLL);

static alignas(4096) char buf[DEPTH * T_WAY_BYTES];

/* Pages that are pinned now, by anybody; -1 if the kernel does not tell. */
static long long pinned_pages(void)
{
	static const char *const names[] = { "nr_foll_pin_acquired ",
					     "nr_foll_pin_released " };
	static char text[65536];
	long long nr[2];

	if (t_read(text, sizeof(text), "/proc/vmstat"))
		return -1;
	for (int i = 0; i < 2; i++) {
		const char *at = strstr(text, names[i]);

		if (!at)
			return -1;
		nr[i] = atoll(at + strlen(names[i]));
	}
	return nr[0] - nr[1];
}

FIXTURE_SETUP(leave)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY | T_TWO_CPUS);
	/* Few tags, so that some wait for one; and each takes a while. */
	T_OK(t_null_blk(&self->dev, DEVICE));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	self->buffered = open(self->dev.path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->buffered);
	self->nr = t_cpus(self->cpus);
	self->pinned = pinned_pages();
}

FIXTURE_TEARDOWN(leave)
{
	t_undo_all();
}

/* The i-th sort of request: all that can be in flight when a program dies. */
static void prepare(FIXTURE_DATA(leave) * self, struct t_ring *ring,
		    unsigned int i, const struct io_locality_hint *hint)
{
	struct io_uring_sqe *sqe = t_sqe(ring);
	unsigned int place = i % DEPTH;
	static struct iovec iov[DEPTH];

	iov[place] = (struct iovec){ buf + place * T_WAY_BYTES, T_WAY_BYTES };
	t_prep_rw(sqe, i & 1 ? IORING_OP_READ : IORING_OP_WRITE, self->fd,
		  iov[place].iov_base, T_WAY_BYTES, t_way_off(i));
	if (i % 8 == 2 || i % 8 == 3) {
		sqe->flags = IOSQE_ASYNC;
	} else if (i % 8 == 4) {
		sqe->flags = IOSQE_IO_LINK;
	} else if (i % 8 == 5) {
		sqe->flags = IOSQE_IO_HARDLINK;
	} else if (i % 8 == 6) {
		sqe->opcode = IORING_OP_READV;
		sqe->addr = (uintptr_t)&iov[place];
		sqe->len = 1;
	} else if (i % 8 == 7) {
		sqe->fd = self->buffered;
	}
	t_sqe_hint(sqe, hint);
}

static int ring_init(FIXTURE_DATA(leave) * self, struct t_ring *ring,
		     unsigned int flags)
{
	int ret;

	ret = flags & IORING_SETUP_SQPOLL ?
		      t_ring_init_sqpoll(ring, DEPTH, self->cpus[1], 0) :
		      t_ring_init(ring, DEPTH, flags);
	return ret ? ret : t_enable(ring, NULL, NULL, 0);
}

/* Submits for ever, and counts in @progress, by which its end is chosen. */
static void work(FIXTURE_DATA(leave) * self, unsigned int flags,
		 unsigned int *progress)
{
	static struct io_locality_hint hints[DEPTH];
	unsigned int in_flight = 0;
	struct io_uring_cqe cqe;
	struct t_ring ring;

	if (ring_init(self, &ring, flags))
		_exit(1);
	for (unsigned int i = 0;; i++) {
		struct io_locality_hint *hint = &hints[i % DEPTH];

		*hint = t_hint_of(i % IO_LOCALITY_NR_CLASSES,
				  self->cpus[i % self->nr], i);
		prepare(self, &ring, i, hint);
		/* A link is submitted with what it is linked to. */
		if (i % 8 != 4 && i % 8 != 5 && t_submit(&ring, 0))
			_exit(2);
		in_flight++;
		__atomic_store_n(progress, i + 1, __ATOMIC_RELAXED);
		while (in_flight > DEPTH - 3) {
			if (t_submit(&ring, 1))
				_exit(3);
			while (t_cqe(&ring, &cqe))
				in_flight--;
		}
	}
}

static void check_nothing_left(struct __test_metadata *_metadata,
			       FIXTURE_DATA(leave) * self)
{
	long long end = t_now_ms() + T_TIMEOUT * 1000LL / 2;
	long long pinned;

	/* At once, whatever the device has not completed. */
	T_OK(t_policy_unload());
	T_OK(t_policy_load());
	/* What has no ring any more is the kernel's to finish. */
	do {
		pinned = pinned_pages();
		if (!t_inflight(&self->dev) && pinned == self->pinned)
			break;
		usleep(1000);
	} while (t_now_ms() < end);
	ASSERT_EQ(0, t_inflight(&self->dev));
	ASSERT_EQ(self->pinned, pinned);
}

T_TEST_F(leave, killed_at_any_point)
{
	const char *env = getenv("CPROV_TRIALS");
	int trials = env ? atoi(env) / 250 : 40, status;
	unsigned int *progress;
	pid_t pid;

	progress = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, progress);
	for (int trial = 0; trial < trials; trial++) {
		__atomic_store_n(progress, 0, __ATOMIC_RELAXED);
		pid = t_fork();
		ASSERT_LE(0, pid);
		if (!pid)
			work(self, variant->flags, progress);
		/* One request later each time. */
		while (__atomic_load_n(progress, __ATOMIC_RELAXED) <
		       (unsigned int)trial) {
			ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
			sched_yield();
		}
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		T_ASSERT_EQ(SIGKILL, WTERMSIG(status), "trial %d: status %x",
			    trial, status);
		check_nothing_left(_metadata, self);
	}
	munmap(progress, 4096);
}

/* Whatever has not begun is cancelled, the rest completes; each once. */
T_TEST_F(leave, cancelled)
{
	static struct io_locality_hint hints[DEPTH - 1];
	unsigned int nr_cqes = 0, cancelled = 0;
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;
	struct t_ring ring;

	for (int trial = 0; trial < 20; trial++) {
		ASSERT_EQ(0, ring_init(self, &ring, variant->flags));
		for (int i = 0; i < DEPTH - 1; i++) {
			hints[i] = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
					     self->cpus[i % self->nr], 1 + i);
			prepare(self, &ring, i, &hints[i]);
		}
		sqe = t_sqe(&ring);
		sqe->opcode = IORING_OP_ASYNC_CANCEL;
		sqe->cancel_flags = IORING_ASYNC_CANCEL_ALL |
				    IORING_ASYNC_CANCEL_ANY;
		ASSERT_EQ(0, t_submit(&ring, 0));
		for (nr_cqes = 0; nr_cqes < DEPTH; nr_cqes++) {
			while (!t_cqe(&ring, &cqe))
				ASSERT_EQ(0, t_submit(&ring, 1));
			if (cqe.user_data == DEPTH - 1)
				continue;
			cancelled += cqe.res == -ECANCELED;
			if (cqe.res != -ECANCELED && cqe.res != -EINTR)
				EXPECT_EQ(T_WAY_BYTES, cqe.res);
		}
		t_check_no_more(_metadata, &ring);
		t_ring_exit(&ring);
		check_nothing_left(_metadata, self);
	}
	TH_LOG("%u requests were cancelled", cancelled);
	T_EXPECT_TRUE(cancelled > 0, "nothing was cancelled in time");
}

TEST_HARNESS_MAIN
