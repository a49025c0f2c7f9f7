/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /sys/kernel/completion_provenance: the knobs and the counters.
 */
#ifndef _CPROV_SYSFS_H
#define _CPROV_SYSFS_H

#include <linux/completion_provenance.h>
#include <linux/types.h>

#include "limits.h"

/**
 * struct cprov_knobs - what the administrator may turn
 * @enabled: Steer at all.
 * @steer_classes: BIT(class) of each class that is worth steering.
 * @bind_classes: BIT(class) of each class whose consumers wait, so that workers may
 *	be bound to their CPUs.
 * @exact_classes: BIT(class) of each class that is brought to the home CPU also where
 *	its cache is shared already.
 * @window_us: Active window of each class, in microseconds from submission,
 *	for hints that name none; 0 = none, such requests are not steered.
 * @limits: Requests a second that are admitted with their class.
 * @cpu_steered: Completions a second that a CPU is sent; 0 = any number.
 *
 * Each is a word of its own, written with WRITE_ONCE() and read by decisions on
 * any CPU with READ_ONCE(). A decision that runs while a knob is turned sees the
 * old value or the new one, and none depends on two being turned together.
 */
struct cprov_knobs {
	bool		enabled;
	unsigned int	steer_classes;
	unsigned int	bind_classes;
	unsigned int	exact_classes;
	u32		window_us[IO_LOCALITY_NR_CLASSES];
	struct cprov_rates limits;
	unsigned int	cpu_steered;
};

extern struct cprov_knobs cprov_knobs;

/* In main.c. */
void cprov_switch(bool on);

int cprov_sysfs_init(void);
void cprov_sysfs_exit(void);

#endif /* _CPROV_SYSFS_H */
