#!/bin/bash
# io-guest.sh IOS REPEATS MODE...: what a guest of `coherence.sh io` does.
#
# MODE is stock, patched (without the module), unhinted or hinted, a slash, and the
# drive's rq_affinity. A placement of the consumer is tried in each mode, on the drive
# and through a loop device on it, and each is repeated. The port cprov.out gets lines
# of JSON: one on the machine, one on the module, and one for each region that was
# counted.
set -euo pipefail
# shellcheck source=tools/common/count.sh
. /lib/cprov/count.sh

ios=$1 repeats=$2
shift 2

drive=/dev/disk/by-serial/coherence
disk=$(basename "$(readlink -f "$drive")")
module=/lib/cprov/completion_provenance.ko
loop=/dev/loop0
exec {out}>/dev/virtio-ports/cprov.out
region=0

[[ -b $loop ]] || mknod "$loop" b 7 0
losetup --direct-io=on "$loop" "$(readlink -f "$drive")"

# One CPU for each placement that this machine has.
choose_cpus()
{
	local cpu where

	for where in home near far; do
		cpu=$(cpus_placed "$where" "$disk" | sed -n 1p)
		[[ -z $cpu ]] || cpus[$where]=$cpu
	done
}

# count_case DEVICE NAME MODE RQ_AFFINITY PLACEMENT
count_case()
{
	local cpu=${cpus[$5]}
	local -a more=()

	[[ $3 != hinted ]] || more=(--hinted)
	coherence-io --cpu "$cpu" --region "$region" --ios "$ios" "${more[@]}" "$1"
	printf '{"region":%d,"device":"%s","mode":"%s","rq_affinity":%d,"consumer":"%s","cpu":%d,"irq_cpu":%d}\n' \
		"$region" "$2" "$3" "$4" "$5" "$cpu" "$(irq_cpu "$disk" "$(queue_of "$disk" "$cpu")")" >&"$out"
	region=$((region + 1))
}

count_mode()
{
	local mode=$1 rq_affinity=$2 where

	echo "$rq_affinity" >"/sys/block/$disk/queue/rq_affinity"
	for where in home near far; do
		[[ -n ${cpus[$where]:-} ]] || continue
		count_case "$drive" nvme "$mode" "$rq_affinity" "$where"
		count_case "$loop" loop "$mode" "$rq_affinity" "$where"
	done
}

# By turns, so that what the host does meanwhile is spread over all.
count_modes()
{
	local n mode

	for ((n = 0; n < repeats; n++)); do
		for mode; do
			count_mode "${mode%/*}" "${mode#*/}"
		done
	done
}

printf '{"machine":{"kernel":"%s","cpus":%d,"queues":%d,"nodes":%d,"scheduler":"%s"}}\n' \
	"$(uname -r)" "$(nproc)" \
	"$(find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 -type d | wc -l)" \
	"$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' | wc -l)" \
	"$(sed 's/.*\[\(.*\)\].*/\1/' "/sys/block/$disk/queue/scheduler")" >&"$out"
declare -A cpus=()
choose_cpus
# Who has no module comes first; and, as a kernel looks for more once somebody has given a
# hint, who gives none before who does.
without=() unhinted=() hinted=()
for mode; do
	case $mode in
	stock/* | patched/*) without+=("$mode") ;;
	unhinted/*) unhinted+=("$mode") ;;
	*) hinted+=("$mode") ;;
	esac
done
count_modes "${without[@]}"
((${#unhinted[@]} + ${#hinted[@]})) || exit 0
insmod "$module"
printf '{"module":{"text":"%s"}}\n' "$(cat /sys/module/completion_provenance/sections/.text)" >&"$out"
count_modes "${unhinted[@]}"
count_modes "${hinted[@]}"
