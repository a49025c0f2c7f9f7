// SPDX-License-Identifier: GPL-2.0-only
/*
 * icount: a plugin for QEMU's TCG that counts the instructions of each unit of a
 * workload, by address. Documentation/icount.rst says what of.
 *
 *	-icount shift=0 -plugin icount.so,out=FILE[,idle=ADDRESS-END][,percentile=N][,common=N]
 *
 * Whose addresses are told are the units as long as that of percentile N: the
 * median, if nothing else is said. With common=N they are those of the most common
 * length, if N percent of all units have it.
 * What is from ADDRESS to before END is not counted: the idle loop, if it polls,
 * which runs for as long as the host's device takes.
 * The markers are those of tools/coherence/marker.h. One region at a time: a unit
 * is what all CPUs execute from one marker to the next. Needs a single thread for
 * all CPUs, as -icount has, and so no lock.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marked.h"

/* An instruction. Never freed: translated code points to it. */
struct site {
	uint64_t pc;
	uint64_t n; /* executions in this unit */
	struct site *next; /* of the same hash */
};

struct executions {
	struct site *site;
	uint64_t n;
};

struct unit {
	uint64_t total;
	struct executions *list;
	size_t nr;
};

struct list {
	struct site **sites;
	size_t nr;
	size_t room;
};

/* The hash has as many bits. */
#define BUCKETS 262144

static struct site *buckets[BUCKETS];
static struct list touched;
static struct unit *units;
static size_t nr_units, units_room;
static uint64_t misplaced;
static unsigned int region;
static bool open_region;
static uint64_t idle_begin, idle_end;
static uint64_t percentile = 50;
static uint64_t common = 101; /* more than there can be */
static FILE *output;

/* There is no guest to go back to: it would count wrongly. */
static void *grow(void *p, size_t nr, size_t size)
{
	p = reallocarray(p, nr, size);
	if (!p) {
		fputs("icount: out of memory\n", stderr);
		abort();
	}
	return p;
}

static struct site *find_site(uint64_t pc)
{
	uint64_t hash = pc * UINT64_C(0x9e3779b97f4a7c15);
	struct site **bucket = &buckets[hash >> 46], *s;

	for (s = *bucket; s; s = s->next)
		if (s->pc == pc)
			return s;
	s = grow(NULL, 1, sizeof(*s));
	s->pc = pc;
	s->n = 0;
	s->next = *bucket;
	*bucket = s;
	return s;
}

static void execute(struct site *s, uint64_t n)
{
	if (!s->n) {
		if (touched.nr == touched.room) {
			touched.room = touched.room ? touched.room * 2 : 4096;
			touched.sites = grow(touched.sites, touched.room,
					     sizeof(*touched.sites));
		}
		touched.sites[touched.nr++] = s;
	}
	s->n += n;
}

static void on_instruction(unsigned int vcpu, void *data)
{
	(void)vcpu;
	if (open_region)
		execute(data, 1);
}

static void forget_touched(void)
{
	size_t i;

	for (i = 0; i < touched.nr; i++)
		touched.sites[i]->n = 0;
	touched.nr = 0;
}

static void end_unit(void)
{
	struct unit *u;
	size_t i;

	if (nr_units == units_room) {
		units_room = units_room ? units_room * 2 : 256;
		units = grow(units, units_room, sizeof(*units));
	}
	u = &units[nr_units++];
	u->total = 0;
	u->nr = touched.nr;
	u->list = grow(NULL, touched.nr + 1, sizeof(*u->list));
	for (i = 0; i < touched.nr; i++) {
		u->list[i].site = touched.sites[i];
		u->list[i].n = touched.sites[i]->n;
		u->total += touched.sites[i]->n;
	}
	forget_touched();
}

static int by_total(const void *a, const void *b)
{
	const struct unit *x = a, *y = b;

	return (x->total > y->total) - (x->total < y->total);
}

static int by_pc(const void *a, const void *b)
{
	const struct site *const *x = a, *const *y = b;

	return ((*x)->pc > (*y)->pc) - ((*x)->pc < (*y)->pc);
}

/* All units that are so long: if it is the median, no timer interrupt is in them. */
static size_t profile(uint64_t total)
{
	size_t i, j, used = 0;

	for (i = 0; i < nr_units; i++) {
		if (units[i].total != total)
			continue;
		used++;
		for (j = 0; j < units[i].nr; j++)
			execute(units[i].list[j].site, units[i].list[j].n);
	}
	return used;
}

/* The most common one, or that of the percentile if none is common. They are sorted. */
static uint64_t length_to_profile(void)
{
	uint64_t length = units[(nr_units - 1) * percentile / 100].total;
	size_t i, begin = 0, most = 0;

	for (i = 0; i < nr_units; i++) {
		if (units[i].total != units[begin].total)
			begin = i;
		if (i - begin + 1 > most &&
		    (i - begin + 1) * 100 >= nr_units * common) {
			most = i - begin + 1;
			length = units[i].total;
		}
	}
	return length;
}

