/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this plugin needs of QEMU's plugin interface, for Debian does not package
 * qemu-plugin.h. The symbols are in QEMU's executable, which loads the plugin.
 *
 * Written for version 1 of the interface (QEMU 7.2). Version 3 (QEMU 9.1) has
 * another qemu_plugin_insn_data(), which is all that differs up to version 6.
 */
#ifndef COHERENCE_PLUGIN_API_H
#define COHERENCE_PLUGIN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;

struct qemu_info_t {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus;
		int max_vcpus;
	} system;
};

enum qemu_plugin_cb_flags {
	QEMU_PLUGIN_CB_NO_REGS,
};

enum qemu_plugin_mem_rw {
	QEMU_PLUGIN_MEM_R = 1,
	QEMU_PLUGIN_MEM_W,
	QEMU_PLUGIN_MEM_RW,
};

/* Found in the plugin by QEMU. */
extern PLUGIN_EXPORT int qemu_plugin_version;
PLUGIN_EXPORT int qemu_plugin_install(uint64_t id,
				      const struct qemu_info_t *info, int argc,
				      char **argv);

typedef void (*plugin_exit_cb)(uint64_t id, void *data);
typedef void (*plugin_translation_cb)(uint64_t id, struct qemu_plugin_tb *tb);
typedef void (*plugin_execution_cb)(unsigned int vcpu, void *data);
typedef void (*plugin_memory_cb)(unsigned int vcpu, uint32_t info,
				 uint64_t vaddr, void *data);

/* Found in QEMU by the plugin. */
void qemu_plugin_register_atexit_cb(uint64_t id, plugin_exit_cb cb, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   plugin_translation_cb cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
					  plugin_execution_cb cb,
					  enum qemu_plugin_cb_flags flags,
					  void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    plugin_execution_cb cb,
					    enum qemu_plugin_cb_flags flags,
					    void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      plugin_memory_cb cb,
				      enum qemu_plugin_cb_flags flags,
				      enum qemu_plugin_mem_rw rw, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t nth);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned int qemu_plugin_mem_size_shift(uint32_t info);
bool qemu_plugin_mem_is_store(uint32_t info);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(uint32_t info,
						  uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *haddr);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *haddr);

#endif
