// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tracing instance of one's own. Its clock is a counter, so that events of
 * different CPUs have an order; it prints fields rather than sentences, so that
 * all events read alike.
 */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACEFS "/sys/kernel/tracing"

/* Fields are printed unsigned: these are not. */
static struct signed_field {
	char event[32];
	char field[32];
	int size;
} signed_fields[64];
static size_t nr_signed_fields;

static void instance_undo(const char *dir)
{
	t_write(t_text("%s/events/enable", dir), "0");
	if (rmdir(dir))
		perror(dir);
}

/* "	field:s16 home_cpu;	offset:8;	size:2;	signed:1;" */
static void note_signed_fields(const char *event, const char *text)
{
	int size, is_signed;
	char decl[128];

	for (; text; text = strchr(text, '\n'), text = text ? text + 1 : NULL) {
		struct signed_field *field = &signed_fields[nr_signed_fields];
		char *name;

		if (sscanf(text,
			   " field:%127[^;]; offset:%*d; size:%d; signed:%d",
			   decl, &size, &is_signed) != 3 ||
		    !is_signed || strchr(decl, '[') ||
		    nr_signed_fields == T_ARRAY_SIZE(signed_fields))
			continue;
		name = strrchr(decl, ' ');
		if (!name)
			continue;
		snprintf(field->event, sizeof(field->event), "%s", event);
		snprintf(field->field, sizeof(field->field), "%.31s", name + 1);
		field->size = size;
		nr_signed_fields++;
	}
}

static const char *enable_event(struct t_trace *trace, const char *system,
				const char *name)
{
	char format[8192];

	if (t_read(format, sizeof(format), "%s/events/%s/%s/format", trace->dir,
		   system, name))
		return t_text("no tracepoint %s:%s", system, name);
	note_signed_fields(name, format);
	if (t_write(t_text("%s/events/%s/%s/enable", trace->dir, system, name),
		    "1"))
		return t_text("cannot enable tracepoint %s:%s", system, name);
	return NULL;
}

const char *t_trace_open_dev(struct t_trace *trace, const char *events,
			     const struct t_dev *dev)
{
	static int serial;
	char list[512], *event, *name, *save;
	const char *why;

	memset(trace, 0, sizeof(*trace));
	snprintf(trace->dir, sizeof(trace->dir),
		 TRACEFS "/instances/cprov-%d-%d", getpid(), serial++);
	/*
	 * The instance inherits it. Names of tasks are not looked at, and
	 * recording them would patch the scheduler each time an instance comes
	 * or goes.
	 */
	t_set(TRACEFS "/options/record-cmd", "0");
	if (mkdir(trace->dir, 0700))
		return t_text("%s: %s", trace->dir, strerror(errno));
	t_undo(instance_undo, trace->dir);
	if (t_write(t_text("%s/trace_clock", trace->dir), "counter") ||
	    t_write(t_text("%s/options/fields", trace->dir), "1") ||
	    t_write(t_text("%s/buffer_size_kb", trace->dir), "1024"))
		return "cannot set up a tracing instance";
	snprintf(list, sizeof(list), "%s", events);
	for (event = strtok_r(list, " ", &save); event;
	     event = strtok_r(NULL, " ", &save)) {
		name = strchr(event, ':');
		*name++ = '\0';
		why = enable_event(trace, event, name);
		name[-1] = ':';
		if (!why && dev)
			why = t_trace_filter(trace, event, "dev == %llu",
					     dev->dev);
		if (why)
			return why;
	}
	return NULL;
}

const char *t_trace_open(struct t_trace *trace, const char *events)
{
	return t_trace_open_dev(trace, events, NULL);
}

