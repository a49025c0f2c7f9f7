// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl's command line: what is wrong with it is said, with status 2, and
 * before anything is done.
 */
#include "t_harness.h"

T_FIXTURE(usage, T_CTL)

static const char *const wrong[] = {
	"",
	"bogus",
	"--bogus",
	"status extra",
	"status --bogus",
	"get --bogus",
	"set",
	"set enabled",
	"set =1",
	"set enabled=1 enabled=0",
	"counters extra",
	"counters --watch",
	"counters --watch 0",
	"counters --watch x",
	"counters --times 1",
	"counters --watch 1 --times 0",
	"counters --reset --all",
	"rules bogus",
	"rules list extra",
	"rules show",
	"rules add",
	"rules add x",
	"rules add x y --comm z",
	"rules add x --comm ''",
	"rules add x --comm 0123456789abcdef",
	"rules add x --uid nobody-of-that-name",
	"rules add x --uid 4294967295",
	"rules add x --cgroup relative",
	"rules add x --comm y --order 65536",
	"rules add x --comm y --order ten",
	"rules add x --comm y --class fast",
	"rules del",
	"rules on",
	"rules off",
	"rules flush extra",
	"rules save a b",
	"rules load a b",
	"run",
	"run --",
	"run --bogus -- true",
	"run --class fast -- true",
	"run --class -- true",
	"run --budget -1 -- true",
	"run --budget 5h -- true",
	"run --budget 4295s -- true",
	"run --budget 4294967296 -- true",
	"run --home-cpu x -- true",
	"run --home-cpu -2 -- true",
	"run --home-node 65536 -- true",
	"run --flow 4294967296 -- true",
	"run --flow x -- true",
	"run --flow 0x -- true",
	"run --json -- true",
	"--json run -- true",
};

T_TEST_F(usage, errors)
{
	struct t_output o;

	for (size_t i = 0; i < T_ARRAY_SIZE(wrong); i++) {
		t_sh(&o, "cprovctl %s", wrong[i]);
		T_EXPECT_EQ(2, o.status, "cprovctl %s", wrong[i]);
		EXPECT_STREQ("", o.out);
		EXPECT_EQ(0, strncmp(o.err, "cprovctl", 8));
	}
}

T_TEST_F(usage, help)
{
	static const char *const commands[] = {
		"",	 "status",    "get",	    "set",	"run",
		"rules", "rules add", "rules list", "counters",
	};
	struct t_output o;

	for (size_t i = 0; i < T_ARRAY_SIZE(commands); i++) {
		t_sh(&o, "cprovctl %s --help", commands[i]);
		EXPECT_EQ(0, o.status);
		EXPECT_EQ(0, strncmp(o.out, "Usage: cprovctl", 15));
		EXPECT_STREQ("", o.err);
	}
	t_sh(&o, "cprovctl --version");
	EXPECT_EQ(0, o.status);
	EXPECT_NE(0, strlen(o.out));
}

/* Which is not the same as having printed it. */
T_TEST_F(usage, output_that_cannot_be_written)
{
	struct t_output o;

	t_sh(&o, "cprovctl status >/dev/full");
	EXPECT_EQ(1, o.status);
	EXPECT_NE(NULL, strstr(o.err, "cannot write"));
}

TEST_HARNESS_MAIN
