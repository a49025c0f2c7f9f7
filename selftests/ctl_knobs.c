// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl get and set: the policy's knobs, all of them or none.
 */
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534

FIXTURE(knobs)
{
	struct t_output o;
};

FIXTURE_SETUP(knobs)
{
	T_NEED(T_KERNEL | T_ROOT | T_CTL | T_POLICY);
	/* So that they come back. */
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/latency", "1234"));
	ASSERT_EQ(0, t_set(T_KNOBS "/window_us/prefetch", "4321"));
	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "0"));
	ASSERT_EQ(0, t_set(T_KNOBS "/enabled", "1"));
	ASSERT_EQ(0, t_set(T_KNOBS "/steer_classes", "prefetch"));
	ASSERT_EQ(0, t_set(T_KNOBS "/steer_classes", "latency step_critical"));
}

FIXTURE_TEARDOWN(knobs)
{
	t_undo_all();
}

static const char *knob(const char *name)
{
	char value[256];

	if (t_read(value, sizeof(value), T_KNOBS "/%s", name))
		return "?";
	return t_text("%s", value);
}

T_TEST_F(knobs, get)
{
	t_sh(&self->o, "cprovctl get");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("", self->o.err);
	EXPECT_NE(NULL, strstr(self->o.out, "enabled=1\n"));
	EXPECT_NE(NULL,
		  strstr(self->o.out, "steer_classes=latency step_critical\n"));
	EXPECT_NE(NULL, strstr(self->o.out, "window_us/latency=1234\n"));
	/* Neither counters nor what resets them. */
	EXPECT_EQ(NULL, strstr(self->o.out, "reset"));
	EXPECT_EQ(NULL, strstr(self->o.out, "at_home"));
	t_sh(&self->o, "cprovctl get window_us/prefetch enabled");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("window_us/prefetch=4321\nenabled=1\n", self->o.out);
}

T_TEST_F(knobs, get_in_json)
{
	if (!t_have_program("jq"))
		T_SKIP("no jq");
	t_sh(&self->o,
	     "cprovctl get --json | jq -c '[.enabled, .steer_classes, .\"window_us/latency\"]'");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("[1,\"latency step_critical\",1234]\n", self->o.out);
}

T_TEST_F(knobs, get_what_is_not_there)
{
	t_sh(&self->o, "cprovctl get enabled bogus");
	EXPECT_EQ(1, self->o.status);
	EXPECT_STREQ("", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "'bogus'"));
	/* And what there is instead. */
	EXPECT_NE(NULL, strstr(self->o.err, "steer_classes"));
	t_sh(&self->o, "cprovctl get ../../kernel/uevent_seqnum");
	EXPECT_EQ(1, self->o.status);
}

T_TEST_F(knobs, set)
{
	t_sh(&self->o,
	     "cprovctl set enabled=0 steer_classes='prefetch latency' window_us/latency=77");
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("", self->o.out);
	EXPECT_STREQ("0", knob("enabled"));
	EXPECT_STREQ("latency prefetch", knob("steer_classes"));
	EXPECT_STREQ("77", knob("window_us/latency"));
	/* No class is a list of classes. */
	t_sh(&self->o, "cprovctl set steer_classes=");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("", knob("steer_classes"));
}

/* The first two could be turned, and one of them was for a moment. */
T_TEST_F(knobs, set_all_or_none)
{
	static const char *const bad[] = {
		"enabled=2",	     "steer_classes=fast",
		"bind_classes=slow", "exact_classes=near",
		"bogus=1",	     "counters/reset=1",
	};

	for (size_t i = 0; i < T_ARRAY_SIZE(bad); i++) {
		t_sh(&self->o,
		     "cprovctl set window_us/latency=77 window_us/prefetch=78 %s",
		     bad[i]);
		T_EXPECT_EQ(1, self->o.status, "%s", bad[i]);
		EXPECT_NE(NULL,
			  strstr(self->o.err,
				 t_text("'%.*s'", (int)strcspn(bad[i], "="),
					bad[i])));
		EXPECT_STREQ("1234", knob("window_us/latency"));
		EXPECT_STREQ("4321", knob("window_us/prefetch"));
		EXPECT_STREQ("1", knob("enabled"));
		EXPECT_STREQ("latency step_critical", knob("steer_classes"));
	}
}

T_TEST_F(knobs, set_is_for_root)
{
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	t_sh(&self->o, "cprovctl get enabled");
	EXPECT_EQ(0, self->o.status);
	t_sh(&self->o, "cprovctl set enabled=0");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "root"));
	EXPECT_STREQ("1", knob("enabled"));
}

T_TEST_F(knobs, say_what_to_do_without_a_policy)
{
	static const char *const commands[] = {
		"get",	       "set enabled=1",
		"counters",    "counters --reset",
		"rules",       "rules add x --comm y",
		"rules flush",
	};

	T_OK(t_policy_unload());
	for (size_t i = 0; i < T_ARRAY_SIZE(commands); i++) {
		t_sh(&self->o, "cprovctl %s", commands[i]);
		T_EXPECT_EQ(1, self->o.status, "%s", commands[i]);
		EXPECT_NE(NULL, strstr(self->o.err,
				       "modprobe completion_provenance"));
	}
	T_OK(t_policy_load());
}

TEST_HARNESS_MAIN
