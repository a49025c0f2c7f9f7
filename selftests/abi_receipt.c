// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receipts: a CQE tells how its request came back, and the tracepoints agree;
 * what is not known is zero, and nobody gets one who did not ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "t_harness.h"

#define FLOW 0xfedcba98u

FIXTURE(receipt)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
	char *buf;
};

FIXTURE_VARIANT(receipt)
{
	unsigned int ring_flags;
};

T_VARIANT(receipt, plain, .ring_flags = 0);
T_VARIANT(receipt, cqe32, .ring_flags = IORING_SETUP_CQE32);

FIXTURE_SETUP(receipt)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_STEERING);
	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, 4096));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->nr = t_cpus(self->cpus);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, variant->ring_flags));
}

FIXTURE_TEARDOWN(receipt)
{
	t_undo_all();
}

struct reply {
	int res;
	bool remote;
	unsigned long long sent_ns, got_ns;
	struct io_locality_receipt receipt;
};

static unsigned long long monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* @how: IOSQE_* flags. */
static const char *ask_by(struct t_ring *ring, int fd, unsigned int op,
			  char *buf, unsigned int how, unsigned int sqe_flags,
			  struct reply *reply)
{
	struct io_uring_sqe *sqe = t_sqe(ring);
	struct io_uring_cqe cqe;
	__u64 big[2] = { ~0ull, ~0ull };
	int ret;

	t_prep_rw(sqe, op, fd, buf, 4096, 1 << 20);
	t_sqe_flags(sqe, sqe_flags);
	sqe->flags |= how;
	reply->sent_ns = monotonic_ns();
	ret = t_submit(ring, 1);
	reply->got_ns = monotonic_ns();
	if (ret)
		return t_text("submitting: %s", strerror(-ret));
	if (!t_cqe_big(ring, &cqe, big))
		return "no CQE";
	reply->res = cqe.res;
	reply->remote = cqe.flags & IO_LOCALITY_CQE_F_REMOTE;
	reply->receipt.done_ns = big[0];
	reply->receipt.info = big[1];
	return NULL;
}

static const char *ask(struct t_ring *ring, int fd, unsigned int op, char *buf,
		       unsigned int sqe_flags, struct reply *reply)
{
	return ask_by(ring, fd, op, buf, 0, sqe_flags, reply);
}

static unsigned int field(const struct reply *reply, unsigned int shift,
			  unsigned int bits)
{
	return reply->receipt.info >> shift & ((1ull << bits) - 1);
}

#define flow_of(reply) field(reply, IO_LOCALITY_RECEIPT_FLOW, 32)
#define cpu_of(reply) field(reply, IO_LOCALITY_RECEIPT_CPU, 13)
#define submit_cpu_of(reply) field(reply, IO_LOCALITY_RECEIPT_SUBMIT_CPU, 13)
#define reason_of(reply) field(reply, IO_LOCALITY_RECEIPT_REASON, 6)

static void check_done_meanwhile(struct __test_metadata *_metadata,
				 const struct reply *reply)
{
	EXPECT_LE(reply->sent_ns, reply->receipt.done_ns);
	EXPECT_GE(reply->got_ns, reply->receipt.done_ns);
}

/* From one CPU to the home on each; the receipt says what the trace does. */
T_TEST_F(receipt, says_what_happened)
{
	const struct t_event *decided, *done, *cqe;

	ASSERT_EQ(0, t_enable_receipts(&self->ring, NULL));
	ASSERT_EQ(0, t_disable(&self->ring));
	for (int i = 0; i < self->nr; i++) {
		struct io_locality_hint hint = t_hint_of(
			IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[i], FLOW);
		struct reply reply;

		t_stand_on(self->cpus[0], self->cpus[i]);
		ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
		t_trace_start(&self->trace);
		T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf, 0,
			 &reply));
		ASSERT_EQ(0, t_disable(&self->ring));
		T_OK(t_trace_load(&self->trace));
		decided =
			t_find(&self->trace, "cprov_complete", "flow_id", FLOW);
		done = t_find(&self->trace, "block_rq_complete", "dev",
			      self->dev.dev);
		ASSERT_NE(NULL, decided);
		cqe = t_find(&self->trace, "io_uring_complete", NULL, 0);
		ASSERT_NE(NULL, done);
		ASSERT_NE(NULL, cqe);
		EXPECT_EQ(4096, reply.res);
		T_EXPECT_EQ(done->cpu != cqe->cpu, reply.remote,
			    "done on %d, CQE on %d", done->cpu, cqe->cpu);
		if (!(variant->ring_flags & IORING_SETUP_CQE32))
			continue;
		check_done_meanwhile(_metadata, &reply);
		EXPECT_EQ(FLOW, flow_of(&reply));
		EXPECT_EQ(done->cpu, (int)cpu_of(&reply));
		EXPECT_EQ(t_field(decided, "submit_cpu", -1),
			  submit_cpu_of(&reply));
		EXPECT_EQ(IO_LOCALITY_REASON_STEERED +
				  t_field(decided, "reason", -1),
			  reason_of(&reply));
	}
}

