// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an SQ thread is asked to hand to a worker (IOSQE_ASYNC), and issues by itself,
 * as it is home and the worker would be elsewhere; and what it hands over all the
 * same, which has no home. The decision is one of kind queue, without a device.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "t_harness.h"

/* More than CPROV_WORKERS_PER_IDLE of the policy, as there is no worker. */
#define SHOTS 48
/* IO_LOCALITY_NOT_TRIED of the kernel */
#define NOT_TRIED 31
#define HANDED_OVER "io_uring_queue_async_work"
/* A bio of more than max_sectors has to be split, by a task that may sleep. */
#define BYTES 65536
#define NOBODY 65534

FIXTURE(sqthread)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int home, other; /* CPUs: of the SQ thread, and of its consumer */
	unsigned int hint_flags;
	int fd;
};

FIXTURE_SETUP(sqthread)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OK(t_null_blk(&self->dev, "max_sectors=32"));
	T_OK(t_trace_open(&self->trace,
			  T_SHOT_EVENTS " io_uring:" HANDED_OVER));
	nr = t_cpus(cpus);
	self->home = cpus[nr - 1];
	self->other = cpus[0];
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init_sqpoll(&self->ring, 8, self->home, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(sqthread)
{
	t_undo_all();
}

static struct t_shot async_shot(const FIXTURE_DATA(sqthread) * self,
				unsigned int cls)
{
	return (struct t_shot){
		.hint = t_hint_of(cls, -1, 0),
		.submit_cpu = self->other,
		.sqe_flags = IOSQE_ASYNC,
	};
}

static size_t nr_handed_over(const FIXTURE_DATA(sqthread) * self)
{
	return t_count(&self->trace, HANDED_OVER, NULL, 0);
}

/* How often the policy was asked, and said that it is to be done right here. */
static size_t nr_at_home(const FIXTURE_DATA(sqthread) * self)
{
	size_t nr = 0;

	for (size_t i = 0; i < self->trace.nr; i++) {
		const struct t_event *event = &self->trace.events[i];

		nr += !strcmp(event->name, "cprov_queue") &&
		      !t_field(event, "dev", -1) &&
		      t_field(event, "reason", -1) == T_AT_HOME;
	}
	return nr;
}

/* All that was decided on has no home, or is at home with who issued it. */
static void expect_with_worker(struct __test_metadata *_metadata,
			       FIXTURE_DATA(sqthread) * self)
{
	for (size_t i = 0; i < self->trace.nr; i++) {
		const struct t_event *event = &self->trace.events[i];

		if (!strcmp(event->name, "cprov_complete") &&
		    t_field(event, "home_cpu", -2) != -1)
			EXPECT_EQ(t_field(event, "submit_cpu", -1),
				  t_field(event, "home_cpu", -2));
	}
	EXPECT_EQ(0,
		  t_count(&self->trace, "cprov_complete", "reason", T_STEERED));
}

/* What a worker was made to issue without asking the policy. */
static void expect_unasked(struct __test_metadata *_metadata,
			   FIXTURE_DATA(sqthread) * self)
{
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(1, nr_handed_over(self));
	EXPECT_EQ(0, t_count(&self->trace, "cprov_queue", "dev", 0));
	expect_with_worker(_metadata, self);
}

/* Reads and writes, of both classes that wait, and whoever consumes them. */
T_TEST_F(sqthread, by_itself)
{
	struct t_shot shots[SHOTS];

	for (int i = 0; i < SHOTS; i++) {
		shots[i] = async_shot(self,
				      i % 2 ? IO_LOCALITY_CLASS_LATENCY :
					      IO_LOCALITY_CLASS_STEP_CRITICAL);
		shots[i].write = i % 4 > 1;
		if (i % 3)
			shots[i].hint.home_cpu = self->other;
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, SHOTS));
	EXPECT_EQ(0, nr_handed_over(self));
	EXPECT_EQ(SHOTS, nr_at_home(self));
	for (int i = 0; i < SHOTS; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(self->home, t_issued_on(&self->trace, &shots[i]));
		EXPECT_EQ(self->home, shots[i].done_cpu);
	}
}

