// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO_LOCALITY_FOLLOW_TASK: home is where the task is when its request
 * completes, however and whenever it got there; without it, where the task was.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

/*
 * On a busy machine the device may be faster than the task moves: after some attempts
 * a slower one takes its place.
 */
#define DELAY_NS 50000000
#define ATTEMPTS 5
#define SLOWER 4
#define SLOWEST_NS 3200000000

FIXTURE(follow)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int nr_from; /* as many of them are begun on */
	unsigned long long delay_ns;
	int late; /* how often that was too fast */
	unsigned int override; /* IO_LOCALITY_SQE_* of the requests */
	int fd;
};

FIXTURE_VARIANT(follow)
{
	unsigned int flags;
};

T_VARIANT(follow, ring, .flags = 0);
T_VARIANT(follow, coop, .flags = IORING_SETUP_COOP_TASKRUN);
T_VARIANT(follow, defer,
	  .flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER);

static int make_ring(struct t_ring *ring, unsigned int flags)
{
	int ret = t_ring_init(ring, 4, flags);

	return ret ? ret : t_enable(ring, NULL, NULL, 0);
}

static const char *use_dev(FIXTURE_DATA(follow) * self,
			   unsigned long long delay_ns)
{
	static const char *const of_device[] = { "cprov:cprov_queue",
						 "cprov:cprov_complete",
						 "block:block_rq_complete" };
	const char *why = t_slow_dev(&self->dev, delay_ns);

	/* And not of the one below. */
	for (size_t i = 0; !why && i < T_ARRAY_SIZE(of_device); i++)
		why = t_trace_filter(&self->trace, of_device[i], "dev == %llu",
				     self->dev.dev);
	if (why)
		return why;
	self->delay_ns = delay_ns;
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	return self->fd < 0 ? "cannot open the device" : NULL;
}

/* The device was faster. Whether there is another attempt. */
static bool again(FIXTURE_DATA(follow) * self)
{
	if (++self->late % ATTEMPTS)
		return true;
	return self->delay_ns < SLOWEST_NS &&
	       !use_dev(self, SLOWER * self->delay_ns);
}

FIXTURE_SETUP(follow)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	T_OR_SKIP(use_dev(self, DELAY_NS));
	ASSERT_EQ(0, make_ring(&self->ring, variant->flags));
	self->nr = t_cpus(self->cpus);
	if (self->nr > 4)
		self->nr = 4;
	/* Each CPU need not be tried on each kind of ring. */
	self->nr_from = variant->flags ? 2 : self->nr;
}

FIXTURE_TEARDOWN(follow)
{
	t_undo_all();
}

static struct io_locality_hint follow_hint(unsigned int nr)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, nr);

	hint.flags = IO_LOCALITY_FOLLOW_TASK;
	return hint;
}

/* A read that the trace tells by its flow. */
static void queue(FIXTURE_DATA(follow) * self, struct t_ring *ring,
		  const struct io_locality_hint *hint, unsigned int sqe_flags)
{
	static alignas(4096) char buf[T_WAY_BYTES];
	struct io_uring_sqe *sqe = t_sqe(ring);

	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf),
		  t_way_off(hint->flow_id));
	t_sqe_hint(sqe, hint);
	t_sqe_flags(sqe, self->override);
	sqe->flags = sqe_flags;
	sqe->user_data = hint->flow_id;
}

/* Whether the device has not decided yet where to complete. */
static bool undecided(FIXTURE_DATA(follow) * self, unsigned int nr)
{
	return !t_trace_load(&self->trace) &&
	       !t_find(&self->trace, "cprov_complete", "flow_id", nr);
}

/*
 * Submitted on the first CPU of the path, and awaited on the last, to which the task
 * went by all the others while the device was busy.
 */
