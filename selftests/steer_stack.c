// SPDX-License-Identifier: GPL-2.0-only
/*
 * Through layers: whatever is stacked on a device, what is submitted on one CPU
 * with its home on another completes at home below, and the caller gets what it
 * waits for. Where a layer ends the I/O itself in the interrupt, or in a work
 * that stays on the interrupt's CPU, the layer is at home as well. What may block, and
 * so is handed to io_uring's worker by an SQ thread, stays there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t_harness.h"

#define AREA (16 << 20) /* what t_shoot() reads and writes */
#define LEGS 3
#define WORK "workqueue:workqueue_execute_start"
#define EVENTS                                                      \
	T_SHOT_EVENTS " " T_PATH_EVENT " block:block_bio_complete " \
		      "io_uring:io_uring_queue_async_work "         \
		      "io_uring:io_uring_complete " WORK

FIXTURE(stack)
{
	struct t_ring ring;
	struct t_trace trace;
	struct t_dev top, pool, below[LEGS];
	int sq_cpu; /* -1: the ring has no SQ thread */
	unsigned int nr_below; /* 0: paths, that the trace tells */
	int fd;
};

/* Where the layer on top is done, as far as anybody sees. */
enum end {
	UNSEEN, /* it has no bio of its own, or is a file system */
	AT_HOME,
	ANYWHERE, /* a thread does it, or a worker that is not bound */
};

FIXTURE_VARIANT(stack)
{
	const char *(*build)(FIXTURE_DATA(stack) * self);
	unsigned int ring_flags;
	enum end read, write;
	bool writes_lose; /* below, a write has no hint */
	bool blocks; /* io_uring leaves it to a worker to submit */
	bool defers; /* to a worker of its own, which comes home */
};

static const char *legs(FIXTURE_DATA(stack) * self, unsigned int nr)
{
	const char *why = NULL;

	self->nr_below = nr;
	for (unsigned int i = 0; !why && i < nr; i++)
		why = t_null_blk(&self->below[i], "memory_backed=1");
	return why;
}

static const char *on_linear(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 1);

	return why ? why :
		     t_dm(&self->top, 2 * AREA / 512, "linear",
			  t_text("%s 2048", self->below[0].path));
}

static const char *on_striped(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 2);

	return why ? why :
		     t_dm(&self->top, 2 * AREA / 512, "striped",
			  t_text("2 128 %s 0 %s 0", self->below[0].path,
				 self->below[1].path));
}

static const char *on_crypt(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 1);

	return why ? why : t_dm_crypt(&self->top, &self->below[0], "");
}

static const char *on_crypt_same_cpu(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 1);

	return why ? why :
		     t_dm_crypt(&self->top, &self->below[0],
				"1 same_cpu_crypt");
}

static const char *on_crypt_no_worker(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 1);

	return why ? why :
		     t_dm_crypt(&self->top, &self->below[0],
				"2 no_read_workqueue no_write_workqueue");
}

/* All is written to once, so that every block is there. */
static const char *fill(const char *path)
{
	static char zeroes[1 << 20];
	const char *why = NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	for (off_t off = 0; !why && off < AREA; off += sizeof(zeroes))
		if (pwrite(fd, zeroes, sizeof(zeroes), off) != sizeof(zeroes))
			why = t_text("%s cannot be written to", path);
	if (!why && fsync(fd))
		why = t_text("%s cannot be written back", path);
	close(fd);
	return why;
}

static const char *on_thin(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 1);
	struct t_dev meta;

	if (!why)
		why = t_null_blk(&meta, "memory_backed=1");
	if (!why)
		why = t_dm_thin(&self->top, &self->pool, &self->below[0],
				&meta);
	return why ? why : fill(self->top.path);
}

/* The pool's worker looks at what a snapshot has as well. */
static const char *on_thin_shared(FIXTURE_DATA(stack) * self)
{
	const char *why = on_thin(self);

	return why ? why : t_dm_message(&self->pool, "create_snap 1 0");
}