/* A read that its SQE asks a worker for. */
static struct io_uring_sqe *prep_async(FIXTURE_DATA(sqthread) * self, int fd,
				       unsigned int bytes, unsigned int offset)
{
	static alignas(4096) char buf[BYTES];
	static struct io_locality_hint hint;
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	hint.flags |= self->hint_flags;
	t_prep_rw(sqe, IORING_OP_READ, fd, buf, bytes, offset);
	sqe->flags = IOSQE_ASYNC;
	t_sqe_hint(sqe, &hint);
	return sqe;
}

/* What is at home is tried, and then is a worker's if it would block. */
static void read_and_count(struct __test_metadata *_metadata,
			   FIXTURE_DATA(sqthread) * self, unsigned int bytes,
			   bool tried, bool handed_over)
{
	t_trace_start(&self->trace);
	prep_async(self, self->fd, bytes, 0);
	ASSERT_EQ((int)bytes, t_submit_res(&self->ring));
	T_OK(t_trace_load(&self->trace));
	EXPECT_EQ(tried, nr_at_home(self));
	EXPECT_EQ(handed_over, nr_handed_over(self));
	EXPECT_EQ(bytes / 512, t_sectors_of(&self->trace, &self->dev, 1));
	if (handed_over) {
		EXPECT_TRUE(t_homeless(&self->trace));
		return;
	}
	for (size_t i = 0; i < self->trace.nr; i++)
		if (!strcmp(self->trace.events[i].name, "block_rq_complete"))
			EXPECT_EQ(self->home, self->trace.events[i].cpu);
}

/* A worker does what the thread cannot without waiting, and then some more. */
T_TEST_F(sqthread, handed_over_if_it_would_block)
{
	read_and_count(_metadata, self, BYTES, true, true);
	for (int i = 0; i < NOT_TRIED; i++)
		read_and_count(_metadata, self, i % 2 ? BYTES : 4096, false,
			       true);
	read_and_count(_metadata, self, 4096, true, false);
	read_and_count(_metadata, self, 4096, true, false);
}

/*
 * Were it to come home to the thread, its worker would have to fetch all of it back for
 * the next. It has none either if the hint names a CPU, or home is to follow.
 */
T_TEST_F(sqthread, no_home_if_handed_over)
{
	struct t_shot shots[SHOTS];
	unsigned int nr_elsewhere = 0;
	struct t_dev dm;
	int fd;

	T_OR_SKIP(
		t_dm(&dm, 32 << 11, "linear", t_text("%s 0", self->dev.path)));
	fd = t_dev_open(&dm, O_RDWR);
	ASSERT_LE(0, fd);
	for (int i = 0; i < SHOTS; i++) {
		shots[i] = async_shot(self,
				      i % 2 ? IO_LOCALITY_CLASS_LATENCY :
					      IO_LOCALITY_CLASS_STEP_CRITICAL);
		shots[i].write = i % 4 > 1;
		if (i % 3 == 1)
			shots[i].hint.home_cpu = self->other;
		else if (i % 3 == 2)
			shots[i].hint.flags |= IO_LOCALITY_FOLLOW_TASK;
	}
	T_OK(t_shoot(&self->ring, fd, &self->trace, shots, SHOTS));
	close(fd);
	EXPECT_EQ(SHOTS, nr_handed_over(self));
	EXPECT_EQ(0, t_count(&self->trace, "cprov_queue", "dev", 0));
	EXPECT_EQ(SHOTS,
		  t_count(&self->trace, "cprov_complete", "home_cpu", -1));
	for (int i = 0; i < SHOTS; i++) {
		EXPECT_EQ(4096, shots[i].res);
		EXPECT_EQ(T_AT_HOME, shots[i].reason);
		EXPECT_EQ(shots[i].irq_cpu, shots[i].done_cpu);
		nr_elsewhere += shots[i].done_cpu != self->home;
	}
	/* Else nothing was tried. */
	EXPECT_LT(SHOTS / 2, nr_elsewhere);
}

