// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target has a pattern that its blocks' places determine, so that each block
 * that was read can be checked, and says which block to read next: so a reader
 * cannot know that before it has the data.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "cprovbench.h"

#define MAGIC UINT64_C(0x6370726f76626e63)
#define WORDS (BLOCK / sizeof(uint64_t))
#define CHUNK (256 * BLOCK)

/* Steele, Lea and Flood's splitmix64. */
uint64_t scatter(uint64_t n)
{
	n += UINT64_C(0x9e3779b97f4a7c15);
	n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
	return n ^ n >> 31;
}

/* Word 0 is the block's number, the others say what to read next. */
static uint64_t word(uint64_t block, size_t i)
{
	return i ? scatter(block * WORDS + i) : MAGIC ^ block;
}

/* @bytes: not more than a block; the end of a file may be within a word. */
bool block_is_right(const void *data, uint64_t block, size_t bytes)
{
	const uint64_t *words = data;
	size_t i, n = bytes / sizeof(*words);
	uint64_t last = word(block, n);

	for (i = 0; i < n; i++)
		if (words[i] != word(block, i))
			return false;
	return !memcmp(&words[n], &last, bytes % sizeof(*words));
}

/* @bytes: a multiple of a block. */
void pattern(uint64_t *buf, uint64_t block, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*buf); i++)
		buf[i] = word(block + i / WORDS, i % WORDS);
}

uint64_t block_link(const void *data, unsigned int nth)
{
	return ((const uint64_t *)data)[1 + nth];
}

static uint64_t size_of(int fd, const char *path)
{
	struct stat st;
	uint64_t bytes;

	if (fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode))
		return (uint64_t)st.st_size;
	if (!S_ISBLK(st.st_mode) || ioctl(fd, BLKGETSIZE64, &bytes))
		die("%s is neither a file nor a block device", path);
	return bytes;
}

void target_open(struct target *tg, const struct options *opt)
{
	void *buf = allocate(BLOCK);
	struct stat st;
	uint64_t last;

	if (!stat(opt->target, &st) && S_ISDIR(st.st_mode))
		die("%s is a directory: loader reads those, other workloads a file or a device",
		    opt->target);
	tg->fd = open(opt->target, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (tg->fd < 0)
		die("%s: %s", opt->target, strerror(errno));
	tg->blocks = size_of(tg->fd, opt->target) / BLOCK;
	if (tg->blocks * BLOCK < opt->tensor || tg->blocks * BLOCK < opt->block)
		die("%s is smaller than what is to be read at once",
		    opt->target);
	last = tg->blocks - 1;
	if (pread(tg->fd, buf, BLOCK, (off_t)(last * BLOCK)) != BLOCK)
		die("%s: cannot read its last block", opt->target);
	tg->patterned = opt->verify && block_is_right(buf, last, BLOCK);
	if (opt->verify && !tg->patterned)
		die("%s has not the pattern to verify: --prepare writes it, over all that is there; --no-verify does without",
		    opt->target);
	free(buf);
}

void target_prepare(const struct options *opt)
{
	uint64_t *buf = allocate(CHUNK), bytes, done;
	/* Of a device that is an error if somebody uses it. */
	int fd = open(opt->target, O_WRONLY | O_CLOEXEC | O_EXCL);

	if (fd < 0 && errno == EBUSY)
		die("%s is in use, as by a mounted file system: the pattern is not written over it",
		    opt->target);
	if (fd < 0)
		die("%s: %s", opt->target, strerror(errno));
	bytes = size_of(fd, opt->target) / BLOCK * BLOCK;
	if (!bytes)
		die("%s is empty", opt->target);
	for (done = 0; done < bytes;) {
		uint64_t n = bytes - done < CHUNK ? bytes - done : CHUNK;

		pattern(buf, done / BLOCK, n);
		if (pwrite(fd, buf, n, (off_t)done) != (ssize_t)n)
			die("%s: writing the pattern failed: %s", opt->target,
			    strerror(errno));
		done += n;
	}
	if (fsync(fd) || close(fd))
		die("%s: %s", opt->target, strerror(errno));
	free(buf);
}