static const char *on_raid1(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 2);

	return why ? why : t_md(&self->top, 1, self->below, 2);
}

static const char *on_raid5(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, LEGS);

	return why ? why : t_md(&self->top, 5, self->below, LEGS);
}

static const char *on_loop(FIXTURE_DATA(stack) * self)
{
	const char *why = legs(self, 1);

	return why ? why : t_loop(&self->top, self->below[0].path, true);
}

static const char *on_multipath(FIXTURE_DATA(stack) * self)
{
	return t_multipath(&self->top);
}

static const char *on_xfs(FIXTURE_DATA(stack) * self)
{
	const char *why;
	char dir[64];

	self->nr_below = 1;
	why = t_null_blk(&self->below[0],
			 t_text("memory_backed=1 size=%d", T_XFS_MIB));
	if (!why)
		why = t_xfs(&self->below[0], dir);
	if (why)
		return why;
	snprintf(self->top.path, sizeof(self->top.path), "%.32s/file", dir);
	return fill(self->top.path);
}

#define DEFER (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER)
/* On rings of other kinds, too; of loop, dm-crypt and raid1 tools/matrix.sh has those. */
#define T_VARIANTS(name, ...)                                              \
	T_VARIANT(stack, name, __VA_ARGS__);                               \
	T_VARIANT(stack, name##_defer, .ring_flags = DEFER, __VA_ARGS__);  \
	T_VARIANT(stack, name##_sqpoll, .ring_flags = IORING_SETUP_SQPOLL, \
		  __VA_ARGS__)

T_VARIANTS(linear, .build = on_linear, .read = AT_HOME, .write = AT_HOME);
T_VARIANTS(striped, .build = on_striped, .read = AT_HOME, .write = AT_HOME);
/* A write may be over before who submitted it is through with it. */
T_VARIANT(stack, crypt, .build = on_crypt, .read = ANYWHERE, .write = ANYWHERE,
	  .blocks = true);
T_VARIANT(stack, crypt_same_cpu, .build = on_crypt_same_cpu, .read = AT_HOME,
	  .write = ANYWHERE, .blocks = true);
T_VARIANT(stack, crypt_no_worker, .build = on_crypt_no_worker, .read = AT_HOME,
	  .write = ANYWHERE, .blocks = true);
T_VARIANTS(thin, .build = on_thin, .read = AT_HOME, .write = AT_HOME,
	   .blocks = true);
T_VARIANT(stack, thin_shared, .build = on_thin_shared, .read = ANYWHERE,
	  .write = ANYWHERE, .blocks = true);
T_VARIANT(stack, raid1, .build = on_raid1, .read = AT_HOME, .write = AT_HOME);
T_VARIANTS(raid5, .build = on_raid5, .read = AT_HOME, .writes_lose = true);
T_VARIANT(stack, loop, .build = on_loop, .defers = true);
T_VARIANTS(multipath, .build = on_multipath);
T_VARIANTS(xfs, .build = on_xfs);

FIXTURE_SETUP(stack)
{
	T_NEED(T_KERNEL | T_ROOT | T_TRACE | T_NULL_BLK | T_POLICY |
	       T_TWO_CPUS | T_STEERING);
	T_OR_SKIP(variant->build(self));
	self->fd = t_dev_open(&self->top, O_RDWR);
	ASSERT_LE(0, self->fd);
	T_OK(t_trace_open(&self->trace, EVENTS));
	T_OK(t_trace_filter(&self->trace, WORK,
			    "function.function == iomap_dio_complete_work"));
	self->sq_cpu = -1;
	if (variant->ring_flags & IORING_SETUP_SQPOLL) {
		int cpus[T_MAX_CPUS], nr = t_cpus(cpus);

		self->sq_cpu = cpus[nr - 1];
		ASSERT_EQ(0,
			  t_ring_init_sqpoll(&self->ring, 4, self->sq_cpu, 0));
	} else {
		ASSERT_EQ(0, t_ring_init(&self->ring, 4, variant->ring_flags));
	}
	ASSERT_EQ(0, t_enable(&self->ring, NULL, NULL, 0));
}

FIXTURE_TEARDOWN(stack)
{
	t_undo_all();
}

/* The first event of the name between two others. */
static const struct t_event *between(const struct t_event *from,
				     const struct t_event *to, const char *name,
				     const struct t_dev *dev)
{
	for (; from < to; from++)
		if (!strcmp(from->name, name) &&
		    (!dev || t_field(from, "dev", -1) == (long long)dev->dev))
			return from;
	return NULL;
}

/* How far from a CPU things happened, for people to read. */
struct where {
	unsigned int there, near, far;
};

static void note(struct where *where, int cpu, int wanted)
{
	if (cpu == wanted)
		where->there++;
	else if (t_share_cache(cpu, wanted))
		where->near++;
	else
		where->far++;
}

/* From each CPU to each other one, or to the SQ thread's. */
static void shoot(struct __test_metadata *_metadata, FIXTURE_DATA(stack) * self,
		  bool write, struct t_shot shots[T_MAX_CPUS], size_t *nr)
{
	int cpus[T_MAX_CPUS], nr_cpus = t_cpus(cpus);

	*nr = 0;
	for (int from = 0; from < nr_cpus; from++) {
		for (int to = 0; to < nr_cpus; to++) {
			if (from == to || *nr == T_MAX_CPUS ||
			    (self->sq_cpu >= 0 && cpus[to] != self->sq_cpu))
				continue;
			memset(&shots[*nr], 0, sizeof(shots[*nr]));
			shots[*nr].hint = t_hint();
			shots[*nr].hint.home_cpu = cpus[to];
			shots[*nr].submit_cpu = cpus[from];
			shots[(*nr)++].write = write;
		}
	}
	T_OK(t_shoot(&self->ring, self->fd, &self->trace, shots, *nr));
}

/* Its decision, if io_uring's worker issued it for an SQ thread: it has no home. */
static const struct t_event *homeless(const FIXTURE_DATA(stack) * self,
				      const struct t_shot *shot)
{
	const struct t_event *event = t_find(&self->trace, "cprov_complete",
					     "flow_id", shot->hint.flow_id);

	if (self->sq_cpu < 0 || !event || t_field(event, "home_cpu", -2) != -1)
		return NULL;
	return event;
}

static int home_of(const FIXTURE_DATA(stack) * self, const struct t_shot *shot)
{
	const struct t_event *event = homeless(self, shot);

	return event ? t_field(event, "submit_cpu", -1) : shot->hint.home_cpu;
}

/* Of all devices that the request has come to. */
static const struct t_event *last_done(struct __test_metadata *_metadata,
				       FIXTURE_DATA(stack) * self,
				       const struct t_shot *shot)
{
	const struct t_event *event, *last = NULL;
	struct t_dev devs[T_MAX_PATHS] = {};
	unsigned int nr = self->nr_below;

	memcpy(devs, self->below, sizeof(self->below));
	if (!nr)
		nr = t_paths(&self->trace, &self->top, devs);
	/* A loop device's own request is the last. */
	for (unsigned int i = 0; i <= nr; i++) {
		event = t_last_done(&self->trace,
				    i < nr ? &devs[i] : &self->top,
				    shot->hint.flow_id);
		if (!event)
			continue;
		T_EXPECT_EQ(home_of(self, shot), event->cpu,
			    "submitted on %d, home %d", shot->submit_cpu,
			    shot->hint.home_cpu);
		if (!last || event->seq > last->seq)
			last = event;
	}
	return last;
}

/* Without a decision there is only the place to tell a request by. */
static const struct t_event *ended_at(FIXTURE_DATA(stack) * self,
				      long long sector)
{
	for (size_t i = 0; i < self->trace.nr; i++) {
		const struct t_event *event = &self->trace.events[i];

		if (!strcmp(event->name, "block_bio_complete") &&
		    t_field(event, "dev", -1) == (long long)self->top.dev &&
		    t_field(event, "sector", -1) == sector)
			return event;
	}
	return NULL;
}

static void check(struct __test_metadata *_metadata, FIXTURE_DATA(stack) * self,
		  const FIXTURE_VARIANT(stack) * variant, bool write)
{
	const enum end end = write ? variant->write : variant->read;
	const struct t_event *last, *next, *event;
	struct where sent = {}, sent_home = {}, ended = {}, worked = {};
	struct t_shot shots[T_MAX_CPUS];
	size_t nr, queued, bound = 0, nr_homeless = 0;

	shoot(_metadata, self, write, shots, &nr);
	queued = t_count(&self->trace, "io_uring_queue_async_work", NULL, 0);
	for (size_t i = 0; i < nr; i++) {
		const int home = home_of(self, &shots[i]);

		EXPECT_EQ(4096, shots[i].res);
		if (write && variant->writes_lose) {
			EXPECT_EQ(0, shots[i].nr_decided);
			event = ended_at(self, shots[i].off / 512);
			ASSERT_NE(NULL, event);
			note(&ended, event->cpu, home);
			continue;
		}
		nr_homeless += !!homeless(self, &shots[i]);
		last = last_done(_metadata, self, &shots[i]);
		ASSERT_NE(NULL, last);
		event = t_find(&self->trace, "cprov_complete", "flow_id",
			       shots[i].hint.flow_id);
		note(&sent, t_field(event, "submit_cpu", -1),
		     shots[i].submit_cpu);
		note(&sent_home, t_field(event, "submit_cpu", -1), home);
		if (variant->defers && shots[i].queue_reason == T_STEERED) {
			EXPECT_EQ(home, t_field(event, "submit_cpu", -1));
			bound++;
		}

		/*
		 * One at a time: what follows is this one's up to its CQE. After that
		 * the next one may have been tried in vain, and end where it was.
		 */
		next = between(last, self->trace.events + self->trace.nr,
			       "io_uring_complete", NULL);
		ASSERT_NE(NULL, next);
		event = between(last, next, "workqueue_execute_start", NULL);
		if (event) {
			EXPECT_EQ(home, event->cpu);
			note(&worked, event->cpu, home);
		}
		if (end == UNSEEN)
			continue;
		event = between(last, next, "block_bio_complete", &self->top);
		ASSERT_NE(NULL, event);
		note(&ended, event->cpu, home);
	}
	if (end == AT_HOME)
		EXPECT_EQ(nr, ended.there);
	if (variant->blocks)
		EXPECT_LE(nr, queued);
	/* A write may have to wait, or not. */
	if (!write || variant->blocks)
		EXPECT_EQ(self->sq_cpu >= 0 && variant->blocks ? nr : 0,
			  nr_homeless);
	if (!variant->blocks && !variant->defers && !write)
		EXPECT_EQ(nr, self->sq_cpu < 0 ? sent.there : sent_home.there);
	/* Home may have been busy for a moment. */
	if (variant->defers)
		EXPECT_LE(nr - nr / 2, bound);
	/* On the CPU itself, in its cache, elsewhere. */
	TH_LOG("sent by %u %u %u, of home %u %u %u, ended %u %u %u, work %u; %zu by io-wq",
	       sent.there, sent.near, sent.far, sent_home.there, sent_home.near,
	       sent_home.far, ended.there, ended.near, ended.far, worked.there,
	       queued);
}

T_TEST_F(stack, read)
{
	check(_metadata, self, variant, false);
}

T_TEST_F(stack, write)
{
	check(_metadata, self, variant, true);
}

TEST_HARNESS_MAIN
