#!/bin/bash
# guest.sh READS REPEATS MODE...: what a guest of bench.sh does.
#
# MODE is stock, unhinted or hinted, a slash, and the drive's rq_affinity. Each
# workload of cprovbench is run in each mode, REPEATS times, as a region of the
# coherence instrument; swap has two. The port cprov.out gets lines of JSON: one on
# the machine, and one for each run.
set -euo pipefail
# shellcheck source=tools/common/count.sh
. /lib/cprov/count.sh

reads=$1 repeats=$2
shift 2

drive=/dev/disk/by-serial/bench
disk=$(basename "$(readlink -f "$drive")")
module=/lib/cprov/completion_provenance.ko
exec {out}>/dev/virtio-ports/cprov.out
region=0

# consumers near|far: CPUs that share a cache with the interrupt, without being its
# own, or that do not.
consumers()
{
	local cpu irq

	irq=$(irq_cpu "$disk")
	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		if [[ $(last_level_cache "$cpu") != "$(last_level_cache "$irq")" ]]; then
			[[ $1 == near ]] || echo "$cpu"
		elif [[ $1 == near && $cpu != "$irq" ]]; then
			echo "$cpu"
		fi
	done | paste -s -d , -
}

# run MODE RQ_AFFINITY WORKLOAD RING OPTION...
run()
{
	local mode=$1 rq_affinity=$2 workload=$3 ring=$4 hints=off result
	shift 4

	[[ $mode != hinted ]] || hints=need
	result=$(cprovbench --json --hints "$hints" --budget 60000000 --cpus "$cpus" --ring "$ring" \
		--ios $((reads + 101)) --region "$region" "$@" "$workload" "$drive")
	printf '{"mode":"%s","rq_affinity":%d,"consumer":"%s","region":%d,"result":%s}\n' \
		"$mode" "$rq_affinity" "$consumer" "$region" "$result" >&"$out"
	region=$((region + 1))
	[[ $workload != swap ]] || region=$((region + 1))
}

run_mode()
{
	local mode=$1 rq_affinity=$2 ring

	echo "$rq_affinity" >"/sys/block/$disk/queue/rq_affinity"
	# Stock may think that near is good enough.
	if [[ -n $near ]]; then
		cpus=$near consumer=near run "$mode" "$rq_affinity" chase default
	fi
	run "$mode" "$rq_affinity" chase default
	# What stock has to offer besides is tried once, with its own default.
	[[ $rq_affinity == 1 ]] || return 0
	for ring in coop defer sqpoll; do
		run "$mode" 1 chase "$ring"
	done
	[[ $mode != stock ]] || run stock 1 chase pread
	run "$mode" 1 swap default --tensor 1M --block 64K --ios $(((reads + 101) / 16))
	for ring in mixed handoff migrate; do
		run "$mode" 1 "$ring" default
	done
}

[[ ! -e $module ]] || insmod "$module"
near=$(consumers near) cpus=$(consumers far) consumer=far
[[ -n $cpus ]] || { echo 'this machine has one cache'; exit 1; }
# Where each CPU has a queue, and an interrupt, nobody is near another's.
(($(find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 -type d | wc -l) < $(nproc))) || near=
cprovbench --prepare --ios 200 --hints off --cpus "$cpus" chase "$drive" >/dev/null
printf '{"machine":{"kernel":"%s","cpus":%d,"queues":%d,"consumers":"%s"}}\n' "$(uname -r)" "$(nproc)" \
	"$(find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 -type d | wc -l)" "$cpus" >&"$out"
for ((n = 0; n < repeats; n++)); do
	for mode; do
		run_mode "${mode%/*}" "${mode#*/}"
	done
done