/*
 * Remote is who was done elsewhere than its CQE was made, and no other. The task is
 * on each CPU when it makes the CQE of what was done on each.
 */
T_TEST_F(receipt, remote_is_elsewhere)
{
	const struct t_event *done, *made;
	struct io_uring_cqe cqe;
	struct t_ring ring;

	/* CQEs are made when the task asks for them. */
	ASSERT_EQ(0,
		  t_ring_init(&ring, 4,
			      variant->ring_flags | IORING_SETUP_DEFER_TASKRUN |
				      IORING_SETUP_SINGLE_ISSUER));
	for (int i = 0; i < self->nr * self->nr; i++) {
		const int home = self->cpus[i / self->nr];
		const int there = self->cpus[i % self->nr];
		struct io_locality_hint hint =
			t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, home, FLOW);

		t_stand_on(self->cpus[0], home);
		ASSERT_EQ(0, t_enable_receipts(&ring, &hint));
		t_trace_start(&self->trace);
		t_prep_rw(t_sqe(&ring), IORING_OP_READ, self->fd, self->buf,
			  4096, 1 << 20);
		ASSERT_EQ(0, t_submit(&ring, 0));
		ASSERT_NE(NULL, t_trace_await(&self->trace, "block_rq_complete",
					      "dev", self->dev.dev));
		ASSERT_EQ(0, t_pin(there));
		ASSERT_EQ(0, t_submit(&ring, 1));
		ASSERT_TRUE(t_cqe(&ring, &cqe));
		ASSERT_EQ(4096, cqe.res);
		ASSERT_EQ(0, t_disable(&ring));
		T_OK(t_trace_load(&self->trace));
		done = t_find(&self->trace, "block_rq_complete", "dev",
			      self->dev.dev);
		made = t_find(&self->trace, "io_uring_complete", NULL, 0);
		ASSERT_NE(NULL, made);
		EXPECT_EQ(home, done->cpu);
		EXPECT_EQ(there, made->cpu);
		T_EXPECT_EQ(home != there,
			    !!(cqe.flags & IO_LOCALITY_CQE_F_REMOTE),
			    "done on %d, CQE on %d", home, there);
	}
}

/* At home there is nothing remote: pinned, so that it is home. */
T_TEST_F(receipt, not_remote_at_home)
{
	struct io_locality_hint hint = t_hint();
	struct reply reply;

	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf, 0,
			 &reply));
		EXPECT_EQ(4096, reply.res);
		EXPECT_FALSE(reply.remote);
	}
}

T_TEST_F(receipt, without_a_policy)
{
	struct io_locality_hint hint = t_hint();
	struct reply reply;

	T_OR_SKIP(t_policy_unload());
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf, 0, &reply));
	EXPECT_EQ(4096, reply.res);
	if (variant->ring_flags & IORING_SETUP_CQE32) {
		EXPECT_EQ(IO_LOCALITY_REASON_NO_POLICY, reason_of(&reply));
		check_done_meanwhile(_metadata, &reply);
	}
	T_OK(t_policy_load());
}

static void check_none(struct __test_metadata *_metadata, unsigned int flags,
		       const struct reply *reply)
{
	EXPECT_EQ(4096, reply->res);
	EXPECT_FALSE(reply->remote);
	if (flags & IORING_SETUP_CQE32) {
		EXPECT_EQ(0, reply->receipt.done_ns);
		EXPECT_EQ(0, reply->receipt.info);
	}
}

T_TEST_F(receipt, only_where_asked_for)
{
	struct io_locality_hint hint = t_hint();
	struct reply reply;

	/* Not by the ring. */
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf, 0, &reply));
	check_none(_metadata, variant->ring_flags, &reply);
	ASSERT_EQ(0, t_disable(&self->ring));
	/* Not by the request, whose io_kiocb has had one before. */
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf, 0, &reply));
	if (variant->ring_flags & IORING_SETUP_CQE32)
		EXPECT_NE(0, reply.receipt.done_ns);
	T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf,
		 IO_LOCALITY_SQE_NONE, &reply));
	check_none(_metadata, variant->ring_flags, &reply);
}

