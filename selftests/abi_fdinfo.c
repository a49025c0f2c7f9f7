// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring's fdinfo says whether it opted in, and with what.
 */
#include "t_harness.h"

T_FIXTURE(fdinfo, T_KERNEL)

/* The lines that begin with "Locality", or none. */
static void locality_lines(struct t_ring *ring, char *buf, size_t size)
{
	char line[256];
	FILE *file;

	buf[0] = '\0';
	file = fopen(t_text("/proc/self/fdinfo/%d", ring->fd), "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "Locality", strlen("Locality")))
			strncat(buf, line, size - strlen(buf) - 1);
	fclose(file);
}

T_TEST_F(fdinfo, shows_the_table)
{
	struct io_locality_hint hint =
		t_hint_of(IO_LOCALITY_CLASS_LATENCY, 0, 12345678);
	struct io_locality_slot slots[7];
	char before[4096], during[4096], after[4096];
	struct t_ring ring;

	for (size_t i = 0; i < T_ARRAY_SIZE(slots); i++)
		slots[i] = t_slot_of(&hint);
	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	locality_lines(&ring, before, sizeof(before));
	ASSERT_EQ(0, t_enable(&ring, &hint, slots, T_ARRAY_SIZE(slots)));
	locality_lines(&ring, during, sizeof(during));
	ASSERT_EQ(0, t_disable(&ring));
	locality_lines(&ring, after, sizeof(after));

	TH_LOG("%s", during);
	EXPECT_STRNE("", during);
	EXPECT_STRNE(before, during);
	EXPECT_STREQ(before, after);
	/* How many slots, and which flow. */
	EXPECT_NE(NULL, strstr(during, "7"));
	EXPECT_NE(NULL, strstr(during, "12345678"));
}

TEST_HARNESS_MAIN
