// SPDX-License-Identifier: GPL-2.0-only
#include "rules.h"

#include <kunit/visibility.h>
#include <linux/cpumask.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/nodemask.h>
#include <linux/string.h>
#include <linux/topology.h>

/**
 * cprov_rule_name_valid - whether a rule may have this name
 * @name: the name
 *
 * It is a word, so that lists of names need no quotes.
 *
 * Context: Any.
 * Return: true if @name is not empty and all of it is printable ASCII without
 * blanks.
 */
bool cprov_rule_name_valid(const char *name)
{
	const char *p;

	for (p = name; isascii(*p) && isgraph(*p); p++)
		;
	return p != name && !*p;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_rule_name_valid);

/**
 * cprov_cgroup_path_valid - whether this can be the path of a cgroup
 * @path: the path
 *
 * Whether there is such a cgroup does not matter: services come and go, and
 * take theirs with them.
 *
 * Context: Any.
 * Return: true if @path is "/", or names that each follow a slash, none of them
 * "." or "..", and it has at most CPROV_MAX_CGROUP_PATH bytes.
 */
bool cprov_cgroup_path_valid(const char *path)
{
	size_t len;

	if (strlen(path) > CPROV_MAX_CGROUP_PATH)
		return false;
	if (!strcmp(path, "/"))
		return true;
	do {
		if (*path++ != '/')
			return false;
		len = strcspn(path, "/\n");
		if (!len || (len <= 2 && strspn(path, ".") == len))
			return false;
		path += len;
	} while (*path);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_cgroup_path_valid);

static int cprov_check_home(int cpu, int node)
{
	if (cpu < -1 || cpu >= (int)nr_cpu_ids ||
	    node < -1 || node >= MAX_NUMNODES)
		return -EINVAL;
	if ((cpu >= 0 && !cpu_possible(cpu)) ||
	    (node >= 0 && !node_possible(node)) ||
	    (cpu >= 0 && node >= 0 && cpu_to_node(cpu) != node))
		return -EINVAL;
	return 0;
}

/**
 * cprov_rule_check - whether a rule makes sense
 * @rule: the rule
 *
 * One without a condition would hold for the whole machine, which nobody should
 * get by leaving something out; the cgroup "/" says so.
 *
 * Context: Any.
 * Return: 0; -EINVAL if it has no condition, or a hint that a program would be
 * refused with that error.
 */
int cprov_rule_check(const struct cprov_rule *rule)
{
	const struct io_locality_hint *hint = &rule->hint;

	if (!rule->comm[0] && !uid_valid(rule->euid) && !rule->cgroup)
		return -EINVAL;
	if (rule->cgroup && !cprov_cgroup_path_valid(rule->cgroup))
		return -EINVAL;
	if (hint->io_class >= IO_LOCALITY_NR_CLASSES ||
	    hint->flags & ~IO_LOCALITY_FLAGS_ALL)
		return -EINVAL;
	return cprov_check_home(hint->home_cpu, hint->home_node);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_rule_check);

/**
 * cprov_rule_before - which of two rules is asked first
 * @a: a rule
 * @b: another
 *
 * Context: Any.
 * Return: true if it is @a. Never true both ways; false both ways only for
 * rules of one name.
 */
bool cprov_rule_before(const struct cprov_rule *a, const struct cprov_rule *b)
{
	if (a->order != b->order)
		return a->order < b->order;
	return strcmp(a->name, b->name) < 0;
}
EXPORT_SYMBOL_IF_KUNIT(cprov_rule_before);

/*
 * By name, not by identity: a service that is restarted gets a new cgroup of
 * the old path, and the rule holds for it all the same.
 */
static bool cprov_in_cgroup(const char *path, const struct cprov_creator *who)
{
	unsigned int level = 0;

	while (*path++ == '/' && *path) {
		const char *name = who->ancestor(who, ++level);
		size_t len = strcspn(path, "/");

		if (!name || strlen(name) != len || strncmp(name, path, len))
			return false;
		path += len;
	}
	return true;
}

/**
 * cprov_rule_matches - whether a rule is for the creator of a ring
 * @rule: a rule that cprov_rule_check() accepts
 * @who: the creator
 *
 * Context: Any in which @who->ancestor may be called.
 * Return: true if every condition of the rule holds.
 */
bool cprov_rule_matches(const struct cprov_rule *rule,
			const struct cprov_creator *who)
{
	if (rule->comm[0] && strcmp(rule->comm, who->comm))
		return false;
	if (uid_valid(rule->euid) && !uid_eq(rule->euid, who->euid))
		return false;
	return !rule->cgroup || cprov_in_cgroup(rule->cgroup, who);
}
EXPORT_SYMBOL_IF_KUNIT(cprov_rule_matches);
