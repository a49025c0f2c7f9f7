/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether this CPU has time for workers that are bound to it.
 */
#ifndef _CPROV_IDLE_H
#define _CPROV_IDLE_H

#include <linux/types.h>

/* Workers that a CPU may give itself each time that it was idle. */
#define CPROV_WORKERS_PER_IDLE	32

/**
 * struct cprov_idle - what is known of a CPU's idleness
 * @us: how long the CPU had been idle in all when that last changed, in
 *	microseconds, modulo the range of unsigned long
 * @left: workers that it may still give itself
 */
struct cprov_idle {
	unsigned long	us;
	unsigned int	left;
};

bool cprov_idle_take_at(struct cprov_idle *idle, unsigned long us);
bool cprov_idle_take(void);

#endif /* _CPROV_IDLE_H */
