// SPDX-License-Identifier: GPL-2.0-only
/*
 * O_DIRECT reads through io_uring.
 *
 * The whole target is kept in memory as it was read: its digest says whether it
 * is what was written, and each sampled block is compared with it.
 */
#include <cprov.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cprovread.h"

struct reader {
	struct io_uring ring;
	struct cprov_ring cr;
	int fd;
	uint64_t offset;
	uint64_t length;
	dev_t disk;
	unsigned char *whole;
	unsigned char *pool; /* SAMPLE_SIZE per request in flight */
	unsigned int depth;
};

static uint64_t round_up_to(uint64_t n, uint64_t align)
{
	return (n + align - 1) / align * align;
}

static unsigned char *map_memory(uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for %" PRIu64 " bytes of buffers: %s", size,
		    strerror(errno));
	return p;
}

/* Requests are of the disk, whichever partition the file is on. */
static dev_t disk_of(dev_t dev)
{
	char path[128];
	unsigned int maj, min;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition",
		 major(dev), minor(dev));
	if (access(path, F_OK))
		return dev;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(dev),
		 minor(dev));
	f = fopen(path, "re");
	if (!f || fscanf(f, "%u:%u", &maj, &min) != 2)
		die("cannot tell which disk the partition %u:%u is of",
		    major(dev), minor(dev));
	fclose(f);
	return makedev(maj, min);
}

static void open_target(struct reader *rd, const struct options *opt)
{
	struct stat st;
	uint64_t size;

	rd->fd = open(opt->path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (rd->fd < 0)
		die("cannot open %s with O_DIRECT: %s", opt->path,
		    strerror(errno));
	if (fstat(rd->fd, &st))
		die("%s: %s", opt->path, strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		rd->disk = disk_of(st.st_rdev);
		if (ioctl(rd->fd, BLKGETSIZE64, &size))
			die("size of %s: %s", opt->path, strerror(errno));
	} else if (S_ISREG(st.st_mode)) {
		rd->disk = disk_of(st.st_dev);
		size = (uint64_t)st.st_size;
	} else {
		die("%s is neither a file nor a block device", opt->path);
	}
	if (opt->offset % SAMPLE_SIZE || opt->offset >= size)
		die("the offset must be a multiple of %u below %" PRIu64,
		    SAMPLE_SIZE, size);
	rd->offset = opt->offset;
	rd->length = opt->length ? opt->length : size - opt->offset;
	if (rd->length > size - opt->offset)
		die("%s ends at %" PRIu64 ", before offset + length", opt->path,
		    size);
	if (rd->length % 512 && S_ISBLK(st.st_mode))
		die("the length must be a multiple of 512 on a device");
	if (rd->length < SAMPLE_SIZE * 2)
		die("%s is too small to sample", opt->path);
}

static void set_up_ring(struct reader *rd, const struct options *opt)
{
	int ret = io_uring_queue_init(rd->depth, &rd->ring, opt->ring_flags);

	if (ret < 0)
		die("cannot make a ring of the kind '%s': %s", opt->ring,
		    strerror(-ret));
	rd->cr.active = false;
	if (!opt->hinted)
		return;
	ret = cprov_ring_enable(&rd->cr, &rd->ring, &opt->hint, NULL, 0);
	if (ret < 0)
		die("the kernel refuses the hint: %s%s", strerror(-ret),
		    ret == -EPERM ?
			    " (a step_critical class needs CAP_SYS_NICE; see the sysctls kernel.completion_provenance*)" :
			    "");
	if (!ret && !opt->hint_optional)
		die("this kernel has no completion provenance; boot a patched one, or say --hint-optional");
}

struct reader *reader_open(const struct options *opt)
{
	struct reader *rd = calloc(1, sizeof(*rd));
	unsigned int i;

	if (!rd)
		die("out of memory");
	open_target(rd, opt);
	rd->depth = opt->whole_depth;
	for (i = 0; i < opt->nr_depths; i++)
		if (opt->depths[i] > rd->depth)
			rd->depth = opt->depths[i];
	rd->whole = map_memory(round_up_to(rd->length, SAMPLE_SIZE));
	rd->pool = map_memory((uint64_t)rd->depth * SAMPLE_SIZE);
	set_up_ring(rd, opt);
	return rd;
}

void reader_close(struct reader *rd)
{
	io_uring_queue_exit(&rd->ring);
	munmap(rd->whole, round_up_to(rd->length, SAMPLE_SIZE));
	munmap(rd->pool, (uint64_t)rd->depth * SAMPLE_SIZE);
	close(rd->fd);
	free(rd);
}

uint64_t reader_length(const struct reader *rd)
{
	return rd->length;
}

dev_t reader_disk(const struct reader *rd)
{
	return rd->disk;
}

bool reader_hinted(const struct reader *rd)
{
	return rd->cr.active;
}

/* What a read at @off is to return, which is less at the end of the file. */
static unsigned int wanted(const struct reader *rd, uint64_t off,
			   unsigned int size)
{
	return rd->length - off < size ? (unsigned int)(rd->length - off) :
					 size;
}

static void submit_one(struct reader *rd, const struct batch *batch,
		       unsigned int nth, unsigned int slot)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&rd->ring);
	uint64_t off = batch->offsets[nth];
	unsigned int len = wanted(rd, off, batch->size);
	unsigned char *buf = rd->whole + off;

	if (!sqe)
		die("the submission queue is full: a bug of this program");
	if (batch->sample) {
		/* What an earlier read left there must not pass for this one. */
		buf = rd->pool + (size_t)slot * SAMPLE_SIZE;
		memset(buf, ~rd->whole[off], SAMPLE_SIZE);
	}
	io_uring_prep_read(sqe, rd->fd, buf,
			   (unsigned int)round_up_to(len, SAMPLE_SIZE),
			   rd->offset + off);
	sqe->user_data = (uint64_t)slot << 32 | nth;
}

