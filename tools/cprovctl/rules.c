// SPDX-License-Identifier: GPL-2.0-only
/* cprovctl rules: hints for programs that give none themselves. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cprovctl.h"

static const char help[] =
	"Usage: cprovctl rules [list] [--json]\n"
	"       cprovctl rules show NAME...\n"
	"       cprovctl rules add NAME CONDITION... [OPTION...]\n"
	"       cprovctl rules on|off|del NAME...\n"
	"       cprovctl rules flush\n"
	"       cprovctl rules save [FILE]\n"
	"       cprovctl rules load [FILE]\n"
	"\n"
	"A rule gives a hint to the rings of processes that it is for. The first that\n"
	"matches decides: the one of the lowest order, and of the same order the one whose\n"
	"name sorts first. All conditions of a rule must hold.\n"
	"\n"
	"  --comm NAME            the process has this name, of at most 15 characters\n"
	"  --uid USER             it runs as this user, a number or a name\n"
	"  --cgroup PATH          it is in this cgroup or below; / is for everybody\n"
	"\n"
	"  --order N              0 to 65535, default 100\n"
	"  --off                  make the rule, but do not let it hold yet\n";

static const char example[] =
	"\n"
	"Example:\n"
	"  cprovctl rules add fio --comm fio --class latency --budget 200us\n";

static uint32_t parse_user(const char *s)
{
	struct passwd *user;

	if (strspn(s, "0123456789") == strlen(s))
		return (uint32_t)parse_number("a user", s, 10, 0,
					      UINT32_MAX - 1);
	user = getpwnam(s);
	if (!user)
		misuse("there is no user '%s'", s);
	return user->pw_uid;
}

/* It may come later, but more often it is a mistake. */
static void warn_of_cgroup(const char *path)
{
	char *dir = text("/sys/fs/cgroup%s", path);

	if (!access("/sys/fs/cgroup/cgroup.controllers", F_OK) &&
	    access(dir, F_OK))
		warning("there is no cgroup %s yet; the rule will hold when there is",
			dir);
	free(dir);
}

static int rules_add(int argc, char **argv)
{
	enum { COMM = OPT_COMMAND + 16, UID, CGROUP, ORDER, OFF };
	static const struct option options[] = {
		COMMON_OPTIONS,
		HINT_OPTIONS,
		{ "comm", required_argument, NULL, COMM },
		{ "uid", required_argument, NULL, UID },
		{ "cgroup", required_argument, NULL, CGROUP },
		{ "order", required_argument, NULL, ORDER },
		{ "off", no_argument, NULL, OFF },
		{ NULL, 0, NULL, 0 },
	};
	struct rule_list list = { NULL, 0 };
	struct io_locality_hint hint;
	struct rule rule = { .active = true };
	unsigned int flag;
	char *flags = text("%s", "");
	int c;

	hint_init(&hint);
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case COMM:
			if (!*optarg || strlen(optarg) > 15)
				misuse("the name of a process has 1 to 15 characters, so the kernel cuts '%s' to '%.15s'",
				       optarg, optarg);
			rule.values[RULE_COMM] = text("%s", optarg);
			break;
		case UID:
			rule.values[RULE_UID] = text("%u", parse_user(optarg));
			break;
		case CGROUP:
			if (*optarg != '/')
				misuse("the path of a cgroup begins with a slash, and '%s' does not",
				       optarg);
			rule.values[RULE_CGROUP] = text("%s", optarg);
			break;
		case ORDER:
			rule.values[RULE_ORDER] =
				text("%lld", parse_number("an order", optarg,
							  10, 0, 65535));
			break;
		case OFF:
			rule.active = false;
			break;
		default:
			if (!hint_option(&hint, c, optarg))
				common_option(c);
		}
	}
	if (optind == argc)
		misuse("the name of the new rule is missing");
	rule.name = argv[optind++];
	no_more(argc, argv);
	if (!rule.values[RULE_COMM] && !rule.values[RULE_UID] &&
	    !rule.values[RULE_CGROUP])
		misuse("for whom is it: --comm, --uid, --cgroup? --cgroup / is for everybody");

	rule.values[RULE_CLASS] = text("%s", class_names[hint.io_class]);
	rule.values[RULE_BUDGET_US] = text("%u", hint.budget_us);
	rule.values[RULE_HOME_CPU] = text("%d", hint.home_cpu);
	rule.values[RULE_HOME_NODE] = text("%d", hint.home_node);
	rule.values[RULE_FLOW_ID] = text("%u", hint.flow_id);
	for (flag = 0; flag < NR_FLAGS; flag++)
		if (hint.flags & 1u << flag)
			flags = text("%s%s%s", flags, *flags ? " " : "",
				     flag_names[flag]);
	rule.values[RULE_FLAGS] = flags;

	rules_needed();
	list.rules = &rule;
	list.nr = 1;
	rules_create(&list);
	if (rule.values[RULE_CGROUP])
		warn_of_cgroup(rule.values[RULE_CGROUP]);
	return DONE;
}

