// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reached a device with which flow. Sectors are counted, not requests: how
 * many of those there are is for the block layer to choose.
 */
#include "t.h"

#include <stdlib.h>

bool t_is_of_dev(const struct t_event *event, const char *name,
		 const struct t_dev *dev)
{
	return !strcmp(event->name, name) &&
	       t_field(event, "dev", -1) == (long long)dev->dev;
}

long long t_sectors(const struct t_trace *trace, const struct t_dev *dev)
{
	long long sectors = 0;

	for (size_t i = 0; i < trace->nr; i++)
		if (t_is_of_dev(&trace->events[i], "block_rq_complete", dev))
			sectors += t_field(&trace->events[i], "nr_sector", 0);
	return sectors;
}

/* The completion that follows a decision, of the same request. */
static const struct t_event *completed_after(const struct t_trace *trace,
					     size_t from,
					     const struct t_dev *dev)
{
	long long sector = t_field(&trace->events[from], "sector", -1);

	for (size_t i = from; i < trace->nr; i++)
		if (t_is_of_dev(&trace->events[i], "block_rq_complete", dev) &&
		    trace->events[i].seq > trace->events[from].seq &&
		    t_field(&trace->events[i], "sector", -1) == sector)
			return &trace->events[i];
	return NULL;
}

static bool is_decision(const struct t_event *event, const struct t_dev *dev,
			__u32 flow)
{
	return t_is_of_dev(event, "cprov_complete", dev) &&
	       t_field(event, "flow_id", 0) == flow;
}

const struct t_event *t_decision(const struct t_trace *trace,
				 const struct t_dev *dev, __u32 flow)
{
	for (size_t i = 0; i < trace->nr; i++)
		if (is_decision(&trace->events[i], dev, flow))
			return &trace->events[i];
	return NULL;
}

/*
 * What completed the request that was decided on at an index, if that was one of
 * the flow.
 */
static const struct t_event *done_of_flow(const struct t_trace *trace,
					  size_t at, const struct t_dev *dev,
					  __u32 flow)
{
	if (!is_decision(&trace->events[at], dev, flow))
		return NULL;
	return completed_after(trace, at, dev);
}

long long t_sectors_of(const struct t_trace *trace, const struct t_dev *dev,
		       __u32 flow)
{
	long long sectors = 0;

	for (size_t i = 0; i < trace->nr; i++) {
		const struct t_event *done = done_of_flow(trace, i, dev, flow);

		if (done)
			sectors += t_field(done, "nr_sector", 0);
	}
	return sectors;
}

const struct t_event *t_last_done(const struct t_trace *trace,
				  const struct t_dev *dev, __u32 flow)
{
	const struct t_event *last = NULL;

	for (size_t i = 0; i < trace->nr; i++) {
		const struct t_event *done = done_of_flow(trace, i, dev, flow);

		if (done && (!last || done->seq > last->seq))
			last = done;
	}
	return last;
}

const char *t_multipath(struct t_dev *dev)
{
	const char *drive = getenv("CPROV_MULTIPATH_DEV");
	const char *why;

	if (!drive)
		return "set CPROV_MULTIPATH_DEV to a drive of several paths";
	/* One that was named and is not there is a failure. */
	why = t_dev_find(dev, drive);
	if (why) {
		printf("# %s\n", why);
		exit(1);
	}
	return NULL;
}

unsigned int t_paths(const struct t_trace *trace, const struct t_dev *dev,
		     struct t_dev paths[T_MAX_PATHS])
{
	unsigned int nr = 0, known;

	for (size_t i = 0; i < trace->nr; i++) {
		const struct t_event *event = &trace->events[i];
		unsigned long long path = t_field(event, "dev", 0);

		if (strcmp(event->name, "block_bio_remap") ||
		    t_field(event, "old_dev", -1) != (long long)dev->dev)
			continue;
		for (known = 0; known < nr; known++)
			if (paths[known].dev == path)
				break;
		if (known < nr || nr == T_MAX_PATHS)
			continue;
		memset(&paths[nr], 0, sizeof(paths[nr]));
		paths[nr++].dev = path;
	}
	return nr;
}
