// SPDX-License-Identifier: GPL-2.0-only
#include "rulefs.h"

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/configfs.h>
#include <linux/kstrtox.h>
#include <linux/limits.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/user_namespace.h>

#include "names.h"
#include "parse.h"

/* All are asked one after the other, for each ring that is created. */
#define CPROV_MAX_RULES		256

#define CPROV_DEFAULT_ORDER	100
#define CPROV_MAX_ORDER		65535

/**
 * struct cprov_rule_item - a rule and its directory
 * @item: The directory.
 * @link: In cprov_active_rules, if @active.
 * @active: It holds.
 * @rings: How many rings got its hint.
 * @rule: The rule. While it is active nothing changes it, and rings that are
 *	created look at it under RCU.
 */
struct cprov_rule_item {
	struct config_item	item;
	struct list_head	link;
	bool			active;
	atomic_long_t		rings;
	struct cprov_rule	rule;
};

/* In the order in which they are asked. */
static LIST_HEAD(cprov_active_rules);
static unsigned int cprov_nr_rules;
/* Protects both, and the rules that are not active. */
static DEFINE_MUTEX(cprov_rules_mutex);

static struct cprov_rule_item *to_cprov_rule_item(struct config_item *item)
{
	return container_of(item, struct cprov_rule_item, item);
}

/**
 * cprov_rules_hint - the hint that the rules give a ring
 * @who: who creates the ring
 * @hint: filled in if there is one
 *
 * The first active rule that matches decides.
 *
 * Context: Under rcu_read_lock(). Does not sleep.
 * Return: true if a rule matched.
 */
bool cprov_rules_hint(const struct cprov_creator *who,
		      struct io_locality_hint *hint)
{
	struct cprov_rule_item *ri;

	list_for_each_entry_rcu(ri, &cprov_active_rules, link) {
		if (cprov_rule_matches(&ri->rule, who)) {
			atomic_long_inc(&ri->rings);
			*hint = ri->rule.hint;
			return true;
		}
	}
	return false;
}

/* ---- on and off ---- */

static void cprov_rule_activate(struct cprov_rule_item *ri)
{
	struct list_head *before = &cprov_active_rules;
	struct cprov_rule_item *other;

	lockdep_assert_held(&cprov_rules_mutex);
	list_for_each_entry(other, &cprov_active_rules, link) {
		if (cprov_rule_before(&ri->rule, &other->rule))
			break;
		before = &other->link;
	}
	list_add_rcu(&ri->link, before);
	ri->active = true;
}

/* When it returns nobody looks at the rule any more. */
static void cprov_rule_deactivate(struct cprov_rule_item *ri)
{
	lockdep_assert_held(&cprov_rules_mutex);
	if (!ri->active)
		return;
	list_del_rcu(&ri->link);
	ri->active = false;
	synchronize_rcu();
}

/* ---- the files of a rule ---- */

typedef int (*cprov_get_fn)(const struct cprov_rule *rule, char *page);
typedef int (*cprov_set_fn)(struct cprov_rule *rule, const char *text);

static ssize_t cprov_rule_show(struct config_item *item, cprov_get_fn get,
			       char *page)
{
	int len;

	mutex_lock(&cprov_rules_mutex);
	len = get(&to_cprov_rule_item(item)->rule, page);
	mutex_unlock(&cprov_rules_mutex);
	return len;
}

/* A rule that holds is not changed, so nobody ever meets half a change. */
static ssize_t cprov_rule_store(struct config_item *item, cprov_set_fn set,
				const char *text, size_t count)
{
	struct cprov_rule_item *ri = to_cprov_rule_item(item);
	int ret = -EBUSY;

	if (strlen(text) != count)
		return -EINVAL;
	mutex_lock(&cprov_rules_mutex);
	if (!ri->active)
		ret = set(&ri->rule, text);
	mutex_unlock(&cprov_rules_mutex);
	return ret ?: count;
}

/* Without the line's end, which is not part of a name; -1: there is more. */
static int cprov_line_len(const char *text)
{
	size_t len = strcspn(text, "\n");

	return text[len] && text[len + 1] ? -1 : (int)len;
}

static int cprov_set_comm(struct cprov_rule *rule, const char *text)
{
	int len = cprov_line_len(text);

	if (len < 0 || len >= TASK_COMM_LEN)
		return -EINVAL;
	memset(rule->comm, 0, sizeof(rule->comm));
	memcpy(rule->comm, text, len);
	return 0;
}

static int cprov_set_uid(struct cprov_rule *rule, const char *text)
{
	kuid_t euid = INVALID_UID;
	unsigned int value;

	if (cprov_line_len(text)) {
		if (cprov_parse_uint(text, UINT_MAX, &value))
			return -EINVAL;
		euid = make_kuid(&init_user_ns, value);
		if (!uid_valid(euid))
			return -EINVAL;
	}
	rule->euid = euid;
	return 0;
}

