// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's older asynchronous reads, by libaio. They take no hints. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cprovbench.h"

void aio_open(struct lane *lane, unsigned int entries)
{
	int ret = io_setup((int)entries, &lane->aio);

	if (ret == -ENOSYS)
		lacking("this kernel has no AIO: it needs CONFIG_AIO");
	if (ret == -EAGAIN)
		die("no AIO context for %u reads: raise the sysctl fs.aio-max-nr",
		    entries);
	if (ret)
		die("io_setup: %s", strerror(-ret));
	lane->queued = allocate(entries * sizeof(*lane->queued));
	lane->nr_entries = entries;
}

void aio_close(struct lane *lane)
{
	io_destroy(lane->aio);
	free(lane->queued);
}

void aio_queue(struct lane *lane, struct request *rq)
{
	if (lane->nr_queued == lane->nr_entries)
		aio_submit(lane);
	io_prep_pread(&rq->iocb, request_fd(lane->bench, rq), rq->buf,
		      rq->bytes, (long long)(rq->block * BLOCK));
	rq->iocb.data = rq;
	lane->queued[lane->nr_queued++] = &rq->iocb;
	rq->submitted_ns = now_ns();
}

void aio_submit(struct lane *lane)
{
	struct iocb **next = lane->queued;
	int ret;

	for (; lane->nr_queued; lane->nr_queued -= (unsigned int)ret) {
		do {
			ret = io_submit(lane->aio, lane->nr_queued, next);
		} while (ret == -EINTR || ret == -EAGAIN);
		if (ret < 0)
			die("io_submit: %s", strerror(-ret));
		next += ret;
	}
}

/* What is there is taken with one system call, as from a ring. */
static void take_events(struct lane *lane)
{
	int ret;

	do {
		ret = io_getevents(lane->aio, 1, AIO_EVENTS, lane->events,
				   NULL);
	} while (ret == -EINTR);
	if (ret < 1)
		die("io_getevents: %s", strerror(-ret));
	lane->nr_events = (unsigned int)ret;
	lane->nr_taken = 0;
}

unsigned int aio_ready(struct lane *lane)
{
	if (lane->nr_taken == lane->nr_events)
		take_events(lane);
	return lane->nr_events - lane->nr_taken;
}

struct request *aio_take(struct lane *lane)
{
	const struct io_event *event;
	struct request *rq;

	aio_ready(lane);
	event = &lane->events[lane->nr_taken++];
	rq = event->data;
	rq->res = (int)event->res;
	return rq;
}
