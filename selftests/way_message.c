// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that post to another ring, or more than once, beside requests with
 * hints: their bytes mean what they mean on any ring, and a hint is neither lost
 * nor passed on by them.
 */
#include <fcntl.h>
#include <unistd.h>

#include "t_harness.h"

FIXTURE(message)
{
	struct t_ring ring, target;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_VARIANT(message)
{
	unsigned int flags, target_flags;
};

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

T_VARIANT(message, ring, .flags = 0);
T_VARIANT(message, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(message, defer, .flags = DEFER, .target_flags = DEFER);
T_VARIANT(message, sqpoll, .flags = IORING_SETUP_SQPOLL);

static alignas(4096) char buf[T_WAY_BYTES];

FIXTURE_SETUP(message)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 7);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_null_blk(&self->dev, ""));
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->nr = t_cpus(self->cpus);
	ASSERT_EQ(0, t_ring_init_on(&self->ring, 4, variant->flags,
				    self->cpus[self->nr - 1]));
	/* A default, for whatever takes it by mistake. */
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	ASSERT_EQ(0, t_ring_init(&self->target, 4, variant->target_flags));
	ASSERT_EQ(0, t_pin(self->cpus[0]));
}

FIXTURE_TEARDOWN(message)
{
	t_undo_all();
}

static void read_unhinted(struct __test_metadata *_metadata,
			  FIXTURE_DATA(message) * self)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_trace_start(&self->trace);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	t_sqe_flags(sqe, IO_LOCALITY_SQE_NONE);
	ASSERT_EQ(sizeof(buf), t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(8, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/* A read, and word of it to another ring, which did not opt in. */
T_TEST_F(message, linked_to_a_read)
{
	unsigned int nr = t_way_next();
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, nr);
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;
	struct t_way way;

	t_trace_start(&self->trace);
	sqe = t_sqe(&self->ring);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf),
		  t_way_off(nr));
	t_sqe_hint(sqe, &hint);
	sqe->user_data = nr;
	sqe->flags = IOSQE_IO_LINK;
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_MSG_RING;
	sqe->fd = self->target.fd;
	sqe->addr = IORING_MSG_DATA;
	sqe->off = 4711;
	sqe->len = 42;
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_EQ(sizeof(buf), t_wait_res(&self->ring));
	EXPECT_EQ(0, t_wait_res(&self->ring));
	ASSERT_EQ(0, t_submit(&self->target, 1));
	ASSERT_TRUE(t_cqe(&self->target, &cqe));
	EXPECT_EQ(4711, cqe.user_data);
	EXPECT_EQ(42, cqe.res);
	T_OK(t_trace_load(&self->trace));
	t_way_find(&way, &self->trace, &self->dev, nr);
	EXPECT_EQ(1, way.nr_decided);
	EXPECT_EQ(way.done_cpu, way.cqe_cpu);
	read_unhinted(_metadata, self);
}

/*
 * Where a read has its flags and its slot, a message has the number of a file;
 * were they taken for these, it would be refused.
 */
T_TEST_F(message, passes_a_file)
{
	int none[2] = { -1, -1 };
	struct io_uring_sqe *sqe;

	ASSERT_EQ(0,
		  t_register(&self->ring, IORING_REGISTER_FILES, &self->fd, 1));
	ASSERT_EQ(0, t_register(&self->target, IORING_REGISTER_FILES, none,
				T_ARRAY_SIZE(none)));
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_MSG_RING;
	sqe->fd = self->target.fd;
	sqe->addr = IORING_MSG_SEND_FD;
	sqe->addr3 = 0; /* which of ours */
	sqe->file_index = 2; /* the second of theirs */
	sqe->msg_ring_flags = IORING_MSG_RING_CQE_SKIP;
	EXPECT_EQ(0, t_submit_res(&self->ring));
	/* All of the field but its lowest byte: no such place. */
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_MSG_RING;
	sqe->fd = self->target.fd;
	sqe->addr = IORING_MSG_SEND_FD;
	sqe->file_index = 0xffffff00;
	sqe->msg_ring_flags = IORING_MSG_RING_CQE_SKIP;
	EXPECT_EQ(-EINVAL, t_submit_res(&self->ring));
	/* It has arrived: the target reads of the device by it. */
	sqe = t_sqe(&self->target);
	t_prep_rw(sqe, IORING_OP_READ, 1, buf, sizeof(buf), 0);
	sqe->flags = IOSQE_FIXED_FILE;
	t_trace_start(&self->trace);
	EXPECT_EQ(sizeof(buf), t_submit_res(&self->target));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(8, t_sectors(&self->trace, &self->dev));
	EXPECT_EQ(NULL, t_find(&self->trace, "cprov_complete", NULL, 0));
}

/* ---- more than one completion of a request ---- */

#define NR_BUFS 8
#define GROUP 1

static void multishot(FIXTURE_DATA(message) * self, int fd,
		      const struct io_locality_hint *hint)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_prep_rw(sqe, IORING_OP_READ_MULTISHOT, fd, NULL, 0, -1ULL);
	sqe->flags = IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	t_sqe_hint(sqe, hint);
}

/* It is issued by task_work each time there is something, hint and all. */
T_TEST_F(message, multishot)
{
	static char bufs[NR_BUFS * 16];
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 9);
	struct io_uring_cqe cqe;
	struct io_uring_sqe *sqe;
	int pipefd[2];

	ASSERT_EQ(0, pipe2(pipefd, O_NONBLOCK));
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_PROVIDE_BUFFERS;
	sqe->fd = NR_BUFS;
	sqe->addr = (uintptr_t)bufs;
	sqe->len = 16;
	sqe->buf_group = GROUP;
	ASSERT_EQ(0, t_submit_res(&self->ring));

	multishot(self, pipefd[0], &hint);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	for (int i = 0; i < NR_BUFS - 1; i++) {
		ASSERT_EQ(1, write(pipefd[1], "a", 1));
		ASSERT_EQ(0, t_submit(&self->ring, 1));
		ASSERT_TRUE(t_cqe(&self->ring, &cqe));
		EXPECT_EQ(1, cqe.res);
		EXPECT_TRUE(cqe.flags & IORING_CQE_F_MORE);
		/* Whoever was woken for it does not hold the hint now. */
		read_unhinted(_metadata, self);
	}
	close(pipefd[1]);
	ASSERT_EQ(0, t_submit(&self->ring, 1));
	ASSERT_TRUE(t_cqe(&self->ring, &cqe));
	EXPECT_FALSE(cqe.flags & IORING_CQE_F_MORE);
	read_unhinted(_metadata, self);

	/* No block device can be waited for like that. */
	t_trace_start(&self->trace);
	multishot(self, self->fd, &hint);
	EXPECT_EQ(-EBADFD, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(0, t_sectors(&self->trace, &self->dev));
	read_unhinted(_metadata, self);
}

TEST_HARNESS_MAIN
