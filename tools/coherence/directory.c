// SPDX-License-Identifier: GPL-2.0-only
/* The directory's memory: see directory.h. */
#include <stddef.h>
#include <sys/mman.h>

#include "directory.h"

_Atomic uint64_t *directory;

bool directory_init(void)
{
	void *p = mmap(NULL, DIRECTORY_LINES * sizeof(*directory),
		       PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	directory = p;
	return true;
}
