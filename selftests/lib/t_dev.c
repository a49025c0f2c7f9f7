// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block devices. By ioctls where there are some: no program, no udev.
 */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>
#include <linux/raid/md_p.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NULLB_DIR "/sys/kernel/config/nullb"

/* Each device of each process has its own name. */
static const char *unique(const char *prefix)
{
	static int serial;

	return t_text("%s%dn%d", prefix, getpid(), serial++);
}

/* A device may be busy for a moment: the kernel ends some uses in a worker. */
static void until_done(int (*fn)(const char *arg), const char *arg)
{
	long long end = t_now_ms() + 20000;

	while (fn(arg)) {
		if (errno != EBUSY || t_now_ms() > end) {
			fprintf(stderr, "# cannot undo %s: %s\n", arg,
				strerror(errno));
			return;
		}
		usleep(10000);
	}
}

const char *t_dev_find(struct t_dev *dev, const char *path)
{
	char link[256], *name;
	struct stat st;
	ssize_t len;
	int fd;

	memset(dev, 0, sizeof(*dev));
	snprintf(dev->path, sizeof(dev->path), "%s", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return t_text("%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode) ||
	    ioctl(fd, BLKGETSIZE64, &dev->bytes)) {
		close(fd);
		return t_text("%s is no block device", path);
	}
	close(fd);
	dev->dev = (unsigned long long)major(st.st_rdev) << 20 |
		   minor(st.st_rdev);
	len = readlink(t_text("/sys/dev/block/%u:%u", major(st.st_rdev),
			      minor(st.st_rdev)),
		       link, sizeof(link) - 1);
	if (len < 0)
		return t_text("%s is not in sysfs", path);
	link[len] = '\0';
	name = strrchr(link, '/');
	snprintf(dev->name, sizeof(dev->name), "%.31s", name ? name + 1 : link);
	return NULL;
}

int t_dev_open(const struct t_dev *dev, int flags)
{
	int fd = open(dev->path, flags | O_DIRECT | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- null_blk ---- */

static void null_blk_undo(const char *dir)
{
	until_done(rmdir, dir);
}

const char *t_null_blk(struct t_dev *dev, const char *options)
{
	char list[512], dir[128], name[32], *option, *value, *save;
	int ret;

	snprintf(name, sizeof(name), "%s", unique("cprov"));
	snprintf(dir, sizeof(dir), NULLB_DIR "/%s", name);
	if (mkdir(dir, 0700))
		return t_text("%s: %s", dir, strerror(errno));
	t_undo(null_blk_undo, dir);
	snprintf(list, sizeof(list), "size=64 submit_queues=1 blocksize=512 %s",
		 options);
	for (option = strtok_r(list, " ", &save); option;
	     option = strtok_r(NULL, " ", &save)) {
		value = strchr(option, '=');
		*value++ = '\0';
		ret = t_write(t_text("%s/%s", dir, option), "%s", value);
		if (ret)
			return t_text("null_blk: %s=%s: %s", option, value,
				      strerror(-ret));
	}
	ret = t_write(t_text("%s/power", dir), "1");
	if (ret)
		return t_text("null_blk: %s", strerror(-ret));
	/* Older kernels name the disk by a number, not by the directory. */
	if (!t_exists("/dev/%s", name))
		snprintf(name, sizeof(name), "nullb%lld",
			 t_read_num(0, "%s/index", dir));
	return t_dev_find(dev, t_text("/dev/%s", name));
}

const char *t_null_blk_polled(struct t_dev *dev, int submit, int poll)
{
	const char *why = t_null_blk(
		dev, t_text("submit_queues=%d poll_queues=%d", submit, poll));

	if (why)
		return why;
	/* The driver's parameter caps what was asked for, in silence. */
	if (!t_exists("/sys/block/%s/mq/%d", dev->name, submit + poll - 1))
		return t_text("null_blk.poll_queues is less than %d", poll);
	return NULL;
}

/* ---- loop ---- */

static int loop_clear(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	ret = ioctl(fd, LOOP_CLR_FD, 0);
	close(fd);
	return ret && errno == ENXIO ? 0 : ret;
}

static void loop_undo(const char *path)
{
	until_done(loop_clear, path);
}

/* Another process may take the free device first. */
static int loop_configure(int ctl, const struct loop_config *config,
			  char path[64])
{
	int nr, fd, ret = -EBUSY;

	while (ret == -EBUSY) {
		nr = ioctl(ctl, LOOP_CTL_GET_FREE);
		if (nr < 0)
			return -errno;
		snprintf(path, 64, "/dev/loop%d", nr);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		ret = ioctl(fd, LOOP_CONFIGURE, config) ? -errno : 0;
		close(fd);
	}
	return ret;
}

const char *t_loop(struct t_dev *dev, const char *file, bool direct)
{
	struct loop_config config;
	char path[64] = "";
	const char *why;
	int ctl, ret;

	memset(&config, 0, sizeof(config));
	config.info.lo_flags = direct ? LO_FLAGS_DIRECT_IO : 0;
	config.fd = open(file, O_RDWR | (direct ? O_DIRECT : 0) | O_CLOEXEC);
	if ((int)config.fd < 0)
		return t_text("%s: %s", file, strerror(errno));
	ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	ret = ctl < 0 ? -errno : loop_configure(ctl, &config, path);
	if (ctl >= 0)
		close(ctl);
	close(config.fd);
	if (ret)
		return t_text("loop device on %s: %s", file, strerror(-ret));
	t_undo(loop_undo, path);
	why = t_dev_find(dev, path);
	if (!why && direct &&
	    t_read_num(0, "/sys/block/%s/loop/dio", dev->name) != 1)
		why = t_text("no direct I/O from %s to %s", dev->name, file);
	return why;
}

/*
 * null_blk has a timer, but completes from it directly. A loop device on top
 * completes its own request when the one below is done, as a driver does from
 * its interrupt. That comes from where its worker was, which would always be home.
 */
const char *t_slow_dev(struct t_dev *dev, unsigned long long nsec)
{
	struct t_dev below;
	const char *why;

	if (t_policy_loaded() && t_set(T_KNOBS "/bind_classes", " "))
		return "cannot set the policy's knobs";
	why = t_null_blk(&below,
			 t_text("irqmode=2 completion_nsec=%llu", nsec));
	return why ? why : t_loop(dev, below.path, true);
}

/* ---- device-mapper ---- */

struct dm_request {
	struct dm_ioctl head;
	union {
		struct {
			struct dm_target_spec spec;
			char params[512];
		};
		struct {
			__u64 sector; /* struct dm_target_msg */
			char message[512];
		};
	};
};

static int dm_ioctl(unsigned long cmd, const char *name, struct dm_request *req)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC), ret;

	if (fd < 0)
		return -1;
	req->head.version[0] = DM_VERSION_MAJOR;
	req->head.data_size = sizeof(*req);
	req->head.data_start = sizeof(req->head);
	snprintf(req->head.name, sizeof(req->head.name), "%s", name);
	ret = ioctl(fd, cmd, req);
	close(fd);
	return ret;
}

static int dm_remove(const char *name)
{
	struct dm_request req;

	memset(&req, 0, sizeof(req));
	return dm_ioctl(DM_DEV_REMOVE, name, &req);
}

static void dm_undo(const char *name)
{
	until_done(dm_remove, name);
}

static const char *dm_map(const char *name, unsigned long long sectors,
			  const char *target, const char *params)
{
	struct dm_request req;

	memset(&req, 0, sizeof(req));
	req.head.target_count = 1;
	req.spec.length = sectors;
	snprintf(req.spec.target_type, sizeof(req.spec.target_type), "%s",
		 target);
	snprintf(req.params, sizeof(req.params), "%s", params);
	if (dm_ioctl(DM_TABLE_LOAD, name, &req))
		return t_text("device-mapper: table %s %s: %s", target, params,
			      strerror(errno));

	/* Resume: no suspend flag. */
	memset(&req, 0, sizeof(req));
	if (dm_ioctl(DM_DEV_SUSPEND, name, &req))
		return t_text("device-mapper: resume: %s", strerror(errno));
	return NULL;
}

const char *t_dm(struct t_dev *dev, unsigned long long sectors,
		 const char *target, const char *params)
{
	struct dm_request req;
	const char *why;
	__u64 devno;
	char name[32];

	snprintf(name, sizeof(name), "%s", unique("cprov"));
	memset(&req, 0, sizeof(req));
	if (dm_ioctl(DM_DEV_CREATE, name, &req))
		return t_text("device-mapper: %s", strerror(errno));
	devno = req.head.dev;
	t_undo(dm_undo, name);
	why = dm_map(name, sectors, target, params);
	return why ? why : t_dev_find(dev, t_text("/dev/dm-%u", minor(devno)));
}

static const char *dm_name(char name[64], const struct t_dev *dev)
{
	if (t_read(name, 64, "/sys/block/%s/dm/name", dev->name))
		return t_text("%s is not device-mapper's", dev->name);
	return NULL;
}

const char *t_dm_remap(const struct t_dev *dev, const char *target,
		       const char *params)
{
	char name[64];
	const char *why = dm_name(name, dev);

	return why ? why : dm_map(name, dev->bytes / 512, target, params);
}

const char *t_dm_message(const struct t_dev *dev, const char *message)
{
	struct dm_request req;
	char name[64];
	const char *why = dm_name(name, dev);

	if (why)
		return why;
	memset(&req, 0, sizeof(req));
	snprintf(req.message, sizeof(req.message), "%s", message);
	if (dm_ioctl(DM_TARGET_MSG, name, &req))
		return t_text("device-mapper: %s: %s", message,
			      strerror(errno));
	return NULL;
}

const char *t_dm_crypt(struct t_dev *dev, const struct t_dev *below,
		       const char *options)
{
	unsigned char key[64];
	char hex[2 * sizeof(key) + 1];

	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return t_text("no random key: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(key); i++)
		snprintf(hex + 2 * i, 3, "%02x", key[i]);
	return t_dm(dev, below->bytes / 512, "crypt",
		    t_text("aes-xts-plain64 %s 0 %s 0 %s", hex, below->path,
			   options));
}

const char *t_dm_thin(struct t_dev *dev, struct t_dev *pool,
		      const struct t_dev *data, const struct t_dev *meta)
{
	const char *why;

	why = t_dm(pool, data->bytes / 512, "thin-pool",
		   t_text("%s %s %d 0", meta->path, data->path,
			  T_THIN_BLOCK / 512));
	if (!why)
		why = t_dm_message(pool, "create_thin 0");
	return why ? why :
		     t_dm(dev, data->bytes / 512, "thin",
			  t_text("%s 0", pool->path));
}

/* ---- md ---- */

static int md_stop(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	ret = ioctl(fd, STOP_ARRAY, NULL);
	close(fd);
	return ret;
}

static void md_undo(const char *path)
{
	until_done(md_stop, path);
}

const char *t_md(struct t_dev *dev, int level, const struct t_dev *legs,
		 unsigned int nr)
{
	mdu_array_info_t array;
	char path[64], name[32];
	const char *why = NULL;
	int fd;

	snprintf(name, sizeof(name), "%s", unique("md_cprov"));
	if (t_write("/sys/module/md_mod/parameters/new_array", "%s", name))
		return "no md (CONFIG_BLK_DEV_MD)";
	snprintf(path, sizeof(path), "/dev/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return t_text("%s: %s", path, strerror(errno));
	t_undo(md_undo, path);

	memset(&array, 0, sizeof(array));
	array.level = level;
	array.size = legs[0].bytes / 1024;
	array.nr_disks = nr;
	array.raid_disks = nr;
	array.not_persistent = 1;
	array.state = 1 << MD_SB_CLEAN; /* nothing to resynchronise */
	if (level == 5) {
		array.layout = 2; /* left-symmetric, as mdadm's */
		array.chunk_size = T_MD_CHUNK;
	}
	if (ioctl(fd, SET_ARRAY_INFO, &array))
		why = t_text("md: array: %s", strerror(errno));
	for (unsigned int i = 0; !why && i < nr; i++) {
		mdu_disk_info_t disk = {
			.number = i,
			.raid_disk = i,
			.major = legs[i].dev >> 20,
			.minor = legs[i].dev & 0xfffff,
			.state = 1 << MD_DISK_ACTIVE | 1 << MD_DISK_SYNC,
		};

		if (ioctl(fd, ADD_NEW_DISK, &disk))
			why = t_text("md: leg %u: %s", i, strerror(errno));
	}
	if (!why && ioctl(fd, RUN_ARRAY, NULL))
		why = t_text("md: no raid%d: %s", level, strerror(errno));
	close(fd);
	return why ? why : t_dev_find(dev, path);
}

const char *t_md_fail(const struct t_dev *md, const struct t_dev *leg)
{
	int fd = open(md->path, O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return t_text("%s: %s", md->path, strerror(errno));
	ret = ioctl(fd, SET_DISK_FAULTY,
		    (unsigned long)makedev(leg->dev >> 20, leg->dev & 0xfffff));
	close(fd);
	return ret ? t_text("md: failing a leg: %s", strerror(errno)) : NULL;
}

/* ---- file systems ---- */

static int unmount(const char *dir)
{
	return umount(dir);
}

static void mount_undo(const char *dir)
{
	until_done(unmount, dir);
	rmdir(dir);
}

static const char *make_fs(const struct t_dev *dev, const char *type,
			   const char *const mkfs[], char dir[64])
{
	int ret;

	if (!t_have_program(mkfs[0]))
		return t_text("no %s", mkfs[0]);
	ret = t_run(mkfs);
	if (ret)
		return t_text("%s %s: %d", mkfs[0], dev->path, ret);
	snprintf(dir, 64, "/tmp/cprov.XXXXXX");
	if (!mkdtemp(dir))
		return t_text("%s: %s", dir, strerror(errno));
	if (mount(dev->path, dir, type, 0, NULL)) {
		ret = errno;
		rmdir(dir);
		return t_text("mounting %s: %s", type, strerror(ret));
	}
	t_undo(mount_undo, dir);
	return NULL;
}

const char *t_ext4(const struct t_dev *dev, char dir[64])
{
	const char *const mkfs[] = { "mkfs.ext4",
				     "-q",
				     "-F",
				     "-b",
				     "4096",
				     "-E",
				     "lazy_itable_init=0,nodiscard",
				     dev->path,
				     NULL };

	return make_fs(dev, "ext4", mkfs, dir);
}

const char *t_xfs(const struct t_dev *dev, char dir[64])
{
	const char *const mkfs[] = { "mkfs.xfs", "-q",	    "-f",
				     "-K",	 dev->path, NULL };

	return make_fs(dev, "xfs", mkfs, dir);
}

/* ---- queue attributes ---- */

int t_queue_set(const struct t_dev *dev, const char *attr, const char *value)
{
	return t_set(t_text("/sys/block/%s/queue/%s", dev->name, attr), "%s",
		     value);
}

int t_queue_get(const struct t_dev *dev, const char *attr, char *buf,
		size_t size)
{
	return t_read(buf, size, "/sys/block/%s/queue/%s", dev->name, attr);
}

int t_queue_of(const struct t_dev *dev, int cpu)
{
	char cpus[256];

	for (int i = 0; i < T_MAX_CPUS; i++)
		if (!t_read(cpus, sizeof(cpus), "/sys/block/%s/mq/%d/cpu_list",
			    dev->name, i) &&
		    t_in_list(cpus, cpu))
			return i;
	return -1;
}
