// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has to be flushed waits for others and is inserted into its queue again, by a
 * kernel thread on the CPU that submitted it: so it stays in that CPU's queue, and only
 * its completion comes home.
 */
#include <fcntl.h>

#include "t_harness.h"

FIXTURE(flush)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev dev;
	int submit, home; /* CPUs with a queue each */
	int fd;
};

FIXTURE_VARIANT(flush)
{
	/* Whether the device can write through its cache, and needs no flush for it. */
	bool fua;
};

T_VARIANT(flush, afterwards, .fua = false);
T_VARIANT(flush, not_needed, .fua = true);

FIXTURE_SETUP(flush)
{
	int cpus[T_MAX_CPUS], nr;

	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	nr = t_cpus(cpus);
	self->submit = cpus[0];
	self->home = cpus[nr - 1];
	T_OK(t_null_blk(
		&self->dev,
		t_text("memory_backed=1 cache_size=4 fua=%d submit_queues=%d",
		       variant->fua, self->home + 1)));
	T_OK(t_trace_open(&self->trace, T_SHOT_EVENTS));
	self->fd = t_dev_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 4, 0));
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(flush)
{
	t_undo_all();
}

static struct t_shot write_home(struct __test_metadata *_metadata,
				FIXTURE_DATA(flush) * self,
				unsigned int rw_flags)
{
	struct t_shot shot = {
		.hint = t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, self->home,
				  0),
		.submit_cpu = self->submit,
		.write = true,
		.rw_flags = rw_flags,
	};

	T_OK(t_shoot(&self->ring, self->fd, &self->trace, &shot, 1));
	EXPECT_EQ(4096, shot.res);
	EXPECT_EQ(self->home, shot.chosen_cpu);
	return shot;
}

T_TEST_F(flush, what_needs_none_has_the_queue_of_home)
{
	struct t_shot shot = write_home(_metadata, self, 0);

	EXPECT_EQ(self->home, shot.queue_cpu);
}

T_TEST_F(flush, what_does_stays_in_the_queue_of_the_submitter)
{
	struct t_shot shot = write_home(_metadata, self, RWF_DSYNC);

	EXPECT_EQ(variant->fua ? self->home : -1, shot.queue_cpu);
	EXPECT_EQ(self->home, shot.done_cpu);
}

TEST_HARNESS_MAIN
