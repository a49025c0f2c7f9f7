// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of a guest: set the machine up, run one command, report, power off.
 *
 * The command is the executable /etc/cprov/cmd, which boot.sh puts in a second
 * initramfs archive; without one, a shell runs on the console.  Its output goes
 * to the virtio-serial port "cprov.log", or to the console if there is none.
 * The last thing written, on the port "cprov.result", is one line: "exit N",
 * "signal N" or "error TEXT".  No line means that the guest was lost.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND "/etc/cprov/cmd"

static int result_fd = -1;

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* One write, so that the host never sees half a record. */
__attribute__((format(printf, 1, 2))) static void report(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	if (write(result_fd >= 0 ? result_fd : STDERR_FILENO, line, len) < 0)
		perror("init: result");
}

static void give_up(const char *what, const char *where)
{
	fprintf(stderr, "init: %s %s: %s\n", what, where, strerror(errno));
	report("error %s %s: %s", what, where, strerror(errno));
	power_off();
}

static void mount_all(void)
{
	static const struct {
		const char *type, *dir, *options;
		int optional;
	} mounts[] = {
		{ "proc", "/proc", NULL, 0 },
		{ "sysfs", "/sys", NULL, 0 },
		{ "devtmpfs", "/dev", NULL, 0 },
		{ "devpts", "/dev/pts", "mode=620,ptmxmode=666", 0 },
		{ "tmpfs", "/dev/shm", "mode=1777", 0 },
		{ "tmpfs", "/tmp", "mode=1777", 0 },
		{ "tmpfs", "/run", "mode=755", 0 },
		/* A kernel of someone else's configuration may lack these. */
		{ "debugfs", "/sys/kernel/debug", NULL, 1 },
		{ "tracefs", "/sys/kernel/tracing", NULL, 1 },
		{ "configfs", "/sys/kernel/config", NULL, 1 },
		{ "cgroup2", "/sys/fs/cgroup", NULL, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].dir, 0755);
		if (!mount(mounts[i].type, mounts[i].dir, mounts[i].type, 0,
			   mounts[i].options) ||
		    mounts[i].optional || errno == EBUSY)
			continue;
		give_up("mount", mounts[i].dir);
	}
	if (symlink("/proc/self/fd", "/dev/fd") && errno != EEXIST)
		give_up("symlink", "/dev/fd");
}

/* devtmpfs has just hidden the console that the kernel opened for us. */
static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static void raise_limits(void)
{
	const struct rlimit files = { 65536, 65536 };
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_MEMLOCK, &all);
	setrlimit(RLIMIT_CORE, &all);
}

/* The first line of a sysfs attribute, without its padding and line end. */
static int read_attribute(char *value, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	ssize_t len;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = read(fd, value, size - 1);
	close(fd);
	if (len < 0)
		return -1;
	while (len && (value[len - 1] == '\n' || value[len - 1] == ' '))
		len--;
	value[len] = '\0';
	return len ? 0 : -1;
}

/* /dev/virtio-ports/NAME, as udev would make it. */
static void name_ports(void)
{
	char name[256], from[PATH_MAX], to[PATH_MAX];
	DIR *dir = opendir("/sys/class/virtio-ports");
	struct dirent *port;

	if (!dir)
		return;
	mkdir("/dev/virtio-ports", 0755);
	while ((port = readdir(dir))) {
		if (port->d_name[0] == '.' ||
		    read_attribute(name, sizeof(name),
				   "/sys/class/virtio-ports/%s/name",
				   port->d_name))
			continue;
		snprintf(to, sizeof(to), "/dev/%s", port->d_name);
		snprintf(from, sizeof(from), "/dev/virtio-ports/%s", name);
		if (symlink(to, from))
			perror(from);
	}
	closedir(dir);
}

/*
 * /dev/disk/by-serial/SERIAL: nvme0 and nvme1 may swap names between boots. A
 * drive is a subsystem: one of several controllers has a single disk, which is
 * named after the first of them, and a hidden one for each path.
 */
static void name_drives(void)
{
	DIR *dir = opendir("/sys/class/nvme-subsystem");
	char serial[64], from[PATH_MAX], to[PATH_MAX];
	struct dirent *subsys;
	int nr;

	mkdir("/dev/disk", 0755);
	mkdir("/dev/disk/by-serial", 0755);
	if (!dir)
		return;
	while ((subsys = readdir(dir))) {
		if (sscanf(subsys->d_name, "nvme-subsys%d", &nr) != 1 ||
		    read_attribute(serial, sizeof(serial),
				   "/sys/class/nvme-subsystem/%s/serial",
				   subsys->d_name))
			continue;
		snprintf(to, sizeof(to), "/dev/nvme%dn1", nr);
		snprintf(from, sizeof(from), "/dev/disk/by-serial/%s", serial);
		if (symlink(to, from))
			perror(from);
	}
	closedir(dir);
}

static int open_port(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/dev/virtio-ports/%s", name);
	return open(path, O_WRONLY | O_CLOEXEC);
}

/* The shell gets the console as its terminal; a command gets the log port. */
static pid_t start(int interactive)
{
	static char *const shell[] = { "bash", "-l", NULL };
	static char *const command[] = { COMMAND, NULL };
	static char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root",
		"TERM=linux",
		"LANG=C.UTF-8",
		"USER=root",
		NULL,
	};
	pid_t pid = fork();
	int fd;

	if (pid)
		return pid;
	setsid();
	if (interactive) {
		/* /dev/console cannot be a controlling terminal, ttyS0 can. */
		fd = open("/dev/ttyS0", O_RDWR);
		if (fd >= 0) {
			dup2(fd, STDIN_FILENO);
			dup2(fd, STDOUT_FILENO);
			dup2(fd, STDERR_FILENO);
			ioctl(STDIN_FILENO, TIOCSCTTY, 1);
		}
		if (chdir("/root"))
			perror("/root");
		execve("/bin/bash", shell, env);
	} else {
		fd = open("/dev/null", O_RDONLY);
		if (fd >= 0)
			dup2(fd, STDIN_FILENO);
		fd = open_port("cprov.log");
		if (fd >= 0) {
			dup2(fd, STDOUT_FILENO);
			dup2(fd, STDERR_FILENO);
		}
		execve(COMMAND, command, env);
	}
	fprintf(stderr, "init: cannot run the command: %s\n", strerror(errno));
	_exit(127);
}

int main(void)
{
	int interactive, status = 0;
	pid_t command, pid;

	if (getpid() != 1) {
		fprintf(stderr, "init: to be run as PID 1 of a guest\n");
		return 1;
	}
	mount_all();
	open_console();
	raise_limits();
	sethostname("guest", 5);
	name_ports();
	name_drives();
	result_fd = open_port("cprov.result");

	interactive = access(COMMAND, X_OK) != 0;
	command = start(interactive);
	if (command < 0)
		give_up("fork", COMMAND);

	/* Orphans come to us: reap them until the command itself is done. */
	do {
		pid = wait(&status);
	} while (pid != command && (pid > 0 || errno == EINTR));
	if (pid != command)
		give_up("wait", COMMAND);

	if (WIFSIGNALED(status))
		report("signal %d", WTERMSIG(status));
	else
		report("exit %d", WEXITSTATUS(status));
	power_off();
}
