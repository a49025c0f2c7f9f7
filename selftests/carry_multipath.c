// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through an NVMe drive of two controllers: what is submitted to the disk that
 * programs see is a request of one of two hidden ones, and carries the hint on
 * whichever path it takes, also on another one if the first has failed.
 */
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "t_harness.h"

#define BYTES 16384
#define SECTORS (BYTES / 512)
#define FLOW 222
#define TIMES 8
/* Reads that are in flight together when a path fails, and how often one does. */
#define DEPTH 32
#define FAILURES 40
/* Of each time the trace has room for so many reads. */
#define MAX_READS 2400

FIXTURE(multipath)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev head;
	char *buf;
	int fd;
};

FIXTURE_VARIANT(multipath)
{
	const char *policy;
	unsigned int paths;
};

T_VARIANT(multipath, one_path, .policy = "numa", .paths = 1);
T_VARIANT(multipath, in_turn, .policy = "round-robin", .paths = 2);

FIXTURE_SETUP(multipath)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, FLOW);

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_POLICY);
	T_OR_SKIP(t_multipath(&self->head));
	ASSERT_EQ(0, t_set(t_text("/sys/block/%s/device/iopolicy",
				  self->head.name),
			   "%s", variant->policy));
	ASSERT_EQ(0, posix_memalign((void **)&self->buf, 4096, BYTES));
	self->fd = t_dev_open(&self->head, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, T_CARRY_EVENTS " " T_PATH_EVENT));
	ASSERT_EQ(0, t_ring_init(&self->ring, DEPTH, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_trace_start(&self->trace);
}

FIXTURE_TEARDOWN(multipath)
{
	t_undo_all();
}

static void transfer(struct __test_metadata *_metadata,
		     FIXTURE_DATA(multipath) * self, unsigned int op,
		     unsigned int flags, char byte)
{
	for (int i = 0; i < TIMES; i++) {
		struct io_uring_sqe *sqe = t_sqe(&self->ring);

		memset(self->buf, op == IORING_OP_WRITE ? byte + i : 0, BYTES);
		t_prep_rw(sqe, op, self->fd, self->buf, BYTES, i * 2 * BYTES);
		t_sqe_flags(sqe, flags);
		ASSERT_EQ(BYTES, t_submit_res(&self->ring));
		if (byte)
			EXPECT_EQ(byte + i, self->buf[BYTES - 1]);
	}
}

static void check(struct __test_metadata *_metadata,
		  FIXTURE_DATA(multipath) * self,
		  const FIXTURE_VARIANT(multipath) * variant, bool carried)
{
	struct t_dev paths[T_MAX_PATHS];
	long long sectors = 0;
	unsigned int nr;

	T_OK(t_trace_load(&self->trace));
	nr = t_paths(&self->trace, &self->head, paths);
	EXPECT_EQ(variant->paths, nr);
	for (unsigned int i = 0; i < nr; i++) {
		sectors += t_sectors(&self->trace, &paths[i]);
		EXPECT_EQ(carried ? t_sectors(&self->trace, &paths[i]) : 0,
			  t_sectors_of(&self->trace, &paths[i], FLOW));
	}
	EXPECT_EQ(TIMES * SECTORS, sectors);
	t_trace_start(&self->trace);
}

T_TEST_F(multipath, write_and_read)
{
	transfer(_metadata, self, IORING_OP_WRITE, 0, 'a');
	check(_metadata, self, variant, true);
	transfer(_metadata, self, IORING_OP_READ, 0, 'a');
	check(_metadata, self, variant, true);
}

T_TEST_F(multipath, no_hint_carries_nothing)
{
	transfer(_metadata, self, IORING_OP_READ, IO_LOCALITY_SQE_NONE, 0);
	check(_metadata, self, variant, false);
}

/* A controller fails, and is there again by the time that the process is gone. */
static pid_t reset_path(const FIXTURE_DATA(multipath) * self, unsigned int nr)
{
	pid_t child = fork();
	glob_t paths;

	if (child)
		return child;
	if (glob(t_text("/sys/block/%s/device/nvme*/reset_controller",
			self->head.name),
		 0, NULL, &paths))
		_exit(1);
	_exit(t_write(paths.gl_pathv[nr % paths.gl_pathc], "1") ? 1 : 0);
}

static void read_some(struct __test_metadata *_metadata,
		      FIXTURE_DATA(multipath) * self)
{
	for (int i = 0; i < DEPTH; i++)
		t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, self->fd,
			  self->buf, BYTES, i * 2 * BYTES);
	ASSERT_EQ(0, t_submit(&self->ring, DEPTH));
	for (int i = 0; i < DEPTH; i++)
		ASSERT_EQ(BYTES, t_wait_res(&self->ring));
}

