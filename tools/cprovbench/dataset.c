// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory of files of different sizes, for loader. Each file has the pattern of
 * blocks that no other has, so that one in another's place is wrong.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cprovbench.h"

#define PREFIX "cprovbench-"

struct file_name {
	char s[sizeof(PREFIX) + 10];
};

static struct file_name name_of(unsigned int nr)
{
	struct file_name name;

	snprintf(name.s, sizeof(name.s), PREFIX "%06u", nr);
	return name;
}

/* From 4 KiB to DATASET_FILE_MAX, each power of two as likely, rarely a whole block. */
static uint64_t bytes_of(unsigned int nr)
{
	uint64_t least = (uint64_t)BLOCK << scatter(nr) % 8;

	return least + scatter(~(uint64_t)nr) % (least + 1);
}

static uint64_t first_block(unsigned int nr)
{
	return (uint64_t)(nr + 1) << 32;
}

static int open_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s: loader reads the files of a directory", path,
		    strerror(errno));
	return fd;
}

/* Whether one of ours is called so, and nothing else. */
static bool is_name(const char *s)
{
	struct file_name name;

	if (strncmp(s, PREFIX, strlen(PREFIX)))
		return false;
	name = name_of((unsigned int)strtoul(s + strlen(PREFIX), NULL, 10));
	return !strcmp(s, name.s);
}

/* How many are there; @remove: were. */
static unsigned int count_files(const char *path, bool remove)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	unsigned int n = 0;

	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (!is_name(entry->d_name))
			continue;
		n++;
		if (remove && unlinkat(dirfd(dir), entry->d_name, 0))
			die("%s: %s", entry->d_name, strerror(errno));
	}
	closedir(dir);
	return n;
}

void dataset_open(struct target *tg, const struct options *opt)
{
	unsigned int nr;

	tg->fd = open_directory(opt->target);
	tg->files = count_files(opt->target, false);
	if (!tg->files)
		die("%s has no files of cprovbench: --prepare writes them",
		    opt->target);
	for (nr = 0; nr < tg->files; nr++)
		close(dataset_file(tg, nr).fd);
}

/* As a loader does it: the size is the file system's to say. */
struct file dataset_file(const struct target *tg, unsigned int nr)
{
	struct file_name name = name_of(nr);
	struct file file = { .first = first_block(nr) };
	struct stat st;

	file.fd = openat(tg->fd, name.s, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (file.fd < 0 || fstat(file.fd, &st))
		die("%s: cannot be read with O_DIRECT: %s; --prepare writes all files anew",
		    name.s, strerror(errno));
	file.bytes = (uint64_t)st.st_size;
	if (file.bytes != bytes_of(nr))
		die("%s has %llu bytes, not %llu: --prepare writes all files anew",
		    name.s, (unsigned long long)file.bytes,
		    (unsigned long long)bytes_of(nr));
	return file;
}

static void write_file(int dir, unsigned int nr, void *buf)
{
	struct file_name name = name_of(nr);
	size_t bytes = bytes_of(nr), done;
	ssize_t n = 0;
	int fd = openat(dir, name.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0644);

	if (fd < 0)
		die("%s: %s", name.s, strerror(errno));
	pattern(buf, first_block(nr), DATASET_FILE_MAX);
	for (done = 0; done < bytes && n >= 0; done += (size_t)n)
		n = write(fd, (char *)buf + done, bytes - done);
	if (n < 0 || fsync(fd) || close(fd))
		die("%s: %s: --total says how much is written", name.s,
		    strerror(errno));
}

void dataset_prepare(const struct options *opt)
{
	void *buf = allocate(DATASET_FILE_MAX);
	int dir = open_directory(opt->target);
	uint64_t sum = bytes_of(0);
	unsigned int nr;

	/* Those of a larger set would be no part of this one. */
	count_files(opt->target, true);
	for (nr = 0; sum <= opt->total; nr++, sum += bytes_of(nr))
		write_file(dir, nr, buf);
	if (fsync(dir) || close(dir))
		die("%s: %s", opt->target, strerror(errno));
	free(buf);
}
