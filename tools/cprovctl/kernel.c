// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel can, and the default hint of this task. */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
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

static bool is_in_group(long gid)
{
	int nr = getgroups(0, NULL), i;
	gid_t *groups = allocate((size_t)(nr + 1) * sizeof(*groups));
	bool found = gid == (long)getegid();

	nr = getgroups(nr, groups);
	for (i = 0; i < nr; i++)
		found |= gid == (long)groups[i];
	free(groups);
	return found;
}

static bool has_capability(unsigned int cap)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	return !syscall(__NR_capget, &header, data) &&
	       data[cap / 32].effective >> cap % 32 & 1;
}

static long sysctl(const char *path, long without)
{
	char *value = file_read(path);
	long number = value ? strtol(value, NULL, 10) : without;

	free(value);
	return number;
}

/* In another, capabilities are those for that namespace only. */
static bool in_initial_user_namespace(void)
{
	char *map = file_read("/proc/self/uid_map");
	unsigned long first = 1, outside = 1, nr = 0;
	bool initial;

	initial = !map ||
		  (sscanf(map, "%lu %lu %lu", &first, &outside, &nr) == 3 &&
		   !first && !outside && nr == UINT32_MAX);
	free(map);
	return initial;
}

/* The kernel asks this only of who creates a ring: io_uring_allowed(). */
bool kernel_forbids_rings(void)
{
	switch (sysctl("/proc/sys/kernel/io_uring_disabled", 0)) {
	case 0:
		return false;
	case 1:
		return !(has_capability(CAP_SYS_ADMIN) &&
			 in_initial_user_namespace()) &&
		       !is_in_group(
			       sysctl("/proc/sys/kernel/io_uring_group", -1));
	default:
		return true;
	}
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

int kernel_exit_status(int error)
{
	if (!error)
		return DONE;
	/* Whoever may not ask does not know. */
	return error == -EPERM ? FAILED : NOT_SUPPORTED;
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