static bool check_one(const struct reader *rd, const struct batch *batch,
		      const struct io_uring_cqe *cqe)
{
	unsigned int slot = (unsigned int)(cqe->user_data >> 32);
	uint64_t off = batch->offsets[cqe->user_data & UINT32_MAX];
	unsigned int len = wanted(rd, off, batch->size);

	if (cqe->res < 0) {
		finding("read at %" PRIu64 ": %s", rd->offset + off,
			strerror(-cqe->res));
		return false;
	}
	/* A length may be given that ends before the target does. */
	if ((unsigned int)cqe->res < len) {
		finding("read at %" PRIu64 ": %d bytes of %u", rd->offset + off,
			cqe->res, len);
		return false;
	}
	if (batch->sample && memcmp(rd->pool + (size_t)slot * SAMPLE_SIZE,
				    rd->whole + off, len)) {
		finding("the block read at %" PRIu64
			" is not what was read there before",
			rd->offset + off);
		return false;
	}
	return true;
}

bool reader_run(struct reader *rd, const struct batch *batch)
{
	unsigned int submitted = 0, done = 0, seen, head;
	struct io_uring_cqe *cqe;
	bool ok = true;
	int ret;

	while (submitted < batch->nr && submitted < batch->depth) {
		submit_one(rd, batch, submitted, submitted);
		submitted++;
	}
	while (done < batch->nr) {
		ret = io_uring_submit_and_wait(&rd->ring, 1);
		if (ret < 0 && ret != -EINTR)
			die("io_uring_enter: %s", strerror(-ret));
		seen = 0;
		io_uring_for_each_cqe(&rd->ring, head, cqe)
		{
			seen++;
			ok = check_one(rd, batch, cqe) && ok;
			if (submitted < batch->nr) {
				submit_one(rd, batch, submitted,
					   (unsigned int)(cqe->user_data >>
							  32));
				submitted++;
			}
		}
		io_uring_cq_advance(&rd->ring, seen);
		done += seen;
	}
	return ok;
}

void reader_warm_up(struct reader *rd)
{
	const uint64_t offset = 0;
	struct batch batch = {
		.offsets = &offset, .nr = 1, .size = SAMPLE_SIZE, .depth = 1
	};

	if (!reader_run(rd, &batch))
		die("the first read failed");
}

void reader_digest(const struct reader *rd, unsigned char digest[32])
{
	if (!EVP_Digest(rd->whole, rd->length, digest, NULL, EVP_sha256(),
			NULL))
		die("SHA-256 failed");
}