static const char *move(FIXTURE_DATA(follow) * self,
			struct io_locality_hint hint, unsigned int sqe_flags,
			const int *path, int len, struct t_way *way)
{
	bool late;

	do {
		hint.flow_id = t_way_next();
		if (t_pin(path[0]))
			return t_text("cannot run on CPU %d", path[0]);
		t_trace_start(&self->trace);
		queue(self, &self->ring, &hint, sqe_flags);
		if (t_submit(&self->ring, 0))
			return "cannot submit";
		for (int i = 1; i < len; i++)
			if (t_pin(path[i]))
				return t_text("cannot run on CPU %d", path[i]);
		late = !undecided(self, hint.flow_id);
		if (t_wait_res(&self->ring) != T_WAY_BYTES)
			return "the read failed";
		if (late && !again(self))
			return "the device is always faster";
	} while (late);
	if (t_trace_load(&self->trace))
		return "no trace";
	t_way_find(way, &self->trace, &self->dev, hint.flow_id);
	return way->nr_decided == 1 && way->nr_done == 1 && way->nr_cqes == 1 ?
		       NULL :
		       "not one of each event";
}

static void check(struct __test_metadata *_metadata, const struct t_way *way,
		  int home, const char *what)
{
	T_EXPECT_EQ(home, way->home_cpu, "%s", what);
	T_EXPECT_EQ(home, way->done_cpu, "%s", what);
	/* As the task stays there. */
	T_EXPECT_EQ(home, way->cqe_cpu, "%s", what);
}

T_TEST_F(follow, to_where_the_task_went)
{
	struct t_way way;

	for (int from = 0; from < self->nr_from; from++) {
		for (int to = 0; to < self->nr; to++) {
			const int path[] = { self->cpus[from], self->cpus[to] };

			T_OK(move(self, follow_hint(0), 0, path, 2, &way));
			check(_metadata, &way, path[1],
			      t_text("from %d to %d", from, to));
		}
	}
}

/* It is the last move that counts, there and back as well. */
T_TEST_F(follow, wherever_it_went_last)
{
	struct t_way way;

	for (int i = 0; i < self->nr_from; i++) {
		const int a = self->cpus[i], b = self->cpus[(i + 1) % self->nr];
		const int c = self->cpus[(i + 2) % self->nr];
		const int on[] = { a, b, c }, back[] = { a, b, a };

		T_OK(move(self, follow_hint(0), 0, on, 3, &way));
		check(_metadata, &way, c, t_text("%d by %d to %d", a, b, c));
		T_OK(move(self, follow_hint(0), 0, back, 3, &way));
		check(_metadata, &way, a, t_text("%d by %d and back", a, b));
	}
}

/* A worker that submits is nobody to be followed. */
T_TEST_F(follow, while_a_worker_submits)
{
	struct t_way way;

	for (int i = 0; i < self->nr_from; i++) {
		const int path[] = { self->cpus[i],
				     self->cpus[(i + 1) % self->nr] };

		T_OK(move(self, follow_hint(0), IOSQE_ASYNC, path, 2, &way));
		check(_metadata, &way, path[1], t_text("from %d", path[0]));
	}
}

/*
 * To where the task was then: it moves on before the CQE is made, if that waits for
 * it, or before it takes it.
 */
T_TEST_F(follow, not_after_the_completion)
{
	const bool made_later = variant->flags & IORING_SETUP_DEFER_TASKRUN;
	struct io_locality_hint hint;
	struct t_way way;

	for (int i = 0; i < self->nr_from;) {
		const int there = self->cpus[i];
		const int gone = self->cpus[(i + 1) % self->nr];

		hint = follow_hint(t_way_next());
		ASSERT_EQ(0, t_pin(self->cpus[(i + 2) % self->nr]));
		t_trace_start(&self->trace);
		queue(self, &self->ring, &hint, 0);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		ASSERT_EQ(0, t_pin(there));
		if (!undecided(self, hint.flow_id)) {
			ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
			ASSERT_TRUE(again(self));
			continue;
		}
		ASSERT_NE(NULL, t_trace_await(&self->trace, "block_rq_complete",
					      "sector",
					      t_way_off(hint.flow_id) / 512));
		ASSERT_EQ(0, t_pin(gone));
		ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		t_way_find(&way, &self->trace, &self->dev, hint.flow_id);
		EXPECT_EQ(1, way.nr_decided);
		EXPECT_EQ(there, way.home_cpu);
		EXPECT_EQ(there, way.done_cpu);
		EXPECT_EQ(made_later ? gone : there, way.cqe_cpu);
		i++;
	}
}

