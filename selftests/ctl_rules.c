// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl rules: made, shown, turned on and off, deleted, saved and loaded; and
 * an error leaves things as they were.
 */
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534

FIXTURE(rules)
{
	struct t_output o;
	char dir[32];
};

static void remove_dir(const char *dir)
{
	struct t_output o;

	t_sh(&o, "rm -rf %s", dir);
}

/* Those of the test, which has deleted all before. */
static void delete_rules(const char *arg)
{
	struct t_output o;

	(void)arg;
	t_sh(&o, "cprovctl rules flush");
}

FIXTURE_SETUP(rules)
{
	T_NEED(T_KERNEL | T_ROOT | T_CTL | T_RULE);
	t_sh(&self->o, "cprovctl rules save");
	if (self->o.status || *self->o.out)
		T_SKIP("there are rules already, which would be lost");
	t_undo(delete_rules, "");
	snprintf(self->dir, sizeof(self->dir), "/tmp/cprov-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	t_undo(remove_dir, self->dir);
}

FIXTURE_TEARDOWN(rules)
{
	t_undo_all();
}

T_TEST_F(rules, add)
{
	t_sh(&self->o,
	     "cprovctl rules add db --comm 'db server' --uid 70 --cgroup / "
	     "--order 7 --class step_critical --budget 2ms --home-cpu 0 "
	     "--flow 0x10 --follow-task --anti-migrate");
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("", self->o.out);
	EXPECT_STREQ("1", t_rule_get("db", "active"));
	EXPECT_STREQ("db server", t_rule_get("db", "comm"));
	EXPECT_STREQ("70", t_rule_get("db", "uid"));
	EXPECT_STREQ("/", t_rule_get("db", "cgroup"));
	EXPECT_STREQ("7", t_rule_get("db", "order"));
	EXPECT_STREQ("step_critical", t_rule_get("db", "class"));
	EXPECT_STREQ("2000", t_rule_get("db", "budget_us"));
	EXPECT_STREQ("0", t_rule_get("db", "home_cpu"));
	EXPECT_STREQ("-1", t_rule_get("db", "home_node"));
	EXPECT_STREQ("16", t_rule_get("db", "flow_id"));
	EXPECT_STREQ("anti_migrate follow_task", t_rule_get("db", "flags"));
}

T_TEST_F(rules, add_little)
{
	t_sh(&self->o, "cprovctl rules add fio --comm fio --budget 200us");
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("1", t_rule_get("fio", "active"));
	EXPECT_STREQ("latency", t_rule_get("fio", "class"));
	EXPECT_STREQ("200", t_rule_get("fio", "budget_us"));
	EXPECT_STREQ("", t_rule_get("fio", "uid"));
	EXPECT_STREQ("", t_rule_get("fio", "cgroup"));
	EXPECT_STREQ("100", t_rule_get("fio", "order"));
	t_sh(&self->o, "cprovctl rules add --off later --uid root --flow 010");
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("0", t_rule_get("later", "active"));
	EXPECT_STREQ("0", t_rule_get("later", "uid"));
	EXPECT_STREQ("10", t_rule_get("later", "flow_id"));
}

T_TEST_F(rules, add_of_a_group_that_is_not_there_is_said)
{
	t_sh(&self->o, "cprovctl rules add x --cgroup /cprov-not-there");
	EXPECT_EQ(0, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "/cprov-not-there"));
	EXPECT_STREQ("1", t_rule_get("x", "active"));
}

/* What the kernel refuses. */
T_TEST_F(rules, add_or_leave_nothing)
{
	t_sh(&self->o, "cprovctl rules add x --comm y --home-cpu 32767");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "home_cpu"));
	EXPECT_FALSE(t_exists(T_RULES "/x"));
	t_sh(&self->o, "cprovctl rules add x --cgroup /a/../b");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "'/a/../b'"));
	EXPECT_FALSE(t_exists(T_RULES "/x"));
	t_sh(&self->o, "cprovctl rules add 'two words' --comm y");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "two words"));
	t_sh(&self->o, "cprovctl rules add ../../x --comm y");
	EXPECT_EQ(1, self->o.status);
}