/* What has none stays in the cache of the worker, of whatever class it is. */
T_TEST_F(sqthread, near_is_near_enough_without_home)
{
	int cpus[T_MAX_CPUS], nr = t_cpus(cpus), fd;
	struct t_dev drive, dm;
	bool near = false;

	T_OR_SKIP(t_way_dev(&drive, T_DRIVE));
	T_OR_SKIP(t_dm(&dm, 32 << 11, "linear", t_text("%s 0", drive.path)));
	fd = t_dev_open(&dm, O_RDONLY);
	ASSERT_LE(0, fd);
	for (int i = 0; i < nr; i++) {
		struct t_shot shot =
			async_shot(self, IO_LOCALITY_CLASS_STEP_CRITICAL);
		cpu_set_t worker;

		/* What workers there are stay where they are. */
		t_ring_exit(&self->ring);
		ASSERT_EQ(0, t_ring_init_sqpoll(&self->ring, 8, self->home, 0));
		ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
		CPU_ZERO(&worker);
		CPU_SET(cpus[i], &worker);
		ASSERT_EQ(0, t_register(&self->ring, IORING_REGISTER_IOWQ_AFF,
					&worker, sizeof(worker)));
		T_OK(t_shoot(&self->ring, fd, &self->trace, &shot, 1));
		EXPECT_EQ(4096, shot.res);
		ASSERT_EQ(cpus[i], t_issued_on(&self->trace, &shot));
		T_EXPECT_EQ(shot.irq_cpu == cpus[i] ? T_AT_HOME :
			    t_share_cache(shot.irq_cpu, cpus[i]) ?
						      T_SHARED_CACHE :
						      T_STEERED,
			    shot.reason, "worker on %d, interrupt on %d",
			    cpus[i], shot.irq_cpu);
		EXPECT_EQ(shot.reason == T_STEERED ? cpus[i] : shot.irq_cpu,
			  shot.done_cpu);
		near |= shot.irq_cpu != cpus[i] &&
			t_share_cache(shot.irq_cpu, cpus[i]);
	}
	close(fd);
	if (!near)
		TH_LOG("no CPU was interrupted for another one of its cache");
}

/* One shot that a worker is to issue, and that the policy is asked of so often. */
static void handed_over(struct __test_metadata *_metadata,
			FIXTURE_DATA(sqthread) * self, struct t_shot shot,
			size_t asked)
{
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(4096, shot.res);
	EXPECT_EQ(1, nr_handed_over(self));
	EXPECT_EQ(0, nr_at_home(self));
	EXPECT_EQ(asked, t_count(&self->trace, "cprov_queue", "dev", 0));
}

/* A read that a worker issues without asking the policy, and what comes of it. */
static void read_unasked(struct __test_metadata *_metadata,
			 FIXTURE_DATA(sqthread) * self, int fd, int res)
{
	t_trace_start(&self->trace);
	prep_async(self, fd, 4096, 0);
	ASSERT_EQ(res, t_submit_res(&self->ring));
	expect_unasked(_metadata, self);
}

/* For a worker it waits in spite of the flag. */
T_TEST_F(sqthread, handed_over_if_it_is_not_to_wait)
{
	t_trace_start(&self->trace);
	prep_async(self, self->fd, BYTES, 0)->rw_flags = RWF_NOWAIT;
	ASSERT_EQ(BYTES, t_submit_res(&self->ring));
	expect_unasked(_metadata, self);
	EXPECT_TRUE(t_homeless(&self->trace));
}

/* Nobody waits for it alone, or so the administrator says. */
T_TEST_F(sqthread, handed_over_if_its_class_does_not_wait)
{
	handed_over(_metadata, self,
		    async_shot(self, IO_LOCALITY_CLASS_THROUGHPUT), 1);
	handed_over(_metadata, self,
		    async_shot(self, IO_LOCALITY_CLASS_PREFETCH), 1);
	ASSERT_EQ(0, t_set(T_KNOBS "/bind_classes", "latency"));
	handed_over(_metadata, self,
		    async_shot(self, IO_LOCALITY_CLASS_STEP_CRITICAL), 1);
}