static void write_region(void)
{
	uint64_t median, profiled, sum = 0;
	size_t i, used;

	if (!nr_units)
		return;
	qsort(units, nr_units, sizeof(*units), by_total);
	median = units[(nr_units - 1) / 2].total;
	profiled = length_to_profile();
	for (i = 0; i < nr_units; i++)
		sum += units[i].total;
	used = profile(profiled);
	qsort(touched.sites, touched.nr, sizeof(*touched.sites), by_pc);
	fprintf(output,
		"{\"region\":%u,\"units\":%zu,\"misplaced\":%" PRIu64
		",\"sum\":%" PRIu64 ",\"min\":%" PRIu64 ",\"p25\":%" PRIu64
		",\"median\":%" PRIu64 ",\"p75\":%" PRIu64 ",\"max\":%" PRIu64
		",\"profiled\":%" PRIu64 ",\"at_profiled\":%zu,\"pcs\":[",
		region, nr_units, misplaced, sum, units[0].total,
		units[(nr_units - 1) / 4].total, median,
		units[(nr_units - 1) * 3 / 4].total, units[nr_units - 1].total,
		profiled, used);
	for (i = 0; i < touched.nr; i++)
		fprintf(output, "%s[\"0x%" PRIx64 "\",%" PRIu64 "]",
			i ? "," : "", touched.sites[i]->pc,
			touched.sites[i]->n);
	fputs("]}\n", output);
	fflush(output);
}

static void end_region(void)
{
	size_t i;

	open_region = false;
	forget_touched();
	write_region();
	forget_touched();
	for (i = 0; i < nr_units; i++)
		free(units[i].list);
	nr_units = 0;
}

static void on_marker(unsigned int vcpu, void *data)
{
	uint32_t which = (uint32_t)(uintptr_t)data;
	enum coherence_op op = which >> 8;
	bool mine = open_region && (which & 0xff) == region;

	(void)vcpu;
	if (op == COHERENCE_BEGIN && !open_region) {
		region = which & 0xff;
		open_region = true;
	} else if (op == COHERENCE_UNIT && mine) {
		end_unit();
	} else if (op == COHERENCE_END && mine) {
		end_region();
	} else {
		misplaced++;
	}
}

static void watch(struct qemu_plugin_insn *insn, uint64_t pc)
{
	enum qemu_plugin_cb_flags flags = QEMU_PLUGIN_CB_NO_REGS;
	struct site *site = find_site(pc);
	uint32_t which;
	void *data;

	qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction, flags,
					       site);
	if (!marked(insn, &which))
		return;
	data = (void *)(uintptr_t)which;
	qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, flags, data);
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb), i;

	(void)id;
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t pc = qemu_plugin_insn_vaddr(insn);

		if (pc < idle_begin || pc >= idle_end)
			watch(insn, pc);
	}
}

static void on_exit_of_qemu(uint64_t id, void *data)
{
	(void)id;
	(void)data;
	fprintf(output,
		"{\"end\":true,\"open\":%s,\"misplaced\":%" PRIu64 "}\n",
		open_region ? "true" : "false", misplaced);
	fclose(output);
}

static bool parse_idle(const char *arg)
{
	char *end;

	if (strncmp(arg, "idle=", 5))
		return false;
	idle_begin = strtoull(arg + 5, &end, 16);
	if (*end != '-')
		return false;
	idle_end = strtoull(end + 1, &end, 16);
	return !*end && idle_begin < idle_end;
}

static bool parse_percentage(const char *arg, const char *name, uint64_t *to)
{
	size_t len = strlen(name);
	char *end;

	if (strncmp(arg, name, len))
		return false;
	*to = strtoull(arg + len, &end, 10);
	return end != arg + len && !*end && *to <= 100;
}

int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc,
			char **argv)
{
	const char *path = NULL;
	bool bad = false;
	int i;

	if (!marked_init("icount", info))
		return -1;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			path = argv[i] + 4;
		else if (!parse_idle(argv[i]) &&
			 !parse_percentage(argv[i],
					   "percentile=", &percentile) &&
			 !parse_percentage(argv[i], "common=", &common))
			bad = true;
	}
	if (bad || !path) {
		fputs("icount: arguments: out=FILE[,idle=ADDRESS-END][,percentile=N][,common=N]\n",
		      stderr);
		return -1;
	}
	output = fopen(path, "we");
	if (!output) {
		fprintf(stderr, "icount: %s: %s\n", path, strerror(errno));
		return -1;
	}
	fprintf(output, "{\"icount\":1,\"plugin_api\":%d,\"vcpus\":%d}\n",
		info->version.cur, info->system.max_vcpus);
	fflush(output);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
