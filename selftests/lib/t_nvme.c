// SPDX-License-Identifier: GPL-2.0-only
/* Commands to an NVMe drive, by its generic character device. */
#include "t.h"

#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <sys/ioctl.h>

#define NVME_READ 2

const char *t_nvme_open(struct t_nvme *nvme, const struct t_dev *dev)
{
	if (strncmp(dev->name, "nvme", 4))
		return t_text("%s is not NVMe", dev->name);
	nvme->fd =
		open(t_text("/dev/ng%s", dev->name + 4), O_RDONLY | O_CLOEXEC);
	if (nvme->fd < 0)
		return t_text("no generic character device of %s", dev->name);
	nvme->nsid = ioctl(nvme->fd, NVME_IOCTL_ID);
	nvme->block = t_read_num(512, "/sys/block/%s/queue/logical_block_size",
				 dev->name);
	return NULL;
}

void t_prep_nvme_read(struct io_uring_sqe *sqe, const struct t_nvme *nvme,
		      void *buf, unsigned int blocks, __u32 from)
{
	struct nvme_uring_cmd cmd = {
		.opcode = NVME_READ,
		.nsid = nvme->nsid,
		.addr = (uintptr_t)buf,
		.data_len = blocks * nvme->block,
		.cdw10 = from,
		.cdw12 = blocks - 1,
	};

	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = nvme->fd;
	sqe->cmd_op = NVME_URING_CMD_IO;
	memcpy(sqe->cmd, &cmd, sizeof(cmd));
}
