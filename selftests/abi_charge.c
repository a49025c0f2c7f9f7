// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table is charged to the memory cgroup of whoever registers it: kernel
 * memory on demand that nobody accounts for would be an invitation.
 */

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
	file = fopen(t_text(T_CGROUP "%s/memory.stat", group), "re");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "kernel %lld", &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

T_TEST_F(charge, slots_are_paid_for)
{
	static struct io_locality_slot slots[IO_LOCALITY_MAX_SLOTS];
	struct io_locality_hint hint = t_hint();
	struct t_ring rings[NR_RINGS];
	long long before, after;

	t_write(T_CGROUP "/cgroup.subtree_control", "+memory");
	T_OR_SKIP(t_cgroup("cprov-charge"));
	if (!t_exists(T_CGROUP "/cprov-charge/memory.stat"))
		T_SKIP("no memory cgroups (CONFIG_MEMCG)");
	T_OK(t_cgroup_enter("cprov-charge"));

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
