#!/bin/bash
# guest.sh IOS REPEATS MODE...: what a guest of icount.sh does.
#
# MODE is stock, patched (no module, no hints), module (loaded, no hints), opted-in
# (the ring opted in, no hint per request), latency, step_critical, receipts
# (step_critical, with receipts), bystander (no hints, another ring has some) or
# bystander-all (it has bounded batching and receipts as well). Each is tried on each
# device with a default ring and with DEFER_TASKRUN, REPEATS times. MODE/other is with
# writes, and on null_blk with a polled ring. MODE/rounds is with
# reads that are submitted and waited for together; there it may also be urgent (one of
# them has a hint, by a slot), urgent-batch (on a ring with bounded batching), mixed (so,
# and the others are of class throughput, by the ring's default) or mixed-slots (each by
# a slot). The port cprov.out gets lines of JSON: one on the machine, one on the module's
# functions, and one for each region that was counted.
set -euo pipefail

ios=$1 repeats=$2
shift 2

cpu=0
# Reads of a round; and of what is counted as one, which is as many as the policy is
# asked to admit at a time, so that it is asked once in each.
depth=16
unit=32
module=/lib/cprov/completion_provenance.ko
exec {out}>/dev/virtio-ports/cprov.out

# make_null_blk NAME POLL-QUEUES
make_null_blk()
{
	local nullb=/sys/kernel/config/nullb/$1

	mkdir "$nullb"
	# A completion that the driver hands to blk_mq_complete_request().
	printf 1 >"$nullb/irqmode"
	printf 2 >"$nullb/queue_mode"
	nproc --all >"$nullb/submit_queues"
	printf '%d' "$2" >"$nullb/poll_queues"
	printf 256 >"$nullb/size"
	printf 4096 >"$nullb/blocksize"
	printf 64 >"$nullb/hw_queue_depth"
	printf 1 >"$nullb/power"
}

queues()
{
	find "/sys/block/$(basename "$1")/mq" -mindepth 1 -maxdepth 1 -type d | wc -l
}

load_module()
{
	insmod "$module"
	awk '$4 == "[completion_provenance]" && $2 ~ /[tTwW]/ {
		printf "%s\"%s %s\"", n++ ? "," : "{\"symbols\":[", $1, $3
	} END { print "]}" }' /proc/kallsyms >&"$out"
}

# count_case MODE DEVICE RING DEPTH UNIT OPTION...: one region; of rounds, a
# quarter as many units.
count_case()
{
	local mode=$1 device=$2 ring=$3 depth=$4 unit=$5
	local units=$((unit > 1 ? ios / 4 : ios))
	shift 5

	coherence-io --cpu "$cpu" --region "$region" --ios $((units * unit)) \
		--warm-up $((unit > 1 ? 10 * unit : 100)) --entries 64 --depth "$depth" --unit "$unit" \
		"$@" "${!device}"
	printf '{"region":%d,"mode":"%s","device":"%s","ring":"%s","depth":%d,"unit":%d}\n' \
		"$region" "$mode" "$device" "$ring" "$depth" "$unit" >&"$out"
	region=$((region + 1))
}

count_mode()
{
	local mode=${1%/*} device ring
	local -a hint=()

	case $mode in
	opted-in) hint=(--hint ring) ;;
	latency | step_critical) hint=(--hint "$mode") ;;
	receipts) hint=(--hint step_critical --receipts) ;;
	bystander) hint=(--hint other) ;;
	bystander-all) hint=(--hint other --receipts --batch) ;;
	urgent) hint=(--hint ring --urgent) ;;
	urgent-batch) hint=(--hint ring --urgent --batch) ;;
	mixed) hint=(--hint throughput --urgent --batch) ;;
	mixed-slots) hint=(--hint throughput --urgent --batch --slots $((depth - 1))) ;;
	esac
	for device in null_blk nvme; do
		case $1 in
		*/rounds)
			count_case "$mode" "$device" rounds "$depth" "$unit" --ring defer "${hint[@]}"
			;;
		*/other)
			count_case "$mode" "$device" write 1 1 --write "${hint[@]}"
			;;
		*)
			for ring in default defer; do
				count_case "$mode" "$device" "$ring" 1 1 --ring "$ring" "${hint[@]}"
			done
			;;
		esac
	done
	[[ $1 != */other ]] || count_case "$mode" polled iopoll 1 1 --ring iopoll "${hint[@]}"
}

# The queues stay those of all CPUs; and on one, nothing is balanced.
for ((n = 1; n < $(nproc --all); n++)); do
	echo 0 >"/sys/devices/system/cpu/cpu$n/online"
done
make_null_blk nullb0 0
make_null_blk nullb1 "$(nproc --all)"
# shellcheck disable=SC2034 # count_case's
null_blk=/dev/nullb0 polled=/dev/nullb1 nvme=$(readlink -f /dev/disk/by-serial/icount)
printf '{"machine":{"kernel":"%s","cpus":%d,"null_blk_queues":%d,"nvme_queues":%d}}\n' \
	"$(uname -r)" "$(nproc --all)" "$(queues "$null_blk")" "$(queues "$nvme")" >&"$out"
icount-validate >&"$out"
region=6
for mode; do
	case $mode in
	stock* | patched*) ;;
	*) [[ -d /sys/module/completion_provenance ]] || load_module ;;
	esac
	for ((n = 0; n < repeats; n++)); do
		count_mode "$mode"
	done
done
