#!/bin/bash
# structs.sh: what the series costs in memory: sizes of the structs that every
# I/O, task and ring allocates, before and after, on the guest's configuration and on
# Debian's.
#
# Exit status: 1 if one grew by more than it may: struct kiocb and io_kiocb by
# nothing, bio by 8 bytes, request, io_async_rw and loop_cmd by 16, and task_struct
# and io_ring_ctx by a cache line, to which they are aligned.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/common/structs.sh
. "$tools/common/structs.sh"
die_with_parent "$@"

line=${LINE:-6.12}
work=$CPROV_TOP/build/structs
debian=/usr/src/linux-config-$line/config.amd64_none_amd64.xz
status=0

# An object that knows all of them but one.
debian_object()
{
	local variant=$1 tree=$work/$1-tree out=$work/$1-obj

	rm -rf "$tree"
	VARIANT=$variant "$tools/vm/source.sh" link "$tree"
	mkdir -p "$out"
	xz -dc "$debian" >"$out/.config"
	[[ $variant == stock ]] || echo CONFIG_COMPLETION_PROVENANCE=y >>"$out/.config"
	# Its keys are Debian's own, and BTF of two objects is nobody's.
	printf '%s\n' CONFIG_SYSTEM_TRUSTED_KEYS='""' CONFIG_SYSTEM_REVOCATION_KEYS='""' \
		'# CONFIG_DEBUG_INFO_BTF is not set' '# CONFIG_RUST is not set' >>"$out/.config"
	{
		kernel_make "$tree" "$out" olddefconfig &&
			kernel_make "$tree" "$out" prepare &&
			kernel_make "$tree" "$out" io_uring/rw.o
	} >"$work/$variant.log" 2>&1 ||
		die "an object with Debian's configuration does not build" "$work/$variant.log"
	printf '%s\n' "$out/io_uring/rw.o"
}

row()
{
	local config=$1 name=$2 allowed=$3 before after

	before=$(struct_size "$name" "$4")
	after=$(struct_size "$name" "$5")
	[[ -n $before && -n $after ]] || die "no struct $name in the debug information" "$4, $5"
	printf '%-8s %-11s %6d %6d %+6d %8d %6d\n' "$config" "$name" "${before% *}" "${after% *}" \
		$((${after% *} - ${before% *})) "${before#* }" "${after#* }"
	((${after% *} - ${before% *} <= allowed)) || {
		log "struct $name grew by more than $allowed bytes"
		status=1
	}
}

rows()
{
	row "$1" kiocb 0 "$2" "$3"
	row "$1" io_kiocb 0 "$2" "$3"
	row "$1" bio 8 "$2" "$3"
	row "$1" request 16 "$2" "$3"
	row "$1" io_async_rw 16 "$2" "$3"
	row "$1" task_struct 64 "$2" "$3"
	row "$1" io_ring_ctx 64 "$2" "$3"
}

mkdir -p "$work"
printf '%-8s %-11s %6s %6s %6s %8s %6s\n' config struct before after growth lines lines
stock=$("$tools/vm/kernel.sh" build --variant stock)
patched=$("$tools/vm/kernel.sh" build --variant patched)
rows guest "$stock/vmlinux" "$patched/vmlinux"
row guest loop_cmd 16 "$stock/vmlinux" "$patched/vmlinux"
if [[ -r $debian ]]; then
	before=$(debian_object stock)
	after=$(debian_object patched)
	rows debian "$before" "$after"
else
	log "Debian's configuration is not installed: apt-get install linux-config-$line"
	exit 77
fi
exit $status
