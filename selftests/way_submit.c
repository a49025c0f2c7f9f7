// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every way to submit, on every kind of ring and number of queues: a request
 * completes where its CQE is made, once, with the flow it was given. That is
 * the submitter's CPU, and with IORING_SETUP_SQPOLL the SQ thread's, though the
 * hint names the consumer's; but of several for workers, with no home named, it is the
 * worker's that issues it.
 */
#include <fcntl.h>
#include <sys/uio.h>

#include "t_harness.h"

#define MAX_CPUS 8
#define CHAIN 3 /* requests of one kind, which some of them make a chain of */

FIXTURE(submit)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int sq_cpu; /* -1: no SQ thread */
	int fd, personality;
	bool writable;
};

FIXTURE_VARIANT(submit)
{
	unsigned int flags;
	enum t_queues queues;
};

#define COOP IORING_SETUP_COOP_TASKRUN
#define COOP_FLAG (COOP | IORING_SETUP_TASKRUN_FLAG)
#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)

/* Four variants, by queues. */
#define VARIANTS(name, setup)                                                  \
	T_VARIANT(submit, name##_one, .flags = setup, .queues = T_ONE_QUEUE);  \
	T_VARIANT(submit, name##_two, .flags = setup, .queues = T_TWO_QUEUES); \
	T_VARIANT(submit, name##_per_cpu, .flags = setup,                      \
		  .queues = T_QUEUE_PER_CPU);                                  \
	T_VARIANT(submit, name##_drive, .flags = setup, .queues = T_DRIVE)

VARIANTS(ring, 0);
VARIANTS(coop, COOP);
VARIANTS(coop_flag, COOP_FLAG);
VARIANTS(defer, DEFER);
VARIANTS(sqpoll, IORING_SETUP_SQPOLL);

/* How a request is made. */
static const struct kind {
	const char *name;
	unsigned int op, sqe_flags, rw_flags;
	bool personality;
} kinds[] = {
#define KIND(text, code, ...)                                       \
	{                                                           \
		.name = text, .op = IORING_OP_##code, ##__VA_ARGS__ \
	}
	KIND("read", READ),
	KIND("vectored", READV),
	KIND("fixed buffer", READ_FIXED),
	KIND("fixed file", READ, .sqe_flags = IOSQE_FIXED_FILE),
	KIND("worker", READ, .sqe_flags = IOSQE_ASYNC),
	KIND("vectored, worker", READV, .sqe_flags = IOSQE_ASYNC),
	KIND("fixed, worker", READ_FIXED,
	     .sqe_flags = IOSQE_ASYNC | IOSQE_FIXED_FILE),
	KIND("personality", READ, .personality = true),
	KIND("personality, worker", READ, .sqe_flags = IOSQE_ASYNC,
	     .personality = true),
	KIND("link", READ, .sqe_flags = IOSQE_IO_LINK),
	KIND("hard link", READ, .sqe_flags = IOSQE_IO_HARDLINK),
	KIND("link, worker", READ, .sqe_flags = IOSQE_IO_LINK | IOSQE_ASYNC),
	KIND("drain", READ, .sqe_flags = IOSQE_IO_DRAIN),
	KIND("drain, worker", READ, .sqe_flags = IOSQE_IO_DRAIN | IOSQE_ASYNC),
	KIND("write", WRITE),
	KIND("vectored write", WRITEV),
	KIND("write, fixed buffer", WRITE_FIXED),
	KIND("write, worker", WRITE, .sqe_flags = IOSQE_ASYNC),
	KIND("linked write", WRITE, .sqe_flags = IOSQE_IO_LINK),
	KIND("synchronous write", WRITE, .rw_flags = RWF_DSYNC),
#undef KIND
};

static alignas(4096) char buf[CHAIN * T_WAY_BYTES];
static struct iovec iov[CHAIN];

static bool is_write(const struct kind *kind)
{
	return kind->op == IORING_OP_WRITE || kind->op == IORING_OP_WRITEV ||
	       kind->op == IORING_OP_WRITE_FIXED;
}

FIXTURE_SETUP(submit)
{
	struct iovec all = { buf, sizeof(buf) };

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_way_dev(&self->dev, variant->queues));
	self->writable = t_way_writable(variant->queues);
	if (t_queue_set(&self->dev, "scheduler", "none"))
		T_SKIP("no I/O scheduler 'none' on %s", self->dev.name);
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	self->fd = t_dev_open(&self->dev, self->writable ? O_RDWR : O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->nr = t_cpus(self->cpus);
	if (self->nr > MAX_CPUS)
		self->nr = MAX_CPUS;
	self->sq_cpu = variant->flags & IORING_SETUP_SQPOLL ?
			       self->cpus[self->nr - 1] :
			       -1;
	ASSERT_EQ(0,
		  t_ring_init_on(&self->ring, 8, variant->flags, self->sq_cpu));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	ASSERT_EQ(0, t_register(&self->ring, IORING_REGISTER_BUFFERS, &all, 1));
	ASSERT_EQ(0,
		  t_register(&self->ring, IORING_REGISTER_FILES, &self->fd, 1));
	self->personality =
		t_register(&self->ring, IORING_REGISTER_PERSONALITY, NULL, 0);
	ASSERT_LT(0, self->personality);
}

FIXTURE_TEARDOWN(submit)
{
	t_undo_all();
}

/* One of a chain; the last one ends it. */
static void prepare(FIXTURE_DATA(submit) * self, const struct kind *kind,
		    int place, const struct io_locality_hint *hint)
{
	bool vectored = kind->op == IORING_OP_READV ||
			kind->op == IORING_OP_WRITEV;
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	char *at = buf + place * T_WAY_BYTES;

	iov[place] = (struct iovec){ at, T_WAY_BYTES };
	t_prep_rw(sqe, kind->op, self->fd, vectored ? (void *)&iov[place] : at,
		  vectored ? 1 : T_WAY_BYTES, t_way_off(hint->flow_id));
	t_sqe_hint(sqe, hint);
	sqe->user_data = hint->flow_id;
	sqe->flags = kind->sqe_flags;
	if (place == CHAIN - 1)
		sqe->flags &= ~(IOSQE_IO_LINK | IOSQE_IO_HARDLINK);
	if (sqe->flags & IOSQE_FIXED_FILE)
		sqe->fd = 0;
	if (kind->personality)
		sqe->personality = self->personality;
	sqe->rw_flags = kind->rw_flags;
}

/* Submits a chain from where the task is, and waits; the first of its numbers. */
static unsigned int go(struct __test_metadata *_metadata,
		       FIXTURE_DATA(submit) * self, const struct kind *kind,
		       const int homes[CHAIN])
{
	static struct io_locality_hint hints[CHAIN];
	unsigned int first = 0;

	for (int i = 0; i < CHAIN; i++) {
		unsigned int nr = t_way_next();

		if (!i)
			first = nr;
		hints[i] = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, homes[i],
				     nr);
		prepare(self, kind, i, &hints[i]);
	}
	EXPECT_EQ(0, t_submit(&self->ring, 0));
	for (int i = 0; i < CHAIN; i++)
		T_EXPECT_EQ(T_WAY_BYTES, t_wait_res(&self->ring), "%s",
			    kind->name);
	return first;
}

/*
 * One of several that are at home with the workers that issue them. What may block is
 * handed to workers, too; what is linked or drained comes one after another.
 */
static bool stays_with_worker(const FIXTURE_DATA(submit) * self,
			      const struct kind *kind, bool named)
{
	return (kind->sqe_flags & IOSQE_ASYNC || kind->rw_flags & RWF_DSYNC) &&
	       !(kind->sqe_flags & (IOSQE_IO_LINK | IOSQE_IO_DRAIN)) &&
	       (!named || self->sq_cpu >= 0);
}

/*
 * Went to @home, which is where its CQE was made if @stayed, unless it was left with its
 * worker.
 */
static void check(struct __test_metadata *_metadata,
		  FIXTURE_DATA(submit) * self, const struct kind *kind,
		  unsigned int nr, int home, bool named, bool stayed)
{
	const char *where;
	struct t_way way;

	t_way_find(&way, &self->trace, &self->dev, nr);
	if (stays_with_worker(self, kind, named)) {
		home = way.submit_cpu;
		stayed = false;
	}
	where = t_text("%s %u, home %d", kind->name, nr, home);
	T_EXPECT_EQ(1, way.nr_decided, "%s", where);
	T_EXPECT_EQ(1, way.nr_done, "%s", where);
	T_EXPECT_EQ(1, way.nr_cqes, "%s", where);
	T_EXPECT_EQ(home, way.home_cpu, "%s", where);
	T_EXPECT_EQ(home, way.done_cpu, "%s: interrupt on %d, %s", where,
		    way.irq_cpu, t_reason_name(way.reason));
	if (stayed)
		T_EXPECT_EQ(way.done_cpu, way.cqe_cpu, "%s", where);
	T_EXPECT_TRUE(way.done_seq < way.cqe_seq, "%s", where);
}

/*
 * Pinned to each CPU in turn, with the home named and not. By name it is the
 * consumer's, to which an SQ thread does not send its completions.
 */
T_TEST_F(submit, pinned)
{
	unsigned int first[T_ARRAY_SIZE(kinds)][MAX_CPUS];

	t_trace_start(&self->trace);
	for (int i = 0; i < self->nr; i++) {
		const int homes[CHAIN] = { self->cpus[i], -1, self->cpus[i] };

		ASSERT_EQ(0, t_pin(self->cpus[i]));
		for (size_t k = 0; k < T_ARRAY_SIZE(kinds); k++)
			if (self->writable || !is_write(&kinds[k]))
				first[k][i] =
					go(_metadata, self, &kinds[k], homes);
	}
	T_OK(t_trace_load(&self->trace));
	for (size_t k = 0; k < T_ARRAY_SIZE(kinds); k++)
		for (int i = 0; i < self->nr * CHAIN; i++)
			if (self->writable || !is_write(&kinds[k]))
				check(_metadata, self, &kinds[k],
				      first[k][i / CHAIN] + i % CHAIN,
				      self->sq_cpu >= 0 ? self->sq_cpu :
							  self->cpus[i / CHAIN],
				      i % CHAIN != 1, true);
}

/*
 * Free to run anywhere, each request of a chain names another CPU: where the
 * task is when it issues the next one has no say.
 */
T_TEST_F(submit, each_to_its_own_home)
{
	unsigned int first[T_ARRAY_SIZE(kinds)];
	int homes[CHAIN];

	for (int i = 0; i < CHAIN; i++)
		homes[i] = self->cpus[(i + 1) % self->nr];
	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_unpin());
	for (size_t k = 0; k < T_ARRAY_SIZE(kinds); k++)
		if (self->writable || !is_write(&kinds[k]))
			first[k] = go(_metadata, self, &kinds[k], homes);
	T_OK(t_trace_load(&self->trace));
	for (size_t k = 0; k < T_ARRAY_SIZE(kinds); k++)
		for (int i = 0; i < CHAIN; i++)
			if (self->writable || !is_write(&kinds[k]))
				check(_metadata, self, &kinds[k], first[k] + i,
				      self->sq_cpu >= 0 ? self->sq_cpu :
							  homes[i],
				      true, self->sq_cpu >= 0);
}

TEST_HARNESS_MAIN
