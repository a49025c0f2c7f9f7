// SPDX-License-Identifier: GPL-2.0-only
/* One value a file, as the kernel has them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cprovctl.h"

char *file_read(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (!file)
		return NULL;
	errno = 0;
	len = getline(&line, &size, file);
	if (len < 0 && errno) {
		int error = errno;

		fclose(file);
		free(line);
		errno = error;
		return NULL;
	}
	fclose(file);
	if (len < 0) {
		free(line);
		return text("%s", "");
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

int file_write(const char *path, const char *value)
{
	char *line = text("%s\n", value);
	size_t len = strlen(line);
	int fd, ret = 0;
	ssize_t done;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) {
		ret = -errno;
	} else {
		done = write(fd, line, len);
		if (done < 0)
			ret = -errno;
		else if ((size_t)done != len)
			ret = -EIO;
		close(fd);
	}
	free(line);
	return ret;
}

static void list_add(struct file_list *list, char *name)
{
	list->names =
		reallocarray(list->names, list->nr + 1, sizeof(*list->names));
	if (!list->names)
		fail(FAILED, "out of memory");
	list->names[list->nr++] = name;
}

static void list_below(struct file_list *list, const char *dir,
		       const char *prefix, const char *except)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	if (!stream)
		fail(FAILED, "%s: %s", dir, strerror(errno));
	while ((entry = readdir(stream))) {
		char *path, *name;
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		path = text("%s/%s", dir, entry->d_name);
		name = text("%s%s", prefix, entry->d_name);
		if (lstat(path, &st))
			fail(FAILED, "%s: %s", path, strerror(errno));
		if (S_ISREG(st.st_mode)) {
			list_add(list, text("%s", name));
		} else if (S_ISDIR(st.st_mode) &&
			   (!except || strcmp(name, except))) {
			char *below = text("%s/", name);

			list_below(list, path, below, except);
			free(below);
		}
		free(name);
		free(path);
	}
	closedir(stream);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void file_list(struct file_list *list, const char *dir, const char *except)
{
	list->names = NULL;
	list->nr = 0;
	list_below(list, dir, "", except);
	if (list->nr)
		qsort(list->names, list->nr, sizeof(*list->names), by_name);
}

bool file_list_has(const struct file_list *list, const char *name)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		if (!strcmp(list->names[i], name))
			return true;
	return false;
}

void file_list_free(struct file_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		free(list->names[i]);
	free(list->names);
}

bool policy_loaded(void)
{
	return !access(POLICY_DIR, F_OK);
}

void policy_needed(void)
{
	struct io_locality_probe probe;
	int ret;

	if (policy_loaded())
		return;
	ret = kernel_probe(&probe);
	if (ret == -EINVAL || ret == -ENOSYS)
		fail(NOT_SUPPORTED, "%s", kernel_why_not(ret));
	fail(FAILED,
	     "the policy module is not loaded: modprobe completion_provenance");
}

void json_value(const char *key, const char *value)
{
	char *end;
	unsigned long long number;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (*value >= '0' && *value <= '9' && !*end && !errno)
		json_number(&json, key, number);
	else
		json_string(&json, key, value);
}
