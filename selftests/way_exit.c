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
	struct t_dev dev, top; /* what is stacked on it, if anything is */
	int cpus[T_MAX_CPUS], nr;
	int fd, buffered;
	struct t_nvme nvme; /* of passthrough */
	long long pinned;
};

FIXTURE_VARIANT(leave)
{
	unsigned int flags;
	unsigned int enable; /* IO_LOCALITY_F_* */
	unsigned int hint_flags; /* of every other request */
	bool passthrough;
	const char *(*stack)(FIXTURE_DATA(leave) * self);
};

static const char *on_loop(FIXTURE_DATA(leave) * self)
{
	return t_loop(&self->top, self->dev.path, true);
}

static const char *on_crypt(FIXTURE_DATA(leave) * self)
{
	return t_dm_crypt(&self->top, &self->dev, "");
}

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)
#define BIG (IORING_SETUP_SQE128 | IORING_SETUP_CQE32)

T_VARIANT(leave, ring, .flags = 0);
T_VARIANT(leave, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(leave, defer, .flags = DEFER);
T_VARIANT(leave, sqpoll, .flags = IORING_SETUP_SQPOLL);
T_VARIANT(leave, batch, .flags = DEFER, .enable = IO_LOCALITY_F_BOUNDED_BATCH,
	  .hint_flags = IO_LOCALITY_BOUNDED_BATCH);
T_VARIANT(leave, receipts, .flags = IORING_SETUP_CQE32,
	  .enable = IO_LOCALITY_F_RECEIPTS);
T_VARIANT(leave, follow, .hint_flags = IO_LOCALITY_FOLLOW_TASK);
T_VARIANT(leave, polled, .flags = IORING_SETUP_IOPOLL);
T_VARIANT(leave, passthrough, .flags = BIG, .enable = IO_LOCALITY_F_RECEIPTS,
	  .passthrough = true);
T_VARIANT(leave, loop, .stack = on_loop);
T_VARIANT(leave, loop_sqpoll, .flags = IORING_SETUP_SQPOLL, .stack = on_loop);
T_VARIANT(leave, crypt, .stack = on_crypt);
T_VARIANT(leave, crypt_sqpoll, .flags = IORING_SETUP_SQPOLL, .stack = on_crypt);

static alignas(4096) char buf[DEPTH * T_WAY_BYTES];

/* Pages that are pinned now, by anybody; -1 if the kernel does not tell. */
static long long pinned_pages(void)
{
	static const char *const names[] = { "nr_foll_pin_acquired ",
					     "nr_foll_pin_released " };
	static char text[65536];
	long long nr[2];

	/* What a CPU has counted may otherwise stay with it while that is idle. */
	t_write("/proc/sys/vm/stat_refresh", "1");
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

static const char *open_passthrough(FIXTURE_DATA(leave) * self)
{
	const char *drive = getenv("CPROV_DEV"), *why;

	if (!drive)
		return "set CPROV_DEV to an NVMe drive to read from";
	why = t_dev_find(&self->dev, drive);
	return why ? why : t_nvme_open(&self->nvme, &self->dev);
}

static const char *open_null_blk(FIXTURE_DATA(leave) * self, bool polled,
				 const char *(*stack)(FIXTURE_DATA(leave) *
						      self))
{
	const char *why;

	/* Few tags, so that some wait for one; and each takes a while. */
	why = t_null_blk(&self->dev, t_text("%s%s", DEVICE,
					    polled ? " poll_queues=2" : ""));
	if (why)
		return why;
	/* The driver's parameter caps what was asked for, in silence. */
	if (polled && !t_exists("/sys/block/%s/mq/3", self->dev.name))
		return "null_blk.poll_queues is less than two";
	self->top = self->dev;
	why = stack ? stack(self) : NULL;
	if (why)
		return why;
	self->fd = t_dev_open(&self->top, O_RDWR);
	self->buffered = open(self->top.path, O_RDWR | O_CLOEXEC);
	return self->fd < 0 || self->buffered < 0 ? "cannot open it" : NULL;
}

FIXTURE_SETUP(leave)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY | T_TWO_CPUS);
	if (variant->passthrough)
		T_OR_SKIP(open_passthrough(self));
	else
		T_OR_SKIP(open_null_blk(self,
					variant->flags & IORING_SETUP_IOPOLL,
					variant->stack));
	self->nr = t_cpus(self->cpus);
	self->pinned = pinned_pages();
}

