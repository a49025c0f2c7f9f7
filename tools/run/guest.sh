#!/bin/bash
# guest.sh SHA256 OFFSET LENGTH MODE...: what a guest of `make run` does.
#
# For each MODE (stock, unhinted, hinted) the file is read on the raw device and
# through ext4.  The port cprov.out gets lines of JSON: one on the machine, and
# one for each read.  A module that is there is loaded first, for all modes.
set -euo pipefail

sha256=$1 offset=$2 length=$3
shift 3

drive=/dev/disk/by-serial/run
module=/lib/cprov/completion_provenance.ko
out=/dev/virtio-ports/cprov.out
# A minute: a host that stalls for long must not end the window of a read.
hint=step_critical,60000000

# CPUs that share each last-level cache, "0-1 2-3".
last_level_caches()
{
	local cpu index last

	for cpu in /sys/devices/system/cpu/cpu[0-9]*; do
		last=
		for index in "$cpu"/cache/index[0-9]*; do
			[[ ! -e $index/shared_cpu_list ]] || last=$(<"$index/shared_cpu_list")
		done
		printf '%s\n' "${last:-none}"
	done | sort -u | xargs
}

queues()
{
	local disk

	disk=$(basename "$(readlink -f "$drive")")
	find "/sys/block/$disk/mq" -mindepth 1 -maxdepth 1 -type d | wc -l
}

# No value here needs quoting.
machine()
{
	printf '{"machine":{"kernel":"%s","cpus":%d,"caches":"%s","nodes":%d,"queues":%d,"rq_affinity":%d}}\n' \
		"$(uname -r)" "$(nproc)" "$(last_level_caches)" \
		"$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' | wc -l)" \
		"$(queues)" "$(cat "/sys/block/$(basename "$(readlink -f "$drive")")/queue/rq_affinity")"
}

failed=0
# One failed read must not hide what the others show.
read_it()
{
	local mode=$1 part=$2 target=$3
	local -a more=()
	shift 3

	[[ $mode != hinted ]] || more=(--hint "$hint")
	cprovread --sha256 "$sha256" --label "$mode $part" --output "$out" \
		"${more[@]}" "$@" "$target" || {
		echo "reading $target ($mode, $part) failed with status $?"
		failed=1
	}
}

[[ ! -e $module ]] || insmod "$module"
mount -t ext4 -o ro "$drive" /mnt
machine >"$out"
for mode; do
	read_it "$mode" raw "$drive" --offset "$offset" --length "$length"
	read_it "$mode" ext4 /mnt/data
done
umount /mnt
[[ ! -e $module ]] || rmmod completion_provenance
exit "$failed"
