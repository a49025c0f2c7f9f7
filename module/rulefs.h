/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /sys/kernel/config/completion_provenance: the rules that there are. Without
 * configfs there are none.
 */
#ifndef _CPROV_RULEFS_H
#define _CPROV_RULEFS_H

#include <linux/completion_provenance.h>
#include <linux/kconfig.h>

#include "rules.h"

#if IS_ENABLED(CONFIG_CONFIGFS_FS)
int cprov_rulefs_init(void);
void cprov_rulefs_exit(void);
bool cprov_rules_hint(const struct cprov_creator *who,
		      struct io_locality_hint *hint);
#else
static inline int cprov_rulefs_init(void)
{
	return 0;
}

static inline void cprov_rulefs_exit(void)
{
}

static inline bool cprov_rules_hint(const struct cprov_creator *who,
				    struct io_locality_hint *hint)
{
	return false;
}
#endif

#endif /* _CPROV_RULEFS_H */
