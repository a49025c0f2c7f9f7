// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task's default for the rings that it creates: who has it, what it does to a
 * program that knows nothing of hints, and how it goes away.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534
#define SYSCTL "/proc/sys/kernel/completion_provenance"
#define FLOW 4711
#define COPY "/tmp/cprov_setuid"

/* Whether a ring that is created now has a hint of which it knows nothing. */
static bool new_ring_has_it(void)
{
	struct t_ring ring;
	char line[256];
	bool has = false;
	FILE *file;

	if (t_ring_init(&ring, 1, 0))
		return false;
	file = fopen(t_text("/proc/self/fdinfo/%d", ring.fd), "re");
	while (file && fgets(line, sizeof(line), file))
		has |= !strncmp(line, "LocalityDefault:", 16) &&
		       strstr(line, t_text("flow %d ", FLOW));
	if (file)
		fclose(file);
	t_ring_exit(&ring);
	return has;
}

/* What this program is when it was started by itself. */
__attribute__((constructor)) static void as_child(void)
{
	if (getenv("CPROV_AS_CHILD"))
		_exit(new_ring_has_it() ? 10 : 20);
}

FIXTURE(task)
{
	struct io_locality_hint hint;
};

FIXTURE_SETUP(task)
{
	T_NEED(T_KERNEL | T_ROOT);
	ASSERT_EQ(0, t_set(SYSCTL, "1"));
	self->hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);
}

FIXTURE_TEARDOWN(task)
{
	t_undo_all();
}

static int register_op(struct io_locality_register reg)
{
	reg.op = IO_LOCALITY_TASK_DEFAULT;
	return t_locality(-1, &reg);
}

