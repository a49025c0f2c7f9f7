// SPDX-License-Identifier: GPL-2.0-only
/* The device below the target: whether it can be polled, and NVMe commands to it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/fs.h>
#include <linux/nvme_ioctl.h>

#include "cprovbench.h"

/* The NVM command set's. */
#define NVME_READ 2

/* A file's device is that of its file system, if that has one. */
static dev_t device_of(const struct target *tg, const struct options *opt)
{
	struct stat st;

	if (fstat(tg->fd, &st))
		die("%s: %s", opt->target, strerror(errno));
	return S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
}

/* A partition has its queue one directory up. */
static FILE *open_io_poll(dev_t dev)
{
	static const char *const up[] = { "", "/.." };
	char path[64];
	unsigned int i;
	FILE *f = NULL;

	for (i = 0; !f && i < 2; i++) {
		snprintf(path, sizeof(path),
			 "/sys/dev/block/%u:%u%s/queue/io_poll", major(dev),
			 minor(dev), up[i]);
		f = fopen(path, "re");
	}
	return f;
}

/* What sysfs does not know of, such as btrfs, says so itself when it is read. */
void device_must_poll(const struct target *tg, const struct options *opt)
{
	FILE *f = open_io_poll(device_of(tg, opt));
	int polls = '1';

	if (f) {
		polls = getc(f);
		fclose(f);
	}
	if (polls != '1')
		lacking("the device of %s has no queues to poll: an NVMe drive gets them by nvme.poll_queues=N on the kernel's command line",
			opt->target);
}

/* nvme0n1, to which ng0n1 belongs; no partition, and no path of multipath. */
static bool namespace_of(dev_t dev, unsigned int *drive, unsigned int *nth)
{
	char path[64], name[PATH_MAX], *base;
	ssize_t len;
	int end = 0;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev),
		 minor(dev));
	len = readlink(path, name, sizeof(name) - 1);
	if (len < 0)
		return false;
	name[len] = '\0';
	base = strrchr(name, '/');
	return base && sscanf(base, "/nvme%un%u%n", drive, nth, &end) == 2 &&
	       !base[end];
}

void device_passthrough(struct target *tg, const struct options *opt)
{
	unsigned int drive, nth;
	char path[64];
	int nsid;

	if (!namespace_of(device_of(tg, opt), &drive, &nth))
		lacking("%s is not on a whole NVMe namespace, such as /dev/nvme0n1: there is nothing to pass commands to",
			opt->target);
	/* A file's blocks are where its file system put them. */
	if (ioctl(tg->fd, BLKSSZGET, &tg->lba_bytes))
		lacking("%s is a file: passthrough reads the namespace below, such as /dev/nvme%un%u",
			opt->target, drive, nth);
	if (!tg->lba_bytes || BLOCK % tg->lba_bytes)
		lacking("%s has blocks of %u bytes: passthrough is for those that divide %u",
			opt->target, tg->lba_bytes, BLOCK);
	snprintf(path, sizeof(path), "/dev/ng%un%u", drive, nth);
	tg->ng_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (tg->ng_fd < 0 && errno == EACCES)
		die("%s: %s: run it as root", path, strerror(errno));
	if (tg->ng_fd < 0)
		lacking("%s, the generic device of %s: %s", path, opt->target,
			strerror(errno));
	nsid = ioctl(tg->ng_fd, NVME_IOCTL_ID);
	if (nsid <= 0)
		die("%s: cannot learn its namespace: %s", path,
		    strerror(errno));
	tg->nsid = (uint32_t)nsid;
}

void device_prep_read(const struct target *tg, struct io_uring_sqe *sqe,
		      const struct request *rq)
{
	uint64_t lba = rq->block * (BLOCK / tg->lba_bytes);
	struct nvme_uring_cmd *cmd = (struct nvme_uring_cmd *)sqe->cmd;

	/* Of IORING_SETUP_SQE128. */
	memset(sqe, 0, 2 * sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = tg->ng_fd;
	sqe->cmd_op = NVME_URING_CMD_IO;
	cmd->opcode = NVME_READ;
	cmd->nsid = tg->nsid;
	cmd->addr = (uintptr_t)rq->buf;
	cmd->data_len = rq->bytes;
	cmd->cdw10 = (uint32_t)lba;
	cmd->cdw11 = (uint32_t)(lba >> 32);
	/* How many blocks, less one. */
	cmd->cdw12 = rq->bytes / tg->lba_bytes - 1;
}
