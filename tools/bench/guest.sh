#!/bin/bash
# guest.sh [--all-settings] READS REPEATS MODE...: what a guest of bench.sh does. host.sh has the same
# done on the machine that it is on: what differs there is what it sets and replaces.
#
# MODE is stock, patched, which is without the module, unhinted, hinted or polled, which is rings
# that poll, without hints, a slash, and the drives' rq_affinity. Each workload of cprovbench is run in each mode,
# REPEATS times, as a region of the coherence instrument; swap and mixed have two. What takes longest is
# tried at one rq_affinity alone, but for --all-settings. With hints each is
# run once more, shortly and outside of any region, to be told by receipts who came home.
# The port cprov.out gets lines of JSON: one on the machine, and one for each run.
set -euo pipefail

drive=/dev/disk/by-serial/bench
# A loader wants files, so it has a drive, and an interrupt, of its own; if it is to run.
loader_drive=/dev/disk/by-serial/loader
samples='' loader_cpus=''
# One that takes 50 ms for each read, and reads as zeroes. That is some thirty times what a
# completion takes of a CPU that is emulated and counted, as 100 µs are of a real one.
slow_drive=/dev/disk/by-serial/slow
slow_cpus=''
# What the phase is called that is measured, if it is not what cprovbench calls it.
phase=''
said=/tmp/cprovbench.said
module=/lib/cprov/completion_provenance.ko
# The mode that what takes no hints is run in, and the rq_affinity that all is run with.
baseline=stock usual=1 all_settings=
# All that are measured, in their order. The instrument has 64, so they come round.
region=0
# Which of the repeats it is.
repeat=0

# consumers near|far DISK [QUEUE]: the CPUs of that placement, as a list.
consumers()
{
	cpus_placed "$@" | paste -s -d , -
}

# Where the consumers on a disk are who have most to lose: far, if there is such a CPU.
# Where each CPU has a queue, and an interrupt, nobody is far from it or near it: those
# that are far from the first.
worst_consumers()
{
	local cpus

	cpus=$(consumers far "$1")
	[[ -n $cpus ]] || cpus=$(consumers near "$1")
	[[ -n $cpus ]] || cpus=$(consumers far "$1" 0)
	echo "$cpus"
}

place_consumers()
{
	near=$(consumers near "$disk") cpus=$(worst_consumers "$disk") consumer=far
	# Where each node has a queue, near is as far as it goes.
	[[ $cpus != "$near" ]] || consumer=near near=
}

# sq_cpu near|far: a CPU for the SQ thread, that shares a cache with the consumer,
# without being its own, or that does not; and not the interrupt's.
sq_cpu()
{
	local cpu where

	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		[[ $cpu != "${cpus%%[,-]*}" && $cpu != "$(irq_cpu "$disk" 2>/dev/null)" ]] || continue
		where=far
		[[ $(last_level_cache "$cpu") != "$(last_level_cache "${cpus%%[,-]*}")" ]] || where=near
		[[ $where != "$1" ]] || { echo "$cpu"; return; }
	done
}

queues()
{
	find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 -type d | wc -l
}

set_rq_affinity()
{
	local of

	for of in "$disk" "$loader_disk" "$slow_disk"; do
		echo "$1" >"/sys/block/$of/queue/rq_affinity"
	done
}

# steps_of WORKLOAD READS: the option of cprovbench for about as many reads. A step of swap
# is a tensor, of 16 reads here; a query of hops is 32, one of the database, with its
# share of the scan, 10.
steps_of()
{
	local steps=$2

	case $1 in
	swap) steps=$((steps / 16)) ;;
	hops) steps=$((steps / 32 + 1)) ;;
	database) steps=$((steps / 10 + 1)) ;;
	loader) steps=$((steps / 3 + 1)) ;;
	esac
	printf '%s\n' --ios "$steps"
}

# how_long WORKLOAD: the options of a run that is counted.
how_long()
{
	steps_of "$1" $((reads + 101))
	printf '%s\n' --region $((region % 60))
}

# shortly WORKLOAD: those of one that is not.
shortly()
{
	steps_of "$1" 200
}

# After each run.
ran()
{
	:
}

# Whether a kernel may lack the ring. What a guest's has is known, so a ring that it does
# not have there is one that we have lost.
may_lack()
{
	[[ ${1%% *} == hybrid ]]
}

# say_result REGION RESULT: of the run that run() is about.
say_result()
{
	local result=$2

	[[ -z $phase ]] || result=$(jq -c --arg phase "$phase" '.phases[0].name = $phase' <<<"$result")
	printf '{"mode":"%s","rq_affinity":%s,"consumer":"%s","ring":"%s","region":%s,"result":%s}\n' \
		"$mode" "$rq_affinity" "$consumer" "$ring" "$1" "$result" >&"$out"
}

