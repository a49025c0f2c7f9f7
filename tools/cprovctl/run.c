// SPDX-License-Identifier: GPL-2.0-only
/* cprovctl run: one program, and all that it starts, with a hint. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cprovctl.h"

static const char help[] =
	"Usage: cprovctl run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Run PROGRAM so that its io_uring rings, and those of all that it starts, have a\n"
	"default hint. It needs no change. A program that gives hints itself keeps its own.\n"
	"\n";

static const char more_help[] =
	"  --strict               fail where there can be no hint: the kernel has none, or\n"
	"                         hints are turned off. Otherwise that is a warning, and\n"
	"                         PROGRAM runs without\n"
	"\n"
	"Example:\n"
	"  cprovctl run --class latency --budget 200us -- fio job.fio\n";

/* There can be no hint: no fault of this command line. */
static void run_without(bool strict, int status, const char *why)
{
	if (strict)
		fail(status, "%s", why);
	warning("%s; running without a hint", why);
}

static void set_default(const struct io_locality_hint *hint, bool strict)
{
	struct io_locality_probe probe;
	int ret = kernel_probe(&probe);

	if (!ret && kernel_forbids_rings())
		ret = -EPERM;
	if (ret) {
		run_without(strict, kernel_exit_status(ret),
			    kernel_why_not(ret));
		return;
	}
	if (!(probe.state & IO_LOCALITY_STATE_HINTS)) {
		run_without(
			strict, FAILED,
			"hints are turned off by the sysctl kernel.completion_provenance");
		return;
	}
	ret = kernel_task_default(hint);
	switch (ret) {
	case 0:
		break;
	case -EOPNOTSUPP:
		run_without(
			strict, NOT_SUPPORTED,
			"this kernel takes hints of programs, and none for them");
		return;
	case -EPERM:
		if (hint->io_class == IO_LOCALITY_CLASS_STEP_CRITICAL &&
		    !(probe.state & IO_LOCALITY_STATE_STEP_CRITICAL))
			fail(FAILED,
			     "step_critical takes CAP_SYS_NICE, or the sysctl kernel.completion_provenance_step_critical");
		fail(FAILED,
		     "CPU %d, node %d: not in this cpuset, see /proc/self/status",
		     hint->home_cpu, hint->home_node);
	case -EINVAL:
		fail(FAILED,
		     "there is no CPU %d or no node %d, or the one is not on the other",
		     hint->home_cpu, hint->home_node);
	default:
		fail(FAILED, "the kernel refuses the hint: %s", strerror(-ret));
	}
	if (!(probe.state & IO_LOCALITY_STATE_POLICY))
		warning("the policy module is not loaded, so that hints do nothing: modprobe completion_provenance");
}

int cmd_run(int argc, char **argv)
{
	enum { STRICT = OPT_COMMAND + 16 };
	static const struct option options[] = {
		COMMON_OPTIONS,
		HINT_OPTIONS,
		{ "strict", no_argument, NULL, STRICT },
		{ NULL, 0, NULL, 0 },
	};
	struct io_locality_hint hint;
	bool strict = false;
	int c;

	hint_init(&hint);
	/* What follows the program's name are its own options. */
	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			printf("%s%s%s", help, hint_help, more_help);
			return DONE;
		case STRICT:
			strict = true;
			break;
		default:
			if (!hint_option(&hint, c, optarg))
				common_option(c);
		}
	}
	if (as_json)
		misuse("it prints nothing, so there is no --json");
	if (optind == argc)
		misuse("the program is missing");
	set_default(&hint, strict);
	execvp(argv[optind], argv + optind);
	fail(errno == ENOENT ? 127 : 126, "%s: %s", argv[optind],
	     strerror(errno));
}
