#!/bin/bash
# guest.sh WAY IOS ROUNDS: what a guest of fio.sh does: runs fio in each mode of the
# file modes, and counts.
#
# WAY is stock; unhinted, with the policy loaded; hinted, where a launcher gives
# fio's ring a hint; or killed, where fio is killed while it has one, ROUNDS times in
# each mode. Each fio does IOS writes or reads of 4 KiB. The port cprov.out gets lines
# of JSON: one on the machine, and one for each fio.
set -euo pipefail
# shellcheck source=tools/common/count.sh
. /lib/cprov/count.sh

way=$1 ios=$2 rounds=$3

module=/lib/cprov/completion_provenance.ko
modes=/lib/cprov/modes
exceptions=/lib/cprov/exceptions
null=/sys/kernel/config/nullb/nullb0
# Steered wherever there is a choice; a thousand times what a request takes here,
# for an emulator may stall.
hint=(--class step_critical --budget 60s)
exec {out}>/dev/virtio-ports/cprov.out

make_null_blk()
{
	mkdir "$null"
	# A completion that the driver hands to blk_mq_complete_request().
	printf 1 >"$null/irqmode"
	printf 2 >"$null/queue_mode"
	printf 1 >"$null/submit_queues"
	printf 1 >"$null/poll_queues"
	printf 1 >"$null/memory_backed"
	printf 64 >"$null/size"
	printf 4096 >"$null/blocksize"
	printf 1 >"$null/power"
}

disk_of()
{
	case $1 in
	drive | char) basename "$(readlink -f /dev/disk/by-serial/fio)" ;;
	polled) basename "$(readlink -f /dev/disk/by-serial/polled)" ;;
	null) echo nullb0 ;;
	esac
}

file_of()
{
	local disk

	disk=$(disk_of "$1")
	[[ $1 != char ]] || disk=${disk/nvme/ng}
	printf '/dev/%s\n' "$disk"
}

# The CPU of the device's interrupt. null_blk has none: the drive's, so that
# everything is where it is there.
irq_of()
{
	case $1 in
	null) irq_cpu "$(disk_of drive)" ;;
	*) irq_cpu "$(disk_of "$1")" ;;
	esac
}

# near|far CPU: the first CPU that shares its cache without being it, or that does
# not share it.
near()
{
	local cpu

	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		[[ $cpu == "$1" || $(last_level_cache "$cpu") != "$(last_level_cache "$1")" ]] ||
			{ echo "$cpu"; return; }
	done
	return 1
}

far()
{
	local cpu

	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		[[ $(last_level_cache "$cpu") == "$(last_level_cache "$1")" ]] || { echo "$cpu"; return; }
	done
	return 1
}

# mode_options DEVICE NEXT OPTION...: sets $irq, $home and $options, fio's command
# line. Home shares a cache with the interrupt's CPU: there stock leaves a completion
# where it came in.
mode_options()
{
	local device=$1 next=$2 fio_cpu
	shift 2

	irq=$(irq_of "$device")
	home=$(near "$irq")
	fio_cpu=$home
	[[ $next != sq ]] || fio_cpu=$(far "$home")
	options=(--ioengine=io_uring --filename="$(file_of "$device")" --cpus_allowed="$fio_cpu"
		--size=$((ios * 4))k --bs=4k --iodepth=16 --direct=1 --verify=crc32c --verify_fatal=1 "${@/#/--}")
	[[ $next != sq ]] || options+=(--sqthread_poll_cpu="$home")
}

counters()
{
	if [[ -e $module ]]; then
		cprovctl --json counters
	else
		echo null
	fi
}

# run WAY MODE DEVICE PASS LAUNCHER... -- OPTION...: one fio, and a line on it.
run()
{
	local way=$1 mode=$2 device=$3 pass=$4 status=0 before after said=/tmp/fio.json
	local -a launcher=()
	local -A rw=([write]=randwrite [read]=randread)
	shift 4

	while [[ $1 != -- ]]; do launcher+=("$1"); shift; done
	shift
	[[ ! -e $module ]] || cprovctl counters --reset
	rm -f "$said"
	completions_begin "$(disk_of "$device")"
	before=$(ipis)
	timeout --kill-after=5 100 "${launcher[@]}" fio --name="$mode" --rw="${rw[$pass]}" "$@" \
		--output-format=json --output="$said" || status=$?
	after=$(ipis)
	# Before the JSON there may be what fio has to say of an error.
	{ sed -n '/^{/,$p' "$said" || true; } | jq -c -n --arg way "$way" --arg mode "$mode" \
		--arg pass "$pass" --argjson status "$status" --argjson home "$home" --argjson irq "$irq" \
		--argjson ipis $((after - before)) --argjson completions "$(completions)" \
		--argjson counters "$(counters)" '([inputs.jobs[0]] | first) as $job
		| {$way, $mode, $pass, $status, error: $job.error, reads: $job.read.total_ios,
		   writes: $job.write.total_ios, $home, $irq, $completions, $ipis,
		   switches: $job.ctx, $counters}' >&"$out"
	completions_end
}

