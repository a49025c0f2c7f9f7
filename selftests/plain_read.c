// SPDX-License-Identifier: GPL-2.0-only
/*
 * plain_read DEVICE: reads with io_uring and knows nothing of hints, as most
 * programs do. What a test runs to see what becomes of those; no test itself.
 *
 * Exit status: 0 all was read, 1 not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "t.h"

#define READS 4
#define SIZE 4096

int main(int argc, char **argv)
{
	struct t_ring ring;
	void *buf;
	int fd, i, ret;

	if (argc != 2) {
		fprintf(stderr, "usage: plain_read DEVICE\n");
		return 1;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	ret = t_ring_init(&ring, READS, 0);
	if (ret) {
		fprintf(stderr, "no ring: %s\n", strerror(-ret));
		return 1;
	}
	buf = aligned_alloc(SIZE, SIZE);
	for (i = 0; i < READS; i++) {
		/* Apart from each other, so that none is merged. */
		t_prep_rw(t_sqe(&ring), IORING_OP_READ, fd, buf, SIZE,
			  i * 16LL * SIZE);
		ret = t_submit_res(&ring);
		if (ret != SIZE) {
			fprintf(stderr, "read %d: %d\n", i, ret);
			return 1;
		}
	}
	return 0;
}