static int cprov_set_cgroup(struct cprov_rule *rule, const char *text)
{
	int len = cprov_line_len(text);
	char *path = NULL;

	if (len < 0)
		return -EINVAL;
	if (len) {
		path = kstrndup(text, len, GFP_KERNEL);
		if (!path)
			return -ENOMEM;
		if (!cprov_cgroup_path_valid(path)) {
			kfree(path);
			return -EINVAL;
		}
		if (!IS_ENABLED(CONFIG_CGROUPS) && path[1]) {
			kfree(path);
			return -EOPNOTSUPP;
		}
	}
	kfree(rule->cgroup);
	rule->cgroup = path;
	return 0;
}

static int cprov_set_class(struct cprov_rule *rule, const char *text)
{
	unsigned int class;
	int ret = cprov_parse_class(text, &class);

	if (!ret)
		rule->hint.io_class = class;
	return ret;
}

static int cprov_set_flags(struct cprov_rule *rule, const char *text)
{
	unsigned int flags;
	int ret = cprov_parse_flags(text, &flags);

	if (!ret)
		rule->hint.flags = flags;
	return ret;
}

static int cprov_set_budget_us(struct cprov_rule *rule, const char *text)
{
	return cprov_parse_uint(text, UINT_MAX, &rule->hint.budget_us);
}

static int cprov_set_flow_id(struct cprov_rule *rule, const char *text)
{
	return cprov_parse_uint(text, UINT_MAX, &rule->hint.flow_id);
}

static int cprov_set_order(struct cprov_rule *rule, const char *text)
{
	return cprov_parse_uint(text, CPROV_MAX_ORDER, &rule->order);
}

/* Whether there is such a CPU or node is for the check of the whole rule. */
static int cprov_set_s16(s16 *field, const char *text)
{
	s16 value;

	if (kstrtos16(text, 10, &value) || value < -1)
		return -EINVAL;
	*field = value;
	return 0;
}

static int cprov_set_home_cpu(struct cprov_rule *rule, const char *text)
{
	return cprov_set_s16(&rule->hint.home_cpu, text);
}

static int cprov_set_home_node(struct cprov_rule *rule, const char *text)
{
	return cprov_set_s16(&rule->hint.home_node, text);
}

/* The longest text is the path of a cgroup, which fits the page. */
static int cprov_get_order(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%u\n", rule->order);
}

static int cprov_get_comm(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%s\n", rule->comm);
}

static int cprov_get_uid(const struct cprov_rule *rule, char *page)
{
	if (!uid_valid(rule->euid))
		return sysfs_emit(page, "\n");
	return sysfs_emit(page, "%u\n", from_kuid(&init_user_ns, rule->euid));
}

static int cprov_get_cgroup(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%s\n", rule->cgroup ?: "");
}

static int cprov_get_class(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%s\n",
			  cprov_class_names[rule->hint.io_class]);
}

static int cprov_get_budget_us(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%u\n", rule->hint.budget_us);
}

static int cprov_get_home_cpu(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%d\n", rule->hint.home_cpu);
}

static int cprov_get_home_node(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%d\n", rule->hint.home_node);
}

static int cprov_get_flow_id(const struct cprov_rule *rule, char *page)
{
	return sysfs_emit(page, "%u\n", rule->hint.flow_id);
}

static int cprov_get_flags(const struct cprov_rule *rule, char *page)
{
	unsigned int flag;
	int len = 0;

	for (flag = 0; flag < CPROV_NR_FLAGS; flag++) {
		if (rule->hint.flags & BIT(flag))
			len += sysfs_emit_at(page, len, "%s%s", len ? " " : "",
					     cprov_flag_names[flag]);
	}
	return len + sysfs_emit_at(page, len, "\n");
}

#define CPROV_RULE_ATTR(_name)						\
static ssize_t cprov_rule_##_name##_show(struct config_item *item,	\
					 char *page)			\
{									\
	return cprov_rule_show(item, cprov_get_##_name, page);		\
}									\
									\
static ssize_t cprov_rule_##_name##_store(struct config_item *item,	\
					  const char *page, size_t count) \
{									\
	return cprov_rule_store(item, cprov_set_##_name, page, count);	\
}									\
									\
CONFIGFS_ATTR(cprov_rule_, _name)

CPROV_RULE_ATTR(order);
CPROV_RULE_ATTR(comm);
CPROV_RULE_ATTR(uid);
CPROV_RULE_ATTR(cgroup);
CPROV_RULE_ATTR(class);
CPROV_RULE_ATTR(budget_us);
CPROV_RULE_ATTR(home_cpu);
CPROV_RULE_ATTR(home_node);
CPROV_RULE_ATTR(flow_id);
CPROV_RULE_ATTR(flags);

static ssize_t cprov_rule_active_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n",
		       READ_ONCE(to_cprov_rule_item(item)->active));
}

