// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl counters: those that count something, all of them, and what is added
 * to them meanwhile.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534

FIXTURE(counters)
{
	struct t_ring ring;
	struct t_dev dev;
	struct t_output o;
	int fd;
};

FIXTURE_SETUP(counters)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_STEP_CRITICAL, -1, 1);

	T_NEED(T_KERNEL | T_ROOT | T_CTL | T_POLICY | T_NULL_BLK);
	T_OK(t_null_blk(&self->dev, ""));
	self->fd = t_dev_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, t_ring_init(&self->ring, 1, 0));
	ASSERT_EQ(0, t_enable(&self->ring, &hint, NULL, 0));
	t_counters_reset();
}

FIXTURE_TEARDOWN(counters)
{
	t_undo_all();
}

static void reads(struct __test_metadata *_metadata,
		  FIXTURE_DATA(counters) * self, int nr)
{
	static char buf[4096] __attribute__((aligned(4096)));

	while (nr--) {
		t_prep_rw(t_sqe(&self->ring), IORING_OP_READ, self->fd, buf,
			  sizeof(buf), 0);
		ASSERT_EQ((int)sizeof(buf), t_submit_res(&self->ring));
	}
}

/* The sum of the second words of all lines. */
static long long sum_of(const char *out)
{
	long long sum = 0;
	const char *line;
	int value;

	for (line = out; *line; line += strcspn(line, "\n") + 1)
		if (sscanf(line, "%*s %d", &value) == 1)
			sum += value;
	return sum;
}

static int lines_of(const char *out)
{
	int lines = 0;

	for (; *out; out++)
		lines += *out == '\n';
	return lines;
}

T_TEST_F(counters, that_count_something)
{
	t_sh(&self->o, "cprovctl counters");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("", self->o.out);
	reads(_metadata, self, 5);
	t_sh(&self->o, "cprovctl counters");
	EXPECT_EQ(0, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.out, "complete/step_critical/"));
	EXPECT_EQ(NULL, strstr(self->o.out, " 0\n"));
	EXPECT_LE(5, sum_of(self->o.out));
	EXPECT_EQ(t_counters_sum(), sum_of(self->o.out));
}

T_TEST_F(counters, all)
{
	struct t_output files;

	reads(_metadata, self, 5);
	t_sh(&self->o, "cprovctl counters --all");
	EXPECT_EQ(0, self->o.status);
	EXPECT_EQ(t_counters_sum(), sum_of(self->o.out));
	t_sh(&files,
	     "find /sys/kernel/completion_provenance/counters -type f ! -name reset");
	EXPECT_EQ(lines_of(files.out), lines_of(self->o.out));
	EXPECT_LE(50, lines_of(self->o.out));
}

T_TEST_F(counters, in_json)
{
	if (!t_have_program("jq"))
		T_SKIP("no jq");
	/* Nothing is something too. */
	t_sh(&self->o, "cprovctl counters --json | jq -c .");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("{}\n", self->o.out);
	reads(_metadata, self, 5);
	t_sh(&self->o, "cprovctl counters --json | jq '[.. | numbers] | add'");
	EXPECT_EQ(0, self->o.status);
	EXPECT_EQ(t_counters_sum(), atoll(self->o.out));
	t_sh(&self->o,
	     "cprovctl counters --json | jq '[.complete.step_critical[]] | add'");
	EXPECT_EQ(0, self->o.status);
	EXPECT_EQ(5, atoll(self->o.out));
	t_sh(&self->o,
	     "cprovctl counters --json --all | jq '.complete.prefetch.at_home, .deferred.kblockd, .queue.latency.steered'");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("0\n0\n0\n", self->o.out);
}

T_TEST_F(counters, reset)
{
	reads(_metadata, self, 5);
	EXPECT_NE(0, t_counters_sum());
	t_sh(&self->o, "cprovctl counters --reset");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("", self->o.out);
	EXPECT_EQ(0, t_counters_sum());
}

T_TEST_F(counters, reset_is_for_root)
{
	reads(_metadata, self, 5);
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	t_sh(&self->o, "cprovctl counters --reset");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "root"));
	EXPECT_NE(0, t_counters_sum());
	t_sh(&self->o, "cprovctl counters");
	EXPECT_EQ(0, self->o.status);
}

/* What was there before is not shown, what comes after is, once. */
T_TEST_F(counters, watched)
{
	char line[512];
	FILE *watch;
	int lines;

	reads(_metadata, self, 5);
	fflush(NULL);
	watch = popen("exec cprovctl counters --json --watch 0.5 --times 30",
		      "r");
	ASSERT_NE(NULL, watch);
	ASSERT_NE(NULL, fgets(line, sizeof(line), watch));
	EXPECT_STREQ("{}\n", line);
	reads(_metadata, self, 7);
	/* It is in this interval, or in the next. */
	for (lines = 1; lines < 30; lines++) {
		ASSERT_NE(NULL, fgets(line, sizeof(line), watch));
		if (strcmp(line, "{}\n"))
			break;
	}
	EXPECT_NE(NULL, strstr(line, "\"step_critical\":{"));
	EXPECT_EQ(NULL, strstr(line, ":12"));
	pclose(watch);
	t_sh(&self->o, "cprovctl counters --watch 0.01 --times 3");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("\n\n", self->o.out);
}

TEST_HARNESS_MAIN
