// SPDX-License-Identifier: GPL-2.0-only
/* Which rings can have bounded batching, and who can tell. */
#include <errno.h>

#include "t_harness.h"

T_FIXTURE(opt_in, T_KERNEL)

static int enable(unsigned int ring_flags)
{
	struct t_ring ring;
	int ret;

	ret = t_ring_init(&ring, 4, ring_flags);
	if (!ret) {
		ret = t_enable_batch(&ring);
		t_ring_exit(&ring);
	}
	return ret;
}

T_TEST_F(opt_in, rings_that_defer_to_the_waiter)
{
	const unsigned int defer = IORING_SETUP_DEFER_TASKRUN |
				   IORING_SETUP_SINGLE_ISSUER;

	EXPECT_EQ(0, enable(defer));
	EXPECT_EQ(0, enable(defer | IORING_SETUP_TASKRUN_FLAG));
	EXPECT_EQ(-EINVAL, enable(0));
	EXPECT_EQ(-EINVAL, enable(IORING_SETUP_SINGLE_ISSUER));
	EXPECT_EQ(-EINVAL, enable(IORING_SETUP_COOP_TASKRUN));
	EXPECT_EQ(-EINVAL, enable(IORING_SETUP_SQPOLL));
	EXPECT_EQ(-EINVAL, enable(defer | IORING_SETUP_IOPOLL));
}

T_TEST_F(opt_in, not_by_update)
{
	struct io_locality_register reg = {
		.op = IO_LOCALITY_UPDATE,
		.flags = IO_LOCALITY_F_DEFAULT | IO_LOCALITY_F_BOUNDED_BATCH,
		.hint = t_hint_of(IO_LOCALITY_CLASS_LATENCY, -1, 0),
	};
	struct t_ring ring;

	ASSERT_EQ(0, t_ring_init(&ring, 4,
				 IORING_SETUP_DEFER_TASKRUN |
					 IORING_SETUP_SINGLE_ISSUER));
	ASSERT_EQ(0, t_enable(&ring, NULL, NULL, 0));
	EXPECT_EQ(-EINVAL, t_locality(ring.fd, &reg));
	reg.flags = IO_LOCALITY_F_DEFAULT;
	EXPECT_EQ(0, t_locality(ring.fd, &reg));
	t_ring_exit(&ring);
}

T_TEST_F(opt_in, the_probe_says_so)
{
	struct io_locality_probe probe;

	ASSERT_EQ(0, t_probe(-1, &probe));
	EXPECT_EQ(IO_LOCALITY_F_ALL, probe.enable_flags);
}

TEST_HARNESS_MAIN
