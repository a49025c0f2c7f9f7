// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files, and putting things back.
 */
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *t_text(const char *fmt, ...)
{
	static char buf[8][512];
	static unsigned int next;
	char *text = buf[next++ % T_ARRAY_SIZE(buf)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(buf[0]), fmt, ap);
	va_end(ap);
	return text;
}

long long t_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

bool t_exists(const char *fmt, ...)
{
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return access(path, F_OK) == 0;
}

static int read_path(char *buf, size_t size, const char *path)
{
	size_t len = 0;
	ssize_t ret;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do {
		ret = read(fd, buf + len, size - 1 - len);
		if (ret > 0)
			len += ret;
	} while (ret > 0 && len < size - 1);
	ret = ret < 0 ? -errno : 0;
	close(fd);
	while (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return ret;
}

int t_read(char *buf, size_t size, const char *fmt, ...)
{
	char path[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return read_path(buf, size, path);
}

long long t_read_num(long long none, const char *fmt, ...)
{
	char path[512], buf[64], *end;
	long long num;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (read_path(buf, sizeof(buf), path))
		return none;
	num = strtoll(buf, &end, 10);
	return end == buf ? none : num;
}

static int write_path(const char *path, const char *text)
{
	size_t len = strlen(text);
	ssize_t ret;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, text, len);
	if (ret >= 0)
		ret = (size_t)ret == len ? 0 : -EIO;
	else
		ret = -errno;
	close(fd);
	return ret;
}

int t_write(const char *path, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return write_path(path, text);
}

/* The argument is "path value". */
static void write_back(const char *arg)
{
	const char *value = strchr(arg, ' ') + 1;
	char path[256];

	snprintf(path, sizeof(path), "%.*s", (int)(value - 1 - arg), arg);
	write_path(path, value);
}

int t_set(const char *path, const char *fmt, ...)
{
	char text[512], old[256], *choice;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ret = read_path(old, sizeof(old), path);
	if (ret)
		return ret;
	/* "a [b] c": a choice, of which b is the one. */
	choice = strchr(old, '[');
	if (choice) {
		choice++;
		choice[strcspn(choice, "]")] = '\0';
	} else {
		choice = old;
	}
	if (!strcmp(choice, text))
		return 0;
	t_undo(write_back, t_text("%s %s", path, choice));
	return write_path(path, text);
}

/* ---- a process that puts things back ---- */

struct undo {
	void (*fn)(const char *arg);
	char arg[400];
};

static int undo_pipe = -1;
static pid_t undo_pid;

/*
 * Reads what is to be undone until the last writer is gone or says so, and then
 * does it. It holds none of the test's files, or it would keep devices busy.
 */
static void __noreturn undo_process(int in)
{
	static struct undo list[512];
	size_t nr = 0;

	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	dup2(in, STDIN_FILENO);
	syscall(__NR_close_range, STDERR_FILENO + 1, ~0U, 0);
	while (nr < T_ARRAY_SIZE(list) &&
	       read(STDIN_FILENO, &list[nr], sizeof(list[nr])) ==
		       sizeof(list[nr])) {
		if (!list[nr].fn)
			break;
		nr++;
	}
	while (nr--)
		list[nr].fn(list[nr].arg);
	_exit(0);
}

static void undo_send(void (*fn)(const char *arg), const char *arg)
{
	struct undo undo;

	memset(&undo, 0, sizeof(undo));
	undo.fn = fn;
	snprintf(undo.arg, sizeof(undo.arg), "%s", arg);
	if (write(undo_pipe, &undo, sizeof(undo)) != sizeof(undo))
		perror("undo");
}

void t_undo(void (*fn)(const char *arg), const char *arg)
{
	int fds[2];

	if (undo_pipe < 0) {
		fflush(NULL);
		if (pipe2(fds, O_CLOEXEC)) {
			perror("pipe");
			exit(1);
		}
		undo_pid = fork();
		if (!undo_pid)
			undo_process(fds[0]);
		close(fds[0]);
		undo_pipe = fds[1];
	}
	undo_send(fn, arg);
}

void t_undo_all(void)
{
	if (undo_pipe < 0)
		return;
	/*
	 * A device that is still open could not go. Nor could one of which a ring has a
	 * request: with IORING_SETUP_DEFER_TASKRUN one that a worker was the last to put
	 * is freed when the ring is asked for more, or is gone, to which a mapping holds.
	 */
	t_rings_unmap();
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		if (fd != undo_pipe)
			close(fd);
	undo_send(NULL, "");
	close(undo_pipe);
	undo_pipe = -1;
	waitpid(undo_pid, NULL, 0);
}

/* ---- control groups ---- */

static void remove_group(const char *dir)
{
	rmdir(dir);
}

/* Who undoes it is another process. */
static void move_back(const char *pid)
{
	t_write(T_CGROUP "/cgroup.procs", "%s", pid);
}

const char *t_cgroup(const char *dir)
{
	const char *path = t_text(T_CGROUP "/%s", dir);

	if (mkdir(path, 0755))
		return t_text("no cgroup v2 in " T_CGROUP ": %s",
			      strerror(errno));
	t_undo(remove_group, path);
	return NULL;
}

const char *t_cgroup_enter(const char *dir)
{
	t_undo(move_back, t_text("%d", getpid()));
	if (t_write(t_text(T_CGROUP "/%s/cgroup.procs", dir), "%d", getpid()))
		return t_text("nobody can be in %s", dir);
	return NULL;
}

/* ---- processes ---- */

pid_t t_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before the signal was asked for. */
	if (getppid() != parent)
		_exit(1);
	return 0;
}

