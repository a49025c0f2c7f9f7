// SPDX-License-Identifier: GPL-2.0-only
/* cprovctl counters: what the policy has decided, how often and why. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cprovctl.h"

static const char help[] =
	"Usage: cprovctl counters [--all] [--json] [--watch SECONDS [--times N]]\n"
	"       cprovctl counters --reset\n"
	"\n"
	"Show how often the policy decided what, as POINT/CLASS/REASON or POINT/KIND.\n"
	"\n"
	"  --all                  those that are 0, too\n"
	"  --reset                start all from 0\n"
	"  --watch SECONDS        show what is added in each interval of so many seconds\n"
	"  --times N              end after N intervals (default: never)\n";

struct counters {
	struct file_list files;
	unsigned long long *values;
};

static void counters_read(struct counters *c)
{
	size_t i;

	file_list(&c->files, COUNTERS_DIR, NULL);
	c->values = allocate(c->files.nr * sizeof(*c->values));
	for (i = 0; i < c->files.nr; i++) {
		char *path = text(COUNTERS_DIR "/%s", c->files.names[i]);
		char *value;

		/* What can only be written is no counter. */
		if (!strcmp(c->files.names[i], "reset")) {
			free(path);
			continue;
		}
		value = file_read(path);
		if (!value)
			fail(FAILED, "%s: %s", path, strerror(errno));
		c->values[i] = strtoull(value, NULL, 10);
		free(value);
		free(path);
	}
}

static void counters_free(struct counters *c)
{
	file_list_free(&c->files);
	free(c->values);
}

/* They may have been reset between: then this is what came after. */
static void counters_subtract(struct counters *c, const struct counters *before)
{
	size_t i;

	if (c->files.nr != before->files.nr)
		fail(FAILED, "the policy was replaced by another");
	for (i = 0; i < c->files.nr; i++)
		if (c->values[i] >= before->values[i])
			c->values[i] -= before->values[i];
}

static bool is_shown(const struct counters *c, size_t i, bool all)
{
	return strcmp(c->files.names[i], "reset") && (all || c->values[i]);
}

static void print_text(const struct counters *c, bool all)
{
	size_t i;

	for (i = 0; i < c->files.nr; i++)
		if (is_shown(c, i, all))
			printf("%-40s %llu\n", c->files.names[i], c->values[i]);
}

/*
 * An object for each directory. The list is sorted, so each directory is one run
 * of it, and the ways to two names differ from some level on.
 */
static void print_json(const struct counters *c, bool all)
{
	char *open[8], *copy, *part, *rest;
	size_t depth = 0, level, i;

	json.comma = false;
	json_open(&json, NULL, '{');
	for (i = 0; i < c->files.nr; i++) {
		if (!is_shown(c, i, all))
			continue;
		copy = text("%s", c->files.names[i]);
		rest = copy;
		part = strsep(&rest, "/");
		for (level = 0; rest; level++) {
			if (level == depth || strcmp(open[level], part)) {
				while (depth > level) {
					json_close(&json, '}');
					free(open[--depth]);
				}
				if (depth == ARRAY_SIZE(open))
					fail(FAILED, "%s is too deep",
					     c->files.names[i]);
				json_open(&json, part, '{');
				open[depth++] = text("%s", part);
			}
			part = strsep(&rest, "/");
		}
		while (depth > level) {
			json_close(&json, '}');
			free(open[--depth]);
		}
		json_number(&json, part, c->values[i]);
		free(copy);
	}
	while (depth) {
		json_close(&json, '}');
		free(open[--depth]);
	}
	json_close(&json, '}');
	putchar('\n');
}

static void print(const struct counters *c, bool all)
{
	if (as_json)
		print_json(c, all);
	else
		print_text(c, all);
}

static void watch(const struct timespec *interval, unsigned long long times,
		  bool all)
{
	struct timespec next;
	struct counters before, now, sum;
	unsigned long long n;

	clock_gettime(CLOCK_MONOTONIC, &next);
	counters_read(&before);
	for (n = 0; !times || n < times; n++) {
		next.tv_sec += interval->tv_sec;
		next.tv_nsec += interval->tv_nsec;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next,
				       NULL) == EINTR)
			;
		policy_needed();
		counters_read(&now);
		sum = now;
		sum.values = allocate(now.files.nr * sizeof(*sum.values));
		memcpy(sum.values, now.values,
		       now.files.nr * sizeof(*sum.values));
		counters_subtract(&sum, &before);
		if (!as_json && n)
			putchar('\n');
		print(&sum, all);
		if (fflush(stdout))
			fail(FAILED, "cannot write the output: %s",
			     strerror(errno));
		free(sum.values);
		counters_free(&before);
		before = now;
	}
	counters_free(&before);
}

static struct timespec parse_seconds(const char *s)
{
	double seconds;
	char *end;

	seconds = strtod(s, &end);
	if (end == s || *end || !(seconds >= 0.01 && seconds <= 1e9))
		misuse("an interval is a number of seconds from 0.01, not '%s'",
		       s);
	return (struct timespec){
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9),
	};
}

static void reset_counters(void)
{
	int ret = file_write(COUNTERS_DIR "/reset", "1");

	if (ret == -EACCES)
		fail(FAILED, "only root may reset the counters");
	if (ret)
		fail(FAILED, "the counters cannot be reset: %s",
		     strerror(-ret));
}

int cmd_counters(int argc, char **argv)
{
	enum { ALL = OPT_COMMAND, RESET, WATCH, TIMES };
	static const struct option options[] = {
		COMMON_OPTIONS,
		{ "all", no_argument, NULL, ALL },
		{ "reset", no_argument, NULL, RESET },
		{ "watch", required_argument, NULL, WATCH },
		{ "times", required_argument, NULL, TIMES },
		{ NULL, 0, NULL, 0 },
	};
	bool all = false, do_reset = false, do_watch = false;
	struct timespec interval = { 0, 0 };
	unsigned long long times = 0;
	struct counters counters;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(help, stdout);
			return DONE;
		case ALL:
			all = true;
			break;
		case RESET:
			do_reset = true;
			break;
		case WATCH:
			do_watch = true;
			interval = parse_seconds(optarg);
			break;
		case TIMES:
			times = (unsigned long long)parse_number(
				"how often", optarg, 10, 1, INT64_MAX);
			break;
		default:
			common_option(c);
		}
	}
	no_more(argc, argv);
	if (times && !do_watch)
		misuse("--times goes with --watch");
	if (do_reset && (all || do_watch))
		misuse("--reset shows nothing, so it goes with nothing else");

	policy_needed();
	if (do_reset) {
		reset_counters();
	} else if (do_watch) {
		watch(&interval, times, all);
	} else {
		counters_read(&counters);
		print(&counters, all);
		counters_free(&counters);
	}
	return DONE;
}
