// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl status: what this kernel and its policy can do, for whoever asks,
 * and an exit status that tells a kernel that cannot.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "t_harness.h"

#define NOBODY 65534

T_FIXTURE(status, T_KERNEL | T_ROOT | T_CTL | T_POLICY | T_TASK_DEFAULT)
T_FIXTURE(old_kernel, T_CTL)
T_FIXTURE(sandbox, T_CTL)

static const char *member(struct t_output *o, const char *filter)
{
	t_sh(o, "cprovctl status --json | jq -r '%s'", filter);
	o->out[strcspn(o->out, "\n")] = '\0';
	return o->status ? o->err : o->out;
}

/* 3, which no failure of another kind has. */
T_TEST_F(old_kernel, is_told_by_the_exit_status)
{
	struct t_output o;

	if (!t_need(T_KERNEL))
		T_SKIP("this kernel has completion provenance");
	t_sh(&o, "cprovctl status");
	EXPECT_EQ(3, o.status);
	t_sh(&o, "cprovctl get");
	EXPECT_EQ(3, o.status);
	EXPECT_NE(NULL, strstr(o.err, "no completion provenance"));
	t_sh(&o, "cprovctl rules");
	EXPECT_EQ(3, o.status);
	t_sh(&o, "cprovctl run --strict -- true");
	EXPECT_EQ(3, o.status);
	/* Hints are never needed. */
	t_sh(&o, "cprovctl run -- sh -c 'echo it runs; exit 42'");
	EXPECT_EQ(42, o.status);
	EXPECT_STREQ("it runs\n", o.out);
	EXPECT_NE(NULL, strstr(o.err, "running without a hint"));
}

T_TEST_F(status, says_what_there_is)
{
	struct t_output o;

	t_sh(&o, "cprovctl status");
	EXPECT_EQ(0, o.status);
	EXPECT_STREQ("", o.err);
	EXPECT_NE(NULL, strstr(o.out, "kernel: completion provenance"));
	EXPECT_NE(NULL, strstr(o.out, "policy: loaded"));
	EXPECT_NE(NULL, strstr(o.out, "steer_classes"));
	EXPECT_NE(NULL, strstr(o.out, "rules: "));
}

/* Which is no reason to say nothing else. */
T_TEST_F(status, says_that_rings_are_disabled)
{
	struct t_output o;

	ASSERT_EQ(0, t_set("/proc/sys/kernel/io_uring_disabled", "2"));
	t_sh(&o, "cprovctl status");
	EXPECT_EQ(0, o.status);
	EXPECT_NE(NULL, strstr(o.out, "kernel.io_uring_disabled"));
	EXPECT_NE(NULL, strstr(o.out, "policy: loaded"));
	if (t_have_program("jq"))
		EXPECT_STREQ("false", member(&o, ".kernel.rings"));
}

T_TEST_F(status, says_it_in_json)
{
	struct t_output o;

	if (!t_have_program("jq"))
		T_SKIP("no jq");
	EXPECT_STREQ("true", member(&o, ".kernel.supported"));
	EXPECT_STREQ(t_text("%d", IO_LOCALITY_ABI_VERSION),
		     member(&o, ".kernel.abi"));
	EXPECT_STREQ("true", member(&o, ".kernel.hints"));
	EXPECT_STREQ("true", member(&o, ".kernel.rings"));
	EXPECT_STREQ("true", member(&o, ".kernel.step_critical"));
	EXPECT_STREQ("true", member(&o, ".kernel.task_default"));
	EXPECT_STREQ(t_text("%d", IO_LOCALITY_MAX_SLOTS),
		     member(&o, ".kernel.max_slots"));
	EXPECT_STREQ("true", member(&o, ".policy.loaded"));
	EXPECT_STREQ("1", member(&o, ".policy.knobs.enabled"));
	EXPECT_STREQ("latency step_critical",
		     member(&o, ".policy.knobs.steer_classes"));
	EXPECT_STREQ("0", member(&o, ".rules.total"));
	/* The option may be on either side of the command. */
	t_sh(&o, "cprovctl --json status | jq -e .kernel");
	EXPECT_EQ(0, o.status);
}

T_TEST_F(status, says_what_is_off)
{
	struct t_output o;

	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "0"));
	t_sh(&o, "cprovctl status");
	EXPECT_EQ(0, o.status);
	EXPECT_NE(NULL, strstr(o.out, "kernel.completion_provenance=1"));
	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "1"));
	T_OK(t_policy_unload());
	t_sh(&o, "cprovctl status");
	EXPECT_EQ(0, o.status);
	EXPECT_NE(NULL, strstr(o.out, "modprobe completion_provenance"));
	T_OK(t_policy_load());
}

T_TEST_F(status, counts_rules)
{
	struct t_output o;

	T_NEED(T_RULE);
	T_OK(t_rule("cprov-a", "uid=12345"));
	ASSERT_EQ(0, t_rule_make("cprov-b"));
	t_sh(&o, "cprovctl status");
	EXPECT_NE(NULL, strstr(o.out, "rules: 2, of which active: 1"));
}

/* Who may not ask does not know that there is nothing. */
T_TEST_F(sandbox, is_no_lack_of_the_kernel)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_register, 0,
			 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { T_ARRAY_SIZE(code), code };
	struct t_output o;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
		T_SKIP("no seccomp");
	t_sh(&o, "cprovctl status");
	EXPECT_EQ(1, o.status);
	EXPECT_NE(NULL, strstr(o.out, "or the sandbox"));
	if (t_have_program("jq"))
		EXPECT_STREQ("null", member(&o, ".kernel.supported"));
}

T_TEST_F(status, is_for_anybody)
{
	struct t_output o;

	ASSERT_EQ(0, setresuid(NOBODY, NOBODY, NOBODY));
	t_sh(&o, "cprovctl status");
	EXPECT_EQ(0, o.status);
	EXPECT_STREQ("", o.err);
	EXPECT_NE(NULL, strstr(o.out, "not permitted to you"));
	EXPECT_NE(NULL, strstr(o.out, "steer_classes"));
}

TEST_HARNESS_MAIN
