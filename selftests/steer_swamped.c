// SPDX-License-Identifier: GPL-2.0-only
/*
 * A home CPU is sent so many completions a second, of whomever and from wherever:
 * those past that complete as without a hint, and say so.
 */
#include <fcntl.h>

#include "t_harness.h"

#define LIMIT T_KNOBS "/limits/cpu_steered"
#define CLS IO_LOCALITY_CLASS_STEP_CRITICAL
#define NR 24

FIXTURE(swamped)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int cpus[T_MAX_CPUS], nr;
	int submit, home;
	int fd;
	long long since_ms;
};

FIXTURE_SETUP(swamped)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	/* So that nothing is left of what others were sent. */
	T_OR_SKIP(t_policy_unload());
	T_OK(t_policy_load());
	/* One queue, so that all that comes home is sent there. */
	T_OK(t_null_blk(&self->dev, ""));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, IORING_SETUP_CQE32));
	ASSERT_EQ(0, t_enable_receipts(&self->ring, NULL));
	self->nr = t_cpus(self->cpus);
	self->submit = self->cpus[0];
	self->home = self->cpus[self->nr - 1];
	/* What an account has saved is then what it gets in a second: one. */
	ASSERT_EQ(0, t_set(LIMIT, "1"));
	self->since_ms = t_now_ms();
}

FIXTURE_TEARDOWN(swamped)
{
	t_undo_all();
}

/*
 * How many of some requests were sent home; the others were not, for this reason.
 * There may be more than are looked at, as one whose task strayed is tried again.
 */
static long long count_sent(struct __test_metadata *_metadata,
			    FIXTURE_DATA(swamped) * self, struct t_shot *shots,
			    int nr)
{
	const long long sent = t_counter("complete", CLS, T_STEERED);
	const long long swamped = t_counter("complete", CLS, T_SWAMPED);

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, nr));
	for (int i = 0; i < nr; i++) {
		const struct t_shot *shot = &shots[i];
		bool steered = shot->reason == T_STEERED;

		T_EXPECT_EQ(steered ? T_STEERED : T_SWAMPED, shot->reason,
			    "%d: %s", i, t_reason_name(shot->reason));
		EXPECT_EQ(steered ? shot->hint.home_cpu : -1, shot->chosen_cpu);
		/* null_blk completes where it was submitted. */
		EXPECT_EQ(steered ? shot->hint.home_cpu : shot->submit_cpu,
			  shot->done_cpu);
		EXPECT_EQ(1, shot->nr_done);
	}
	/* Nothing else became of any. */
	EXPECT_LE(nr, t_counter("complete", CLS, T_STEERED) - sent +
			      t_counter("complete", CLS, T_SWAMPED) - swamped);
	return t_counter("complete", CLS, T_STEERED) - sent;
}

/* One that was saved, and one for each second that has begun since. */
static void check_sent(struct __test_metadata *_metadata,
		       const FIXTURE_DATA(swamped) * self, long long sent)
{
	EXPECT_LE(1, sent);
	EXPECT_GE(2 + (t_now_ms() - self->since_ms) / 1000, sent);
}

/* All at one home, from some CPUs in turn. */
static void aim(struct t_shot shots[NR], int home, const int *cpus, int nr)
{
	for (int i = 0; i < NR; i++)
		shots[i] = (struct t_shot){
			.hint = t_hint_of(CLS, home, 0),
			.submit_cpu = cpus[i % nr],
		};
}

T_TEST_F(swamped, so_many_a_second)
{
	struct t_shot shots[NR];
	long long sent;

	aim(shots, self->home, &self->submit, 1);
	sent = count_sent(_metadata, self, shots, NR);
	check_sent(_metadata, self, sent);
	/* Where it is at home it is sent nothing. */
	shots[0].submit_cpu = self->home;
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, 1));
	EXPECT_EQ(T_AT_HOME, shots[0].reason);
}

/* From all CPUs together it is no more than from one. */
T_TEST_F(swamped, whoever_sends)
{
	struct t_shot shots[NR];
	long long sent;

	aim(shots, self->home, self->cpus, self->nr - 1);
	sent = count_sent(_metadata, self, shots, NR);
	check_sent(_metadata, self, sent);
}

/* Each has an account of its own. */
T_TEST_F(swamped, no_other_home)
{
	struct t_shot shots[NR];

	if (self->nr < 3)
		T_SKIP("needs three CPUs");
	aim(shots, self->home, &self->submit, 1);
	shots[NR - 1].hint.home_cpu = self->cpus[1];
	count_sent(_metadata, self, shots, NR);
	/* Twice, if its task strayed. */
	EXPECT_LE(1, t_count(&self->trace, "cprov_complete", "cpu",
			     self->cpus[1]));
}

T_TEST_F(swamped, without_a_limit)
{
	struct t_shot shots[NR];

	ASSERT_EQ(0, t_set(LIMIT, "0"));
	aim(shots, self->home, &self->submit, 1);
	EXPECT_LE(NR, count_sent(_metadata, self, shots, NR));
}

T_TEST_F(swamped, says_so_in_its_receipt)
{
	static alignas(4096) char buf[4096];
	struct io_locality_hint hint = t_hint_of(CLS, self->home, 0);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	int swamped = 0;
	__u64 big[2];

	for (int i = 0; i < NR; i++) {
		ASSERT_EQ(0, t_stand_on(self->submit, self->home));
		sqe = t_sqe(&self->ring);
		t_prep_rw(sqe, IORING_OP_READ, self->fd, buf, sizeof(buf), 0);
		t_sqe_hint(sqe, &hint);
		ASSERT_EQ(0, t_submit(&self->ring, 1));
		ASSERT_TRUE(t_cqe_big(&self->ring, &cqe, big));
		EXPECT_EQ((int)sizeof(buf), cqe.res);
		swamped += big[1] >> IO_LOCALITY_RECEIPT_REASON ==
			   IO_LOCALITY_REASON_SWAMPED;
	}
	EXPECT_LT(0, swamped);
	EXPECT_GE(NR, swamped + 1);
}

TEST_HARNESS_MAIN