FIXTURE_TEARDOWN(leave)
{
	/* Or what is stacked is busy. */
	if (self->buffered > 0)
		close(self->buffered);
	t_undo_all();
}

static struct io_locality_hint hint_of(FIXTURE_DATA(leave) * self,
				       const FIXTURE_VARIANT(leave) * variant,
				       unsigned int i)
{
	struct io_locality_hint hint = t_hint_of(i % IO_LOCALITY_NR_CLASSES,
						 self->cpus[i % self->nr], i);

	if (i / 2 % 2)
		hint.flags = variant->hint_flags;
	return hint;
}

static void prepare_command(FIXTURE_DATA(leave) * self, struct t_ring *ring,
			    unsigned int i)
{
	struct io_uring_sqe *sqe = t_sqe(ring);

	t_prep_nvme_read(sqe, &self->nvme, buf + i % DEPTH * T_WAY_BYTES, 1,
			 i % 1024);
	sqe->flags = i % 4 == 2 ? IOSQE_ASYNC : 0;
}

#define SORTS 16

static bool is_fsync(const FIXTURE_VARIANT(leave) * variant, unsigned int i)
{
	return !variant->passthrough &&
	       !(variant->flags & IORING_SETUP_IOPOLL) && i % SORTS == 11;
}

/* The i-th sort of request: all that can be in flight when a program dies. */
static void prepare(FIXTURE_DATA(leave) * self,
		    const FIXTURE_VARIANT(leave) * variant, struct t_ring *ring,
		    unsigned int i, const struct io_locality_hint *hint)
{
	struct io_uring_sqe *sqe;
	unsigned int place = i % DEPTH;
	static struct iovec iov[DEPTH];

	if (variant->passthrough) {
		prepare_command(self, ring, i);
		return;
	}
	sqe = t_sqe(ring);
	if (is_fsync(variant, i)) {
		/* It has the ring's hint, and room for none of its own. */
		sqe->opcode = IORING_OP_FSYNC;
		sqe->fd = self->buffered;
		return;
	}
	iov[place] = (struct iovec){ buf + place * T_WAY_BYTES, T_WAY_BYTES };
	t_prep_rw(sqe, i & 1 ? IORING_OP_READ : IORING_OP_WRITE, self->fd,
		  iov[place].iov_base, T_WAY_BYTES, t_way_off(i));
	switch (i % SORTS) {
	case 2:
	case 3:
		sqe->flags = IOSQE_ASYNC;
		break;
	case 4:
	case 12:
		sqe->flags = IOSQE_IO_LINK;
		break;
	case 5:
	case 13:
		sqe->flags = IOSQE_IO_HARDLINK;
		break;
	case 6:
	case 14:
		sqe->opcode = IORING_OP_READV;
		sqe->addr = (uintptr_t)&iov[place];
		sqe->len = 1;
		break;
	case 7:
	case 10: /* which leaves fsync something to do */
	case 15:
		/* A ring that polls takes nothing else than direct I/O. */
		if (!(variant->flags & IORING_SETUP_IOPOLL))
			sqe->fd = self->buffered;
		break;
	}
	t_sqe_hint(sqe, hint);
}

static int ring_init(FIXTURE_DATA(leave) * self,
		     const FIXTURE_VARIANT(leave) * variant,
		     struct t_ring *ring)
{
	struct io_locality_register reg = {
		.op = IO_LOCALITY_ENABLE,
		.flags = variant->enable | IO_LOCALITY_F_DEFAULT,
		.hint = hint_of(self, variant, IO_LOCALITY_CLASS_LATENCY + 2),
	};
	int ret;

