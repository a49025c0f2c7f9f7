#!/bin/bash
# coherence.sh [PART...]: cache-line transfers between CPUs, counted in a guest
# by the plugin for QEMU in tools/coherence (Documentation/coherence.rst).
#
#   validate   cases with a known answer must be counted exactly
#   io         transfers per read, on the stock and on the patched kernel, with
#              hints and without: a table, build/coherence/report.json, and limits
#
# Both, if none is named. STOCK_KDIR and PATCHED_KDIR name kernel build trees to
# use as they are, instead of building any. COHERENCE_IOS is how many reads are
# counted in each case (1000), COHERENCE_REPEATS how often (3, the most), and
# COHERENCE_TOPOLOGIES in which machines ('one-queue-2llc queue-per-cpu').
#
# Exit status: 0 the instrument is right, all cases were counted, and none is beyond a
# limit; 1 not so;
# 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/coherence/io.sh
. "$tools/coherence/io.sh"
die_with_parent "$@"

dir=$CPROV_TOP/build/coherence
cases=(private ping-pong-store ping-pong-locked ping-pong-add ping-pong-often
	false-sharing padded read-mostly read-only hand-over split-line split-page paused
	instructions reads writes ipis mmio_reads mmio_writes)

build()
{
	make -s -C "$tools/coherence" OUT="$dir"
}

# count NAME KERNEL TOPOLOGY OPTION... -- COMMAND...: a guest with the plugin,
# which leaves what it counted in $dir/NAME.counted and what the guest said in
# $dir/NAME.said.
count()
{
	local name=$1 kernel=$2 topology=$3
	shift 3

	: >"$dir/$name.said"
	"$tools/vm/boot.sh" --name "coh-$name" --kernel "$kernel" --topology "$topology" \
		--plugin "$dir/coherence.so,out=$dir/$name.counted,top=${top:-0}" \
		--out "$dir/$name.said" --timeout 300 "$@"
}

validate_guest()
{
	count validate "$1" one-queue \
		--add "$dir/coherence-validate:/usr/bin/coherence-validate" -- \
		coherence-validate --output /dev/virtio-ports/cprov.out
}

validate_case()
{
	jq -n -r -f "$tools/coherence/validate.jq" --arg case "$1" \
		--slurpfile due "$dir/validate.said" --slurpfile counted "$dir/validate.counted"
}

# All cases of the guest are steps here.
validate_complete()
{
	diff <(printf '%s\n' "${cases[@]}") <(jq -r .case "$dir/validate.said")
}

validate()
{
	local name

	step validate-guest validate_guest "$stock"
	step validate-complete validate_complete
	for name in "${cases[@]}"; do
		step "validate-$name" validate_case "$name"
	done
}

parts=("$@")
((${#parts[@]})) || parts=(validate io)
total=1
for part in "${parts[@]}"; do
	case $part in
	validate) total=$((total + 2 + ${#cases[@]})) ;;
	io) total=$((total + io_steps)) ;;
	*) die "unknown part '$part'" "coherence.sh" "use validate, io, or none for both" ;;
	esac
done

stock=${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}
steps_begin coherence "$total"
step build build
for part in "${parts[@]}"; do
	"$part"
done
steps_end || exit 1