/* ---- what there is ---- */

static void json_condition(const struct rule *rule, enum rule_attr attr)
{
	const char *key = rule_attr_names[attr];

	if (!*rule->values[attr])
		json_null(&json, key);
	else if (attr == RULE_UID)
		json_value(key, rule->values[attr]);
	else
		json_string(&json, key, rule->values[attr]);
}

static void json_rule(const struct rule *rule)
{
	char *flags = text("%s", rule->values[RULE_FLAGS]), *flag, *save;

	json_open(&json, NULL, '{');
	json_string(&json, "name", rule->name);
	json_value("order", rule->values[RULE_ORDER]);
	json_bool(&json, "active", rule->active);
	json_number(&json, "rings", rule->rings);
	json_condition(rule, RULE_COMM);
	json_condition(rule, RULE_UID);
	json_condition(rule, RULE_CGROUP);
	json_string(&json, "class", rule->values[RULE_CLASS]);
	json_value("budget_us", rule->values[RULE_BUDGET_US]);
	json_integer(&json, "home_cpu",
		     strtol(rule->values[RULE_HOME_CPU], NULL, 10));
	json_integer(&json, "home_node",
		     strtol(rule->values[RULE_HOME_NODE], NULL, 10));
	json_value("flow_id", rule->values[RULE_FLOW_ID]);
	json_open(&json, "flags", '[');
	for (flag = strtok_r(flags, " ", &save); flag;
	     flag = strtok_r(NULL, " ", &save))
		json_string(&json, NULL, flag);
	json_close(&json, ']');
	json_close(&json, '}');
	free(flags);
}

/* What differs from a rule that says nothing. */
static void print_line(const struct rule *rule)
{
	static const char *const plain[NR_RULE_ATTRS] = {
		[RULE_COMM] = "",	[RULE_UID] = "",
		[RULE_CGROUP] = "",	[RULE_BUDGET_US] = "0",
		[RULE_HOME_CPU] = "-1", [RULE_HOME_NODE] = "-1",
		[RULE_FLOW_ID] = "0",	[RULE_FLAGS] = "",
	};
	int i;

	printf("%5s  %-20s %-3s %8llu ", rule->values[RULE_ORDER], rule->name,
	       rule->active ? "on" : "off", rule->rings);
	for (i = RULE_COMM; i < NR_RULE_ATTRS; i++)
		if (!plain[i] || strcmp(rule->values[i], plain[i]))
			printf(" %s=%s", rule_attr_names[i], rule->values[i]);
	putchar('\n');
}

static int rules_list(int argc, char **argv)
{
	struct rule_list list;
	size_t i;

	no_more(argc, argv);
	rules_needed();
	rules_read(&list);
	if (as_json) {
		json_open(&json, NULL, '[');
		for (i = 0; i < list.nr; i++)
			json_rule(&list.rules[i]);
		json_close(&json, ']');
		putchar('\n');
		return DONE;
	}
	if (list.nr)
		printf("order  %-20s         rings  for whom, and what\n",
		       "name");
	for (i = 0; i < list.nr; i++)
		print_line(&list.rules[i]);
	return DONE;
}

/* All rules, after a look whether those that are named are there. */
static void read_named(struct rule_list *list, int argc, char **argv)
{
	int i;

	if (optind == argc)
		misuse("the name of a rule is missing");
	rules_needed();
	rules_read(list);
	for (i = optind; i < argc; i++)
		if (!rules_find(list, argv[i]))
			fail(FAILED,
			     "there is no rule '%s'; cprovctl rules shows which there are",
			     argv[i]);
}

static int rules_show(int argc, char **argv)
{
	struct rule_list list;
	int i;

	read_named(&list, argc, argv);
	if (as_json)
		json_open(&json, NULL, '[');
	for (i = optind; i < argc; i++) {
		const struct rule *rule = rules_find(&list, argv[i]);

		if (as_json)
			json_rule(rule);
		else
			rulefile_write(stdout, rule);
	}
	if (as_json) {
		json_close(&json, ']');
		putchar('\n');
	}
	return DONE;
}

/* ---- on, off, away ---- */

static int rules_on(int argc, char **argv)
{
	struct rule_list list;
	int i;

	read_named(&list, argc, argv);
	for (i = optind; i < argc; i++)
		rule_activate(argv[i], true);
	return DONE;
}

static int rules_off(int argc, char **argv)
{
	struct rule_list list;
	int i;

	read_named(&list, argc, argv);
	for (i = optind; i < argc; i++)
		rule_activate(argv[i], false);
	return DONE;
}

static int rules_del(int argc, char **argv)
{
	struct rule_list list;
	int i;

	read_named(&list, argc, argv);
	for (i = optind; i < argc; i++)
		rule_delete(argv[i]);
	return DONE;
}

