// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limits: past them a request is treated as without a hint, which is counted and
 * stands in its receipt, and nobody else pays for it.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534
#define LIMITS T_KNOBS "/limits/"
#define OVER "/sys/kernel/completion_provenance/counters/over_limit/"
#define NR 300

FIXTURE(limit)
{
	struct t_trace trace;
	struct t_dev dev;
	int fd;
};

static const char *const knobs[] = {
	"user_step_critical", "user_steered", "cgroup_step_critical",
	"cgroup_steered",     "cpu_steered",
};

FIXTURE_SETUP(limit)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	/* Nothing is limited but what the test limits. */
	for (size_t i = 0; i < T_ARRAY_SIZE(knobs); i++)
		ASSERT_EQ(0, t_set(t_text(LIMITS "%s", knobs[i]), "0"));
}

FIXTURE_TEARDOWN(limit)
{
	t_undo_all();
}

struct sent {
	long long ms; /* it took */
	int receipts;
	int over; /* those that say so */
	int failed;
};

/* So many reads of a class, one after the other. */
static int send_some(FIXTURE_DATA(limit) * self, unsigned int cls, int nr,
		     struct sent *sent)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint = t_hint_of(cls, -1, 5);
	struct t_ring ring;
	__u64 big[2];

	memset(sent, 0, sizeof(*sent));
	if (t_ring_init(&ring, 4, IORING_SETUP_CQE32) ||
	    t_enable_receipts(&ring, &hint))
		return -1;
	sent->ms = t_now_ms();
	for (int i = 0; i < nr; i++) {
		struct io_uring_sqe *sqe = t_sqe(&ring);
		struct io_uring_cqe cqe;

		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
		if (t_submit(&ring, 1) || !t_cqe_big(&ring, &cqe, big))
			return -1;
		sent->failed += cqe.res != sizeof(buf);
		sent->receipts += !!big[1];
		if (big[1] >> IO_LOCALITY_RECEIPT_REASON !=
		    IO_LOCALITY_REASON_OVER_LIMIT)
			continue;
		sent->over++;
		/* Of such a request there is no more to tell. */
		sent->failed += big[0] ||
				big[1] >> IO_LOCALITY_RECEIPT_SUBMIT_CPU &
					0x1fff;
	}
	sent->ms = t_now_ms() - sent->ms;
	t_ring_exit(&ring);
	return 0;
}

static int send(FIXTURE_DATA(limit) * self, unsigned int cls, struct sent *sent)
{
	return send_some(self, cls, NR, sent);
}

static long long counted(const char *payer)
{
	return t_read_num(-1, OVER "%s", payer);
}

T_TEST_F(limit, of_a_user)
{
	long long before = counted("user"), hinted;
	struct sent sent;

	ASSERT_LE(0, before);
	ASSERT_EQ(0, t_set(LIMITS "user_step_critical", "10"));
	t_trace_start(&self->trace);
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_STEP_CRITICAL, &sent));
	T_OK(t_trace_load(&self->trace));
	hinted = t_count(&self->trace, "cprov_complete", "class",
			 IO_LOCALITY_CLASS_STEP_CRITICAL);
	EXPECT_EQ(0, sent.failed);
	/* Ten a second, and what an account may have saved. */
	EXPECT_LE(NR - 10 * sent.ms / 1000 - 3, sent.over);
	/* What the receipts, the requests and the counter say is the same. */
	EXPECT_EQ(NR - sent.over, hinted);
	EXPECT_EQ(sent.over, counted("user") - before);
	/* Of other classes there is no limit. */
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_LATENCY, &sent));
	EXPECT_EQ(0, sent.over);
}

