/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many completions a CPU may be sent, of whomever. See Documentation/policy.rst.
 */
#ifndef _CPROV_HOME_H
#define _CPROV_HOME_H

#include <linux/atomic.h>
#include <linux/types.h>

/* So many are taken from a home CPU's account at a time, by each CPU that sends. */
#define CPROV_HOME_CREDIT	32

bool cprov_home_take_at(u8 *credit, atomic64_t *account,
			unsigned int per_second, u64 now_ns);
bool cprov_home_take(unsigned int home, unsigned int per_second, u64 now_ns);
int cprov_home_init(void);
void cprov_home_exit(void);

#endif /* _CPROV_HOME_H */