T_TEST_F(sqthread, handed_over_if_switched_off)
{
	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "0"));
	handed_over(_metadata, self,
		    async_shot(self, IO_LOCALITY_CLASS_STEP_CRITICAL), 1);
}

/* The thread would copy it, and keep others waiting. */
T_TEST_F(sqthread, handed_over_if_cached)
{
	int fd = open(self->dev.path, O_RDONLY);

	ASSERT_LE(0, fd);
	for (int i = 0; i < 2; i++)
		read_unasked(_metadata, self, fd, 4096);
	close(fd);
}

/* One below may find out that it would block when another has begun. */
T_TEST_F(sqthread, handed_over_if_there_are_devices_below)
{
	struct t_dev dm;
	int fd;

	T_OR_SKIP(
		t_dm(&dm, 32 << 11, "linear", t_text("%s 0", self->dev.path)));
	fd = t_dev_open(&dm, O_RDONLY);
	ASSERT_LE(0, fd);
	read_unasked(_metadata, self, fd, 4096);
	EXPECT_TRUE(t_homeless(&self->trace));
	close(fd);
}

/* So may a file system, of an extent behind the first. */
T_TEST_F(sqthread, handed_over_if_there_is_a_file_system)
{
	static alignas(4096) char page[4096];
	struct t_dev dev;
	char dir[64];
	int fd;

	T_OK(t_null_blk(&dev, "memory_backed=1"));
	T_OR_SKIP(t_ext4(&dev, dir));
	fd = open(t_text("%s/file", dir), O_RDWR | O_CREAT | O_DIRECT, 0600);
	ASSERT_LE(0, fd);
	ASSERT_EQ(4096, pwrite(fd, page, sizeof(page), 0));
	read_unasked(_metadata, self, fd, 4096);
	EXPECT_TRUE(t_homeless(&self->trace));
	close(fd);
}

/* Be in a group, and have @path, of that or of the root, limit the device. */
static const char *limited(const FIXTURE_DATA(sqthread) * self,
			   const char *path, const char *limit)
{
	const char *error;

	t_write(T_CGROUP "/cgroup.subtree_control", "+io");
	error = t_cgroup("cprov-try");
	if (!error)
		error = t_cgroup_enter("cprov-try");
	if (error)
		return error;
	if (t_write(path, "%llu:%llu %s", self->dev.dev >> 20,
		    self->dev.dev & 0xfffff, limit))
		return t_text("no %s", path);
	return NULL;
}

/* One that has to be split, which without waiting fails. */
static void read_limited(struct __test_metadata *_metadata,
			 FIXTURE_DATA(sqthread) * self)
{
	for (int i = 0; i < 2; i++) {
		t_trace_start(&self->trace);
		prep_async(self, self->fd, BYTES, 0);
		ASSERT_EQ(BYTES, t_submit_res(&self->ring));
		expect_unasked(_metadata, self);
		EXPECT_TRUE(t_homeless(&self->trace));
	}
}

/* What exceeds this is put off, and fails later than a worker could be told of it. */
T_TEST_F(sqthread, handed_over_if_it_may_be_put_off)
{
	T_OR_SKIP(limited(self, T_CGROUP "/cprov-try/io.max", "rbps=262144"));
	read_limited(_metadata, self);
}

/* These make the thread sleep, and with it all that it does for others. */
T_TEST_F(sqthread, handed_over_if_latency_is_kept)
{
	T_OR_SKIP(limited(self, T_CGROUP "/cprov-try/io.latency",
			  "target=1000000"));
	read_limited(_metadata, self);
}

T_TEST_F(sqthread, handed_over_if_cost_is_kept)
{
	T_OR_SKIP(limited(self, T_CGROUP "/io.cost.qos", "enable=1"));
	read_limited(_metadata, self);
}