/* A link is issued from where the task is, and followed from there. */
T_TEST_F(follow, one_after_the_other)
{
	struct io_locality_hint hints[2];
	struct t_way way;
	int good = 0;

	while (good < self->nr_from) {
		int on[3];

		for (int j = 0; j < 3; j++)
			on[j] = self->cpus[(good + j) % self->nr];
		for (int j = 0; j < 2; j++)
			hints[j] = follow_hint(t_way_next());
		ASSERT_EQ(0, t_pin(on[0]));
		t_trace_start(&self->trace);
		queue(self, &self->ring, &hints[0], IOSQE_IO_LINK);
		queue(self, &self->ring, &hints[1], 0);
		ASSERT_EQ(0, t_submit(&self->ring, 0));
		ASSERT_EQ(0, t_pin(on[1]));
		if (!undecided(self, hints[0].flow_id)) {
			ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
			ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
			ASSERT_TRUE(again(self));
			continue;
		}
		/* The other has been issued by then. */
		ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
		ASSERT_EQ(0, t_pin(on[2]));
		if (!undecided(self, hints[1].flow_id)) {
			ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
			ASSERT_TRUE(again(self));
			continue;
		}
		ASSERT_EQ(T_WAY_BYTES, t_wait_res(&self->ring));
		T_OK(t_trace_load(&self->trace));
		for (int j = 0; j < 2; j++) {
			t_way_find(&way, &self->trace, &self->dev,
				   hints[j].flow_id);
			check(_metadata, &way, on[j + 1],
			      t_text("link %d, on %d", j, on[j + 1]));
		}
		good++;
	}
}

/* A process of its own that submits on a CPU, and sleeps until it has the result. */
static pid_t start_sleeper(FIXTURE_DATA(follow) * self, unsigned int flags,
			   int cpu, unsigned int nr)
{
	const struct io_locality_hint hint = follow_hint(nr);
	const pid_t pid = t_fork();
	struct t_ring ring;

	if (pid)
		return pid;
	if (t_pin(cpu) || make_ring(&ring, flags))
		_exit(2);
	queue(self, &ring, &hint, 0);
	_exit(t_submit(&ring, 0) || t_wait_res(&ring) != T_WAY_BYTES ? 3 : 0);
}

/* Somebody else may run it on that CPU alone by now, though it is asleep. */
static bool move_sleeper(FIXTURE_DATA(follow) * self, pid_t pid, int cpu,
			 unsigned int nr)
{
	for (;;) {
		if (!undecided(self, nr))
			return false;
		if (t_inflight(&self->dev) > 0 && t_asleep(pid) >= 0)
			break;
		usleep(1000);
	}
	return !t_pin_task(pid, cpu) && undecided(self, nr);
}

/* It goes there only as it wakes, and by then the completion has to be there. */
T_TEST_F(follow, where_a_sleeper_will_wake)
{
	struct t_way way;
	int status;

	for (int i = 0; i < self->nr_from;) {
		const int from = self->cpus[i];
		const int to = self->cpus[(i + 1) % self->nr];
		const unsigned int nr = t_way_next();
		bool moved;
		pid_t pid;

		t_trace_start(&self->trace);
		pid = start_sleeper(self, variant->flags, from, nr);
		ASSERT_LE(0, pid);
		moved = move_sleeper(self, pid, to, nr);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		ASSERT_EQ(0, WEXITSTATUS(status));
		if (!moved) {
			ASSERT_TRUE(again(self));
			continue;
		}
		T_OK(t_trace_load(&self->trace));
		t_way_find(&way, &self->trace, &self->dev, nr);
		EXPECT_EQ(1, way.nr_decided);
		EXPECT_EQ(from, way.submit_cpu);
		check(_metadata, &way, to, t_text("from %d to %d", from, to));
		i++;
	}
}

