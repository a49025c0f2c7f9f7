// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table is charged to the memory cgroup of whoever registers it: kernel
 * memory on demand that nobody accounts for would be an invitation.
 */
#include <sys/stat.h>

#include "t_harness.h"

#define NR_RINGS 16

T_FIXTURE(charge, T_KERNEL | T_ROOT)

/* The cgroup of this process, which is enough: a difference is looked at. */
static long long kernel_bytes(void)
{
	char group[256] = "", line[256];
	long long bytes = -1;
	FILE *file;

	file = fopen("/proc/self/cgroup", "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "0::%255s", group) == 1)
			break;
	fclose(file);
	file = fopen(t_text("/sys/fs/cgroup%s/memory.stat", group), "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "kernel %lld", &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

static void move_back(const char *pid)
{
	t_write("/sys/fs/cgroup/cgroup.procs", "%s", pid);
}

static void remove_group(const char *dir)
{
	rmdir(dir);
}

T_TEST_F(charge, slots_are_paid_for)
{
	static struct io_locality_slot slots[IO_LOCALITY_MAX_SLOTS];
	struct io_locality_hint hint = t_hint();
	struct t_ring rings[NR_RINGS];
	long long before, after;
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/cprov-charge-%d", getpid());
	t_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(dir, 0700))
		T_SKIP("no cgroup v2 in /sys/fs/cgroup");
	t_undo(remove_group, dir);
	if (!t_exists("%s/memory.stat", dir))
		T_SKIP("no memory cgroups (CONFIG_MEMCG)");
	t_undo(move_back, t_text("%d", getpid()));
	ASSERT_EQ(0, t_write(t_text("%s/cgroup.procs", dir), "%d", getpid()));

	for (int i = 0; i < IO_LOCALITY_MAX_SLOTS; i++)
		slots[i] = t_slot_of(&hint);
	for (int i = 0; i < NR_RINGS; i++)
		ASSERT_EQ(0, t_ring_init(&rings[i], 1, 0));
	before = kernel_bytes();
	for (int i = 0; i < NR_RINGS; i++)
		ASSERT_EQ(0, t_enable(&rings[i], NULL, slots,
				      IO_LOCALITY_MAX_SLOTS));
	after = kernel_bytes();
	/* Statistics are rounded; an uncharged table would not show at all. */
	EXPECT_LE((long long)sizeof(slots) * NR_RINGS / 2, after - before);
}

TEST_HARNESS_MAIN
