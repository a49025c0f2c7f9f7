/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rules: which hint the rings of a program get that gives none itself.
 *
 * What a rule is, whether it makes sense and whom it means. Pure functions, as
 * in policy.c; rulefs.c has the rules that there are. See
 * Documentation/policy.rst.
 */
#ifndef _CPROV_RULES_H
#define _CPROV_RULES_H

#include <linux/completion_provenance.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/uidgid.h>

struct cgroup;

/* The longest path of a cgroup that a rule may name, less than a page. */
#define CPROV_MAX_CGROUP_PATH	4000

/**
 * struct cprov_rule - a hint, and who gets it
 * @name: Its name; no other rule has it.
 * @order: Rules of a lower order are asked first; of the same order, those whose
 *	name sorts first.
 * @comm: Name of the process, which is its main thread's; empty = any.
 * @euid: Effective user; INVALID_UID = any.
 * @cgroup: Path in the default hierarchy, "/" or "/a/b"; NULL = any. Means its
 *	descendants too.
 * @hint: The hint.
 */
struct cprov_rule {
	const char		*name;
	unsigned int		order;
	char			comm[TASK_COMM_LEN];
	kuid_t			euid;
	const char		*cgroup;
	struct io_locality_hint	hint;
};

/**
 * struct cprov_creator - who creates a ring
 * @comm: Name of the process.
 * @euid: Effective user of the thread.
 * @cgroup: For @ancestor.
 * @ancestor: The name of a cgroup on the way from the root of the default
 *	hierarchy to the one that the process is in: level 1 is a child of the
 *	root. NULL past the last.
 */
struct cprov_creator {
	const char		*comm;
	kuid_t			euid;
	const struct cgroup	*cgroup;
	const char		*(*ancestor)(const struct cprov_creator *who,
					     unsigned int level);
};

bool cprov_rule_name_valid(const char *name);
bool cprov_cgroup_path_valid(const char *path);
int cprov_rule_check(const struct cprov_rule *rule);
bool cprov_rule_before(const struct cprov_rule *a, const struct cprov_rule *b);
bool cprov_rule_matches(const struct cprov_rule *rule,
			const struct cprov_creator *who);

#endif /* _CPROV_RULES_H */
