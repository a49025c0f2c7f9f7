#!/bin/bash
# guest-test.sh: what a guest does to try cprovbench. Each workload, on each ring
# that it has; then one block on the drive is made wrong, which must be noticed.
# The port cprov.out gets the results, lines of JSON.
set -euo pipefail

drive=/dev/disk/by-serial/bench
module=/lib/cprov/completion_provenance.ko
exec {out}>/dev/virtio-ports/cprov.out

try()
{
	cprovbench --json --ios 40 --tensor 1M --budget 60000000 "$@" "$drive" >&"$out"
}

[[ ! -e $module ]] || insmod "$module"
try --label prepare --prepare chase
for hints in off auto; do
	for workload in chase swap mixed handoff migrate; do
		for ring in default coop defer sqpoll; do
			[[ $workload/$ring != handoff/defer ]] || continue
			try --label "$hints" --hints "$hints" --ring "$ring" "$workload"
		done
	done
	try --label "$hints" --hints "$hints" --ring pread --threads 4 chase
done

# The first block of a tensor that is read, as the drive is one tensor then.
size=$(blockdev --getsize64 "$drive")
printf x | dd of="$drive" bs=1 seek=$((size / 2 + 5000)) conv=notrunc 2>/dev/null
status=0
try --label broken --tensor "$size" --block 1M --ios 2 swap || status=$?
[[ $status == 1 ]] || { echo "wrong data: status $status, not 1"; exit 1; }
