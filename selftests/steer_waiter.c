// SPDX-License-Identifier: GPL-2.0-only
/*
 * A consumer that is another thread than the submitter, and waits in
 * io_uring_enter(): the completion goes to the submitter, or the SQ thread, whose
 * task_work makes the CQE, and from there the waiter is woken. That is the last
 * wakeup, with no hop before it that there would not be without a hint.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define READS 8
#define EVENTS T_WAY_EVENTS " sched:sched_waking ipi:ipi_send_cpu"

FIXTURE(waiter)
{
	struct t_ring ring;
	/* Of reads without a hint, and with one. */
	struct t_trace traces[2];
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int sq_cpu; /* -1: no SQ thread */
	int fd;
	/* The thread that waits, and how it tells that it has got something. */
	pthread_t thread;
	int cpu;
	pid_t tid;
	unsigned int got;
	bool failed;
	int told[2];
};

FIXTURE_VARIANT(waiter)
{
	unsigned int flags;
	enum t_queues queues;
	bool spins; /* the submitter, rather than sleep */
};

#define VARIANTS(name, ...)                                                  \
	T_VARIANT(waiter, name##_one, .queues = T_ONE_QUEUE, ##__VA_ARGS__); \
	T_VARIANT(waiter, name##_per_cpu, .queues = T_QUEUE_PER_CPU,         \
		  ##__VA_ARGS__);                                            \
	T_VARIANT(waiter, name##_drive, .queues = T_DRIVE, ##__VA_ARGS__)

VARIANTS(ring, .flags = 0);
VARIANTS(spins, .spins = true);
VARIANTS(coop, .flags = IORING_SETUP_COOP_TASKRUN);
VARIANTS(sqpoll, .flags = IORING_SETUP_SQPOLL);

FIXTURE_SETUP(waiter)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(t_way_dev(&self->dev, variant->queues));
	if (t_queue_set(&self->dev, "scheduler", "none"))
		T_SKIP("no I/O scheduler 'none' on %s", self->dev.name);
	for (int i = 0; i < 2; i++)
		T_OR_SKIP(t_trace_open(&self->traces[i], EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	self->nr = t_cpus(self->cpus);
	if (self->nr > 4)
		self->nr = 4;
	ASSERT_EQ(0, pipe(self->told));
	self->sq_cpu = variant->flags & IORING_SETUP_SQPOLL ?
			       self->cpus[self->nr - 1] :
			       -1;
	ASSERT_EQ(0,
		  t_ring_init_on(&self->ring, 4, variant->flags, self->sq_cpu));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(waiter)
{
	t_undo_all();
}

/* Until there is one that reads nothing. */
static void *consume(void *arg)
{
	FIXTURE_DATA(waiter) *self = arg;
	int res;

	self->failed = t_pin(self->cpu);
	__atomic_store_n(&self->tid, gettid(), __ATOMIC_RELEASE);
	do {
		res = t_wait_res(&self->ring);
		self->failed |= res != T_WAY_BYTES && res;
		__atomic_add_fetch(&self->got, 1, __ATOMIC_RELEASE);
		if (write(self->told[1], "", 1) != 1)
			self->failed = true;
	} while (res == T_WAY_BYTES);
	return NULL;
}

static void begin(struct __test_metadata *_metadata,
		  FIXTURE_DATA(waiter) * self, int cpu)
{
	self->cpu = cpu;
	self->tid = 0;
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, consume, self));
	while (!__atomic_load_n(&self->tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	/* Who else is woken is nobody who has to do with it. */
	for (int i = 0; i < 2; i++)
		T_OK(t_trace_filter(&self->traces[i], "sched:sched_waking",
				    "pid == %d || pid == %d || pid == %d",
				    gettid(), self->tid,
				    t_sq_thread(&self->ring)));
}

static void tracing(const struct t_trace *trace, bool on)
{
	if (trace)
		t_write(t_text("%s/tracing_on", trace->dir), on ? "1" : "0");
}

/*
 * Submits what is queued, while the other one sleeps, and lets it have it. What there
 * is before and after is not traced.
 */
static void hand_over(struct __test_metadata *_metadata,
		      FIXTURE_DATA(waiter) * self, bool spins,
		      const struct t_trace *trace)
{
	const unsigned int got = self->got;
	char byte;

	while (t_asleep(self->tid) < 0)
		usleep(1000);
	tracing(trace, true);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	while (spins && __atomic_load_n(&self->got, __ATOMIC_ACQUIRE) == got)
		;
	ASSERT_EQ(1, read(self->told[0], &byte, 1));
	tracing(trace, false);
	ASSERT_FALSE(self->failed);
}

static void end(struct __test_metadata *_metadata, FIXTURE_DATA(waiter) * self)
{
	t_sqe(&self->ring)->opcode = IORING_OP_NOP;
	hand_over(_metadata, self, false, NULL);
	ASSERT_EQ(0, pthread_join(self->thread, NULL));
}

static unsigned int read_once(struct __test_metadata *_metadata,
			      FIXTURE_DATA(waiter) * self, bool spins,
			      bool hinted, int home)
{
	static alignas(4096) char buf[T_WAY_BYTES];
	struct io_locality_hint hint;
	struct io_uring_sqe *sqe = t_sqe(&self->ring);
	const unsigned int nr = t_way_next();

	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf),
		  t_way_off(nr));
	sqe->user_data = nr;
	hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, home, nr);
	if (hinted)
		t_sqe_hint(sqe, &hint);
	hand_over(_metadata, self, spins, &self->traces[hinted]);
	return nr;
}

/* Where the submitter is, wherever the waiter is, and named or not. */
T_TEST_F(waiter, woken_from_where_the_cqe_is_made)
{
	struct t_trace *trace = &self->traces[1];
	const struct t_event *woken;
	struct t_way way;

	for (int i = 0; i < 2 * self->nr; i++) {
		const int from = self->cpus[i / 2];
		const int to = self->cpus[(i / 2 + 1 + i % 2) % self->nr];
		const int home = self->sq_cpu >= 0 ? self->sq_cpu : from;
		unsigned int nr;

		ASSERT_EQ(0, t_pin(from));
		begin(_metadata, self, to);
		t_trace_start(trace);
		nr = read_once(_metadata, self, variant->spins, true,
			       i % 2 ? to : -1);
		T_OK(t_trace_load(trace));
		t_way_find(&way, trace, &self->dev, nr);
		EXPECT_EQ(1, way.nr_decided);
		EXPECT_EQ(home, way.home_cpu);
		T_EXPECT_EQ(home, way.done_cpu, "from %d to %d", from, to);
		T_EXPECT_EQ(home, way.cqe_cpu, "from %d to %d", from, to);
		EXPECT_EQ(1, t_count(trace, "sched_waking", "pid", self->tid));
		woken = t_find(trace, "sched_waking", "pid", self->tid);
		ASSERT_NE(NULL, woken);
		T_EXPECT_EQ(home, woken->cpu, "from %d to %d", from, to);
		EXPECT_LT(way.done_seq, way.cqe_seq);
		EXPECT_LT(way.cqe_seq, woken->seq);
		end(_metadata, self);
	}
}

/* Wakeups and interrupts of reads without a hint, and with one, from each CPU. */
static void count(struct __test_metadata *_metadata,
		  FIXTURE_DATA(waiter) * self, bool spins, size_t cost[2])
{
	cost[0] = 0;
	cost[1] = 0;
	for (int i = 0; i < self->nr; i++) {
		ASSERT_EQ(0, t_pin(self->cpus[i]));
		begin(_metadata, self, self->cpus[(i + 1) % self->nr]);
		for (int hinted = 0; hinted < 2; hinted++) {
			t_trace_start(&self->traces[hinted]);
			tracing(&self->traces[hinted], false);
		}
		for (int j = 0; j < 2 * READS; j++)
			read_once(_metadata, self, spins, j % 2, -1);
		end(_metadata, self);
		for (int hinted = 0; hinted < 2; hinted++) {
			struct t_trace *trace = &self->traces[hinted];

			T_OK(t_trace_load(trace));
			cost[hinted] +=
				t_count(trace, "sched_waking", NULL, 0) +
				t_count(trace, "ipi_send_cpu", NULL, 0);
		}
	}
	TH_LOG("%zu, %zu with hints", cost[0], cost[1]);
}

/*
 * Than what comes home without a hint as well: a submitter that is awake by chance
 * would not be sent an interrupt otherwise. Both kinds in turn, as what the machine
 * does besides comes and goes: another hop would be one for each, time and again.
 */
T_TEST_F(waiter, at_no_more_wakeups_and_interrupts)
{
	size_t cost[2];
	int tries = 0;

	ASSERT_EQ(0, t_queue_set(&self->dev, "rq_affinity", "2"));
	do
		count(_metadata, self, variant->spins, cost);
	while (cost[1] > cost[0] + self->nr * READS / 2 && ++tries < 3);
	EXPECT_GT(3, tries);
}

T_FIXTURE(deferred, T_KERNEL)

/*
 * The waiter cannot run the completion's work, which is the submitter's. Where that
 * has to ask for it, who else waits is told so.
 */
T_TEST_F(deferred, waits_for_the_submitter_alone)
{
	struct t_ring ring;
	int status;
	pid_t pid;

	ASSERT_EQ(0, t_ring_init(&ring, 4,
				 IORING_SETUP_DEFER_TASKRUN |
					 IORING_SETUP_SINGLE_ISSUER));
	ASSERT_EQ(0, t_enable_batch(&ring));
	pid = t_fork();
	if (!pid)
		_exit(t_wait_ms(&ring, 1, 1000) == -EEXIST ? 0 : 1);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
