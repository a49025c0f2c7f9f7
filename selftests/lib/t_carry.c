// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reached a device with which flow. Sectors are counted, not requests: how
 * many of those there are is for the block layer to choose.
 */
#include "t.h"

static bool is_of_dev(const struct t_event *event, const char *name,
		      const struct t_dev *dev)
{
	return !strcmp(event->name, name) &&
	       t_field(event, "dev", -1) == (long long)dev->dev;
}

long long t_sectors(const struct t_trace *trace, const struct t_dev *dev)
{
	long long sectors = 0;

	for (size_t i = 0; i < trace->nr; i++)
		if (is_of_dev(&trace->events[i], "block_rq_complete", dev))
			sectors += t_field(&trace->events[i], "nr_sector", 0);
	return sectors;
}

/* The completion that follows a decision, of the same request. */
static long long completed_after(const struct t_trace *trace, size_t from,
				 const struct t_dev *dev)
{
	long long sector = t_field(&trace->events[from], "sector", -1);

	for (size_t i = from; i < trace->nr; i++)
		if (is_of_dev(&trace->events[i], "block_rq_complete", dev) &&
		    trace->events[i].seq > trace->events[from].seq &&
		    t_field(&trace->events[i], "sector", -1) == sector)
			return t_field(&trace->events[i], "nr_sector", 0);
	return 0;
}

long long t_sectors_of(const struct t_trace *trace, const struct t_dev *dev,
		       __u32 flow)
{
	long long sectors = 0;

	for (size_t i = 0; i < trace->nr; i++) {
		const struct t_event *event = &trace->events[i];

		if (is_of_dev(event, "cprov_complete", dev) &&
		    t_field(event, "flow_id", 0) == flow)
			sectors += completed_after(trace, i, dev);
	}
	return sectors;
}
