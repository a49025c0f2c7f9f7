// SPDX-License-Identifier: GPL-2.0-only
/*
 * What plugins that obey the markers share: see marked.h.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "marked.h"

#define MARKER_BYTES 8

/* The last version that is as plugin-api.h says. */
#define LAST_API 6

int qemu_plugin_version = 1;

/* qemu_plugin_insn_data() of version 1 and 2, and of 3 and later. */
static const void *(*insn_data)(const struct qemu_plugin_insn *insn);
static size_t (*insn_data_copy)(const struct qemu_plugin_insn *insn, void *to,
				size_t size);

/*
 * QEMU asks for the version before it tells its own, and refuses one that it no
 * longer has: tell by what it offers.
 */
static __attribute__((constructor)) void choose_version(void)
{
	if (dlsym(RTLD_DEFAULT, "qemu_plugin_register_vcpu_tb_exec_cond_cb"))
		qemu_plugin_version = 3;
	else if (dlsym(RTLD_DEFAULT, "qemu_plugin_scoreboard_new"))
		qemu_plugin_version = 2;
}

bool marked_init(const char *plugin, const struct qemu_info_t *info)
{
	void *data = dlsym(RTLD_DEFAULT, "qemu_plugin_insn_data");

	if (info->version.cur > LAST_API) {
		fprintf(stderr,
			"%s: QEMU's plugin interface has version %d, and %d is the last that this plugin knows\n",
			plugin, info->version.cur, LAST_API);
		return false;
	}
	if (!info->system_emulation || strcmp(info->target_name, "x86_64")) {
		fprintf(stderr, "%s: this plugin is for qemu-system-x86_64\n",
			plugin);
		return false;
	}
	/* A function and a pointer to data are not converted by a cast. */
	if (info->version.cur >= 3)
		memcpy(&insn_data_copy, &data, sizeof(data));
	else
		memcpy(&insn_data, &data, sizeof(data));
	if (!data)
		fprintf(stderr, "%s: QEMU has no qemu_plugin_insn_data()\n",
			plugin);
	return data;
}

bool marked(const struct qemu_plugin_insn *insn, uint32_t *which)
{
	static const unsigned char opcode[4] = { 0x0f, 0x1f, 0x84, 0x00 };
	unsigned char bytes[MARKER_BYTES];
	uint32_t value;

	if (qemu_plugin_insn_size(insn) != MARKER_BYTES)
		return false;
	if (insn_data_copy)
		insn_data_copy(insn, bytes, sizeof(bytes));
	else
		memcpy(bytes, insn_data(insn), sizeof(bytes));
	if (memcmp(bytes, opcode, sizeof(opcode)))
		return false;
	memcpy(&value, bytes + sizeof(opcode), sizeof(value));
	*which = value - COHERENCE_MAGIC;
	return (*which & 0xff) < COHERENCE_REGIONS &&
	       *which >> 8 < COHERENCE_OPS;
}
