// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a test cannot do without, and the policy module.
 */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULE "completion_provenance"

bool t_policy_loaded(void)
{
	return t_exists(T_KNOBS "/enabled");
}

static void policy_unload_undo(const char *arg)
{
	(void)arg;
	t_policy_unload();
}

static void policy_load_undo(const char *arg)
{
	(void)arg;
	t_policy_load();
}

/* Where a built module may be: what the environment says, or beside the tests. */
static int policy_open(void)
{
	const char *env = getenv("CPROV_KO");
	char self[PATH_MAX] = "";
	int fd = -1;

	if (env)
		return open(env, O_RDONLY | O_CLOEXEC);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0)
		fd = open(t_text("%s/" MODULE ".ko", dirname(self)),
			  O_RDONLY | O_CLOEXEC);
	return fd;
}

const char *t_policy_load(void)
{
	static const char *const modprobe[] = { "modprobe", "-q", MODULE,
						NULL };
	int fd, ret = 0;

	if (t_policy_loaded())
		return NULL;
	fd = policy_open();
	if (fd < 0) {
		if (!t_have_program("modprobe") || t_run(modprobe) ||
		    !t_policy_loaded())
			return "no " MODULE ".ko: set CPROV_KO";
		return NULL;
	}
	if (syscall(__NR_finit_module, fd, "", 0))
		ret = errno;
	close(fd);
	/* Somebody else may have been faster. */
	if (ret && ret != EEXIST)
		return t_text("loading " MODULE ".ko: %s", strerror(ret));
	return NULL;
}

const char *t_policy_unload(void)
{
	if (syscall(__NR_delete_module, MODULE, 0) && errno != ENOENT)
		return t_text("unloading " MODULE ": %s", strerror(errno));
	return NULL;
}

/* As the tests expect it; what was found comes back. */
static const char *policy_default(void)
{
	bool was_loaded = t_policy_loaded();
	const char *why = t_policy_load();

	if (why)
		return why;
	t_undo(was_loaded ? policy_load_undo : policy_unload_undo, "");
	if (t_set(T_KNOBS "/enabled", "1") ||
	    t_set(T_KNOBS "/steer_classes", "latency step_critical") ||
	    t_set(T_KNOBS "/bind_classes", "latency step_critical") ||
	    t_set(T_KNOBS "/exact_classes", "latency step_critical"))
		return "cannot set the policy's knobs";
	return NULL;
}

static const char *need_kernel(void)
{
	struct io_locality_probe probe;
	int ret = t_probe(-1, &probe);

	switch (ret) {
	case 0:
		break;
	case -EINVAL:
	case -EBADF:
		return "this kernel has no completion provenance";
	case -EPERM:
		return "io_uring is switched off";
	default:
		return t_text("the probe failed: %s", strerror(-ret));
	}
	if (!geteuid()) {
		t_set("/proc/sys/kernel/completion_provenance", "1");
		t_set("/proc/sys/kernel/completion_provenance_step_critical",
		      "0");
	}
	return NULL;
}

static const char *need_null_blk(void)
{
	static const char *const modprobe[] = { "modprobe", "-q", "null_blk",
						"nr_devices=0", NULL };

	if (!t_exists("/sys/kernel/config/nullb") && t_have_program("modprobe"))
		t_run(modprobe);
	return t_exists("/sys/kernel/config/nullb") ?
		       NULL :
		       "no null_blk with configfs (CONFIG_BLK_DEV_NULL_BLK)";
}

static const char *need_rules(void)
{
	return t_exists(T_RULES) ?
		       NULL :
		       "the policy has no rules (CONFIG_CONFIGFS_FS, mounted)";
}

static const char *need_task_default(void)
{
	int ret = t_task_default(NULL);

	return ret ? t_text("no defaults for rings to inherit: %s",
			    strerror(-ret)) :
		     NULL;
}

/* As "cprovctl", for command lines. */
static const char *need_ctl(void)
{
	const char *env = getenv("CPROVCTL"), *path = getenv("PATH");
	char copy[PATH_MAX];

	if (env) {
		snprintf(copy, sizeof(copy), "%s", env);
		setenv("PATH", t_text("%s:%s", dirname(copy), path ? path : ""),
		       1);
	}
	return t_have_program("cprovctl") ? NULL : "no cprovctl: set CPROVCTL";
}

const char *t_own_program(const char *name)
{
	static char path[PATH_MAX + 64];
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return name;
	snprintf(path, sizeof(path), "%s/%s", dirname(self), name);
	return path;
}

bool t_booted_with(const char *option)
{
	char line[4096], *word, *save;

	if (t_read(line, sizeof(line), "/proc/cmdline"))
		return false;
	for (word = strtok_r(line, "\n ", &save); word;
	     word = strtok_r(NULL, "\n ", &save))
		if (!strcmp(word, option))
			return true;
	return false;
}

/*
 * A module that was named, and does not fit a kernel that could use it, or is not the
 * tests', is a failure. Of others there may be none.
 */
static const char *must_policy(const char *why)
{
	struct io_locality_probe probe;

	if (getenv("CPROV_KO") && !geteuid() && !t_probe(-1, &probe)) {
		printf("# %s\n", why);
		exit(1);
	}
	return why;
}

const char *t_need(unsigned int what)
{
	int cpus[T_MAX_CPUS];
	const char *why;

	if (what & T_TASK_DEFAULT)
		what |= T_KERNEL;
	if (what & T_RULE)
		what |= T_POLICY;
	if (what & T_KERNEL) {
		why = need_kernel();
		if (why)
			return why;
	}
	if ((what & T_ROOT) && geteuid())
		return "needs root";
	if ((what & T_TWO_CPUS) && t_cpus(cpus) < 2)
		return "needs two CPUs";
	if ((what & T_STEERING) && t_booted_with("threadirqs"))
		return "booted with threadirqs, nothing is steered";
	if ((what & T_TRACE) &&
	    !t_exists("/sys/kernel/tracing/events/cprov/cprov_complete/enable"))
		return "no cprov tracepoints in /sys/kernel/tracing (CONFIG_FTRACE)";
	if (what & T_NULL_BLK) {
		why = need_null_blk();
		if (why)
			return why;
	}
	if (what & T_POLICY) {
		why = policy_default();
		if (!why && what & T_RULE)
			why = need_rules();
		if (why)
			return must_policy(why);
	}
	if (what & T_CTL) {
		why = need_ctl();
		if (why)
			return why;
	}
	if (what & T_TASK_DEFAULT)
		return need_task_default();
	return NULL;
}