# lacks MODE WORKLOAD RING WHY: what is not run, for the report's list of what is missing.
lacks()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -c -n --arg mode "$1" --arg workload "$2" --arg ring "$3" --arg missing "$4" \
		'{$missing, $mode, $workload, $ring}' >&"$out"
}

# run MODE RQ_AFFINITY WORKLOAD RING OPTION...: the first word of RING is cprovbench's,
# the others tell cases apart.
run()
{
	local mode=$1 rq_affinity=$2 workload=$3 ring=$4 hints=off status=0 target=$drive result
	local -a what length
	shift 4

	[[ $mode != hinted ]] || hints=need
	[[ $workload != loader ]] || target=$samples
	what=(--json --hints "$hints" --budget 60000000 --cpus "$cpus" --ring "${ring%% *}" "${verify[@]}" "$@"
		"$workload" "$target")
	mapfile -t length < <(how_long "$workload")
	result=$(cprovbench --no-receipts "${length[@]}" "${what[@]}" 2>"$said") || status=$?
	# 3: there is no such ring here; wrong data are in the result.
	if ((status == 3)) && may_lack "$ring"; then
		lacks "$mode" "$workload" "$ring" "$(sed 's/^cprovbench: //' "$said")"
		ran
		return
	fi
	cat "$said" >&2
	((status <= 1)) || return "$status"
	say_result "$region" "$result"
	region=$((region + 1))
	[[ $workload != swap && $workload != mixed ]] || region=$((region + 1))
	if [[ $mode == hinted && $repeat == 0 ]]; then
		ask_for_receipts
	fi
	ran
}

# They are more than half of what a hint costs, and nobody needs them to come home: so not
# in a run that is counted.
ask_for_receipts()
{
	local status=0

	mapfile -t length < <(shortly "$workload")
	result=$(cprovbench "${length[@]}" "${what[@]}") || status=$?
	((status <= 1)) || return "$status"
	say_result null "$result"
}

# Rings whose completions nobody interrupts for. They need a queue of their own.
run_polled()
{
	local ring

	for ring in iopoll hybrid; do
		run "$1" "$2" chase "$ring"
		run "$1" "$2" peak "$ring" --depth 32
		run "$1" "$2" peak "$ring fixed" --depth 32 --fixed
	done
}

# run_rings MODE RQ_AFFINITY: what there is besides a default ring.
run_rings()
{
	local ring where cpu
	local -A none=(
		[near]="no CPU shares the consumer's cache but its own and the interrupt's"
		[far]="all CPUs but the interrupt's share the consumer's cache"
	)

	for ring in coop defer passthrough; do
		run "$1" "$2" chase "$ring"
	done
	for where in near far; do
		cpu=$(sq_cpu "$where")
		if [[ -n $cpu ]]; then
			run "$1" "$2" chase "sqpoll $where" --sq-cpu "$cpu"
		else
			lacks "$1" chase "sqpoll $where" "${none[$where]}"
		fi
	done
	run "$1" "$2" chase default --threads 4
	[[ $1 == "$baseline" ]] || return 0
	run "$1" "$2" chase libaio
	run "$1" "$2" chase pread
	run "$1" "$2" chase pread --threads 4
}

# run_other_rings MODE RQ_AFFINITY: for workloads that have several reads in flight.
run_other_rings()
{
	run "$1" "$2" hops defer
	[[ $1 != "$baseline" ]] || run "$1" "$2" peak libaio --depth 32
}

# Urgent reads among others. Where they are completed decides behind how many of these
# one is found, so all that stock has for that is tried.
run_mixed()
{
	run "$1" "$2" mixed default
	run "$1" "$2" mixed 'defer wait 8' --wait 8
}

# The same where the consumer has nothing left to do when an urgent read is done: what it is
# woken for meanwhile is what it waits through.
run_mixed_slow()
{
	local drive=$slow_drive cpus=$slow_cpus verify=(--no-verify) phase='slow drive'
	local reads=$((reads < 300 ? reads : 300))

	run_mixed "$@"
}

# run_others MODE RQ_AFFINITY: what takes longest.
run_others()
{
	local workers

	run_mixed_slow "$1" "$2"
	run "$1" "$2" swap default --tensor 1M --block 64K
	[[ -z $all_settings ]] || run "$1" "$2" swap defer --tensor 1M --block 64K
	for workers in '--workers 0' '--workers 2' '--workers 2 --home backend'; do
		# shellcheck disable=SC2086 # options
		run "$1" "$2" database default --threads 2 $workers
	done
	if [[ -n $samples ]]; then
		cpus=$loader_cpus run "$1" "$2" loader default --threads 2 --block 64K
	else
		lacks "$1" loader default 'no files for it could be written'
	fi
}