const char *t_trace_filter(struct t_trace *trace, const char *event,
			   const char *fmt, ...)
{
	char filter[256], path[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(filter, sizeof(filter), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s/events/%s/filter", trace->dir, event);
	*strchr(path + strlen(trace->dir), ':') = '/';
	if (t_write(path, "%s", filter))
		return t_text("cannot filter %s by '%s'", event, filter);
	return NULL;
}

void t_trace_start(struct t_trace *trace)
{
	int fd;

	t_write(t_text("%s/tracing_on", trace->dir), "0");
	/* Truncating empties the buffers. */
	fd = open(t_text("%s/trace", trace->dir),
		  O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	trace->nr = 0;
	t_write(t_text("%s/tracing_on", trace->dir), "1");
}

/* "  comm-123   [002] d.h1.   17: cprov_complete: dev=0x1 (1) ..." */
static bool parse_event(const char *line, struct t_event *event)
{
	const char *at = line;
	char flags[16];
	int used = 0;

	while ((at = strchr(at, '['))) {
		used = 0;
		if (sscanf(at, "[%3d] %15s %llu: %31[^:]:%n", &event->cpu,
			   flags, &event->seq, event->name, &used) == 4 &&
		    used)
			break;
		at++;
	}
	if (!at)
		return false;
	/* Interrupts off, need to reschedule, and then the kind of interrupt. */
	event->idle = strlen(flags) > 2 && flags[2] == '.' &&
		      !strncmp(line + strspn(line, " "), "<idle>-0 ", 9);
	snprintf(event->fields, sizeof(event->fields), "%s", at + used);
	event->fields[strcspn(event->fields, "\n")] = '\0';
	return true;
}

const char *t_trace_load(struct t_trace *trace)
{
	static struct t_event *events;
	static size_t room;
	const char *why = NULL;
	char line[1024];
	FILE *file;

	trace->nr = 0;
	file = fopen(t_text("%s/trace", trace->dir), "re");
	if (!file)
		return t_text("%s/trace: %s", trace->dir, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		if (trace->nr == room) {
			room = room ? room * 2 : 1024;
			events = realloc(events, room * sizeof(*events));
			if (!events) {
				why = "out of memory";
				break;
			}
		}
		if (parse_event(line, &events[trace->nr]))
			trace->nr++;
		else if (strstr(line, "LOST"))
			why = "the trace lost events";
	}
	fclose(file);
	trace->events = events;
	return why;
}

long long t_field(const struct t_event *event, const char *field,
		  long long none)
{
	unsigned long long value;
	const char *at, *number;

	at = strstr(event->fields, t_text(" %s=", field));
	if (!at)
		return none;
	number = at + strlen(field) + 2;
	if (strncmp(number, "0x", 2)) {
		/* One byte: "(7)", with the character in front if it is one. */
		number = strchr(number, '(');
		return number ? strtoll(number + 1, NULL, 10) : none;
	}
	value = strtoull(number, NULL, 16);
	for (size_t i = 0; i < nr_signed_fields; i++) {
		if (strcmp(signed_fields[i].event, event->name) ||
		    strcmp(signed_fields[i].field, field))
			continue;
		switch (signed_fields[i].size) {
		case 2:
			return (__s16)value;
		case 4:
			return (__s32)value;
		}
	}
	return value;
}

static bool matches(const struct t_event *event, const char *name,
		    const char *field, long long value)
{
	if (name && strcmp(event->name, name))
		return false;
	return !field || t_field(event, field, ~value) == value;
}

const struct t_event *t_find(const struct t_trace *trace, const char *name,
			     const char *field, long long value)
{
	for (size_t i = 0; i < trace->nr; i++)
		if (matches(&trace->events[i], name, field, value))
			return &trace->events[i];
	return NULL;
}

size_t t_count(const struct t_trace *trace, const char *name, const char *field,
	       long long value)
{
	size_t count = 0;

	for (size_t i = 0; i < trace->nr; i++)
		count += matches(&trace->events[i], name, field, value);
	return count;
}

bool t_homeless(const struct t_trace *trace)
{
	size_t nr = t_count(trace, "cprov_complete", NULL, 0);

	return nr && nr == t_count(trace, "cprov_complete", "home_cpu", -1);
}

const struct t_event *t_trace_await(struct t_trace *trace, const char *name,
				    const char *field, long long value)
{
	long long end = t_now_ms() + T_TIMEOUT * 1000LL / 2;
	const struct t_event *event;

	do {
		if (t_trace_load(trace))
			return NULL;
		event = t_find(trace, name, field, value);
		if (event)
			return event;
		usleep(1000);
	} while (t_now_ms() < end);
	return NULL;
}

long long t_function(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	unsigned long long at = 0, found = 0;
	char line[512], symbol[256];

	if (!file)
		return 0;
	while (!found && fgets(line, sizeof(line), file))
		if (sscanf(line, "%llx %*c %255s", &at, symbol) == 2 &&
		    !strcmp(symbol, name))
			found = at;
	fclose(file);
	return found;
}
