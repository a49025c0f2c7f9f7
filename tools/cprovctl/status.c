// SPDX-License-Identifier: GPL-2.0-only
/* cprovctl status: what this kernel and its policy can do, and do now. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cprovctl.h"

static const char help[] =
	"Usage: cprovctl status [--json]\n"
	"\n"
	"Ask the kernel what it has of completion provenance, and show the policy's knobs\n"
	"and how many rules there are. Exit status 3: it has none.\n";

/* What an ordinary user may not read is as unknown as what is not there. */
static char *knob(const char *name)
{
	char *path = text(POLICY_DIR "/%s", name);
	char *value = file_read(path);

	free(path);
	return value;
}

static void put(const char *name, const char *value)
{
	printf("  %-26s %s\n", name, value);
}

static char *flags_text(uint32_t flags)
{
	char *all = text("%s", "");
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		char *longer;

		if (!(flags & 1u << bit))
			continue;
		longer = bit < NR_FLAGS ?
				 text("%s%s%s", all, *all ? " " : "",
				      flag_names[bit]) :
				 text("%s%sbit%u", all, *all ? " " : "", bit);
		free(all);
		all = longer;
	}
	return all;
}

static void print_kernel(const struct io_locality_probe *probe, int error,
			 bool task_default)
{
	if (error) {
		printf("kernel: %s\n", kernel_why_not(error));
		return;
	}
	printf("kernel: completion provenance, version %u of the interface\n",
	       probe->abi_version);
	put("hints",
	    probe->state & IO_LOCALITY_STATE_HINTS ?
		    "on" :
		    "off: sysctl kernel.completion_provenance=1 turns them on");
	put("rings",
	    kernel_forbids_rings() ?
		    "not permitted to you: sysctl kernel.io_uring_disabled" :
		    "permitted to you");
	put("step_critical",
	    probe->state & IO_LOCALITY_STATE_STEP_CRITICAL ?
		    "permitted to you" :
		    "not permitted to you, it needs CAP_SYS_NICE");
	put("slots of a ring", text("at most %u", probe->max_slots));
	put("flags of a hint", flags_text(probe->hint_flags));
	put("hint for what one runs", task_default ? "yes" : "no");
}

static void print_policy(const struct file_list *knobs, int error)
{
	size_t i;

	if (!policy_loaded() && error) {
		printf("policy: none\n");
		return;
	}
	if (!policy_loaded()) {
		printf("policy: not loaded, so nothing is steered: modprobe completion_provenance\n");
		return;
	}
	printf("policy: loaded\n");
	for (i = 0; i < knobs->nr; i++) {
		char *value = knob(knobs->names[i]);

		put(knobs->names[i], value ? value : "?");
		free(value);
	}
}

static size_t count_active(const struct rule_list *rules)
{
	size_t i, active = 0;

	for (i = 0; i < rules->nr; i++)
		active += rules->rules[i].active;
	return active;
}

static void print_rules(const struct rule_list *rules)
{
	if (rules_available())
		printf("rules: %zu, of which active: %zu\n", rules->nr,
		       count_active(rules));
	else
		printf("rules: none can be made\n");
}

static void put_names(const char *key, const char *const *names,
		      unsigned int nr, uint32_t mask)
{
	unsigned int i;

	json_open(&json, key, '[');
	for (i = 0; i < nr; i++)
		if (mask & 1u << i)
			json_string(&json, NULL, names[i]);
	json_close(&json, ']');
}

static void json_kernel(const struct io_locality_probe *probe, int error,
			bool task_default)
{
	json_open(&json, "kernel", '{');
	if (kernel_exit_status(error) == FAILED)
		json_null(&json, "supported");
	else
		json_bool(&json, "supported", !error);
	if (error) {
		json_string(&json, "why", kernel_why_not(error));
	} else {
		json_number(&json, "abi", probe->abi_version);
		json_bool(&json, "hints",
			  probe->state & IO_LOCALITY_STATE_HINTS);
		json_bool(&json, "rings", !kernel_forbids_rings());
		json_bool(&json, "step_critical",
			  probe->state & IO_LOCALITY_STATE_STEP_CRITICAL);
		json_number(&json, "max_slots", probe->max_slots);
		json_number(&json, "classes", probe->nr_classes);
		put_names("hint_flags", flag_names, NR_FLAGS,
			  probe->hint_flags);
		json_bool(&json, "task_default", task_default);
	}
	json_close(&json, '}');
}

static void json_policy(const struct file_list *knobs)
{
	size_t i;

	json_open(&json, "policy", '{');
	json_bool(&json, "loaded", policy_loaded());
	json_open(&json, "knobs", '{');
	for (i = 0; i < knobs->nr; i++) {
		char *value = knob(knobs->names[i]);

		if (value)
			json_value(knobs->names[i], value);
		free(value);
	}
	json_close(&json, '}');
	json_close(&json, '}');
}

static void json_rules(const struct rule_list *rules)
{
	json_open(&json, "rules", '{');
	json_bool(&json, "available", rules_available());
	json_number(&json, "total", rules->nr);
	json_number(&json, "active", count_active(rules));
	json_close(&json, '}');
}

int cmd_status(int argc, char **argv)
{
	static const struct option options[] = {
		COMMON_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct file_list knobs = { NULL, 0 };
	struct rule_list rules = { NULL, 0 };
	struct io_locality_probe probe;
	bool task_default;
	int c, error;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return DONE;
		}
		common_option(c);
	}
	no_more(argc, argv);

	error = kernel_probe(&probe);
	task_default = !error && kernel_task_default(NULL) != -EOPNOTSUPP;
	if (policy_loaded())
		file_list(&knobs, POLICY_DIR, "counters");
	if (rules_available())
		rules_read(&rules);
	if (as_json) {
		json_open(&json, NULL, '{');
		json_kernel(&probe, error, task_default);
		json_policy(&knobs);
		json_rules(&rules);
		json_close(&json, '}');
		putchar('\n');
	} else {
		print_kernel(&probe, error, task_default);
		print_policy(&knobs, error);
		print_rules(&rules);
	}
	return kernel_exit_status(error);
}
