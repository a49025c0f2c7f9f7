/* SPDX-License-Identifier: GPL-2.0-only */
/* cprovctl - look at completion provenance, and set it up */
#ifndef CPROVCTL_H
#define CPROVCTL_H

#include <getopt.h>
#include <linux/completion_provenance.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* What the exit status says, but for `run`, which has that of its program. */
enum {
	DONE = 0,
	FAILED = 1,
	BAD_USAGE = 2,
	NOT_SUPPORTED = 3,
};

/* ---- main.c: the command line, and what is said of errors ---- */

void __attribute__((noreturn, format(printf, 2, 3)))
fail(int status, const char *fmt, ...);
void __attribute__((format(printf, 1, 2))) warning(const char *fmt, ...);
/* fail() with BAD_USAGE, and where to read more. */
void __attribute__((noreturn, format(printf, 1, 2)))
misuse(const char *fmt, ...);
void *allocate(size_t size);
char __attribute__((format(printf, 1, 2))) * text(const char *fmt, ...);

/* Options that every command has, and the answer to them. */
enum { OPT_JSON = 256, OPT_HINT, OPT_COMMAND = 512 };

#define COMMON_OPTIONS                           \
	{ "json", no_argument, NULL, OPT_JSON }, \
	{                                        \
		"help", no_argument, NULL, 'h'   \
	}

void common_option(int c);
/* No arguments are left. */
void no_more(int argc, char **argv);

extern struct json json;
extern bool as_json;

/* One for each command; argv[0] is its name. */
int cmd_status(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_counters(int argc, char **argv);
int cmd_rules(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* ---- kernel.c: what the kernel can, and the default of this task ---- */

/* 0, or -errno: -EINVAL if the kernel has no completion provenance. */
int kernel_probe(struct io_locality_probe *probe);
/* Whether this process can have no ring, by the sysctl kernel.io_uring_disabled. */
bool kernel_forbids_rings(void);
/* Why there is no support, from what kernel_probe() returned. */
const char *kernel_why_not(int error);
/* What cprovctl ends with if that was the answer, or 0. */
int kernel_exit_status(int error);
/* NULL takes the default away; 0 or -errno, -EOPNOTSUPP if there is no such thing. */
int kernel_task_default(const struct io_locality_hint *hint);

/* ---- files.c: one value a file, as the kernel has them ---- */

#define POLICY_DIR "/sys/kernel/completion_provenance"
#define COUNTERS_DIR POLICY_DIR "/counters"
#define CONFIGFS_DIR "/sys/kernel/config"
#define RULES_DIR CONFIGFS_DIR "/completion_provenance"

/* The first line, without its end; NULL and errno if it cannot be read. */
char *file_read(const char *path);
/* 0 or -errno. */
int file_write(const char *path, const char *value);

struct file_list {
	char **names; /* relative to the directory, sorted */
	size_t nr;
};

/* Everything in @dir and below that is a file, but not below @except. */
void file_list(struct file_list *list, const char *dir, const char *except);
bool file_list_has(const struct file_list *list, const char *name);
void file_list_free(struct file_list *list);

bool policy_loaded(void);
/* Fails, and says what to do, if there is no policy. */
void policy_needed(void);
/* Strings, but numbers where the text is one. */
void json_value(const char *key, const char *value);

/* ---- hint.c: a hint, from options ---- */

extern const char *const class_names[IO_LOCALITY_NR_CLASSES];
#define NR_FLAGS 4
extern const char *const flag_names[NR_FLAGS];

#define HINT_OPTIONS                                                       \
	{ "class", required_argument, NULL, OPT_HINT + 0 },                \
		{ "budget", required_argument, NULL, OPT_HINT + 1 },       \
		{ "home-cpu", required_argument, NULL, OPT_HINT + 2 },     \
		{ "home-node", required_argument, NULL, OPT_HINT + 3 },    \
		{ "flow", required_argument, NULL, OPT_HINT + 4 },         \
		{ "anti-migrate", no_argument, NULL, OPT_HINT + 5 },       \
		{ "bounded-batch", no_argument, NULL, OPT_HINT + 6 },      \
		{ "reuse-registration", no_argument, NULL, OPT_HINT + 7 }, \
	{                                                                  \
		"follow-task", no_argument, NULL, OPT_HINT + 8             \
	}

extern const char hint_help[];
/* Latency, at home where it is submitted, no flow, no flags, no budget. */
void hint_init(struct io_locality_hint *hint);
/* False if it is no option of a hint. */
bool hint_option(struct io_locality_hint *hint, int c, const char *arg);
/* A decimal number, or with base 0 a hexadecimal one too; misuse() if not. */
long long parse_number(const char *what, const char *s, int base, long long min,
		       long long max);

/* ---- rule.c: one rule, and how it comes and goes ---- */

enum rule_attr {
	RULE_ORDER,
	RULE_COMM,
	RULE_UID,
	RULE_CGROUP,
	RULE_CLASS,
	RULE_BUDGET_US,
	RULE_HOME_CPU,
	RULE_HOME_NODE,
	RULE_FLOW_ID,
	RULE_FLAGS,
	NR_RULE_ATTRS
};

extern const char *const rule_attr_names[NR_RULE_ATTRS];

struct rule {
	char *name;
	char *values[NR_RULE_ATTRS]; /* NULL: as it is by default */
	bool active;
	unsigned long long rings;
};

struct rule_list {
	struct rule *rules;
	size_t nr;
};

/* Fails, and says what to do, if there can be no rules. */
void rules_needed(void);
bool rules_available(void);
/* In the order in which the kernel asks them. */
void rules_read(struct rule_list *list);
struct rule *rules_find(const struct rule_list *list, const char *name);
struct rule *rules_append(struct rule_list *list, const char *name);
/* All of them, or none and a reason; they become active last. */
void rules_create(const struct rule_list *list);
void rule_delete(const char *name);
void rule_activate(const char *name, bool active);

/* ---- rulefile.c: rules as text ---- */

void rulefile_write(FILE *file, const struct rule *rule);
void rulefile_read(struct rule_list *list, FILE *file, const char *name);

#endif /* CPROVCTL_H */