T_TEST_F(rules, add_twice)
{
	t_sh(&self->o, "cprovctl rules add x --comm y --flow 1");
	EXPECT_EQ(0, self->o.status);
	t_sh(&self->o, "cprovctl rules add x --comm y --flow 2");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "cprovctl rules del x"));
	/* The one that is there stays. */
	EXPECT_STREQ("1", t_rule_get("x", "flow_id"));
	EXPECT_STREQ("1", t_rule_get("x", "active"));
}

T_TEST_F(rules, list)
{
	t_sh(&self->o, "cprovctl rules");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("", self->o.out);
	t_sh(&self->o, "cprovctl rules add a --comm ca --order 50 &&"
		       "cprovctl rules add c --uid 3 --order 9 &&"
		       "cprovctl rules add b --comm cb --order 50 --off");
	T_ASSERT_EQ(0, self->o.status, "%s", self->o.err);
	t_sh(&self->o, "cprovctl rules | awk '{ print $1, $2, $3, $5 }'");
	EXPECT_STREQ("order name rings whom,\n"
		     "9 c on uid=3\n"
		     "50 a on comm=ca\n"
		     "50 b off comm=cb\n",
		     self->o.out);
}

T_TEST_F(rules, list_in_json)
{
	if (!t_have_program("jq"))
		T_SKIP("no jq");
	t_sh(&self->o, "cprovctl rules --json | jq -c .");
	EXPECT_STREQ("[]\n", self->o.out);
	t_sh(&self->o,
	     "cprovctl rules add a --comm 'q\"\\' --budget 1ms --follow-task &&"
	     "cprovctl rules add b --uid 3 --order 9 --class prefetch --off");
	T_ASSERT_EQ(0, self->o.status, "%s", self->o.err);
	t_sh(&self->o, "cprovctl rules list --json | jq -c .[]");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ(
		"{\"name\":\"b\",\"order\":9,\"active\":false,\"rings\":0,\"comm\":null,\"uid\":3,\"cgroup\":null,"
		"\"class\":\"prefetch\",\"budget_us\":0,\"home_cpu\":-1,\"home_node\":-1,\"flow_id\":0,\"flags\":[]}\n"
		"{\"name\":\"a\",\"order\":100,\"active\":true,\"rings\":0,\"comm\":\"q\\\"\\\\\",\"uid\":null,\"cgroup\":null,"
		"\"class\":\"latency\",\"budget_us\":1000,\"home_cpu\":-1,\"home_node\":-1,\"flow_id\":0,\"flags\":[\"follow_task\"]}\n",
		self->o.out);
	t_sh(&self->o, "cprovctl rules show a --json | jq -r .[].comm");
	EXPECT_STREQ("q\"\\\n", self->o.out);
	/* Any bytes are a name, and JSON is UTF-8. */
	t_sh(&self->o,
	     "cprovctl rules add c --comm \"$(printf '\\303\\244\\377\\302z\\355\\240\\200')\" &&"
	     "cprovctl rules show c --json | jq -r .[].comm");
	EXPECT_STREQ("\u00e4\ufffd\ufffdz\ufffd\ufffd\ufffd\n", self->o.out);
}

T_TEST_F(rules, on_and_off)
{
	t_sh(&self->o, "cprovctl rules add a --comm x; "
		       "cprovctl rules add b --comm x; "
		       "cprovctl rules off a b");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("0", t_rule_get("a", "active"));
	EXPECT_STREQ("0", t_rule_get("b", "active"));
	t_sh(&self->o, "cprovctl rules on b");
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("0", t_rule_get("a", "active"));
	EXPECT_STREQ("1", t_rule_get("b", "active"));
	t_sh(&self->o, "cprovctl rules on a bogus");
	EXPECT_EQ(1, self->o.status);
	EXPECT_STREQ("0", t_rule_get("a", "active"));
}