/* What is not there is a worker's to tell. */
T_TEST_F(sqthread, handed_over_without_a_file)
{
	read_unasked(_metadata, self, 9999, -EBADF);
}

/* A worker waits for the device itself, and is home. */
T_TEST_F(sqthread, handed_over_if_it_is_an_fsync)
{
	const struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);
	struct io_uring_sqe *sqe;

	t_ring_exit(&self->ring);
	ASSERT_EQ(0, t_ring_init_sqpoll(&self->ring, 8, self->home, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_FSYNC;
	sqe->fd = self->fd;
	sqe->flags = IOSQE_ASYNC;
	ASSERT_EQ(0, t_submit_res(&self->ring));
	expect_unasked(_metadata, self);
}

/* A read without a hint of its own. */
static void read_plain(struct __test_metadata *_metadata,
		       FIXTURE_DATA(sqthread) * self)
{
	static alignas(4096) char buf[4096];
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_trace_start(&self->trace);
	t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
	sqe->flags = IOSQE_ASYNC;
	ASSERT_EQ(4096, t_submit_res(&self->ring));
	expect_unasked(_metadata, self);
}

T_TEST_F(sqthread, handed_over_without_a_hint)
{
	read_plain(_metadata, self);
}

/* Its launcher gave it a hint, but the flag is its own. */
T_TEST_F(sqthread, handed_over_by_a_program_that_knows_nothing_of_hints)
{
	const struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);

	ASSERT_EQ(0, t_task_default(&hint));
	t_ring_exit(&self->ring);
	ASSERT_EQ(0, t_ring_init_sqpoll(&self->ring, 8, self->home, 0));
	read_plain(_metadata, self);
	EXPECT_EQ(8, t_sectors_of(&self->trace, &self->dev, 1));
	ASSERT_EQ(0, t_task_default(NULL));
}

/* The thread has another ring, which would have to wait meanwhile. */
T_TEST_F(sqthread, handed_over_if_there_is_another_ring)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_ATTACH_WQ,
		.wq_fd = self->ring.fd,
	};
	struct t_ring ring;

	ASSERT_EQ(0, t_ring_init_params(&ring, 4, &p));
	handed_over(_metadata, self,
		    async_shot(self, IO_LOCALITY_CLASS_STEP_CRITICAL), 0);
	t_ring_exit(&ring);
}

/* A read that a worker is asked for, and then a file is opened: the result of that. */
static int open_after_read(struct __test_metadata *_metadata,
			   FIXTURE_DATA(sqthread) * self, const char *path)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;

	prep_async(self, self->fd, 4096, 0)->flags |= IOSQE_IO_LINK;
	sqe = t_sqe(&self->ring);
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)path;
	sqe->open_flags = O_RDONLY | O_CLOEXEC;
	EXPECT_EQ(0, t_submit(&self->ring, 0));
	EXPECT_EQ(0, t_wait_ms(&self->ring, 2, T_TIMEOUT * 1000));
	EXPECT_TRUE(t_cqe(&self->ring, &cqe));
	EXPECT_EQ(4096, cqe.res);
	EXPECT_TRUE(t_cqe(&self->ring, &cqe));
	return cqe.res;
}

/*
 * The thread has the credentials of a ring that is gone, and would go on with them. It
 * is alone with the other one soon after.
 */
T_TEST_F(sqthread, handed_over_if_its_credentials_are_others)
{
	struct io_uring_params p = {
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_ATTACH_WQ,
		.wq_fd = self->ring.fd,
	};
	char path[] = "/tmp/sqthread-XXXXXX";
	struct t_ring first = self->ring;
	int fd = mkstemp(path);

	ASSERT_LE(0, fd);
	close(fd);
	fd = open_after_read(_metadata, self, path);
	EXPECT_LE(0, fd);
	close(fd);

	ASSERT_EQ(0, seteuid(NOBODY));
	ASSERT_EQ(0, t_ring_init_params(&self->ring, 8, &p));
	ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
	t_ring_exit(&first);
	for (int i = 0; i < 20; i++) {
		t_trace_start(&self->trace);
		EXPECT_EQ(-EACCES, open_after_read(_metadata, self, path));
		T_OK(t_trace_load(&self->trace));
		EXPECT_EQ(0, nr_at_home(self));
		usleep(100000);
	}
	unlink(path);
}

