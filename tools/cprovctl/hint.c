// SPDX-License-Identifier: GPL-2.0-only
/* A hint, from options. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cprovctl.h"

const char hint_help[] =
	"  --class CLASS          throughput, latency (the default), step_critical or\n"
	"                         prefetch\n"
	"  --budget TIME          active window, such as 200us, 1ms or 2s; the default is\n"
	"                         the policy's for the class\n"
	"  --home-cpu CPU         CPU of the consumer (default: where it submits)\n"
	"  --home-node NODE       its NUMA node\n"
	"  --flow ID              identity of the flow, a number of 32 bits\n"
	"  --follow-task, --anti-migrate, --bounded-batch, --reuse-registration\n"
	"                         flags of the hint, see linux/completion_provenance.h\n";

const char *const class_names[IO_LOCALITY_NR_CLASSES] = {
	[IO_LOCALITY_CLASS_THROUGHPUT] = "throughput",
	[IO_LOCALITY_CLASS_LATENCY] = "latency",
	[IO_LOCALITY_CLASS_STEP_CRITICAL] = "step_critical",
	[IO_LOCALITY_CLASS_PREFETCH] = "prefetch",
};

/* By bit. HINT_OPTIONS has them in this order too. */
const char *const flag_names[NR_FLAGS] = {
	"anti_migrate",
	"bounded_batch",
	"reuse_registration",
	"follow_task",
};

_Static_assert(IO_LOCALITY_ANTI_MIGRATE == 1 << 0 &&
		       IO_LOCALITY_BOUNDED_BATCH == 1 << 1 &&
		       IO_LOCALITY_REUSE_REGISTRATION == 1 << 2 &&
		       IO_LOCALITY_FOLLOW_TASK == 1 << 3 &&
		       IO_LOCALITY_FLAGS_ALL == (1 << NR_FLAGS) - 1,
	       "a flag has no name");

long long parse_number(const char *what, const char *s, int base, long long min,
		       long long max)
{
	long long value;
	char *end;

	/* Nobody means 8 by 010. */
	if (!base)
		base = strncasecmp(s, "0x", 2) ? 10 : 16;
	errno = 0;
	value = strtoll(s, &end, base);
	if (end == s || *end || errno || value < min || value > max)
		misuse("%s is a number from %lld to %lld, not '%s'", what, min,
		       max, s);
	return value;
}

static unsigned int parse_class(const char *s)
{
	unsigned int i;

	for (i = 0; i < IO_LOCALITY_NR_CLASSES; i++)
		if (!strcmp(class_names[i], s))
			return i;
	misuse("a class is throughput, latency, step_critical or prefetch, not '%s'",
	       s);
}

static uint32_t parse_budget(const char *s)
{
	static const struct {
		const char *name;
		unsigned long long us;
	} units[] = {
		{ "us", 1 },
		{ "", 1 },
		{ "ms", 1000 },
		{ "s", 1000000 },
	};
	unsigned long long value;
	char *end;
	size_t i;

	errno = 0;
	value = strtoull(s, &end, 10);
	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (*s >= '0' && *s <= '9' && !errno &&
		    !strcmp(end, units[i].name) &&
		    value <= UINT32_MAX / units[i].us)
			return (uint32_t)(value * units[i].us);
	misuse("a budget is a time of at most %us, such as 200us, 1ms or 2s, not '%s'",
	       (unsigned int)(UINT32_MAX / 1000000), s);
}

void hint_init(struct io_locality_hint *hint)
{
	memset(hint, 0, sizeof(*hint));
	hint->io_class = IO_LOCALITY_CLASS_LATENCY;
	hint->home_cpu = -1;
	hint->home_node = -1;
}

bool hint_option(struct io_locality_hint *hint, int c, const char *arg)
{
	switch (c - OPT_HINT) {
	case 0:
		hint->io_class = (uint16_t)parse_class(arg);
		return true;
	case 1:
		hint->budget_us = parse_budget(arg);
		return true;
	case 2:
		hint->home_cpu =
			(int16_t)parse_number("a CPU", arg, 10, -1, INT16_MAX);
		return true;
	case 3:
		hint->home_node =
			(int16_t)parse_number("a node", arg, 10, -1, INT16_MAX);
		return true;
	case 4:
		hint->flow_id =
			(uint32_t)parse_number("a flow", arg, 0, 0, UINT32_MAX);
		return true;
	case 5 ... 5 + NR_FLAGS - 1:
		hint->flags |= 1u << (c - OPT_HINT - 5);
		return true;
	default:
		return false;
	}
}