static int rules_flush(int argc, char **argv)
{
	struct rule_list list;
	size_t i;

	no_more(argc, argv);
	rules_needed();
	rules_read(&list);
	for (i = 0; i < list.nr; i++)
		rule_delete(list.rules[i].name);
	return DONE;
}

/* ---- files ---- */

/* NULL is standard input or output. */
static const char *file_argument(int argc, char **argv)
{
	const char *name = NULL;

	if (optind < argc)
		name = argv[optind++];
	no_more(argc, argv);
	return name && strcmp(name, "-") ? name : NULL;
}

static void write_all(FILE *file, const struct rule_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		rulefile_write(file, &list->rules[i]);
}

/* What is no file of its own, as a pipe or a terminal, is written to. */
static bool is_special(const char *name)
{
	struct stat st;

	return !stat(name, &st) && !S_ISREG(st.st_mode);
}

/* A file that is there is replaced by all of the new one, or kept. */
static void replace_file(const char *name, const struct rule_list *list)
{
	/* Through a link, the file that it stands for. */
	char *there = realpath(name, NULL);
	const char *target = there ? there : name;
	char *tmp = text("%s.new", target);
	struct stat st;
	FILE *file;
	int fd;

	if (!there && !lstat(name, &st))
		fail(FAILED, "%s is a link to nothing", name);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		fail(FAILED,
		     "%s is there, perhaps since this was interrupted: remove it",
		     tmp);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		fail(FAILED, "%s: %s", tmp, strerror(errno));
	errno = 0;
	write_all(file, list);
	if (ferror(file) || fflush(file) || fsync(fd) || fclose(file) ||
	    rename(tmp, target)) {
		int error = errno;

		unlink(tmp);
		fail(FAILED, "%s: %s", name, strerror(error));
	}
	free(tmp);
	free(there);
}

static void write_special(const char *name, const struct rule_list *list)
{
	FILE *file = fopen(name, "we");

	if (!file)
		fail(FAILED, "%s: %s", name, strerror(errno));
	errno = 0;
	write_all(file, list);
	if (ferror(file) || fflush(file) || fclose(file))
		fail(FAILED, "%s: %s", name, strerror(errno));
}

static int rules_save(int argc, char **argv)
{
	const char *name = file_argument(argc, argv);
	struct rule_list list;

	rules_needed();
	rules_read(&list);
	if (!name)
		write_all(stdout, &list);
	else if (is_special(name))
		write_special(name, &list);
	else
		replace_file(name, &list);
	return DONE;
}

static int rules_load(int argc, char **argv)
{
	const char *name = file_argument(argc, argv);
	struct rule_list list;
	FILE *file = stdin;

	if (name) {
		file = fopen(name, "re");
		if (!file)
			fail(FAILED, "%s: %s", name, strerror(errno));
	}
	rulefile_read(&list, file, name ? name : "standard input");
	rules_needed();
	rules_create(&list);
	return DONE;
}

/* ---- which of these ---- */

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv);
	bool own_options;
} subcommands[] = {
	{ "list", rules_list, false },	 { "show", rules_show, false },
	{ "add", rules_add, true },	 { "on", rules_on, false },
	{ "off", rules_off, false },	 { "del", rules_del, false },
	{ "flush", rules_flush, false }, { "save", rules_save, false },
	{ "load", rules_load, false },
};

static const struct option common_options[] = {
	COMMON_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

/* The common options; true if help was asked for. */
static bool parse_common(int argc, char **argv, const char *how)
{
	int c;

	while ((c = getopt_long(argc, argv, how, common_options, NULL)) != -1) {
		if (c == 'h') {
			printf("%s\n%s%s", help, hint_help, example);
			return true;
		}
		common_option(c);
	}
	return false;
}

int cmd_rules(int argc, char **argv)
{
	const char *name;
	size_t i;
	int j;

	/* `rules add --help` is help too. */
	for (j = 1; j < argc; j++)
		if (!strcmp(argv[j], "--help") || !strcmp(argv[j], "-h")) {
			printf("%s\n%s%s", help, hint_help, example);
			return DONE;
		}
	if (parse_common(argc, argv, "+h"))
		return DONE;
	if (optind == argc)
		return rules_list(argc, argv);
	name = argv[optind];
	for (i = 0; i < ARRAY_SIZE(subcommands); i++)
		if (!strcmp(subcommands[i].name, name))
			break;
	if (i == ARRAY_SIZE(subcommands))
		misuse("there is no '%s'", name);
	argc -= optind;
	argv += optind;
	argv[0] = text("cprovctl rules %s", name);
	optind = 0;
	if (!subcommands[i].own_options && parse_common(argc, argv, "h"))
		return DONE;
	return subcommands[i].fn(argc, argv);
}
