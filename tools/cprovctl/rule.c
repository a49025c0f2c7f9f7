// SPDX-License-Identifier: GPL-2.0-only
/* One rule, and how it comes and goes: a directory in configfs. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cprovctl.h"

const char *const rule_attr_names[NR_RULE_ATTRS] = {
	[RULE_ORDER] = "order",	      [RULE_COMM] = "comm",
	[RULE_UID] = "uid",	      [RULE_CGROUP] = "cgroup",
	[RULE_CLASS] = "class",	      [RULE_BUDGET_US] = "budget_us",
	[RULE_HOME_CPU] = "home_cpu", [RULE_HOME_NODE] = "home_node",
	[RULE_FLOW_ID] = "flow_id",   [RULE_FLAGS] = "flags",
};

bool rules_available(void)
{
	return !access(RULES_DIR, F_OK);
}

void rules_needed(void)
{
	struct stat dir, parent;

	if (rules_available())
		return;
	policy_needed();
	/* A file system is mounted where the device changes. */
	if (stat(CONFIGFS_DIR, &dir))
		fail(NOT_SUPPORTED,
		     "rules are files in configfs, which this kernel has not (CONFIG_CONFIGFS_FS); as a module: modprobe configfs, and load the policy again");
	if (!stat(CONFIGFS_DIR "/..", &parent) && dir.st_dev == parent.st_dev)
		fail(FAILED,
		     "configfs is not mounted: mount -t configfs none " CONFIGFS_DIR);
	fail(NOT_SUPPORTED,
	     "the policy module that is loaded knows no rules: it was built without CONFIG_CONFIGFS_FS");
}

static char *attr_path(const char *rule, const char *attr)
{
	return text(RULES_DIR "/%s/%s", rule, attr);
}

/* NULL if the rule is gone. */
static char *attr_read(const char *rule, const char *attr)
{
	char *path = attr_path(rule, attr);
	char *value = file_read(path);

	if (!value && errno != ENOENT)
		fail(FAILED, "%s: %s", path, strerror(errno));
	free(path);
	return value;
}

struct rule *rules_append(struct rule_list *list, const char *name)
{
	struct rule *rule;

	list->rules =
		reallocarray(list->rules, list->nr + 1, sizeof(*list->rules));
	if (!list->rules)
		fail(FAILED, "out of memory");
	rule = &list->rules[list->nr++];
	memset(rule, 0, sizeof(*rule));
	rule->name = text("%s", name);
	return rule;
}

struct rule *rules_find(const struct rule_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (!strcmp(list->rules[i].name, name))
			return &list->rules[i];
	return NULL;
}

/* False if it went away meanwhile. */
static bool rule_read(struct rule *rule)
{
	char *value;
	int i;

	for (i = 0; i < NR_RULE_ATTRS; i++) {
		rule->values[i] = attr_read(rule->name, rule_attr_names[i]);
		if (!rule->values[i])
			return false;
	}
	value = attr_read(rule->name, "active");
	if (!value)
		return false;
	rule->active = !strcmp(value, "1");
	free(value);
	value = attr_read(rule->name, "rings");
	if (!value)
		return false;
	rule->rings = strtoull(value, NULL, 10);
	free(value);
	return true;
}

static int as_asked(const void *va, const void *vb)
{
	const struct rule *a = va, *b = vb;
	long order_a = strtol(a->values[RULE_ORDER], NULL, 10);
	long order_b = strtol(b->values[RULE_ORDER], NULL, 10);

	if (order_a != order_b)
		return order_a < order_b ? -1 : 1;
	return strcmp(a->name, b->name);
}

void rules_read(struct rule_list *list)
{
	DIR *stream = opendir(RULES_DIR);
	struct dirent *entry;

	list->rules = NULL;
	list->nr = 0;
	if (!stream)
		fail(FAILED, RULES_DIR ": %s", strerror(errno));
	while ((entry = readdir(stream))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (!rule_read(rules_append(list, entry->d_name)))
			list->nr--;
	}
	closedir(stream);
	if (list->nr)
		qsort(list->rules, list->nr, sizeof(*list->rules), as_asked);
}

static int rule_rmdir(const char *name)
{
	char *path = text(RULES_DIR "/%s", name);
	int ret = rmdir(path) ? -errno : 0;

	free(path);
	return ret;
}

void rule_delete(const char *name)
{
	int ret = rule_rmdir(name);

	if (ret == -EACCES || ret == -EPERM)
		fail(FAILED, "only root may delete rules");
	if (ret)
		fail(FAILED, "rule '%s' cannot be deleted: %s", name,
		     strerror(-ret));
}

/* Why not, or NULL. */
static char *why_not_made(const char *name, int error)
{
	switch (error) {
	case 0:
		return NULL;
	case EEXIST:
		return text("there is a rule '%s': cprovctl rules del %s", name,
			    name);
	case EACCES:
	case EPERM:
		return text("only root may make rules");
	case ENOSPC:
		return text("there is no room for rule '%s': too many rules",
			    name);
	case EINVAL:
		return text(
			"a rule cannot be called '%s': one word of printable ASCII can be a name",
			name);
	default:
		return text("rule '%s' cannot be made: %s", name,
			    strerror(error));
	}
}

static char *make(const struct rule *rule)
{
	char *path = text(RULES_DIR "/%s", rule->name);
	/* mkdir() would take it for a path. */
	int error = strchr(rule->name, '/') ? EINVAL :
		    mkdir(path, 0755)	    ? errno :
					      0;

	free(path);
	return why_not_made(rule->name, error);
}

static char *fill_in(const struct rule *rule)
{
	int i, ret;

	for (i = 0; i < NR_RULE_ATTRS; i++) {
		char *path = attr_path(rule->name, rule_attr_names[i]);

		ret = rule->values[i] ? file_write(path, rule->values[i]) : 0;
		free(path);
		if (ret == -EOPNOTSUPP)
			return text(
				"this kernel has no cgroups, so that rule '%s' cannot name one",
				rule->name);
		if (ret)
			return text("'%s' cannot be the %s of rule '%s': %s",
				    rule->values[i], rule_attr_names[i],
				    rule->name, strerror(-ret));
	}
	return NULL;
}

static char *set_active(const char *name, bool active)
{
	char *path = attr_path(name, "active");
	int ret = file_write(path, active ? "1" : "0");

	free(path);
	if (ret == -EINVAL)
		return text(
			"rule '%s' makes no sense to the kernel: it has no comm, uid or cgroup, or there is no such home_cpu, home_node, or no such CPU on that node",
			name);
	if (ret == -EACCES)
		return text("only root may turn rules on and off");
	return ret ? text("rule '%s' cannot be turned %s: %s", name,
			  active ? "on" : "off", strerror(-ret)) :
		     NULL;
}

void rule_activate(const char *name, bool active)
{
	char *why = set_active(name, active);

	if (why)
		fail(FAILED, "%s", why);
}

void rules_create(const struct rule_list *list)
{
	size_t made, i;
	char *why = NULL;

	for (made = 0; !why && made < list->nr; made++) {
		why = make(&list->rules[made]);
		if (why)
			break;
		why = fill_in(&list->rules[made]);
	}
	for (i = 0; !why && i < list->nr; i++)
		if (list->rules[i].active)
			why = set_active(list->rules[i].name, true);
	if (!why)
		return;
	while (made-- > 0)
		rule_rmdir(list->rules[made].name);
	fail(FAILED, "%s%s", why, list->nr > 1 ? "; no rule was made" : "");
}
