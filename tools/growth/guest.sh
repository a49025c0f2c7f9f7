#!/bin/bash
# guest.sh IOS CURVE...: what a guest of growth.sh does.
#
# CURVE is cpus, queues, flows, slots, depth or shared. Each point of it is measured without
# hints and with them, one after the other, on the same device, with the module
# loaded. The points are in $GROWTH_FLOWS and so on. The port cprov.out gets lines
# of JSON: one on the machine, one on the module's functions, and one for each
# region that was counted.
set -euo pipefail

ios=$1
shift

cpu=0
module=/lib/cprov/completion_provenance.ko
policy=/sys/kernel/completion_provenance
config=/sys/kernel/config/nullb
# Fewer would be too few for a median.
least_units=20
exec {out}>/dev/virtio-ports/cprov.out

# With one queue a device would have another scheduler than with more.
no_scheduler()
{
	echo none >"/sys/block/$(basename "$1")/queue/scheduler"
}

# make_null_blk QUEUES DEPTH [POLLED]: a new one, $null_blk.
make_null_blk()
{
	local nullb=$config/nullb$devices

	mkdir "$nullb"
	# A completion that the driver hands to blk_mq_complete_request().
	printf 1 >"$nullb/irqmode"
	printf 2 >"$nullb/queue_mode"
	printf '%d' "$1" >"$nullb/submit_queues"
	printf '%d' "${3:-0}" >"$nullb/poll_queues"
	printf 256 >"$nullb/size"
	printf 4096 >"$nullb/blocksize"
	printf '%d' "$2" >"$nullb/hw_queue_depth"
	printf 1 >"$nullb/power"
	null_blk=/dev/$(basename "$nullb")
	no_scheduler "$null_blk"
	devices=$((devices + 1))
}

queues()
{
	find "/sys/block/$(basename "$1")/mq" -mindepth 1 -maxdepth 1 -type d | wc -l
}

# count_mode MODE CURVE AT DEVICE DEPTH OPTION...: one region.
count_mode()
{
	local mode=$1 curve=$2 at=$3 device=$4 depth=$5 units=$((ios / $5))
	shift 5

	((units >= least_units)) || units=$least_units
	coherence-io --cpu "$cpu" --region "$region" --ios $((units * depth)) \
		--warm-up $((depth > 25 ? 4 * depth : 100)) --entries 64 --depth "$depth" "$@" "$device"
	printf '{"region":%d,"curve":"%s","at":%d,"depth":%d,"mode":"%s","queues":%d}\n' \
		"$region" "$curve" "$at" "$depth" "$mode" "$(queues "$device")" >&"$out"
	region=$((region + 1))
}

# count CURVE AT DEVICE DEPTH OPTION...: one point. $pass reads with hints go before.
count()
{
	count_mode unhinted "$@" --hint none
	count_mode hinted "$@" --hint step_critical --pass "$pass"
}

drive()
{
	readlink -f "/dev/disk/by-serial/$1"
}

# Reads without hints, before anybody gave some, and after. The kernel looks for hints
# from then on, which the other curves are to have in both modes.
first_hint()
{
	count_mode unhinted bystander "$1" "$null_blk" 1 --hint none
	coherence-io --cpu "$cpu" --region "$region" --ios 0 --hint step_critical "$null_blk"
	count_mode hinted bystander "$1" "$null_blk" 1 --hint none
}

# A queue for each, all of them online. Home is the submitter, and the last CPU.
curve_cpus()
{
	local all nvme

	all=$(nproc --all)
	make_null_blk "$all" 64
	first_hint "$all"
	nvme=$(drive per-cpu)
	must_have "$nvme" "$all"
	count queues-nvme "$all" "$nvme" 1
	count cpus "$all" "$null_blk" 1
	((all == 1)) || count cpus-elsewhere "$all" "$null_blk" 1 --home $((all - 1))
}

must_have()
{
	(($(queues "$1") == $2)) || { echo "$1 has $(queues "$1") queues, not $2"; exit 1; }
}

# Of null_blk, more than there are CPUs are as many as there are CPUs; the rest are for
# polling.
curve_queues()
{
	local n all polled

	all=$(nproc --all)
	for n in $GROWTH_QUEUES; do
		polled=$((n > all ? n - all : 0))
		make_null_blk $((n - polled)) 64 "$polled"
		must_have "$null_blk" "$n"
		count queues "$n" "$null_blk" 1
	done
}

# One queue for several CPUs, which is no point of a curve: what comes back on it goes
# by softirq, which a thread runs if no interrupt does.
curve_shared()
{
	local nvme

	make_null_blk 1 64
	nvme=$(drive shared)
	must_have "$nvme" 1
	count shared 1 "$null_blk" 1
	count shared-nvme 1 "$nvme" 1
}

# All of them pass before: if one has to be known, it is.
curve_flows()
{
	local n pass

	make_null_blk "$(nproc --all)" 64
	for n in $GROWTH_FLOWS; do
		pass=$n
		count flows "$n" "$null_blk" 1 --flows "$n"
	done
}

curve_slots()
{
	local n

	make_null_blk "$(nproc --all)" 64
	for n in $GROWTH_SLOTS; do
		count slots "$n" "$null_blk" 1 --slots "$n"
	done
}

curve_depth()
{
	local n nvme

	make_null_blk "$(nproc --all)" 1024
	for n in $GROWTH_DEPTHS; do
		count depth "$n" "$null_blk" "$n"
	done
	nvme=$(drive per-cpu)
	for n in $GROWTH_NVME_DEPTHS; do
		count depth-nvme "$n" "$nvme" "$n" --ring defer
	done
}

# The queues stay those of all CPUs; and on one, nothing is balanced.
offline_others()
{
	local n

	for ((n = 1; n < $(nproc --all); n++)); do
		echo 0 >"/sys/devices/system/cpu/cpu$n/online"
	done
}

devices=0 pass=0
printf '{"machine":{"kernel":"%s","cpus":%d}}\n' "$(uname -r)" "$(nproc --all)" >&"$out"
icount-validate >&"$out"
region=6
insmod "$module"
awk '$4 == "[completion_provenance]" && $2 ~ /[tTwW]/ {
	printf "%s\"%s %s\"", n++ ? "," : "{\"symbols\":[", $1, $3
} END { print "]}" }' /proc/kallsyms >&"$out"
# As many as pass here in a second of instructions are too many for anybody. What is
# admitted is still counted.
for limit in "$policy"/limits/*; do
	echo 1000000000 >"$limit"
done
for serial in per-cpu shared; do
	no_scheduler "$(drive "$serial")"
done
for curve; do
	case $curve in
	cpus | queues) "curve_$curve" ;;
	flows | slots | depth | shared)
		offline_others
		"curve_$curve"
		;;
	*) echo "unknown curve $curve"; exit 1 ;;
	esac
done
# A read that is not admitted is as if it had no hint.
if grep -v '^0$' "$policy"/counters/over_limit/*; then
	echo 'reads were over a limit'
	exit 1
fi