/* It may run anywhere, and is moved by somebody else. */
T_TEST_F(follow, to_where_an_sq_thread_went)
{
	struct t_ring ring;
	struct t_way way;
	pid_t sq;

	ASSERT_EQ(0, make_ring(&ring, IORING_SETUP_SQPOLL));
	/* Until it has begun its number is ours, and its affinity not set. */
	t_sqe(&ring)->opcode = IORING_OP_NOP;
	ASSERT_EQ(0, t_submit_res(&ring));
	sq = t_sq_thread(&ring);
	ASSERT_LT(0, sq);
	ASSERT_NE(getpid(), sq);
	for (int i = 0; i < self->nr_from;) {
		const int from = self->cpus[i];
		const int to = self->cpus[(i + 1) % self->nr];
		const struct io_locality_hint hint = follow_hint(t_way_next());
		bool late;

		ASSERT_EQ(0, t_pin_task(sq, from));
		t_trace_start(&self->trace);
		queue(self, &ring, &hint, 0);
		ASSERT_EQ(0, t_submit(&ring, 0));
		while (undecided(self, hint.flow_id) &&
		       t_inflight(&self->dev) <= 0)
			usleep(1000);
		ASSERT_EQ(0, t_pin_task(sq, to));
		late = !undecided(self, hint.flow_id);
		ASSERT_EQ(T_WAY_BYTES, t_wait_res(&ring));
		if (late) {
			ASSERT_TRUE(again(self));
			continue;
		}
		T_OK(t_trace_load(&self->trace));
		t_way_find(&way, &self->trace, &self->dev, hint.flow_id);
		EXPECT_EQ(from, way.submit_cpu);
		check(_metadata, &way, to, t_text("from %d to %d", from, to));
		i++;
	}
}

/* A named home is not looked at, or the task would not be followed from it. */
T_TEST_F(follow, rather_than_the_named_home)
{
	struct io_locality_hint hint = follow_hint(0);
	const int path[] = { self->cpus[0], self->cpus[1] };
	struct t_way way;

	hint.home_cpu = self->cpus[0];
	T_OK(move(self, hint, 0, path, 2, &way));
	check(_metadata, &way, self->cpus[1], "moved from the named home");
}

T_TEST_F(follow, not_unless_asked_to)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 0);
	const int path[] = { self->cpus[0], self->cpus[1] };
	struct t_way way;

	T_OK(move(self, hint, 0, path, 2, &way));
	EXPECT_EQ(self->cpus[0], way.home_cpu);
	EXPECT_EQ(self->cpus[0], way.done_cpu);
}

/* Nor if the request says that home is where it is submitted. */
T_TEST_F(follow, not_if_overridden)
{
	const int path[] = { self->cpus[0], self->cpus[1] };
	struct t_way way;

	self->override = IO_LOCALITY_SQE_HOME_SUBMITTER;
	T_OK(move(self, follow_hint(0), 0, path, 2, &way));
	EXPECT_EQ(self->cpus[0], way.home_cpu);
	EXPECT_EQ(self->cpus[0], way.done_cpu);
}

/*
 * A process of its own that submits on a CPU. It then is gone, or, if it stays, waits:
 * what it exits with is whether @busy, another request, has been decided on before.
 */
