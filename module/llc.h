/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which CPUs share their last-level cache.
 *
 * cpus_share_cache() is not exported, and answers another question: an isolated
 * CPU has no scheduling domain and so shares with nobody, whatever the
 * hardware does. These are the architectures that tell modules about the
 * hardware. Elsewhere nobody shares, which costs IPIs and is never wrong.
 */
#ifndef _CPROV_LLC_H
#define _CPROV_LLC_H

#include <linux/topology.h>
#include <linux/types.h>

#ifdef CONFIG_X86
#include <asm/apicdef.h>
#include <asm/processor.h>
#endif

/**
 * cprov_shares_llc - whether two CPUs share their last-level cache
 * @a: a possible CPU
 * @b: another, or the same
 *
 * Context: Any.
 * Return: true if they are known to.
 */
static inline bool cprov_shares_llc(unsigned int a, unsigned int b)
{
	if (a == b)
		return true;
#if defined(CONFIG_X86)
	return per_cpu_llc_id(a) != BAD_APICID &&
	       per_cpu_llc_id(a) == per_cpu_llc_id(b);
#elif defined(CONFIG_GENERIC_ARCH_TOPOLOGY)
	return cpumask_test_cpu(b, topology_llc_cpumask(a));
#else
	return false;
#endif
}

#endif /* _CPROV_LLC_H */