/* A file on a device: what is in the page cache comes from no device. */
T_TEST_F(receipt, page_cache)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	struct reply reply;
	struct t_dev dev;
	char dir[64];
	int fd;

	T_OK(t_null_blk(&dev, "memory_backed=1"));
	T_OR_SKIP(t_ext4(&dev, dir));
	fd = open(t_text("%s/file", dir), O_RDWR | O_CREAT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(4096, pwrite(fd, self->buf, 4096, 1 << 20));
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	T_OK(ask(&self->ring, fd, IORING_OP_READ, self->buf, 0, &reply));
	check_none(_metadata, variant->ring_flags, &reply);
	close(fd);
}

/* A write that ends in a file system's worker: only the end of it is known. */
T_TEST_F(receipt, worker_between)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	struct reply reply;
	struct t_dev dev;
	char dir[64];
	int fd;

	/* It ends after the submission, which would end the request otherwise. */
	T_OK(t_null_blk(&dev,
			"memory_backed=1 irqmode=2 completion_nsec=2000000"));
	T_OR_SKIP(t_ext4(&dev, dir));
	fd = open(t_text("%s/file", dir), O_RDWR | O_CREAT | O_DIRECT, 0600);
	ASSERT_LE(0, fd);
	/* Allocated and not written: ext4 converts the extent afterwards. */
	ASSERT_EQ(0, fallocate(fd, 0, 0, 4 << 20));
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	T_OK(ask(&self->ring, fd, IORING_OP_WRITE, self->buf, 0, &reply));
	EXPECT_EQ(4096, reply.res);
	if (variant->ring_flags & IORING_SETUP_CQE32) {
		EXPECT_EQ(0, reply.receipt.done_ns);
		EXPECT_EQ(FLOW, flow_of(&reply));
		EXPECT_EQ(0, submit_cpu_of(&reply));
		EXPECT_EQ(IO_LOCALITY_REASON_UNKNOWN, reason_of(&reply));
	}
	close(fd);
}

/*
 * A device that refuses all ends bios that never were a request. Who ends one
 * has ended the request of another before, of the same flow.
 */
T_TEST_F(receipt, no_request)
{
	/* Nothing is sent home: a request ends in the worker that issues it. */
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_THROUGHPUT, -1, FLOW);
	unsigned int workers[2] = { 1, 1 };
	struct reply reply;
	struct t_dev dev, dm;
	int fd, none;

	T_OK(t_null_blk(&dev, t_text("submit_queues=%d", self->nr)));
	T_OR_SKIP(t_dm(&dm, 65536, "error", ""));
	fd = t_dev_open(&dev, O_RDONLY);
	none = t_dev_open(&dm, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_LE(0, none);
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	ASSERT_EQ(0, t_register(&self->ring, IORING_REGISTER_IOWQ_MAX_WORKERS,
				workers, 2));
	T_OK(ask_by(&self->ring, fd, IORING_OP_READ, self->buf, IOSQE_ASYNC, 0,
		    &reply));
	EXPECT_EQ(4096, reply.res);
	if (variant->ring_flags & IORING_SETUP_CQE32)
		EXPECT_LE(IO_LOCALITY_REASON_STEERED, reason_of(&reply));
	T_OK(ask_by(&self->ring, none, IORING_OP_READ, self->buf, IOSQE_ASYNC,
		    0, &reply));
	EXPECT_EQ(-EIO, reply.res);
	if (variant->ring_flags & IORING_SETUP_CQE32) {
		EXPECT_EQ(0, reply.receipt.done_ns);
		EXPECT_EQ(FLOW, flow_of(&reply));
		EXPECT_EQ(IO_LOCALITY_REASON_UNKNOWN, reason_of(&reply));
	}
	close(none);
	close(fd);
}

/* Which may be several requests, of which none is the one. */
T_TEST_F(receipt, block_device_command)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, self->cpus[0], FLOW);
	__u64 big[2] = { ~0ull, ~0ull };
	struct io_uring_cqe cqe;
	struct t_dev dev;
	int fd;

	T_OK(t_null_blk(&dev, "memory_backed=1 discard=1"));
	fd = t_dev_open(&dev, O_RDWR);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	/* Elsewhere than home, or there would be nothing to tell. */
	ASSERT_EQ(0, t_pin(self->cpus[self->nr - 1]));
	t_prep_discard(t_sqe(&self->ring), fd, 1 << 20, 1 << 20);
	ASSERT_EQ(0, t_submit(&self->ring, 1));
	ASSERT_TRUE(t_cqe_big(&self->ring, &cqe, big));
	if (cqe.res == -EOPNOTSUPP)
		T_SKIP("no discard command");
	EXPECT_EQ(0, cqe.res);
	EXPECT_EQ(0, cqe.flags & IO_LOCALITY_CQE_F_REMOTE);
	if (variant->ring_flags & IORING_SETUP_CQE32) {
		EXPECT_EQ(0, big[0]);
		EXPECT_EQ(0, big[1]);
	}
	close(fd);
}