T_TEST_F(rules, del_and_flush)
{
	t_sh(&self->o,
	     "for i in a b c d; do cprovctl rules add $i --comm x; done");
	EXPECT_EQ(0, self->o.status);
	t_sh(&self->o, "cprovctl rules del a c");
	EXPECT_EQ(0, self->o.status);
	EXPECT_FALSE(t_exists(T_RULES "/a"));
	EXPECT_TRUE(t_exists(T_RULES "/b"));
	EXPECT_FALSE(t_exists(T_RULES "/c"));
	/* All that are named, or none. */
	t_sh(&self->o, "cprovctl rules del b a");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "no rule 'a'"));
	EXPECT_TRUE(t_exists(T_RULES "/b"));
	t_sh(&self->o, "cprovctl rules flush");
	EXPECT_EQ(0, self->o.status);
	EXPECT_FALSE(t_exists(T_RULES "/b"));
	EXPECT_FALSE(t_exists(T_RULES "/d"));
	/* Which lets the module go. */
	T_OK(t_policy_unload());
	T_OK(t_policy_load());
}

T_TEST_F(rules, save_and_load)
{
	t_sh(&self->o,
	     "cprovctl rules add a --comm ' a=b # ' --order 3 --flow 9 && "
	     "cprovctl rules add b --uid 3 --cgroup '/a b' --off --anti-migrate"
	     " && cprovctl rules save %s/rules",
	     self->dir);
	T_ASSERT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ("", self->o.out);
	t_sh(&self->o, "cprovctl rules flush && cprovctl rules load %s/rules",
	     self->dir);
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
	EXPECT_STREQ(" a=b # ", t_rule_get("a", "comm"));
	EXPECT_STREQ("3", t_rule_get("a", "order"));
	EXPECT_STREQ("9", t_rule_get("a", "flow_id"));
	EXPECT_STREQ("1", t_rule_get("a", "active"));
	EXPECT_STREQ("/a b", t_rule_get("b", "cgroup"));
	EXPECT_STREQ("anti_migrate", t_rule_get("b", "flags"));
	EXPECT_STREQ("0", t_rule_get("b", "active"));
	/* The same again, by way of standard output and input. */
	t_sh(&self->o,
	     "cprovctl rules save >%s/again && cmp %s/rules %s/again && "
	     "cprovctl rules flush && cprovctl rules load <%s/again && "
	     "cprovctl rules save - | cmp - %s/rules",
	     self->dir, self->dir, self->dir, self->dir, self->dir);
	T_EXPECT_EQ(0, self->o.status, "%s", self->o.err);
}

T_TEST_F(rules, save_where_it_cannot)
{
	t_sh(&self->o,
	     "cprovctl rules add a --comm x && "
	     "echo old >%s/rules && mkdir %s/rules.new && "
	     "cprovctl rules save %s/rules",
	     self->dir, self->dir, self->dir);
	EXPECT_EQ(1, self->o.status);
	t_sh(&self->o, "cat %s/rules", self->dir);
	EXPECT_STREQ("old\n", self->o.out);
}

/* What is no file is written to, and a link is followed, not replaced. */
T_TEST_F(rules, save_to_what_is_there)
{
	t_sh(&self->o,
	     "cd %s && cprovctl rules add a --comm x && mkfifo pipe && "
	     "(cat pipe >read &) && cprovctl rules save pipe && test -p pipe && "
	     "touch file && ln -s file link && cprovctl rules save link && "
	     "test -L link && grep -q comm=x file && "
	     "ln -s nothing lost && ! cprovctl rules save lost 2>said && "
	     "grep -q 'link to nothing' said && "
	     "cprovctl rules save /dev/full",
	     self->dir);
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "/dev/full"));
	/* What somebody else may have put there is not written through. */
	t_sh(&self->o,
	     "cd %s && ln -s elsewhere new.new && cprovctl rules save new; "
	     "echo $? && test ! -e elsewhere && test ! -e new",
	     self->dir);
	EXPECT_EQ(0, self->o.status);
	EXPECT_STREQ("1\n", self->o.out);
	EXPECT_NE(NULL, strstr(self->o.err, "new.new is there"));
}

