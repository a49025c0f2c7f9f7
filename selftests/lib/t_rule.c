// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy's rules, and the default hint that a new ring gets.
 */
#include "t.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *rule_path(const char *rule, const char *attr)
{
	return t_text(T_RULES "/%s/%s", rule, attr);
}

static void remove_rule(const char *path)
{
	rmdir(path);
}

int t_rule_make(const char *rule)
{
	const char *path = t_text(T_RULES "/%s", rule);

	if (mkdir(path, 0755))
		return -errno;
	t_undo(remove_rule, path);
	return 0;
}

int t_rule_del(const char *rule)
{
	return rmdir(t_text(T_RULES "/%s", rule)) ? -errno : 0;
}

int t_rule_set(const char *rule, const char *attr, const char *value)
{
	return t_write(rule_path(rule, attr), "%s", value);
}

const char *t_rule_get(const char *rule, const char *attr)
{
	char value[400];
	int ret = t_read(value, sizeof(value), "%s", rule_path(rule, attr));

	return ret ? t_text("error %d", ret) : t_text("%s", value);
}

long long t_rule_rings(const char *rule)
{
	return t_read_num(-1, "%s", rule_path(rule, "rings"));
}

const char *t_rule(const char *rule, const char *attrs)
{
	char copy[400], *word, *save;
	int ret = t_rule_make(rule);

	if (ret)
		return t_text("rule %s: %s", rule, strerror(-ret));
	snprintf(copy, sizeof(copy), "%s active=1", attrs);
	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		char *value = strchr(word, '=');

		*value++ = '\0';
		ret = t_rule_set(rule, word, value);
		if (ret)
			return t_text("%s=%s of rule %s: %s", word, value, rule,
				      strerror(-ret));
	}
	return NULL;
}

bool t_ring_default(const struct t_ring *ring, struct io_locality_hint *hint)
{
	char info[4096];
	unsigned int flow, cls, flags, budget;
	const char *line;
	int cpu, node;

	memset(hint, 0, sizeof(*hint));
	if (t_read(info, sizeof(info), "/proc/self/fdinfo/%d", ring->fd))
		return false;
	line = strstr(info, "LocalityDefault:");
	if (!line ||
	    sscanf(line,
		   "LocalityDefault: flow %u home_cpu %d home_node %d class %u flags %x budget_us %u",
		   &flow, &cpu, &node, &cls, &flags, &budget) != 6)
		return false;
	hint->flow_id = flow;
	hint->home_cpu = cpu;
	hint->home_node = node;
	hint->io_class = cls;
	hint->flags = flags;
	hint->budget_us = budget;
	return true;
}

const char *t_new_ring(struct io_locality_hint *hint)
{
	struct t_ring ring;
	const char *why = "none";
	int ret = t_ring_init(&ring, 1, 0);

	if (ret) {
		why = t_text("no ring: %s", strerror(-ret));
		memset(hint, 0, sizeof(*hint));
		return why;
	}
	if (t_ring_default(&ring, hint))
		why = NULL;
	t_ring_exit(&ring);
	return why;
}

int t_new_ring_as(const struct t_who *who)
{
	struct io_locality_hint hint;
	int status;
	pid_t pid;

	pid = t_fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		const char *why;

		if (who->cgroup &&
		    t_write(t_text("%s/cgroup.procs", who->cgroup), "%d",
			    getpid()))
			_exit(255);
		if (who->comm)
			prctl(PR_SET_NAME, who->comm);
		if (who->ruid || who->euid) {
			if (setresuid(who->ruid, who->euid, -1))
				_exit(255);
		}
		why = t_new_ring(&hint);
		if (why && strcmp(why, "none"))
			fprintf(stderr, "# %s\n", why);
		_exit(!why ? (int)hint.flow_id : strcmp(why, "none") ? 255 : 0);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) == 255)
		return -1;
	return WEXITSTATUS(status);
}