void *t_shared(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

int t_run(const char *const argv[])
{
	int status;
	pid_t pid;

	pid = t_fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

long long t_asleep(pid_t tid)
{
	static const char slept[] = "\nvoluntary_ctxt_switches:";
	char text[4096];
	const char *at;

	if (t_read(text, sizeof(text), "/proc/%d/status", tid))
		return -1;
	at = strstr(text, "\nState:\tS") ? strstr(text, slept) : NULL;
	return at ? atoll(at + strlen(slept)) : -1;
}

static void read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t ret;

	lseek(fd, 0, SEEK_SET);
	while (len < size - 1 &&
	       (ret = read(fd, buf + len, size - 1 - len)) > 0)
		len += ret;
	buf[len] = '\0';
	close(fd);
}

void t_sh(struct t_output *output, const char *fmt, ...)
{
	int out = memfd_create("out", MFD_CLOEXEC), status;
	int err = memfd_create("err", MFD_CLOEXEC);
	char command[2048];
	va_list ap;
	pid_t pid;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	memset(output, 0, sizeof(*output));
	pid = out < 0 || err < 0 ? -1 : t_fork();
	if (!pid) {
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		output->status = -errno;
	else
		output->status = WIFEXITED(status) ? WEXITSTATUS(status) :
						     -EINTR;
	read_all(out, output->out, sizeof(output->out));
	read_all(err, output->err, sizeof(output->err));
}

bool t_have_program(const char *name)
{
	static const char *const more[] = { "/sbin", "/usr/sbin" };
	const char *path = getenv("PATH");
	char dirs[1024], *dir, *save;

	snprintf(dirs, sizeof(dirs), "%s", path ? path : "");
	for (dir = strtok_r(dirs, ":", &save); dir;
	     dir = strtok_r(NULL, ":", &save))
		if (t_exists("%s/%s", dir, name))
			return true;
	for (size_t i = 0; i < T_ARRAY_SIZE(more); i++)
		if (t_exists("%s/%s", more[i], name)) {
			setenv("PATH",
			       t_text("%s:%s", path ? path : "", more[i]), 1);
			return true;
		}
	return false;
}
