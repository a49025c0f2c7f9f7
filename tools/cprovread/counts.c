// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel counts anyway, patched or not: inter-processor interrupts and
 * context switches; and what the policy counts, where one is loaded.
 */
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cprovread.h"

#define COUNTERS "/sys/kernel/completion_provenance/counters"

unsigned int possible_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);

	return n > 0 ? (unsigned int)n : 1;
}

/*
 * The rows are named by what follows the numbers, which is the same on every
 * architecture: CAL and RES on x86, IPI0 and IPI1 on arm64.
 */
void count_ipis(struct ipis *ipis)
{
	FILE *f = fopen("/proc/interrupts", "re");
	char *line = NULL;
	size_t size = 0;
	int rows = 0;

	if (!f)
		die("cannot read /proc/interrupts: %s", strerror(errno));
	memset(ipis, 0, sizeof(*ipis));
	while (getline(&line, &size, f) > 0) {
		char *p = strchr(line, ':'), *end;
		uint64_t sum = 0, n;

		if (!p)
			continue;
		for (p++; n = strtoull(p, &end, 10), end != p; p = end)
			sum += n;
		if (strstr(p, "Function call interrupts"))
			ipis->call += sum;
		else if (strstr(p, "Rescheduling interrupts"))
			ipis->reschedule += sum;
		else
			continue;
		rows++;
	}
	free(line);
	fclose(f);
	if (rows < 2)
		die("/proc/interrupts has no rows for inter-processor interrupts: is this kernel built with SMP?");
}

void count_switches(struct switches *sw)
{
	struct rusage ru;

	if (getrusage(RUSAGE_THREAD, &ru))
		die("getrusage: %s", strerror(errno));
	sw->voluntary = (uint64_t)ru.ru_nvcsw;
	sw->involuntary = (uint64_t)ru.ru_nivcsw;
}

static uint64_t read_counter(const char *path)
{
	FILE *f = fopen(path, "re");
	uint64_t n;

	if (!f || fscanf(f, "%" SCNu64, &n) != 1)
		die("cannot read the counter %s", path);
	fclose(f);
	return n;
}

/* One number a file: POINT/CLASS/REASON, and deferred/WHERE. */
void decisions_read(struct decisions *dec)
{
	glob_t paths;
	size_t i;
	int ret;

	memset(dec, 0, sizeof(*dec));
	ret = glob(COUNTERS "/*/*/*", 0, NULL, &paths);
	if (ret == GLOB_NOMATCH)
		return;
	if (!ret)
		ret = glob(COUNTERS "/deferred/*", GLOB_APPEND, NULL, &paths);
	if (ret && ret != GLOB_NOMATCH)
		die("cannot list %s", COUNTERS);
	dec->list = calloc(paths.gl_pathc, sizeof(*dec->list));
	if (!dec->list)
		die("out of memory");
	for (i = 0; i < paths.gl_pathc; i++) {
		struct decision *d = &dec->list[i];
		char *copy = strdup(paths.gl_pathv[i] + sizeof(COUNTERS));

		if (!copy)
			die("out of memory");
		d->point = strtok(copy, "/");
		d->io_class = strtok(NULL, "/");
		d->reason = strtok(NULL, "/");
		if (!d->reason) {
			d->reason = d->io_class;
			d->io_class = NULL;
		}
		d->count = read_counter(paths.gl_pathv[i]);
	}
	dec->nr = paths.gl_pathc;
	globfree(&paths);
}

void decisions_subtract(struct decisions *dec, const struct decisions *before)
{
	size_t i;

	if (dec->nr != before->nr) {
		finding("the policy module came or went during the measurement");
		return;
	}
	for (i = 0; i < dec->nr; i++)
		dec->list[i].count -= before->list[i].count;
}

bool decision_is_home(const struct decision *d)
{
	static const char *const home[] = {
		"steered",
		"at_home",
		"shared_cache",
		"same_node",
	};
	size_t i;

	for (i = 0; i < sizeof(home) / sizeof(home[0]); i++)
		if (!strcmp(d->reason, home[i]))
			return true;
	return false;
}
