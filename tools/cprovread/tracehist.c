// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events counted inside the kernel, by hist triggers in a trace instance of our
 * own: nothing is lost, nothing else that traces is disturbed, and a stock
 * kernel counts as a patched one does.
 *
 * block:block_rq_complete fires on the CPU where the request's completion runs,
 * sched:sched_wakeup once for each time that a task is made runnable.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cprovread.h"

#define COMPLETE "events/block/block_rq_complete"
#define WAKEUP "events/sched/sched_wakeup"

static char instance[128];

static void path_of(char *path, size_t size, const char *file)
{
	snprintf(path, size, "%s/%s", instance, file);
}

static void set_trigger(const char *event, const char *trigger)
{
	char path[256];
	ssize_t ret;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/trigger", instance, event);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		die("cannot count %s: %s: %s (the kernel needs CONFIG_HIST_TRIGGERS and this event)",
		    event, path, strerror(errno));
	ret = write(fd, trigger, strlen(trigger));
	if (ret < 0)
		die("cannot count %s: the kernel refuses the trigger '%s': %s",
		    event, trigger, strerror(errno));
	close(fd);
}

/* Only calls that are safe in a signal handler. */
static void interrupted(int sig)
{
	rmdir(instance);
	_exit(128 + sig);
}

void trace_start(dev_t disk, pid_t tid)
{
	static const char *const roots[] = {
		"/sys/kernel/tracing",
		"/sys/kernel/debug/tracing",
	};
	const struct sigaction action = { .sa_handler = interrupted };
	const char *root = NULL;
	char trigger[128];
	struct stat st;
	size_t i;

	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		snprintf(instance, sizeof(instance), "%s/instances", roots[i]);
		if (!stat(instance, &st)) {
			root = roots[i];
			break;
		}
	}
	if (!root)
		die("no tracefs at %s: mount it (mount -t tracefs tracefs %s), as root, on a kernel with tracing",
		    roots[0], roots[0]);
	snprintf(instance, sizeof(instance), "%s/instances/cprovread-%d", root,
		 (int)getpid());
	if (mkdir(instance, 0700)) {
		int err = errno;
		const char *failed = strdup(instance);

		instance[0] = '\0';
		die("cannot make the trace instance %s: %s", failed,
		    strerror(err));
	}
	atexit(trace_stop);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);

	/* The kernel's own encoding of a device number, not the C library's. */
	snprintf(trigger, sizeof(trigger),
		 "hist:keys=common_cpu,rwbs,nr_sector if dev == %u",
		 major(disk) << 20 | minor(disk));
	set_trigger(COMPLETE, trigger);
	snprintf(trigger, sizeof(trigger), "hist:keys=common_cpu if pid == %d",
		 (int)tid);
	set_trigger(WAKEUP, trigger);
}

void trace_stop(void)
{
	if (instance[0] && rmdir(instance))
		fprintf(stderr, "cprovread: cannot remove %s: %s\n", instance,
			strerror(errno));
	instance[0] = '\0';
}

/* Calls @row for every row of a histogram; a dropped event is a finding. */
static void for_each_row(const char *file,
			 void (*row)(const char *line, void *arg), void *arg)
{
	char path[256], *line = NULL;
	uint64_t dropped;
	size_t size = 0;
	FILE *f;

	path_of(path, sizeof(path), file);
	f = fopen(path, "re");
	if (!f)
		die("cannot read %s: %s", path, strerror(errno));
	while (getline(&line, &size, f) > 0) {
		if (line[0] == '{')
			row(line, arg);
		else if (sscanf(line, " Dropped: %" SCNu64, &dropped) == 1 &&
			 dropped)
			finding("%s dropped %" PRIu64 " events", file, dropped);
	}
	free(line);
	fclose(f);
}

struct completion_sum {
	struct completions *sum;
	const unsigned int *sizes;
};

static void add_completion(const char *line, void *arg)
{
	const struct completion_sum *cs = arg;
	unsigned int cpu, sectors;
	char rwbs[16];
	uint64_t hits;
	int i;

	if (sscanf(line,
		   "{ common_cpu: %u, rwbs: %15[^ ,] , nr_sector: %u } hitcount: %" SCNu64,
		   &cpu, rwbs, &sectors, &hits) != 4 ||
	    cpu >= possible_cpus())
		die("cannot make sense of this histogram row: %s", line);
	if (strcmp(rwbs, "R")) {
		cs->sum->others += hits;
		return;
	}
	for (i = 0; i < 3; i++) {
		if (sectors == cs->sizes[i]) {
			cs->sum->reads += hits;
			cs->sum->per_cpu[cpu] += hits;
			return;
		}
	}
	cs->sum->odd_reads += hits;
}

void trace_completions(struct completions *sum, const unsigned int sizes[3])
{
	struct completion_sum cs = { .sum = sum, .sizes = sizes };

	sum->reads = 0;
	sum->odd_reads = 0;
	sum->others = 0;
	memset(sum->per_cpu, 0, possible_cpus() * sizeof(*sum->per_cpu));
	for_each_row(COMPLETE "/hist", add_completion, &cs);
}

static void add_wakeup(const char *line, void *arg)
{
	unsigned int cpu;
	uint64_t hits;

	if (sscanf(line, "{ common_cpu: %u } hitcount: %" SCNu64, &cpu,
		   &hits) != 2)
		die("cannot make sense of this histogram row: %s", line);
	*(uint64_t *)arg += hits;
}

uint64_t trace_wakeups(void)
{
	uint64_t sum = 0;

	for_each_row(WAKEUP "/hist", add_wakeup, &sum);
	return sum;
}