static int submit_and_exit(FIXTURE_DATA(follow) * self, unsigned int flags,
			   int cpu, unsigned int nr, bool stay,
			   unsigned int busy)
{
	struct io_locality_hint hint = follow_hint(nr);
	struct t_ring ring;
	int status, late;
	pid_t pid;

	pid = t_fork();
	if (!pid) {
		if (t_pin(cpu) || make_ring(&ring, flags))
			_exit(2);
		queue(self, &ring, &hint, 0);
		if (t_submit(&ring, 0))
			_exit(3);
		late = !undecided(self, busy);
		if (stay && t_wait_res(&ring) != T_WAY_BYTES)
			_exit(4);
		_exit(late);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/*
 * Its number outlives the task in the token: nobody is there any more, unless the
 * number has been left behind. Home is where it was submitted.
 */
T_TEST_F(follow, a_task_that_is_gone)
{
	struct t_way way;

	for (int i = 0; i < self->nr_from; i++) {
		unsigned int nr = 0;
		int late;

		do {
			nr = t_way_next();
			t_trace_start(&self->trace);
			late = submit_and_exit(self, variant->flags,
					       self->cpus[i], nr, false, nr);
			ASSERT_LE(0, late);
			ASSERT_GE(1, late);
			/* It may have taken its time to exit. */
			late |= !undecided(self, nr);
			ASSERT_TRUE(!late || again(self));
		} while (late);
		ASSERT_NE(NULL, t_trace_await(&self->trace, "block_rq_complete",
					      "sector", t_way_off(nr) / 512));
		t_way_find(&way, &self->trace, &self->dev, nr);
		EXPECT_EQ(1, way.nr_decided);
		EXPECT_EQ(-1, way.home_cpu);
		EXPECT_EQ(self->cpus[i], way.submit_cpu);
		/* Nobody sleeps there any more: its cache will do. */
		EXPECT_EQ(t_share_cache(way.irq_cpu, self->cpus[i]) ?
				  way.irq_cpu :
				  self->cpus[i],
			  way.done_cpu);
	}
}

/* The next task that is followed, elsewhere, is not taken for one that is gone. */
T_TEST_F(follow, nobody_in_its_place)
{
	unsigned int nr = 0, next = 0;
	struct t_way way;
	int late;

	do {
		nr = t_way_next();
		next = t_way_next();
		t_trace_start(&self->trace);
		ASSERT_LE(0, submit_and_exit(self, variant->flags,
					     self->cpus[0], nr, false, nr));
		late = submit_and_exit(self, variant->flags, self->cpus[1],
				       next, true, nr);
		ASSERT_LE(0, late);
		ASSERT_GE(1, late);
		ASSERT_TRUE(!late || again(self));
	} while (late);
	T_OK(t_trace_load(&self->trace));
	t_way_find(&way, &self->trace, &self->dev, nr);
	EXPECT_EQ(1, way.nr_decided);
	EXPECT_EQ(-1, way.home_cpu);
	t_way_find(&way, &self->trace, &self->dev, next);
	EXPECT_EQ(self->cpus[1], way.home_cpu);
}

/* A task has one number for all its requests, or there would be none for others. */
T_TEST_F(follow, many_requests)
{
	/* More than there are numbers. */
	const unsigned int nr = 33000, at_once = 256;
	const struct io_locality_hint hint = follow_hint(1);
	const int path[] = { self->cpus[0], self->cpus[1] };
	struct t_way way;
	int status;
	pid_t pid;

	/* What is over its limit has no number. */
	ASSERT_EQ(0, t_set(T_KNOBS "/limits/user_step_critical", "0"));
	ASSERT_EQ(0, t_set(T_KNOBS "/limits/user_steered", "0"));
	ASSERT_EQ(0, t_set(T_KNOBS "/limits/cgroup_step_critical", "0"));
	ASSERT_EQ(0, t_set(T_KNOBS "/limits/cgroup_steered", "0"));
	pid = t_fork();
	if (!pid) {
		int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		struct io_uring_cqe cqe;
		struct t_ring ring;

		if (fd < 0 || t_ring_init(&ring, at_once, variant->flags) ||
		    t_enable(&ring, &hint, NULL, 0))
			_exit(2);
		for (unsigned int i = 0; i < nr; i += at_once) {
			for (unsigned int j = 0; j < at_once; j++)
				t_prep_rw(t_sqe(&ring), IORING_OP_READ, fd,
					  &cqe, 0, 0);
			if (t_submit(&ring, at_once))
				_exit(3);
			while (t_cqe(&ring, &cqe))
				if (cqe.res)
					_exit(4);
		}
		/* While it is there. */
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	T_ASSERT_EQ(true, WIFSTOPPED(status), "%x", status);
	T_OK(move(self, follow_hint(0), 0, path, 2, &way));
	check(_metadata, &way, path[1], "after many requests");
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
}

TEST_HARNESS_MAIN
