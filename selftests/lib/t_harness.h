/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's test harness, and how it goes with helpers that return a reason.
 */
#ifndef CPROV_T_HARNESS_H
#define CPROV_T_HARNESS_H

#include <kselftest_harness.h>

#include "t.h"

/* Leave the test, skipped, all undone. */
#define T_SKIP(fmt, ...)              \
	SKIP(                         \
		{                     \
			t_undo_all(); \
			return;       \
		},                    \
		fmt, ##__VA_ARGS__)

/* Needs, T_KERNEL and so on, or any helper without which the test is moot. */
#define T_NEED(what) T_OR_SKIP(t_need(what))
#define T_OR_SKIP(expr)                         \
	do {                                    \
		const char *__reason = (expr);  \
		if (__reason)                   \
			T_SKIP("%s", __reason); \
	} while (0)

/* A helper that has to succeed. */
#define T_OK(expr)                                                   \
	do {                                                         \
		const char *__reason = (expr);                       \
		T_ASSERT_EQ(NULL, (void *)__reason, "%s", __reason); \
	} while (0)

/*
 * An expectation and what to print if it is not met. One statement, unlike the
 * harness's own, hence without braces after an if.
 */
#define T_EXPECT_EQ(a, b, ...)                       \
	do {                                         \
		EXPECT_EQ(a, b) TH_LOG(__VA_ARGS__); \
	} while (0)
#define T_EXPECT_LE(a, b, ...)                       \
	do {                                         \
		EXPECT_LE(a, b) TH_LOG(__VA_ARGS__); \
	} while (0)
#define T_EXPECT_TRUE(a, ...)                       \
	do {                                        \
		EXPECT_TRUE(a) TH_LOG(__VA_ARGS__); \
	} while (0)
#define T_ASSERT_EQ(a, b, ...)                       \
	do {                                         \
		ASSERT_EQ(a, b) TH_LOG(__VA_ARGS__); \
	} while (0)
#define T_ASSERT_NE(a, b, ...)                       \
	do {                                         \
		ASSERT_NE(a, b) TH_LOG(__VA_ARGS__); \
	} while (0)
#define T_ASSERT_LE(a, b, ...)                       \
	do {                                         \
		ASSERT_LE(a, b) TH_LOG(__VA_ARGS__); \
	} while (0)

/* A variant of a fixture, by the members of the variant. */
#define T_VARIANT(fixture, name, ...)      \
	FIXTURE_VARIANT_ADD(fixture, name) \
	{                                  \
		__VA_ARGS__                \
	}

/* A test with this project's idea of a timeout. */
#define T_TEST_F(fixture, name) TEST_F_TIMEOUT(fixture, name, T_TIMEOUT)

/* A fixture that holds nothing: it is there to undo. */
#define T_FIXTURE(name, what)  \
	FIXTURE(name)          \
	{                      \
		int unused;    \
	};                     \
	FIXTURE_SETUP(name)    \
	{                      \
		T_NEED(what);  \
	}                      \
	FIXTURE_TEARDOWN(name) \
	{                      \
		t_undo_all();  \
	}

/* No completion follows but that of what is asked for now. */
static inline void t_check_no_more(struct __test_metadata *_metadata,
				   struct t_ring *ring)
{
	struct io_uring_sqe *sqe = t_sqe(ring);
	struct io_uring_cqe cqe;

	sqe->opcode = IORING_OP_NOP;
	sqe->user_data = 0xabcdef;
	ASSERT_EQ(0, t_submit(ring, 1));
	ASSERT_TRUE(t_cqe(ring, &cqe));
	EXPECT_EQ(0xabcdef, cqe.user_data);
	EXPECT_FALSE(t_cqe(ring, &cqe));
}

#endif /* CPROV_T_HARNESS_H */