# both WAY MODE DEVICE LAUNCHER... -- OPTION...: written and verified; then read by
# another fio, and verified again.
both()
{
	run "$1" "$2" "$3" write "${@:4}"
	run "$1" "$2" "$3" read "${@:4}"
}

run_mode()
{
	local mode=$1 device=$2 next=$3 home irq
	local -a options launcher=()
	shift 3

	mode_options "$device" "$next" "$@"
	[[ $way != hinted ]] || launcher=(cprovctl run --strict "${hint[@]}")
	both "$way" "$mode" "$device" "${launcher[@]}" -- "${options[@]}"
	[[ $mode == plain && $way == hinted ]] || return 0

	# The other ways to a hint; and none, which must not pass for one.
	both home-cpu plain "$device" "${launcher[@]}" --home-cpu "$home" -- "${options[@]}"
	both follow-task plain "$device" "${launcher[@]}" --follow-task -- "${options[@]}"
	cprovctl rules add fio --comm fio "${hint[@]}"
	both rule plain "$device" -- "${options[@]}"
	cprovctl rules flush
	both forgotten plain "$device" -- "${options[@]}"
}

# A block that is not what was written: fio has to notice.
spoil()
{
	local home irq
	local -a options

	mode_options drive fio
	run "$way" spoiled drive write -- "${options[@]}"
	dd if=/dev/zero of="$(file_of drive)" bs=4096 seek=7 count=1 conv=notrunc oflag=direct status=none
	run "$way" spoiled drive read -- "${options[@]}"
}

inflight()
{
	cat /sys/block/*/inflight | awk '{ n += $1 + $2 } END { print n + 0 }'
}

# fio does its work in a child.
child_of()
{
	awk -v parent="$1" '$4 == parent { print $1; exit }' /proc/[0-9]*/stat 2>/dev/null || true
}

# fio is killed somewhere in the middle, with requests in flight: the module goes at
# once, and so do the requests.
kill_mode()
{
	local mode=$1 device=$2 next=$3 at parent job='' asked unloaded=0 left home irq
	local -a options
	shift 3

	! grep -q "^kill[[:space:]]*${mode}[[:space:]]" "$exceptions" || return 0
	mode_options "$device" "$next" "$@"
	at=$((RANDOM % 2000))
	insmod "$module"
	completions_begin "$(disk_of "$device")"
	cprovctl run --strict "${hint[@]}" fio --name="$mode" --rw=randrw "${options[@]}" --time_based --runtime=600 \
		>/tmp/killed 2>&1 &
	parent=$!
	until job=$(child_of "$parent") && [[ -n $job ]] && (($(completions | tr -d '[]' | tr , +) > at)); do
		kill -0 "$parent" || { cat /tmp/killed; return 1; }
	done
	asked=$(counters)
	kill -KILL "$job" "$parent"
	rmmod completion_provenance || unloaded=$?
	wait "$parent" 2>/dev/null || true
	# A drive that is told nothing more may not look again (Documentation/fio.rst).
	while kill -0 "$job" 2>/dev/null; do
		dd if="/dev/$(disk_of "$device")" of=/dev/null bs=4096 count=1 iflag=direct status=none || return 1
	done
	left=$(inflight)
	printf '{"killed":"%s","at":%d,"completions":%s,"counters":%s,"unloaded":%d,"inflight":%d}\n' \
		"$mode" "$at" "$(completions)" "$asked" "$unloaded" "$left" >&"$out"
	completions_end
	[[ $unloaded == 0 ]] || rmmod completion_provenance
}

# After all that it still works.
plain_again()
{
	local home irq
	local -a options

	mode_options drive fio
	both killed plain drive cprovctl run --strict "${hint[@]}" -- "${options[@]}"
}

# Each word is one, as in the file.
each_mode()
{
	local -a words

	while read -ra words <&3; do
		[[ ${#words[@]} == 0 || ${words[0]} == '#'* ]] || "$@" "${words[@]}"
	done 3<"$modes"
}

make_null_blk
for device in drive polled null; do
	# A request for each block, so that they can be counted.
	echo 2 >"/sys/block/$(disk_of "$device")/queue/nomerges"
done
printf '{"machine":{"way":"%s","kernel":"%s","fio":"%s","cpus":%d,"ios":%d}}\n' "$way" "$(uname -r)" \
	"$(fio --version)" "$(nproc)" "$ios" >&"$out"
if [[ $way == killed ]]; then
	for ((round = 0; round < rounds; round++)); do
		each_mode kill_mode
	done
	insmod "$module"
	plain_again
	exit
fi
[[ ! -e $module ]] || insmod "$module"
each_mode run_mode
spoil
