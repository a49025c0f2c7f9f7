// SPDX-License-Identifier: GPL-2.0-only
/*
 * The coherence instrument: a plugin for QEMU's TCG that counts transfers of
 * cache lines between vCPUs. Documentation/coherence.rst has the model.
 *
 *	-plugin coherence.so,out=FILE[,top=N]
 *
 * A vCPU is a thread. What a callback touches is its own vCPU's, the directory's
 * words, or behind a lock.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "directory.h"
#include "ledger.h"
#include "marked.h"

/* The local APIC's interrupt command register, whose low half sends. */
#define APIC_ICR UINT64_C(0xfee00300)
/* No access that TCG makes at once is wider. */
#define WIDEST 16

static void say(const char *fmt, ...)
{
	va_list ap;

	fputs("coherence: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void on_marker(unsigned int vcpu, void *data)
{
	uint32_t which = (uint32_t)(uintptr_t)data;

	(void)vcpu;
	ledger_mark(which >> 8, which & 0xff);
}

static void on_block(unsigned int vcpu, void *data)
{
	count(&vcpus[vcpu], COUNT_INSTRUCTIONS, (uintptr_t)data);
}

static void on_mmio(struct vcpu *v, uint64_t addr, bool store)
{
	count(v, store ? COUNT_MMIO_WRITES : COUNT_MMIO_READS, 1);
	if (store && addr == APIC_ICR)
		count(v, COUNT_IPIS, 1);
}

static void access_line(struct vcpu *v, uint64_t line, bool store,
			uint64_t vaddr, uint64_t pc)
{
	unsigned int vcpu = (unsigned int)(v - vcpus);

	if (!directory_covers(line))
		count(v, COUNT_UNTRACKED, 1);
	else
		pay(v,
		    store ? directory_write(line, vcpu) :
			    directory_read(line, vcpu),
		    pc, line, vaddr);
}

/* An access may end in the next line, and that one on the next page. */
static void access_next_line(struct vcpu *v, uint32_t info, uint64_t vaddr,
			     bool store, uint64_t pc)
{
	uint64_t next = (vaddr | (LINE_BYTES - 1)) + 1;
	struct qemu_plugin_hwaddr *haddr;

	if (vaddr + (UINT64_C(1) << qemu_plugin_mem_size_shift(info)) <= next)
		return;
	haddr = qemu_plugin_get_hwaddr(info, next);
	if (!haddr || qemu_plugin_hwaddr_is_io(haddr))
		count(v, COUNT_UNTRACKED, 1);
	else
		access_line(v,
			    qemu_plugin_hwaddr_phys_addr(haddr) >> LINE_SHIFT,
			    store, next, pc);
}

/*
 * QEMU calls this after the access, so that two vCPUs that race for a line may
 * be entered in the other order.
 */
static void on_access(unsigned int vcpu, uint32_t info, uint64_t vaddr,
		      void *data)
{
	struct vcpu *v = &vcpus[vcpu];
	uint64_t pc = (uintptr_t)data;
	bool store = qemu_plugin_mem_is_store(info);
	struct qemu_plugin_hwaddr *haddr;
	uint64_t addr;

	count(v, store ? COUNT_WRITES : COUNT_READS, 1);
	haddr = qemu_plugin_get_hwaddr(info, vaddr);
	if (!haddr) {
		count(v, COUNT_UNTRACKED, 1);
		return;
	}
	addr = qemu_plugin_hwaddr_phys_addr(haddr);
	if (qemu_plugin_hwaddr_is_io(haddr)) {
		on_mmio(v, addr, store);
		return;
	}
	access_line(v, addr >> LINE_SHIFT, store, vaddr, pc);
	if ((vaddr & (LINE_BYTES - 1)) > LINE_BYTES - WIDEST)
		access_next_line(v, info, vaddr, store, pc);
}

static void watch(struct qemu_plugin_insn *insn)
{
	enum qemu_plugin_cb_flags flags = QEMU_PLUGIN_CB_NO_REGS;
	void *pc = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn);
	uint32_t which;

	if (marked(insn, &which)) {
		void *data = (void *)(uintptr_t)which;

		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_marker, flags,
						       data);
	}
	/* Reads and writes apart would be two calls for what does both. */
	qemu_plugin_register_vcpu_mem_cb(insn, on_access, flags,
					 QEMU_PLUGIN_MEM_RW, pc);
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	enum qemu_plugin_cb_flags flags = QEMU_PLUGIN_CB_NO_REGS;
	uintptr_t nr = qemu_plugin_tb_n_insns(tb), i;

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, flags, (void *)nr);
	for (i = 0; i < nr; i++)
		watch(qemu_plugin_tb_get_insn(tb, i));
}

static void on_exit_of_qemu(uint64_t id, void *data)
{
	(void)id;
	(void)data;
	ledger_close();
}

static bool parse(int argc, char **argv, const char **path, size_t *top)
{
	char *end;
	int i;

	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			*path = argv[i] + 4;
		} else if (!strncmp(argv[i], "top=", 4) && argv[i][4]) {
			*top = strtoul(argv[i] + 4, &end, 10);
			if (*end)
				return false;
		} else {
			return false;
		}
	}
	return *path;
}

int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc,
			char **argv)
{
	const char *path = NULL;
	size_t top = 200;
	FILE *out;

	if (!marked_init("coherence", info))
		return -1;
	if (info->system.max_vcpus > MAX_VCPUS) {
		say("%d vCPUs, and a line's word has room for %d",
		    info->system.max_vcpus, MAX_VCPUS);
		return -1;
	}
	if (!parse(argc, argv, &path, &top)) {
		say("arguments: out=FILE[,top=N]: N instructions and lines a region, 0 for all");
		return -1;
	}
	out = fopen(path, "we");
	if (!out) {
		say("%s: %s", path, strerror(errno));
		return -1;
	}
	if (!directory_init() ||
	    !ledger_init((unsigned int)info->system.max_vcpus, out, top)) {
		say("no memory for the directory");
		return -1;
	}
	fprintf(out,
		"{\"coherence\":1,\"plugin_api\":%d,\"vcpus\":%d,\"line_bytes\":%u,\"top\":%zu}\n",
		info->version.cur, info->system.max_vcpus, LINE_BYTES, top);
	fflush(out);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
