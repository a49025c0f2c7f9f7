/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * marker.h - tell the coherence instrument what to count
 *
 *	coherence_begin(3);
 *	for (i = 0; i < n; i++) {
 *		...
 *		coherence_unit(3);
 *	}
 *	coherence_end(3);
 *
 * A marker is an instruction that does nothing, with an address in it that says
 * which marker it is: the plugin knows it when it sees the bytes, and every
 * machine passes over it. On anything but x86-64 the functions are empty.
 */
#ifndef COHERENCE_MARKER_H
#define COHERENCE_MARKER_H

#define COHERENCE_REGIONS 64

/* nopl MAGIC | op << 8 | region(%rax,%rax,1): 0f 1f 84 00, then the address. */
#define COHERENCE_MAGIC 0x4d430000

enum coherence_op {
	COHERENCE_BEGIN, /* count from here, on all CPUs */
	COHERENCE_END, /* to here, and write down what was counted so far */
	COHERENCE_RESET, /* forget what was counted */
	COHERENCE_UNIT, /* one I/O, or whatever it is that is counted */
	COHERENCE_PAUSE, /* to here, and write nothing: another begin goes on */
	COHERENCE_OPS,
};

/*
 * The marker that is wanted is not known when this is compiled, so all of them
 * are here, each in 16 bytes with a jump to the end.
 */
#define COHERENCE_JUMP                                                        \
	"leaq 1f(%%rip), %%rax\n\t"                                           \
	"addq %0, %%rax\n\t"                                                  \
	"jmp *%%rax\n\t"                                                      \
	".balign 16\n"                                                        \
	"1:\n\t"                                                              \
	".set coherence_op, 0\n\t"                                            \
	".rept %c2\n\t"                                                       \
	".set coherence_region, 0\n\t"                                        \
	".rept %c3\n\t"                                                       \
	".balign 16\n\t"                                                      \
	"nopl %c1 + coherence_op * 256 + coherence_region(%%rax,%%rax,1)\n\t" \
	"jmp 2f\n\t"                                                          \
	".set coherence_region, coherence_region + 1\n\t"                     \
	".endr\n\t"                                                           \
	".set coherence_op, coherence_op + 1\n\t"                             \
	".endr\n"                                                             \
	"2:"

static __attribute__((noinline, unused)) void
coherence_marker(enum coherence_op op, unsigned int region)
{
#ifdef __x86_64__
	unsigned long slot = (op * COHERENCE_REGIONS + region) * 16;

	if (op >= COHERENCE_OPS || region >= COHERENCE_REGIONS)
		return;
	__asm__ volatile(COHERENCE_JUMP
			 :
			 : "r"(slot), "i"(COHERENCE_MAGIC), "i"(COHERENCE_OPS),
			   "i"(COHERENCE_REGIONS)
			 : "rax", "memory");
#else
	(void)op;
	(void)region;
#endif
}

static inline void coherence_begin(unsigned int region)
{
	coherence_marker(COHERENCE_BEGIN, region);
}

static inline void coherence_end(unsigned int region)
{
	coherence_marker(COHERENCE_END, region);
}

static inline void coherence_reset(unsigned int region)
{
	coherence_marker(COHERENCE_RESET, region);
}

static inline void coherence_unit(unsigned int region)
{
	coherence_marker(COHERENCE_UNIT, region);
}

static inline void coherence_pause(unsigned int region)
{
	coherence_marker(COHERENCE_PAUSE, region);
}

#endif