# run_chase MODE RQ_AFFINITY: stock may think that near is good enough.
run_chase()
{
	if [[ -n $near ]]; then
		cpus=$near consumer=near run "$1" "$2" chase default
	fi
	run "$1" "$2" chase default
}

run_peak()
{
	run "$1" "$2" peak default --depth 32
	run "$1" "$2" peak 'default fixed' --depth 32 --fixed
	[[ -z $all_settings ]] || run "$1" "$2" peak defer --depth 32
}

run_mode()
{
	local mode=$1 rq_affinity=$2 workload

	set_rq_affinity "$rq_affinity"
	# What it costs who has no use for any of it.
	if [[ $mode == patched ]]; then
		run_chase "$mode" "$rq_affinity"
		run_peak "$mode" "$rq_affinity"
		return
	fi
	if [[ $mode == polled ]]; then
		mode=$baseline
		[[ ! -e $module ]] || mode=unhinted
		run_polled "$mode" "$rq_affinity"
		return
	fi
	# Of ours, where the others complete decides behind how many an urgent read is, and
	# whether near is good enough what moves for those that nobody waits for.
	if [[ $mode != "$baseline" && $rq_affinity != "$usual" ]]; then
		run_mixed "$mode" "$rq_affinity"
		run "$mode" "$rq_affinity" peak default --depth 32
		[[ -z $all_settings ]] || run_others "$mode" "$rq_affinity"
		return
	fi
	run_chase "$mode" "$rq_affinity"
	run_rings "$mode" "$rq_affinity"
	run_mixed "$mode" "$rq_affinity"
	for workload in handoff migrate hops; do
		run "$mode" "$rq_affinity" "$workload" default
	done
	run_peak "$mode" "$rq_affinity"
	[[ -z $all_settings ]] || run_other_rings "$mode" "$rq_affinity"
	[[ $rq_affinity != "$usual" && -z $all_settings ]] || run_others "$mode" "$rq_affinity"
}

# By turns, so that what the host does meanwhile is spread over all; but a kernel looks for
# more once somebody has given a hint, so who gives none comes first, all repeats of it, and
# before them who has no module.
run_modes()
{
	local mode kind

	for kind in patched 'stock|unhinted|polled' hinted; do
		[[ " $*" =~ \ ($kind)/ ]] || continue
		[[ $kind == patched ]] || load_module
		for ((repeat = 0; repeat < repeats; repeat++)); do
			for mode; do
				[[ ! $mode =~ ^($kind)/ ]] || run_mode "${mode%/*}" "${mode#*/}"
			done
		done
	done
}

load_module()
{
	[[ ! -e $module || -e /sys/module/completion_provenance ]] || insmod "$module"
}

# Its files, on a file system of their own.
make_samples()
{
	samples=/mnt/samples
	mkfs.ext4 -q "$loader_drive"
	mount "$loader_drive" /mnt
	mkdir "$samples"
	cprovbench --prepare --total 16M --ios 50 --hints off --cpus "$loader_cpus" loader "$samples" >/dev/null
}

main()
{
	if [[ $1 == --all-settings ]]; then
		all_settings=1
		shift
	fi
	reads=$1 repeats=$2
	shift 2
	# shellcheck source=tools/common/count.sh
	. /lib/cprov/count.sh
	exec {out}>/dev/virtio-ports/cprov.out
	disk=$(basename "$(readlink -f "$drive")")
	loader_disk=$(basename "$(readlink -f "$loader_drive")")
	slow_disk=$(basename "$(readlink -f "$slow_drive")")
	verify=()
	place_consumers
	loader_cpus=$(worst_consumers "$loader_disk")
	slow_cpus=$(worst_consumers "$slow_disk")
	[[ -n $cpus ]] || { echo 'this machine has one cache'; exit 1; }
	cprovbench --prepare --ios 200 --hints off --cpus "$cpus" chase "$drive" >/dev/null
	# No ring that is polled loads them.
	[[ " $*" != *' '[!p]* ]] || make_samples
	printf '{"machine":{"kernel":"%s","cpus":%d,"queues":%d,"consumers":"%s"}}\n' "$(uname -r)" "$(nproc)" \
		"$(queues)" "$cpus" >&"$out"
	run_modes "$@"
}

# host.sh sources it.
[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
