// SPDX-License-Identifier: GPL-2.0-only
/* cprovctl get and set: the policy's knobs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cprovctl.h"

static const char get_help[] =
	"Usage: cprovctl get [--json] [KNOB...]\n"
	"\n"
	"Show the policy's knobs, all of them or those named.\n";

static const char set_help[] =
	"Usage: cprovctl set KNOB=VALUE...\n"
	"\n"
	"Turn knobs of the policy. If one cannot be turned, those before it are turned\n"
	"back. 'cprovctl get' shows which there are.\n"
	"\n"
	"Examples:\n"
	"  cprovctl set enabled=0\n"
	"  cprovctl set steer_classes='latency step_critical' window_us/latency=5000\n";

static char *knob_path(const char *name)
{
	return text(POLICY_DIR "/%s", name);
}

static char *knob_read(const char *name)
{
	char *path = knob_path(name), *value = file_read(path);

	if (!value)
		fail(FAILED, "%s: %s", path, strerror(errno));
	free(path);
	return value;
}

static void knobs_list(struct file_list *knobs)
{
	policy_needed();
	file_list(knobs, POLICY_DIR, "counters");
}

static void __attribute__((noreturn))
unknown_knob(const struct file_list *knobs, const char *name)
{
	char *all = text("%s", "");
	size_t i;

	for (i = 0; i < knobs->nr; i++)
		all = text("%s %s", all, knobs->names[i]);
	fail(FAILED, "there is no knob '%s'; there are:%s", name, all);
}

int cmd_get(int argc, char **argv)
{
	static const struct option options[] = {
		COMMON_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct file_list knobs;
	char **names;
	size_t nr, i;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(get_help, stdout);
			return DONE;
		}
		common_option(c);
	}
	knobs_list(&knobs);
	names = knobs.names;
	nr = knobs.nr;
	if (optind < argc) {
		names = argv + optind;
		nr = (size_t)(argc - optind);
	}
	for (i = 0; i < nr; i++)
		if (!file_list_has(&knobs, names[i]))
			unknown_knob(&knobs, names[i]);

	if (as_json)
		json_open(&json, NULL, '{');
	for (i = 0; i < nr; i++) {
		char *value = knob_read(names[i]);

		if (as_json)
			json_value(names[i], value);
		else
			printf("%s=%s\n", names[i], value);
		free(value);
	}
	if (as_json) {
		json_close(&json, '}');
		putchar('\n');
	}
	return DONE;
}

struct turn {
	char *name;
	const char *value;
	char *before;
};

/* sysfs takes a page, and would leave out the rest. */
#define VALUE_MOST 4094

static void parse_turn(struct turn *turn, char *arg)
{
	char *equals = strchr(arg, '=');

	if (!equals || equals == arg)
		misuse("KNOB=VALUE is needed, not '%s'", arg);
	*equals = '\0';
	turn->name = arg;
	turn->value = equals + 1;
	if (strlen(turn->value) > VALUE_MOST)
		misuse("the value of '%s' is longer than any can be",
		       turn->name);
}

static void parse_turns(struct turn *turns, size_t nr, char **args)
{
	size_t i, j;

	for (i = 0; i < nr; i++) {
		parse_turn(&turns[i], args[i]);
		for (j = 0; j < i; j++)
			if (!strcmp(turns[i].name, turns[j].name))
				misuse("'%s' is there twice", turns[i].name);
	}
}

/* What can be known to fail does so before anything is turned. */
static void check_turns(const struct file_list *knobs, struct turn *turns,
			size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		char *path = knob_path(turns[i].name);

		if (!file_list_has(knobs, turns[i].name))
			unknown_knob(knobs, turns[i].name);
		if (access(path, W_OK))
			fail(FAILED, "knob '%s' cannot be turned: %s%s",
			     turns[i].name, strerror(errno),
			     geteuid() ? "; it takes root" : "");
		turns[i].before = knob_read(turns[i].name);
		free(path);
	}
}

static int turn_to(const char *name, const char *value)
{
	char *path = knob_path(name);
	int ret = file_write(path, value);

	free(path);
	return ret;
}

static void __attribute__((noreturn))
turn_back(const struct turn *turns, size_t failed, int error)
{
	size_t i;

	for (i = failed; i-- > 0;) {
		int ret = turn_to(turns[i].name, turns[i].before);

		if (ret)
			warning("cannot turn '%s' back to '%s': %s",
				turns[i].name, turns[i].before, strerror(-ret));
	}
	if (error == -EINVAL)
		fail(FAILED,
		     "'%s' is no value of '%s', which is '%s' now; nothing was turned",
		     turns[failed].value, turns[failed].name,
		     turns[failed].before);
	fail(FAILED, "'%s' cannot be turned: %s; nothing was turned",
	     turns[failed].name, strerror(-error));
}

int cmd_set(int argc, char **argv)
{
	static const struct option options[] = {
		COMMON_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct file_list knobs;
	struct turn *turns;
	size_t nr, i;
	int c, ret;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(set_help, stdout);
			return DONE;
		}
		common_option(c);
	}
	nr = (size_t)(argc - optind);
	if (!nr)
		misuse("what is to be set?");
	turns = allocate(nr * sizeof(*turns));
	parse_turns(turns, nr, argv + optind);
	knobs_list(&knobs);
	check_turns(&knobs, turns, nr);
	for (i = 0; i < nr; i++) {
		ret = turn_to(turns[i].name, turns[i].value);
		if (ret)
			turn_back(turns, i, ret);
	}
	return DONE;
}