	ret = t_ring_init_on(ring, DEPTH, variant->flags, self->cpus[1]);
	return ret ? ret : t_locality(ring->fd, &reg);
}

/* Submits for ever, and counts in @progress, by which its end is chosen. */
static void work(FIXTURE_DATA(leave) * self,
		 const FIXTURE_VARIANT(leave) * variant, unsigned int *progress)
{
	static struct io_locality_hint hints[DEPTH];
	/* A batch is waited for where there are some. */
	const unsigned int wait =
		variant->enable & IO_LOCALITY_F_BOUNDED_BATCH ? 4 : 1;
	unsigned int in_flight = 0;
	struct io_uring_cqe cqe;
	struct t_ring ring;

	if (ring_init(self, variant, &ring))
		_exit(1);
	for (unsigned int i = 0;; i++) {
		struct io_locality_hint *hint = &hints[i % DEPTH];

		*hint = hint_of(self, variant, i);
		prepare(self, variant, &ring, i, hint);
		/* A link is submitted with what it is linked to. */
		if (i % 8 != 4 && i % 8 != 5 && t_submit(&ring, 0))
			_exit(2);
		in_flight++;
		__atomic_store_n(progress, i + 1, __ATOMIC_RELAXED);
		while (in_flight > DEPTH - 3) {
			if (t_submit(&ring, wait))
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
		if (!t_inflight(&self->dev) && t_inflight(&self->top) <= 0 &&
		    pinned == self->pinned)
			break;
		usleep(10000);
	} while (t_now_ms() < end);
	ASSERT_EQ(0, t_inflight(&self->dev));
	/* A layer without requests of its own does not tell. */
	ASSERT_GE(0, t_inflight(&self->top));
	ASSERT_EQ(self->pinned, pinned);
}

/* After so many requests the last one is killed: more than fit into the ring. */
#define LAST 40

T_TEST_F(leave, killed_at_any_point)
{
	const char *env = getenv("CPROV_KILLS");
	const int kills = env ? atoi(env) : LAST / 2 + 1;
	unsigned int *progress;
	int status;
	pid_t pid;

	progress = t_shared(4096);
	ASSERT_NE(NULL, progress);
	for (int i = 0; i < kills; i++) {
		/* Spread evenly from before the first one on. */
		const unsigned int after = kills > 1 ? i * LAST / (kills - 1) :
						       LAST / 2;

		__atomic_store_n(progress, 0, __ATOMIC_RELAXED);
		pid = t_fork();
		ASSERT_LE(0, pid);
		if (!pid)
			work(self, variant, progress);
		while (__atomic_load_n(progress, __ATOMIC_RELAXED) < after) {
			ASSERT_EQ(0, waitpid(pid, &status, WNOHANG));
			sched_yield();
		}
		ASSERT_EQ(0, kill(pid, SIGKILL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		T_ASSERT_EQ(SIGKILL, WTERMSIG(status), "after %u: status %x",
			    after, status);
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

	if (variant->flags & IORING_SETUP_IOPOLL)
		T_SKIP("a ring that polls cancels nothing");
	if (variant->passthrough)
		T_SKIP("a command that the drive has is not cancelled");
	for (int trial = 0; trial < 10; trial++) {
		ASSERT_EQ(0, ring_init(self, variant, &ring));
		for (int i = 0; i < DEPTH - 1; i++) {
			hints[i] = hint_of(self, variant, i);
			prepare(self, variant, &ring, i, &hints[i]);
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
				EXPECT_EQ(is_fsync(variant, cqe.user_data) ?
						  0 :
						  T_WAY_BYTES,
					  cqe.res);
		}
		t_check_no_more(_metadata, &ring);
		t_ring_exit(&ring);
		check_nothing_left(_metadata, self);
	}
	TH_LOG("%u requests were cancelled", cancelled);
	T_EXPECT_TRUE(cancelled > 0, "nothing was cancelled in time");
}

TEST_HARNESS_MAIN