/* Nothing is asked of each request of such a ring but whether it may come. */
T_TEST_F(limit, without_receipts)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint = t_hint();
	long long before = counted("user"), ms;
	struct t_ring ring;
	int hinted;

	/* So that more than one is admitted at a time. */
	ASSERT_EQ(0, t_set(LIMITS "user_step_critical", "100"));
	ASSERT_EQ(0, t_ring_init(&ring, 4, 0));
	ASSERT_EQ(0, t_enable(&ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
	ms = t_now_ms();
	for (int i = 0; i < NR; i++) {
		t_prep_rw(t_sqe(&ring), IORING_OP_READ, self->fd, buf,
			  sizeof(buf), 0);
		ASSERT_EQ(sizeof(buf), t_submit_res(&ring));
	}
	ms = t_now_ms() - ms;
	T_OK(t_trace_load(&self->trace));
	hinted = t_count(&self->trace, "cprov_complete", "class",
			 IO_LOCALITY_CLASS_STEP_CRITICAL);
	EXPECT_LE(1, hinted);
	EXPECT_GE(100 * ms / 1000 + 12, hinted);
	EXPECT_EQ(NR - hinted, counted("user") - before);
}

/* Ten are admitted at a time, and a ring has them whatever its default becomes. */
T_TEST_F(limit, of_a_default_that_changes)
{
	static alignas(4096) char buf[4096];
	const struct io_locality_hint other = t_hint();
	const struct io_locality_slot slot = t_slot_of(&other);
	struct io_locality_hint hint = t_hint();
	struct io_uring_sqe *sqe;
	struct t_ring ring;
	long long before;

	ASSERT_EQ(0, t_set(LIMITS "user_step_critical", "100"));
	/* An account fills up in a tenth of a second. */
	usleep(1000000);
	before = counted("user");
	ASSERT_EQ(0, t_ring_init(&ring, 4, 0));
	ASSERT_EQ(0, t_enable(&ring, &hint, &slot, 1));
	for (int i = 0; i < 8; i++) {
		sqe = t_sqe(&ring);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
		/* A slot's hint of the same class takes from the same. */
		t_sqe_slot(sqe, i % 2);
		ASSERT_EQ(sizeof(buf), t_submit_res(&ring));
		hint.flow_id++;
		ASSERT_EQ(0, t_update(&ring, &hint, 0, NULL, 0));
	}
	EXPECT_EQ(0, counted("user") - before);
}

T_TEST_F(limit, of_what_is_steered)
{
	struct sent sent;

	ASSERT_EQ(0, t_set(LIMITS "user_steered", "10"));
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_LATENCY, &sent));
	EXPECT_LE(NR - 10 * sent.ms / 1000 - 3, sent.over);
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_STEP_CRITICAL, &sent));
	EXPECT_LE(NR - 10 * sent.ms / 1000 - 3, sent.over);
	/* Nobody sends an interrupt for these. */
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_PREFETCH, &sent));
	EXPECT_EQ(0, sent.over);
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_THROUGHPUT, &sent));
	EXPECT_EQ(0, sent.over);
}

/* A worker on somebody's CPU costs no less than an interrupt. */
T_TEST_F(limit, of_what_is_bound)
{
	struct sent sent;

	ASSERT_EQ(0, t_set(LIMITS "user_steered", "10"));
	ASSERT_EQ(0, t_set(T_KNOBS "/bind_classes", "prefetch"));
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_PREFETCH, &sent));
	EXPECT_LE(NR - 10 * sent.ms / 1000 - 3, sent.over);
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_THROUGHPUT, &sent));
	EXPECT_EQ(0, sent.over);
}

T_TEST_F(limit, none)
{
	struct sent sent;

	for (unsigned int cls = 0; cls < IO_LOCALITY_NR_CLASSES; cls++) {
		ASSERT_EQ(0, send(self, cls, &sent));
		EXPECT_EQ(NR, sent.receipts);
		EXPECT_EQ(0, sent.over);
	}
}