/* Each bio has been sent to a path, and then to another if that failed. */
static unsigned int nr_remapped(const FIXTURE_DATA(multipath) * self)
{
	return t_count(&self->trace, "block_bio_remap", "old_dev",
		       self->head.dev);
}

/*
 * Until it fails with reads in flight, which is up to the emulated drive: beside a slow
 * kernel it has always answered by then.
 */
T_TEST_F(multipath, path_fails)
{
	unsigned int nr_moved = 0;

	for (unsigned int i = 0; i < FAILURES && !nr_moved; i++) {
		long long sectors = 0, hinted = 0;
		struct t_dev paths[T_MAX_PATHS];
		unsigned int reads = 0, nr;
		int status = -1;
		pid_t child;

		t_trace_start(&self->trace);
		child = reset_path(self, i);
		ASSERT_LT(0, child);
		do {
			read_some(_metadata, self);
			reads += DEPTH;
		} while (!waitpid(child, &status,
				  reads < MAX_READS ? WNOHANG : 0));
		ASSERT_EQ(0, status);
		T_OK(t_trace_load(&self->trace));
		nr = t_paths(&self->trace, &self->head, paths);
		for (unsigned int n = 0; n < nr; n++) {
			sectors += t_sectors(&self->trace, &paths[n]);
			hinted += t_sectors_of(&self->trace, &paths[n], FLOW);
		}
		EXPECT_EQ((long long)reads * SECTORS, sectors);
		EXPECT_EQ(sectors, hinted);
		ASSERT_LE(reads, nr_remapped(self));
		nr_moved = nr_remapped(self) - reads;
	}
	TH_LOG("%u reads went to another path", nr_moved);
	if (!nr_moved)
		T_SKIP("no path failed with reads in flight");
}

/* Commands to the character device of both paths, which have no bio. */
FIXTURE(command)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev head;
	struct t_nvme nvme;
	int cpus[T_MAX_CPUS], nr;
};

FIXTURE_SETUP(command)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_POLICY | T_TWO_CPUS |
	       T_STEERING);
	T_OR_SKIP(t_multipath(&self->head));
	T_OK(t_nvme_open(&self->nvme, &self->head));
	ASSERT_LT(0, self->nvme.nsid);
	self->nr = t_cpus(self->cpus);
	T_OK(t_trace_open(&self->trace, T_WAY_EVENTS));
	ASSERT_EQ(0, t_ring_init(&self->ring, 4,
				 IORING_SETUP_SQE128 | IORING_SETUP_CQE32));
}

FIXTURE_TEARDOWN(command)
{
	t_undo_all();
}

T_TEST_F(command, completes_at_home)
{
	static alignas(4096) char buf[4096];

	for (int i = 0; i < self->nr; i++) {
		struct io_locality_hint hint =
			t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL,
				  self->cpus[i], FLOW + i);
		const struct t_event *decided;

		t_stand_on(self->cpus[0], self->cpus[i]);
		ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
		t_trace_start(&self->trace);
		t_prep_nvme_read(t_sqe(&self->ring), &self->nvme, buf, 1,
				 8 + i);
		ASSERT_EQ(0, t_submit_res(&self->ring));
		ASSERT_EQ(0, t_disable(&self->ring));
		T_OK(t_trace_load(&self->trace));
		decided = t_find(&self->trace, "cprov_complete", "flow_id",
				 FLOW + i);
		ASSERT_NE(NULL, decided);
		EXPECT_EQ(self->cpus[i], t_field(decided, "home_cpu", -1));
		EXPECT_EQ(1,
			  t_count(&self->trace, "block_rq_complete", NULL, 0));
		EXPECT_EQ(
			self->cpus[i],
			t_find(&self->trace, "block_rq_complete", NULL, 0)->cpu);
	}
}

TEST_HARNESS_MAIN