static ssize_t cprov_rule_active_store(struct config_item *item,
				       const char *page, size_t count)
{
	struct cprov_rule_item *ri = to_cprov_rule_item(item);
	unsigned int value;
	int ret;

	ret = cprov_parse_uint(page, 1, &value);
	if (ret)
		return ret;

	mutex_lock(&cprov_rules_mutex);
	if (!value) {
		cprov_rule_deactivate(ri);
	} else if (!ri->active) {
		ret = cprov_rule_check(&ri->rule);
		if (!ret)
			cprov_rule_activate(ri);
	}
	mutex_unlock(&cprov_rules_mutex);
	return ret ?: count;
}

CONFIGFS_ATTR(cprov_rule_, active);

static ssize_t cprov_rule_rings_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%lu\n", (unsigned long)
		       atomic_long_read(&to_cprov_rule_item(item)->rings));
}

CONFIGFS_ATTR_RO(cprov_rule_, rings);

static struct configfs_attribute *cprov_rule_attrs[] = {
	&cprov_rule_attr_order,
	&cprov_rule_attr_comm,
	&cprov_rule_attr_uid,
	&cprov_rule_attr_cgroup,
	&cprov_rule_attr_class,
	&cprov_rule_attr_budget_us,
	&cprov_rule_attr_home_cpu,
	&cprov_rule_attr_home_node,
	&cprov_rule_attr_flow_id,
	&cprov_rule_attr_flags,
	&cprov_rule_attr_active,
	&cprov_rule_attr_rings,
	NULL
};

/* ---- the directories ---- */

static void cprov_rule_release(struct config_item *item)
{
	struct cprov_rule_item *ri = to_cprov_rule_item(item);

	kfree(ri->rule.cgroup);
	kfree(ri);
}

static struct configfs_item_operations cprov_rule_item_ops = {
	.release	= cprov_rule_release,
};

static const struct config_item_type cprov_rule_type = {
	.ct_owner	= THIS_MODULE,
	.ct_item_ops	= &cprov_rule_item_ops,
	.ct_attrs	= cprov_rule_attrs,
};

static struct config_item *cprov_make_rule(struct config_group *group,
					   const char *name)
{
	struct cprov_rule_item *ri;
	bool full;

	if (!cprov_rule_name_valid(name))
		return ERR_PTR(-EINVAL);

	ri = kzalloc(sizeof(*ri), GFP_KERNEL);
	if (!ri)
		return ERR_PTR(-ENOMEM);
	config_item_init_type_name(&ri->item, name, &cprov_rule_type);
	/* That does not tell. */
	if (!config_item_name(&ri->item)) {
		kfree(ri);
		return ERR_PTR(-ENOMEM);
	}
	ri->rule = (struct cprov_rule) {
		.name	= config_item_name(&ri->item),
		.order	= CPROV_DEFAULT_ORDER,
		.euid	= INVALID_UID,
		.hint	= {
			.io_class	= IO_LOCALITY_CLASS_LATENCY,
			.home_cpu	= -1,
			.home_node	= -1,
		},
	};

	mutex_lock(&cprov_rules_mutex);
	full = cprov_nr_rules == CPROV_MAX_RULES;
	cprov_nr_rules += !full;
	mutex_unlock(&cprov_rules_mutex);
	if (full) {
		config_item_put(&ri->item);
		return ERR_PTR(-ENOSPC);
	}
	return &ri->item;
}

static void cprov_drop_rule(struct config_group *group,
			    struct config_item *item)
{
	mutex_lock(&cprov_rules_mutex);
	cprov_rule_deactivate(to_cprov_rule_item(item));
	cprov_nr_rules--;
	mutex_unlock(&cprov_rules_mutex);
	config_item_put(item);
}

static struct configfs_group_operations cprov_rules_group_ops = {
	.make_item	= cprov_make_rule,
	.drop_item	= cprov_drop_rule,
};

static const struct config_item_type cprov_rules_type = {
	.ct_owner	= THIS_MODULE,
	.ct_group_ops	= &cprov_rules_group_ops,
};

static struct configfs_subsystem cprov_rules = {
	.su_group = {
		.cg_item = {
			/* Too long for its buffer. */
			.ci_name	= "completion_provenance",
			.ci_type	= &cprov_rules_type,
		},
	},
};

/**
 * cprov_rulefs_init - create the directory
 *
 * Context: Process context. May sleep.
 * Return: 0 or a negative error; then nothing is left of it.
 */
int cprov_rulefs_init(void)
{
	config_group_init(&cprov_rules.su_group);
	mutex_init(&cprov_rules.su_mutex);
	return configfs_register_subsystem(&cprov_rules);
}

/**
 * cprov_rulefs_exit - remove the directory
 *
 * Each rule holds a reference to the module, so there are none.
 *
 * Context: Process context. May sleep.
 */
void cprov_rulefs_exit(void)
{
	configfs_unregister_subsystem(&cprov_rules);
}