T_TEST_F(task, bad_input)
{
	struct io_locality_hint bad = self->hint;
	struct io_locality_register reg = { .flags = IO_LOCALITY_F_DEFAULT,
					    .hint = self->hint };

#define REFUSED(err, member, value)                                         \
	do {                                                                \
		struct io_locality_register wrong = reg;                    \
		wrong.member = value;                                       \
		T_EXPECT_EQ(err, register_op(wrong), #member " = " #value); \
	} while (0)

	REFUSED(-EINVAL, flags, IO_LOCALITY_F_DEFAULT << 8);
	REFUSED(-EINVAL, flags,
		IO_LOCALITY_F_DEFAULT | IO_LOCALITY_F_BOUNDED_BATCH);
	REFUSED(-EINVAL, flags, IO_LOCALITY_F_DEFAULT | IO_LOCALITY_F_RECEIPTS);
	/* A hint, and none is said to be given. */
	REFUSED(-EINVAL, flags, 0);
	REFUSED(-EINVAL, nr_slots, 1);
	REFUSED(-EINVAL, first_slot, 1);
	REFUSED(-EINVAL, slots, (uintptr_t)&reg);
	REFUSED(-EINVAL, __reserved[2], 1);
	REFUSED(-EINVAL, hint.io_class, IO_LOCALITY_NR_CLASSES);
	REFUSED(-EINVAL, hint.flags, IO_LOCALITY_FLAGS_ALL + 1);
	REFUSED(-EINVAL, hint.home_cpu, t_nr_cpu_ids());
	REFUSED(-EINVAL, hint.home_node, -2);
	/* None of these left anything behind. */
	EXPECT_FALSE(new_ring_has_it());

	/* And none takes away what is there. */
	ASSERT_EQ(0, t_task_default(&self->hint));
	bad.io_class = IO_LOCALITY_NR_CLASSES;
	EXPECT_EQ(-EINVAL, t_task_default(&bad));
	EXPECT_TRUE(new_ring_has_it());
}

T_TEST_F(task, step_critical_is_a_privilege)
{
	struct io_locality_hint hint = t_hint();

	ASSERT_EQ(0, t_set(SYSCTL "_step_critical", "0"));
	hint.flow_id = FLOW;
	EXPECT_EQ(0, t_task_default(&hint));
	/* It was permitted when it was set, and is not any more. */
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	EXPECT_FALSE(new_ring_has_it());
	EXPECT_EQ(-EPERM, t_task_default(&hint));
	EXPECT_EQ(0, t_task_default(&self->hint));
	EXPECT_TRUE(new_ring_has_it());
}

T_TEST_F(task, taken_away)
{
	ASSERT_EQ(0, t_task_default(&self->hint));
	EXPECT_TRUE(new_ring_has_it());
	ASSERT_EQ(0, t_task_default(NULL));
	EXPECT_FALSE(new_ring_has_it());
}

T_TEST_F(task, switched_off)
{
	ASSERT_EQ(0, t_task_default(&self->hint));
	ASSERT_EQ(0, t_set(SYSCTL, "0"));
	EXPECT_FALSE(new_ring_has_it());
	EXPECT_EQ(-EPERM, t_task_default(&self->hint));
	ASSERT_EQ(0, t_set(SYSCTL, "1"));
	EXPECT_TRUE(new_ring_has_it());
}

/* A child's exit status, having run fn(). */
static int in_child(int (*fn)(void))
{
	pid_t pid = t_fork();
	int status;

	if (!pid)
		_exit(fn());
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static int has_it(void)
{
	return new_ring_has_it() ? 10 : 20;
}

static int exec_self(void)
{
	char *const argv[] = { "self", NULL };

	setenv("CPROV_AS_CHILD", "1", 1);
	execv("/proc/self/exe", argv);
	return 1;
}

static int exec_setuid(void)
{
	char *const argv[] = { COPY, NULL };

	if (setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return 2;
	setenv("CPROV_AS_CHILD", "1", 1);
	execv(COPY, argv);
	return 1;
}

static int take_it_away(void)
{
	return t_task_default(NULL) ? 1 : has_it();
}

T_TEST_F(task, inherited)
{
	ASSERT_EQ(0, t_task_default(&self->hint));
	EXPECT_EQ(10, in_child(has_it));
	EXPECT_EQ(10, in_child(exec_self));
	/* What a child does to its own is its own business. */
	EXPECT_EQ(20, in_child(take_it_away));
	EXPECT_TRUE(new_ring_has_it());
	ASSERT_EQ(0, t_task_default(NULL));
	EXPECT_EQ(20, in_child(exec_self));
}

static void remove_file(const char *path)
{
	unlink(path);
}

T_TEST_F(task, dropped_with_gain_of_privilege)
{
	static char buf[1 << 16];
	int from, to;
	ssize_t len;

	from = open("/proc/self/exe", O_RDONLY);
	to = open(COPY, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ASSERT_LE(0, from);
	ASSERT_LE(0, to);
	t_undo(remove_file, COPY);
	while ((len = read(from, buf, sizeof(buf))) > 0)
		ASSERT_EQ(len, write(to, buf, len));
	ASSERT_EQ(0, fchown(to, 0, 0));
	close(to);
	close(from);
	ASSERT_EQ(0, t_task_default(&self->hint));
	/* Without privilege to gain it stays. */
	ASSERT_EQ(0, chmod(COPY, 0755));
	EXPECT_EQ(10, in_child(exec_setuid));
	ASSERT_EQ(0, chmod(COPY, 04755));
	EXPECT_EQ(20, in_child(exec_setuid));
}

/* What an old program may have left in an SQE means nothing. */
T_TEST_F(task, sqe_bytes_are_not_looked_at)
{
	static char page[4096];
	struct t_trace trace;
	struct t_ring ring;
	struct t_dev dev;
	int fd;

	T_NEED(T_TRACE | T_NULL_BLK | T_POLICY);
	T_OK(t_null_blk(&dev, ""));
	fd = open(dev.path, O_RDONLY);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, t_task_default(&self->hint));
	ASSERT_EQ(0, t_ring_init(&ring, 4, 0));
	T_OK(t_trace_open(&trace, T_SHOT_EVENTS));
	for (int i = 0; i < 4; i++) {
		struct io_uring_sqe *sqe = t_sqe(&ring);

		t_trace_start(&trace);
		t_prep_rw(sqe, IORING_OP_READ, fd, page, sizeof(page),
			  (__u64)(i + 1) << 20);
		if (i & 1)
			memset((char *)sqe + IO_LOCALITY_SQE_FLAGS_OFFSET, 0xff,
			       3);
		if (i & 2)
			memset((char *)sqe + IO_LOCALITY_SQE_ATTR_OFFSET, 0xff,
			       16);
		EXPECT_EQ(sizeof(page), t_submit_res(&ring));
		T_OK(t_trace_load(&trace));
		T_EXPECT_TRUE(t_find(&trace, "cprov_complete", "flow_id", FLOW),
			      "garbage %d", i);
	}
}

/* The program's word counts more than its launcher's. */
T_TEST_F(task, replaced_by_opting_in)
{
	struct io_locality_hint other =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 99);
	struct io_locality_slot slot = t_slot_of(&other);
	struct t_ring ring;

	ASSERT_EQ(0, t_task_default(&self->hint));
	ASSERT_EQ(0, t_ring_init(&ring, 4, 0));
	EXPECT_EQ(-ENXIO, t_update(&ring, &other, 0, NULL, 0));
	EXPECT_EQ(0, t_enable(&ring, NULL, &slot, 1));
	EXPECT_EQ(-EBUSY, t_enable(&ring, NULL, NULL, 0));
	EXPECT_EQ(0, t_disable(&ring));
	EXPECT_EQ(-ENXIO, t_disable(&ring));
	t_ring_exit(&ring);

	ASSERT_EQ(0, t_ring_init(&ring, 4, 0));
	EXPECT_EQ(0, t_disable(&ring));
	EXPECT_EQ(-ENXIO, t_disable(&ring));
}

TEST_HARNESS_MAIN