#define TOGETHER 8

/* Reads of one call; all but the last of them have @flags as well. */
static void read_together(struct __test_metadata *_metadata,
			  FIXTURE_DATA(sqthread) * self, unsigned int flags)
{
	struct io_uring_cqe cqe;

	t_trace_start(&self->trace);
	for (int i = 0; i < TOGETHER; i++)
		prep_async(self, self->fd, 4096, i * 8192)->flags |=
			i < TOGETHER - 1 ? flags : 0;
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	ASSERT_EQ(0, t_wait_ms(&self->ring, TOGETHER, T_TIMEOUT * 1000));
	for (int i = 0; i < TOGETHER; i++) {
		ASSERT_TRUE(t_cqe(&self->ring, &cqe));
		EXPECT_EQ(4096, cqe.res);
	}
	T_OK(t_trace_load(&self->trace));
}

/* They are for several CPUs at once. */
T_TEST_F(sqthread, handed_over_if_there_are_others)
{
	for (int follow = 0; follow < 2; follow++) {
		self->hint_flags = follow ? IO_LOCALITY_FOLLOW_TASK : 0;
		read_together(_metadata, self, 0);
		EXPECT_EQ(TOGETHER, nr_handed_over(self));
		EXPECT_EQ(0, nr_at_home(self));
		EXPECT_EQ(TOGETHER,
			  t_count(&self->trace, "cprov_complete", NULL, 0));
		expect_with_worker(_metadata, self);
	}
}

/* A worker goes on with what is linked to that which it was handed. */
T_TEST_F(sqthread, no_home_if_linked_to_what_is_handed_over)
{
	struct io_uring_sqe *sqe = t_sqe(&self->ring);

	t_trace_start(&self->trace);
	sqe->opcode = IORING_OP_FSYNC;
	sqe->fd = self->fd;
	sqe->flags = IOSQE_ASYNC | IOSQE_IO_LINK;
	prep_async(self, self->fd, 4096, 0)->flags = 0;
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	ASSERT_EQ(0, t_wait_res(&self->ring));
	ASSERT_EQ(4096, t_wait_res(&self->ring));
	expect_unasked(_metadata, self);
	EXPECT_TRUE(t_homeless(&self->trace));
}

/* But not those that come one after another. */
T_TEST_F(sqthread, by_itself_if_linked)
{
	read_together(_metadata, self, IOSQE_IO_LINK);
	EXPECT_EQ(0, nr_handed_over(self));
	EXPECT_EQ(TOGETHER, nr_at_home(self));
}

/* The last of these waits for the others, and is alone by then. */
T_TEST_F(sqthread, by_itself_if_drained)
{
	read_together(_metadata, self, IOSQE_IO_DRAIN);
	EXPECT_EQ(0, nr_handed_over(self));
	EXPECT_EQ(TOGETHER, nr_at_home(self));
}

/* What waits for a link may be let go when there are no hints to look at any more. */
T_TEST_F(sqthread, handed_over_if_its_ring_opted_out)
{
	struct t_held held;

	t_trace_start(&self->trace);
	ASSERT_EQ(0, t_hold_next(&self->ring, &held));
	prep_async(self, self->fd, 4096, 0);
	ASSERT_EQ(0, t_submit(&self->ring, 0));
	while (__atomic_load_n(self->ring.sq_head, __ATOMIC_ACQUIRE) !=
	       *self->ring.sq_tail)
		usleep(1000);

	ASSERT_EQ(0, t_disable(&self->ring));
	ASSERT_EQ(1, t_let_go(&self->ring, &held));
	ASSERT_EQ(4096, t_wait_res(&self->ring));
	expect_unasked(_metadata, self);
}

TEST_HARNESS_MAIN
