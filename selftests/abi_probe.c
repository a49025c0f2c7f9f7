// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probe: one call by which a program learns whether the kernel has
 * completion provenance, which version, and what may be used now.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "t_harness.h"

T_FIXTURE(probe, T_KERNEL)
T_FIXTURE(old_kernel, 0)

/* The documented answer of every kernel before it: a program can rely on it. */
T_TEST_F(old_kernel, says_einval)
{
	struct io_locality_probe probe;
	struct t_ring ring;
	int ret;

	if (!t_need(T_KERNEL))
		T_SKIP("this kernel has completion provenance");
	ret = t_ring_init(&ring, 1, 0);
	if (ret)
		T_SKIP("no ring: %s", strerror(-ret));
	EXPECT_EQ(-EINVAL, t_probe(ring.fd, &probe));
}

static void check_answer(struct __test_metadata *_metadata, int fd)
{
	struct io_locality_probe probe;

	ASSERT_EQ(0, t_probe(fd, &probe));
	EXPECT_EQ(IO_LOCALITY_ABI_VERSION, probe.abi_version);
	EXPECT_EQ(IO_LOCALITY_MAX_SLOTS, probe.max_slots);
	EXPECT_EQ(IO_LOCALITY_NR_CLASSES, probe.nr_classes);
	EXPECT_EQ(IO_LOCALITY_FLAGS_ALL, probe.hint_flags);
	EXPECT_EQ(IO_LOCALITY_SQE_ALL, probe.sqe_flags);
	EXPECT_EQ(0, probe.state & ~(IO_LOCALITY_STATE_POLICY |
				     IO_LOCALITY_STATE_HINTS |
				     IO_LOCALITY_STATE_STEP_CRITICAL));
	for (size_t i = 0; i < T_ARRAY_SIZE(probe.__reserved); i++)
		EXPECT_EQ(0, probe.__reserved[i]);
}

T_TEST_F(probe, by_ring)
{
	struct t_ring ring;

	ASSERT_EQ(0, t_ring_init(&ring, 1, 0));
	check_answer(_metadata, ring.fd);
}

T_TEST_F(probe, by_minus_one)
{
	check_answer(_metadata, -1);
}

/* What is not zero may have a meaning one day, so none may be sent today. */
T_TEST_F(probe, refuses_nonzero_input)
{
	struct io_locality_register reg;
	unsigned char *bytes = (unsigned char *)&reg.probe;

	for (size_t i = 0; i < sizeof(reg.probe); i++) {
		memset(&reg, 0, sizeof(reg));
		bytes[i] = 1;
		T_EXPECT_EQ(-EINVAL, t_locality(-1, &reg),
			    "byte %zu of the probe", i);
	}
	memset(&reg, 0, sizeof(reg));
	reg.flags = IO_LOCALITY_F_DEFAULT;
	EXPECT_EQ(-EINVAL, t_locality(-1, &reg));
}

/* Readable is not enough: the answer is written to where the question was. */
T_TEST_F(probe, refuses_bad_pointers)
{
	void *page =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	EXPECT_EQ(-EFAULT, t_locality(-1, page));
	ASSERT_EQ(0, munmap(page, 4096));
	EXPECT_EQ(-EFAULT, t_locality(-1, page));
}

T_TEST_F(probe, refuses_other_counts)
{
	struct io_locality_register reg;

	for (unsigned int nr = 0; nr <= 2; nr += 2) {
		memset(&reg, 0, sizeof(reg));
		EXPECT_EQ(-1, syscall(__NR_io_uring_register, -1,
				      IORING_REGISTER_LOCALITY, &reg, nr));
		EXPECT_EQ(EINVAL, errno);
	}
}

T_TEST_F(probe, tells_of_the_policy)
{
	struct io_locality_probe probe;

	T_NEED(T_ROOT | T_POLICY);
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_NE(0, probe.state & IO_LOCALITY_STATE_POLICY);
	T_OK(t_policy_unload());
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_EQ(0, probe.state & IO_LOCALITY_STATE_POLICY);
	T_OK(t_policy_load());
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_NE(0, probe.state & IO_LOCALITY_STATE_POLICY);
}

T_TEST_F(probe, tells_of_the_switch)
{
	struct io_locality_probe probe;

	T_NEED(T_ROOT);
	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "1"));
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_NE(0, probe.state & IO_LOCALITY_STATE_HINTS);
	ASSERT_EQ(0, t_set("/proc/sys/kernel/completion_provenance", "0"));
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_EQ(0, probe.state & IO_LOCALITY_STATE_HINTS);
}

/* Of the caller, not of the machine. */
T_TEST_F(probe, tells_who_may_be_step_critical)
{
	static const char sysctl[] =
		"/proc/sys/kernel/completion_provenance_step_critical";
	struct io_locality_probe probe;

	T_NEED(T_ROOT);
	ASSERT_EQ(0, t_set(sysctl, "0"));
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_NE(0, probe.state & IO_LOCALITY_STATE_STEP_CRITICAL);
	ASSERT_EQ(0, seteuid(65534));
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_EQ(0, probe.state & IO_LOCALITY_STATE_STEP_CRITICAL);
	ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, t_set(sysctl, "1"));
	ASSERT_EQ(0, seteuid(65534));
	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_NE(0, probe.state & IO_LOCALITY_STATE_STEP_CRITICAL);
}

TEST_HARNESS_MAIN