/* Through a stack: the topmost device that has requests tells. */
T_TEST_F(receipt, through_device_mapper)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
	struct reply reply;
	struct t_dev dm;
	int fd;

	T_OR_SKIP(t_dm(&dm, 65536, "linear", t_text("%s 0", self->dev.path)));
	fd = t_dev_open(&dm, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
	T_OK(ask(&self->ring, fd, IORING_OP_READ, self->buf, 0, &reply));
	EXPECT_EQ(4096, reply.res);
	if (variant->ring_flags & IORING_SETUP_CQE32) {
		EXPECT_EQ(FLOW, flow_of(&reply));
		check_done_meanwhile(_metadata, &reply);
		EXPECT_LE(IO_LOCALITY_REASON_STEERED, reason_of(&reply));
	}
	close(fd);
}

/* Rings on which others make the CQE, or whose requests nobody interrupts for. */
FIXTURE(other_ring)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int sq_cpu;
	int fd;
	char *buf;
};

FIXTURE_VARIANT(other_ring)
{
	unsigned int flags;
	bool polled;
};

T_VARIANT(other_ring, sqpoll, .flags = IORING_SETUP_SQPOLL);
T_VARIANT(other_ring, sqpoll_cqe32,
	  .flags = IORING_SETUP_SQPOLL | IORING_SETUP_CQE32);
T_VARIANT(other_ring, iopoll, .flags = IORING_SETUP_IOPOLL, .polled = true);
T_VARIANT(other_ring, iopoll_cqe32,
	  .flags = IORING_SETUP_IOPOLL | IORING_SETUP_CQE32, .polled = true);
T_VARIANT(other_ring, iopoll_sqpoll_cqe32,
	  .flags = IORING_SETUP_IOPOLL | IORING_SETUP_SQPOLL |
		   IORING_SETUP_CQE32,
	  .polled = true);

FIXTURE_SETUP(other_ring)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	self->nr = t_cpus(self->cpus);
	T_OR_SKIP(variant->polled ? t_null_blk_polled(&self->dev, 1, self->nr) :
				    t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, 4096));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->sq_cpu = variant->flags & IORING_SETUP_SQPOLL ?
			       self->cpus[self->nr - 1] :
			       -1;
	ASSERT_EQ(0,
		  t_ring_init_on(&self->ring, 4, variant->flags, self->sq_cpu));
}

FIXTURE_TEARDOWN(other_ring)
{
	t_undo_all();
}

/*
 * It is done where its CQE is made. Of what it polls for null_blk asks nobody, so that
 * neither when nor why is known.
 */
T_TEST_F(other_ring, says_what_is_known)
{
	const struct t_event *done;

	for (int i = 0; i < self->nr; i++) {
		const int cpu = self->sq_cpu < 0 ? self->cpus[i] : self->sq_cpu;
		struct io_locality_hint hint = t_hint_of(
			IO_LOCALITY_CLASS_STEP_CRITICAL, self->cpus[i], FLOW);
		struct reply reply;

		ASSERT_EQ(0, t_pin(self->cpus[i]));
		ASSERT_EQ(0, t_enable_receipts(&self->ring, &hint));
		t_trace_start(&self->trace);
		T_OK(ask(&self->ring, self->fd, IORING_OP_READ, self->buf, 0,
			 &reply));
		ASSERT_EQ(0, t_disable(&self->ring));
		T_OK(t_trace_load(&self->trace));
		done = t_find(&self->trace, "block_rq_complete", "dev",
			      self->dev.dev);
		ASSERT_NE(NULL, done);
		EXPECT_EQ(cpu, done->cpu);
		EXPECT_EQ(4096, reply.res);
		EXPECT_FALSE(reply.remote);
		if (!(variant->flags & IORING_SETUP_CQE32))
			continue;
		EXPECT_EQ(FLOW, flow_of(&reply));
		EXPECT_EQ(cpu, (int)cpu_of(&reply));
		if (variant->polled) {
			EXPECT_EQ(0, reply.receipt.done_ns);
			EXPECT_EQ(IO_LOCALITY_REASON_UNKNOWN,
				  reason_of(&reply));
		} else {
			check_done_meanwhile(_metadata, &reply);
			EXPECT_EQ(cpu, (int)submit_cpu_of(&reply));
			EXPECT_EQ(IO_LOCALITY_REASON_STEERED + T_AT_HOME,
				  reason_of(&reply));
		}
	}
}

TEST_HARNESS_MAIN
