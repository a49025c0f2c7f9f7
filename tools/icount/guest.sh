#!/bin/bash
# guest.sh IOS REPEATS MODE...: what a guest of icount.sh does.
#
# MODE is stock, patched (no module, no hints), module (loaded, no hints), opted-in
# (the ring opted in, no hint per request), latency, step_critical, or receipts
# (step_critical, with receipts). Each is tried on each device and ring, REPEATS
# times. The port cprov.out gets lines of JSON: one on the machine, one on the
# module's functions, and one for each region that was counted.
set -euo pipefail

ios=$1 repeats=$2
shift 2

cpu=0
module=/lib/cprov/completion_provenance.ko
nullb=/sys/kernel/config/nullb/nullb0
exec {out}>/dev/virtio-ports/cprov.out

make_null_blk()
{
	mkdir "$nullb"
	# A completion that the driver hands to blk_mq_complete_request().
	printf 1 >"$nullb/irqmode"
	printf 2 >"$nullb/queue_mode"
	nproc --all >"$nullb/submit_queues"
	printf 256 >"$nullb/size"
	printf 4096 >"$nullb/blocksize"
	printf 64 >"$nullb/hw_queue_depth"
	printf 1 >"$nullb/power"
	null_blk=/dev/nullb0
	nvme=$(readlink -f /dev/disk/by-serial/icount)
}

queues()
{
	find "/sys/block/$(basename "$1")/mq" -mindepth 1 -maxdepth 1 -type d | wc -l
}

count_mode()
{
	local mode=$1 device ring path
	local -a hint=()

	case $mode in
	opted-in) hint=(--hint ring) ;;
	latency | step_critical) hint=(--hint "$mode") ;;
	receipts) hint=(--hint step_critical --receipts) ;;
	esac
	for device in null_blk nvme; do
		path=${!device}
		for ring in default defer; do
			coherence-io --cpu "$cpu" --region "$region" --ios "$ios" --warm-up 100 --entries 64 \
				--ring "$ring" "${hint[@]}" "$path"
			printf '{"region":%d,"mode":"%s","device":"%s","ring":"%s"}\n' \
				"$region" "$mode" "$device" "$ring" >&"$out"
			region=$((region + 1))
		done
	done
}

# The queues stay those of all CPUs; and on one, nothing is balanced.
for ((n = 1; n < $(nproc --all); n++)); do
	echo 0 >"/sys/devices/system/cpu/cpu$n/online"
done
make_null_blk
printf '{"machine":{"kernel":"%s","cpus":%d,"null_blk_queues":%d,"nvme_queues":%d}}\n' \
	"$(uname -r)" "$(nproc --all)" "$(queues "$null_blk")" "$(queues "$nvme")" >&"$out"
icount-validate >&"$out"
region=5
for mode; do
	if [[ $mode == module ]]; then
		insmod "$module"
		awk '$4 == "[completion_provenance]" && $2 ~ /[tTwW]/ {
			printf "%s\"%s %s\"", n++ ? "," : "{\"symbols\":[", $1, $3
		} END { print "]}" }' /proc/kallsyms >&"$out"
	fi
	for ((n = 0; n < repeats; n++)); do
		count_mode "$mode"
	done
done
