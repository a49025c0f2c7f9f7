// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel can, and the default hint of this task. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cprovctl.h"

static int register_locality(struct io_locality_register *reg)
{
	return syscall(__NR_io_uring_register, -1, IORING_REGISTER_LOCALITY,
		       reg, 1) < 0 ?
		       -errno :
		       0;
}

int kernel_probe(struct io_locality_probe *probe)
{
	struct io_locality_register reg;
	int ret;

	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_PROBE;
	ret = register_locality(&reg);
	/* A file descriptor of -1 is news to some kernels. */
	if (ret == -EBADF)
		ret = -EINVAL;
	memcpy(probe, &reg.probe, sizeof(*probe));
	return ret;
}

const char *kernel_why_not(int error)
{
	switch (error) {
	case -EINVAL:
		return "this kernel has no completion provenance: it needs the patches";
	case -ENOSYS:
		return "this kernel has no io_uring (CONFIG_IO_URING)";
	case -EPERM:
		return "io_uring is forbidden here: see the sysctl kernel.io_uring_disabled, or the sandbox";
	default:
		return text("the kernel cannot be asked: %s", strerror(-error));
	}
}

static int task_default(const struct io_locality_hint *hint)
{
	struct io_locality_register reg;

	memset(&reg, 0, sizeof(reg));
	reg.op = IO_LOCALITY_TASK_DEFAULT;
	if (hint) {
		reg.flags = IO_LOCALITY_F_DEFAULT;
		reg.hint = *hint;
	}
	return register_locality(&reg);
}

int kernel_task_default(const struct io_locality_hint *hint)
{
	/*
	 * A kernel that does not know the operation wants a ring for it, or
	 * calls it invalid. No default is valid wherever there is one.
	 */
	int ret = task_default(NULL);

	if (ret == -EINVAL || ret == -EBADF)
		return -EOPNOTSUPP;
	return ret || !hint ? ret : task_default(hint);
}
