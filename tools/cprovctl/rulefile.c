// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules as text: [NAME], and a line ATTRIBUTE=VALUE for each attribute. A value
 * is all that follows the sign, blanks included. Lines that are empty or begin
 * with # say nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cprovctl.h"

void rulefile_write(FILE *file, const struct rule *rule)
{
	int i;

	fprintf(file, "[%s]\n", rule->name);
	for (i = 0; i < NR_RULE_ATTRS; i++)
		if (*rule->values[i])
			fprintf(file, "%s=%s\n", rule_attr_names[i],
				rule->values[i]);
	fprintf(file, "active=%d\n", rule->active);
}

struct place {
	const char *file;
	unsigned int line;
};

static struct rule *parse_head(struct rule_list *list, const struct place *at,
			       char *line)
{
	size_t len = strlen(line);

	if (len < 3 || line[len - 1] != ']')
		fail(FAILED, "%s:%u: [NAME] is needed, not '%s'", at->file,
		     at->line, line);
	line[len - 1] = '\0';
	if (rules_find(list, line + 1))
		fail(FAILED, "%s:%u: rule '%s' is there twice", at->file,
		     at->line, line + 1);
	return rules_append(list, line + 1);
}

static void parse_attr(struct rule *rule, const struct place *at, char *line)
{
	char *equals = strchr(line, '=');
	int i;

	if (!equals)
		fail(FAILED, "%s:%u: ATTRIBUTE=VALUE is needed, not '%s'",
		     at->file, at->line, line);
	*equals = '\0';
	if (!strcmp(line, "active")) {
		if (strcmp(equals + 1, "0") && strcmp(equals + 1, "1"))
			fail(FAILED, "%s:%u: active is 0 or 1, not '%s'",
			     at->file, at->line, equals + 1);
		rule->active = equals[1] == '1';
		return;
	}
	for (i = 0; i < NR_RULE_ATTRS; i++)
		if (!strcmp(line, rule_attr_names[i]))
			break;
	if (i == NR_RULE_ATTRS)
		fail(FAILED, "%s:%u: a rule has no '%s'", at->file, at->line,
		     line);
	if (rule->values[i])
		fail(FAILED, "%s:%u: %s is there twice", at->file, at->line,
		     line);
	rule->values[i] = text("%s", equals + 1);
}

void rulefile_read(struct rule_list *list, FILE *file, const char *name)
{
	struct place at = { .file = name };
	struct rule *rule = NULL;
	char *line = NULL;
	size_t size = 0;

	list->rules = NULL;
	list->nr = 0;
	while (getline(&line, &size, file) >= 0) {
		at.line++;
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		if (*line == '[') {
			rule = parse_head(list, &at, line);
			rule->active = true;
			continue;
		}
		if (!rule)
			fail(FAILED, "%s:%u: [NAME] is needed before '%s'",
			     at.file, at.line, line);
		parse_attr(rule, &at, line);
	}
	if (ferror(file))
		fail(FAILED, "%s: %s", name, strerror(errno));
	free(line);
}