/* One user has nothing left, and another all of it. */
T_TEST_F(limit, each_user_has_its_own)
{
	struct sent sent;
	int status;
	pid_t pid;

	/* An account saves as much as one second of this, at most. */
	ASSERT_EQ(0, t_set(LIMITS "user_steered", "1"));
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_LATENCY, &sent));
	EXPECT_LT(NR / 2, sent.over);
	pid = t_fork();
	if (!pid) {
		if (setresuid(NOBODY, NOBODY, NOBODY) ||
		    send(self, IO_LOCALITY_CLASS_LATENCY, &sent))
			_exit(100);
		/* At least one was admitted, though no second has passed. */
		_exit(sent.over < NR ? 0 : 1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/*
 * Whether the first read of @user of a namespace that @owner has made, with @map, is over
 * the limit, right after @owner has spent what there was; -1: none can be made.
 */
static int over_in_namespace(struct __test_metadata *_metadata,
			     FIXTURE_DATA(limit) * self, uid_t owner,
			     const char *map, uid_t user)
{
	int here[2], there[2], status;
	struct sent sent;
	char c = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(here));
	ASSERT_EQ(0, pipe(there));
	pid = t_fork();
	if (!pid) {
		if (setresuid(owner, owner, owner) ||
		    send_some(self, IO_LOCALITY_CLASS_LATENCY, 3, &sent))
			_exit(100);
		if (unshare(CLONE_NEWUSER))
			_exit(101);
		/* Until somebody has said who is who. */
		if (write(here[1], &c, 1) != 1 || read(there[0], &c, 1) != 1 ||
		    setresuid(user, user, user) ||
		    send_some(self, IO_LOCALITY_CLASS_LATENCY, 1, &sent))
			_exit(100);
		_exit(sent.over);
	}
	close(here[1]);
	if (read(here[0], &c, 1) == 1) {
		EXPECT_EQ(0, t_write(t_text("/proc/%d/uid_map", pid), map));
		EXPECT_EQ(1, write(there[1], &c, 1));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	close(here[0]);
	close(there[0]);
	close(there[1]);
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_NE(100, WEXITSTATUS(status));
	return WEXITSTATUS(status) == 101 ? -1 : WEXITSTATUS(status);
}

/*
 * Who makes a namespace pays for its users, or he would have as many accounts as he
 * likes; but root makes them for others.
 */
T_TEST_F(limit, of_who_owns_the_namespace)
{
	int over = 0;

	/* What an account saves is then what it gets in a second: one. */
	ASSERT_EQ(0, t_set(LIMITS "user_steered", "1"));
	/* On a busy machine a second may have passed. */
	for (int i = 0; !over && i < 20; i++)
		over = over_in_namespace(_metadata, self, NOBODY,
					 t_text("0 %d 1", 100000 + i), 0);
	if (over < 0)
		T_SKIP("no user namespaces");
	EXPECT_EQ(1, over);
	EXPECT_EQ(0, over_in_namespace(_metadata, self, 0, "0 200000 1", 0));
	/* Who is root there is root here, and spends nothing for others. */
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, over_in_namespace(
				     _metadata, self, 0,
				     t_text("0 0 1\n1 %d 1", 200001 + i), 1));
}

static void rmdir_undo(const char *dir)
{
	rmdir(dir);
}

static void leave_cgroup(const char *procs)
{
	t_write(procs, "0");
}

T_TEST_F(limit, of_a_cgroup)
{
	static const char *const roots[] = { "/sys/fs/cgroup",
					     "/sys/fs/cgroup/unified" };
	const char *root = NULL;
	struct sent sent;
	long long before = counted("cgroup");

	for (size_t i = 0; i < T_ARRAY_SIZE(roots); i++)
		if (t_exists("%s/cgroup.procs", roots[i]) &&
		    t_exists("%s/cgroup.controllers", roots[i]))
			root = roots[i];
	if (!root)
		T_SKIP("no cgroup2 file system");
	ASSERT_EQ(0, t_set(LIMITS "cgroup_steered", "10"));
	/* The root has no limit, as with other controllers. */
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_LATENCY, &sent));
	EXPECT_EQ(0, sent.over);

	ASSERT_EQ(0, mkdir(t_text("%s/cprov_limit", root), 0755));
	t_undo(rmdir_undo, t_text("%s/cprov_limit", root));
	ASSERT_EQ(0, t_write(t_text("%s/cprov_limit/cgroup.procs", root), "0"));
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_LATENCY, &sent));
	EXPECT_LE(NR - 10 * sent.ms / 1000 - 3, sent.over);
	EXPECT_EQ(sent.over, counted("cgroup") - before);

	/* Of the other limit step-critical ones alone have to do. */
	ASSERT_EQ(0, t_set(LIMITS "cgroup_steered", "0"));
	ASSERT_EQ(0, t_set(LIMITS "cgroup_step_critical", "10"));
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_LATENCY, &sent));
	EXPECT_EQ(0, sent.over);
	ASSERT_EQ(0, send(self, IO_LOCALITY_CLASS_STEP_CRITICAL, &sent));
	leave_cgroup(t_text("%s/cgroup.procs", root));
	EXPECT_LE(NR - 10 * sent.ms / 1000 - 3, sent.over);
}

