// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of one request: who decided what about it, where it completed, and
 * where its CQE was made, which is the ring's next instruction.
 */
#include "t.h"

#include <stdlib.h>

#define AREA (32 << 20)

const char *t_way_dev(struct t_dev *dev, enum t_queues queues)
{
	int cpus[T_MAX_CPUS];
	const char *drive;

	switch (queues) {
	case T_ONE_QUEUE:
		return t_null_blk(dev, "");
	case T_TWO_QUEUES:
		return t_null_blk(dev, "submit_queues=2");
	case T_QUEUE_PER_CPU:
		return t_null_blk(dev,
				  t_text("submit_queues=%d", t_cpus(cpus)));
	case T_DRIVE:
		break;
	}
	drive = getenv("CPROV_SCRATCH_DEV");
	if (!drive)
		drive = getenv("CPROV_DEV");
	if (!drive)
		return "set CPROV_DEV to a drive to read from";
	return t_dev_find(dev, drive);
}

bool t_way_writable(enum t_queues queues)
{
	return queues != T_DRIVE || getenv("CPROV_SCRATCH_DEV");
}

unsigned int t_way_next(void)
{
	static unsigned int nr;

	return ++nr;
}

/* With gaps, so that even without hints there is nothing to merge. */
__u64 t_way_off(unsigned int nr)
{
	return (__u64)nr * 2 * T_WAY_BYTES % AREA;
}

static bool is_of(const struct t_event *event, const struct t_dev *dev)
{
	return t_field(event, "dev", -1) == (long long)dev->dev;
}

void t_way_find(struct t_way *way, const struct t_trace *trace,
		const struct t_dev *dev, unsigned int nr)
{
	memset(way, 0, sizeof(*way));
	way->submit_cpu = -1;
	way->irq_cpu = -1;
	way->home_cpu = -1;
	way->reason = -1;
	way->done_cpu = -1;
	way->cqe_cpu = -1;
	for (size_t i = 0; i < trace->nr; i++) {
		const struct t_event *event = &trace->events[i];

		if (!strcmp(event->name, "cprov_complete")) {
			if (!is_of(event, dev) ||
			    t_field(event, "flow_id", -1) != nr ||
			    way->nr_decided++)
				continue;
			way->irq_cpu = event->cpu;
			way->submit_cpu = t_field(event, "submit_cpu", -1);
			way->home_cpu = t_field(event, "home_cpu", -1);
			way->reason = t_field(event, "reason", -1);
		} else if (!strcmp(event->name, "block_rq_complete")) {
			if (!is_of(event, dev) ||
			    t_field(event, "sector", -1) !=
				    (long long)t_way_off(nr) / 512)
				continue;
			way->nr_done++;
			way->done_cpu = event->cpu;
			way->done_seq = event->seq;
		} else if (!strcmp(event->name, "io_uring_complete")) {
			if (t_field(event, "user_data", -1) != nr)
				continue;
			way->nr_cqes++;
			way->cqe_cpu = event->cpu;
			way->cqe_seq = event->seq;
			way->res = t_field(event, "res", 0);
		}
	}
}

long long t_inflight(const struct t_dev *dev)
{
	char text[64], *end;
	long long reads;

	if (t_read(text, sizeof(text), "/sys/block/%s/inflight", dev->name))
		return -1;
	reads = strtoll(text, &end, 10);
	return reads + strtoll(end, NULL, 10);
}
