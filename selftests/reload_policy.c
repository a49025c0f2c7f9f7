// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy comes and goes under load: nothing is lost and nothing completes
 * twice. Each time the kernel's code is patched while all CPUs run it, which
 * the emulator gets wrong with a thread for each CPU (tools/vm/boot.sh,
 * --one-thread).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "t_harness.h"

#define DEPTH 32

FIXTURE(policy)
{
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int fd;
};

FIXTURE_SETUP(policy)
{
	T_NEED(T_KERNEL | T_ROOT | T_NULL_BLK | T_POLICY | T_TWO_CPUS);
	self->nr = t_cpus(self->cpus);
}

FIXTURE_TEARDOWN(policy)
{
	t_undo_all();
}

struct shared {
	bool stop, failed;
	unsigned long long done;
};

/* Requests of all classes to all homes, each of which completes once. */
static int read_on(FIXTURE_DATA(policy) * self, struct shared *shared)
{
	static alignas(4096) char buf[DEPTH * 4096];
	static struct io_locality_hint hints[DEPTH];
	struct io_uring_cqe cqe;
	unsigned char seen[DEPTH];
	unsigned int base = 0;
	struct t_ring ring;

	if (t_ring_init(&ring, DEPTH, 0) || t_enable(&ring, NULL, NULL, 0))
		return 2;
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		for (int i = 0; i < DEPTH; i++) {
			struct io_uring_sqe *sqe = t_sqe(&ring);

			if (!i)
				base = sqe->user_data;
			hints[i] = t_hint_of(i % IO_LOCALITY_NR_CLASSES,
					     self->cpus[i % self->nr],
					     1 + i % 7);
			hints[i].budget_us = i % 3 ? T_LONG_US : 0;
			t_prep_rw(sqe, IORING_OP_READ, self->fd, buf + i * 4096,
				  4096, (__u64)i * 8192);
			t_sqe_hint(sqe, &hints[i]);
		}
		if (t_submit(&ring, DEPTH))
			return 3;
		memset(seen, 0, sizeof(seen));
		for (int i = 0; i < DEPTH; i++) {
			if (!t_cqe(&ring, &cqe) || cqe.res != 4096)
				return 4;
			if (cqe.user_data - base >= DEPTH ||
			    seen[cqe.user_data - base]++)
				return 5;
		}
		if (t_cqe(&ring, &cqe))
			return 6;
		__atomic_add_fetch(&shared->done, DEPTH, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Somebody always looks at the counters; they come and go as well. */
static int look_on(struct shared *shared)
{
	long long sum = 0;

	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED))
		sum += t_counters_sum();
	return sum == 1;
}

static unsigned long long done_so_far(struct shared *shared)
{
	return __atomic_load_n(&shared->done, __ATOMIC_RELAXED);
}

T_TEST_F(policy, reloaded_under_load)
{
	const char *env = getenv("CPROV_RELOADS");
	int reloads = env ? atoi(env) : 50, status, code;
	unsigned long long before = 0;
	struct shared *shared;
	pid_t pids[3];

	T_OK(t_null_blk(&self->dev, t_text("submit_queues=%d", self->nr)));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	shared = t_shared(4096);
	ASSERT_NE(NULL, shared);
	for (int i = 0; i < 3; i++) {
		pids[i] = t_fork();
		if (!pids[i]) {
			code = i < 2 ? read_on(self, shared) : look_on(shared);
			__atomic_store_n(&shared->failed, code,
					 __ATOMIC_RELAXED);
			_exit(code);
		}
	}
	for (int i = 0; i < reloads; i++) {
		/* Each state sees requests: otherwise this would prove little. */
		for (int loaded = 0; loaded < 2; loaded++) {
			const char *why = loaded ? t_policy_load() :
						   t_policy_unload();
			long long end = t_now_ms() + 60000;

			T_EXPECT_EQ(NULL, (void *)why, "reload %d: %s", i, why);
			before = done_so_far(shared);
			while (done_so_far(shared) - before < 4 * DEPTH &&
			       t_now_ms() < end &&
			       !__atomic_load_n(&shared->failed,
						__ATOMIC_RELAXED))
				usleep(100);
			T_EXPECT_LE(4 * DEPTH, done_so_far(shared) - before,
				    "reload %d: requests stopped completing",
				    i);
		}
		if (_metadata->exit_code)
			break;
	}
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(pids[i], waitpid(pids[i], &status, 0));
		EXPECT_EQ(0, status);
	}
	TH_LOG("%d reloads, %llu requests", reloads, done_so_far(shared));
}

TEST_HARNESS_MAIN