/* What Documentation/policy.rst says that they are. */
static const long long defaults[] = { 100000, 200000, 100000, 200000, 250000 };
_Static_assert(T_ARRAY_SIZE(defaults) == T_ARRAY_SIZE(knobs), "one of each");

/* The tenth of a second that an account saves, and what a ring asks for at once. */
#define BURST (100000 / 10)
#define AT_ONCE 32

#define FLOOD_MS 1500
#define FLOOD_DEPTH 512

/* How many step-critical reads, of nothing, one ring takes in that time. */
static long long flood(int fd)
{
	struct io_locality_hint hint = t_hint();
	long long end = t_now_ms() + FLOOD_MS, sent = 0;
	struct io_uring_cqe cqe;
	struct t_ring ring;

	if (t_ring_init(&ring, FLOOD_DEPTH, 0) ||
	    t_enable(&ring, &hint, NULL, 0))
		return -1;
	do {
		for (int i = 0; i < FLOOD_DEPTH; i++)
			t_prep_rw(t_sqe(&ring), IORING_OP_READ, fd, &cqe, 0, 0);
		if (t_submit(&ring, FLOOD_DEPTH))
			return -1;
		while (t_cqe(&ring, &cqe))
			sent++;
	} while (t_now_ms() < end);
	return sent;
}

/* As the module comes, one user does not drown the machine, whatever its CPUs. */
T_TEST_F(limit, by_default)
{
	long long sent = 0, over, ms, most;
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), fd, pipes[2];

	T_OR_SKIP(t_policy_unload());
	T_OK(t_policy_load());
	for (size_t i = 0; i < T_ARRAY_SIZE(knobs); i++)
		EXPECT_EQ(defaults[i], t_read_num(-1, LIMITS "%s", knobs[i]));

	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe(pipes));
	ms = t_now_ms();
	for (int i = 0; i < nr; i++) {
		if (!t_fork()) {
			long long mine;

			t_pin(cpus[i]);
			mine = flood(fd);
			_exit(write(pipes[1], &mine, sizeof(mine)) !=
			      sizeof(mine));
		}
	}
	for (int i = 0; i < nr; i++) {
		long long theirs;

		ASSERT_EQ(sizeof(theirs),
			  read(pipes[0], &theirs, sizeof(theirs)));
		ASSERT_LT(0, theirs);
		sent += theirs;
	}
	ms = t_now_ms() - ms + 1;
	over = counted("user");
	most = defaults[0] * ms / 1000 + BURST + nr * AT_ONCE;
	TH_LOG("%lld in %lld ms, %lld over the limit", sent, ms, over);
	EXPECT_GE(most, sent - over);
	/* What is saved is there for who comes after a while. */
	if (sent > BURST)
		EXPECT_LE(BURST - nr * AT_ONCE, sent - over);
	if (sent <= most)
		T_SKIP("a machine too slow to reach the limit");
}

T_TEST_F(limit, bad_input)
{
	static const char *const bad[] = { "-1", "x", "", "1 2", "4294967296" };

	for (size_t i = 0; i < T_ARRAY_SIZE(knobs); i++) {
		for (size_t j = 0; j < T_ARRAY_SIZE(bad); j++)
			T_EXPECT_TRUE(t_write(t_text(LIMITS "%s", knobs[i]),
					      "%s", bad[j]) < 0 ||
					      !*bad[j],
				      "%s = '%s'", knobs[i], bad[j]);
		EXPECT_EQ(0, t_read_num(-1, LIMITS "%s", knobs[i]));
	}
}

TEST_HARNESS_MAIN