static const struct {
	const char *text, *said;
} files[] = {
	{ "[good]\ncomm=x\n[bad\n", ":3:" },
	{ "[good]\ncomm=x\n[]\n", ":3:" },
	{ "comm=x\n", ":1:" },
	{ "[good]\ncomm=x\nbogus=1\n", "'bogus'" },
	{ "[good]\ncomm=x\nrings=1\n", "'rings'" },
	{ "[good]\ncomm=x\ncomm=y\n", ":3:" },
	{ "[good]\ncomm=x\nactive=2\n", ":3:" },
	{ "[good]\ncomm=x\nnothing\n", ":3:" },
	{ "[good]\ncomm=x\n[good]\ncomm=y\n", "twice" },
	/* What only the kernel knows. */
	{ "[good]\ncomm=x\n[empty]\nclass=latency\n", "'empty'" },
	{ "[good]\ncomm=x\n[bad]\ncomm=y\nbudget_us=x\n", "budget_us" },
	{ "[good]\ncomm=x\n[bad]\ncomm=y\nhome_cpu=32767\n", "'bad'" },
	{ "[good]\ncomm=x\n[there]\ncomm=y\n", "there is a rule 'there'" },
	{ "[good]\ncomm=x\n[../bad]\ncomm=y\n", "'../bad'" },
};

T_TEST_F(rules, load_all_or_none)
{
	t_sh(&self->o, "cprovctl rules add there --comm z --flow 9");
	ASSERT_EQ(0, self->o.status);
	for (size_t i = 0; i < T_ARRAY_SIZE(files); i++) {
		const char *path = t_text("%s/rules", self->dir);
		FILE *file = fopen(path, "w");

		ASSERT_NE(NULL, file);
		fputs(files[i].text, file);
		ASSERT_EQ(0, fclose(file));
		t_sh(&self->o, "cprovctl rules load %s", path);
		T_EXPECT_EQ(1, self->o.status, "file %zu", i);
		T_EXPECT_TRUE(!!strstr(self->o.err, files[i].said),
			      "file %zu: %s", i, self->o.err);
		T_EXPECT_TRUE(!t_exists(T_RULES "/good"), "file %zu", i);
		EXPECT_STREQ("9", t_rule_get("there", "flow_id"));
		EXPECT_STREQ("1", t_rule_get("there", "active"));
	}
	t_sh(&self->o, "cprovctl rules load %s/not-there", self->dir);
	EXPECT_EQ(1, self->o.status);
}

T_TEST_F(rules, are_for_root)
{
	t_sh(&self->o, "cprovctl rules add a --comm x");
	ASSERT_EQ(0, self->o.status);
	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	t_sh(&self->o, "cprovctl rules save");
	EXPECT_EQ(0, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.out, "[a]\n"));
	t_sh(&self->o, "cprovctl rules add b --comm x");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "only root"));
	t_sh(&self->o, "cprovctl rules off a");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "only root"));
	t_sh(&self->o, "cprovctl rules flush");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "only root"));
	EXPECT_STREQ("1", t_rule_get("a", "active"));
}

T_TEST_F(rules, say_that_configfs_is_not_mounted)
{
	t_sh(&self->o, "unshare -m sh -c 'umount /sys/kernel/config && "
		       "cprovctl rules'");
	EXPECT_EQ(1, self->o.status);
	EXPECT_NE(NULL, strstr(self->o.err, "mount -t configfs"));
}

TEST_HARNESS_MAIN
