// SPDX-License-Identifier: GPL-2.0-only
/*
 * cprovctl - look at completion provenance, and set it up: knobs, counters,
 * rules, and programs that run with a hint.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cprovctl.h"

static const char usage[] =
	"Usage: cprovctl [--json] COMMAND [ARGUMENT...]\n"
	"\n"
	"  status                what this kernel and its policy can do, and do now\n"
	"  get [KNOB...]         the policy's knobs\n"
	"  set KNOB=VALUE...     turn knobs: all of them, or none\n"
	"  counters              what the policy has decided, how often and why\n"
	"  rules                 hints for programs that give none themselves\n"
	"  run -- PROGRAM...     run one program, and all that it starts, with a hint\n"
	"\n"
	"cprovctl COMMAND --help says more, and so does cprovctl(8).\n"
	"  --json                print JSON\n"
	"  --version             print the version of the interface this is built for\n"
	"\n"
	"Exit status: 0 done; 1 failed; 2 bad usage; 3 this kernel cannot do it. Of run,\n"
	"that of the program; 126 it cannot be run; 127 there is none.\n";

struct json json;
bool as_json;

static const struct command {
	const char *name;
	int (*fn)(int argc, char **argv);
} commands[] = {
	{ "status", cmd_status }, { "get", cmd_get },
	{ "set", cmd_set },	  { "counters", cmd_counters },
	{ "rules", cmd_rules },	  { "run", cmd_run },
};

static const char *command_name;

static void say(const char *fmt, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "cprovctl%s%s: ", command_name ? " " : "",
		command_name ? command_name : "");
	vfprintf(stderr, fmt, ap);
}

void fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

void warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void misuse(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	fprintf(stderr, "; try 'cprovctl%s%s --help'\n",
		command_name ? " " : "", command_name ? command_name : "");
	exit(BAD_USAGE);
}

void *allocate(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		fail(FAILED, "out of memory");
	return p;
}

char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		fail(FAILED, "out of memory");
	va_end(ap);
	return s;
}

/* getopt has said what is wrong with an option that is none. */
void common_option(int c)
{
	if (c != OPT_JSON)
		exit(BAD_USAGE);
	as_json = true;
}

void no_more(int argc, char **argv)
{
	if (optind < argc)
		misuse("'%s' is one argument too many", argv[optind]);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	misuse("there is no command '%s'", name);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, OPT_JSON },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const struct command *command;
	int c, status;

	json.file = stdout;
	/* So that messages of getopt look like ours. */
	argv[0] = text("cprovctl");
	/* Up to the command; what follows is for the command to look at. */
	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			fputs(usage, stdout);
			return DONE;
		case 'V':
			printf("cprovctl for version %d of the interface\n",
			       IO_LOCALITY_ABI_VERSION);
			return DONE;
		default:
			common_option(c);
		}
	}
	if (optind == argc)
		misuse("a command is missing");
	argc -= optind;
	argv += optind;
	command = find_command(argv[0]);
	command_name = command->name;
	argv[0] = text("cprovctl %s", command->name);
	optind = 0;
	status = command->fn(argc, argv);
	if (fflush(stdout) || ferror(stdout))
		fail(FAILED, "cannot write the output: %s", strerror(errno));
	return status;
}
