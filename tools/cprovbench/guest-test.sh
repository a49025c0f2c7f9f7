#!/bin/bash
# guest-test.sh: what a guest does to try cprovbench. Each workload, on each ring
# that it has; rings that poll, on a drive with a queue for that; what must be
# refused; then one byte of what each reads is made wrong, which must be noticed.
# The port cprov.out gets the results, lines of JSON.
set -euo pipefail
# shellcheck source=tools/common/count.sh
. /lib/cprov/count.sh

drive=/dev/disk/by-serial/bench
polled=/dev/disk/by-serial/polled
files=/dev/disk/by-serial/files
samples=/mnt/samples
module=/lib/cprov/completion_provenance.ko
exec {out}>/dev/virtio-ports/cprov.out

fail()
{
	echo "$*"
	exit 1
}

try()
{
	cprovbench --json --ios 40 --tensor 1M --budget 60000000 "$@" "$target" >&"$out"
}

# Those that must complete at home have threads on other CPUs than the interrupt's.
# try_threads HINTS RING
try_threads()
{
	local -a options=(--label "$1" --hints "$1" --ring "$2" --threads 3)

	target=$drive
	try "${options[@]}" hops
	try "${options[@]}" database
	try "${options[@]}" --workers 2 database
	[[ $2 != passthrough ]] || return 0
	try "${options[@]}" --workers 2 --home backend database
	# So small blocks that a file is still being submitted when it is wanted.
	target=$samples
	try "${options[@]}" --block 16K --cpus "$away" loader
}

# broken OPTION... WORKLOAD: which must find that.
broken()
{
	local status=0

	try --label broken "$@" || status=$?
	[[ $status == 1 ]] || fail "wrong data: status $status, not 1: $*"
}

# spoil FILE OFFSET
spoil()
{
	printf x | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
	sync
}

# refused STATUS WORDS ARGUMENT...: it measures nothing, and says why.
refused()
{
	local expected=$1 words=$2 status=0 said
	shift 2

	said=$(cprovbench --ios 40 "$@" 2>&1) || status=$?
	[[ $status == "$expected" && $said == *"$words"* ]] ||
		fail "cprovbench $*: status $status, not $expected, or not of '$words': $said"
}

# interrupts DEVICE: of the drive's queues for I/O, until now.
interrupts()
{
	local disk

	disk=$(basename "$(readlink -f "$1")")
	awk -v queue="^${disk%n*}q[1-9]" -v cpus="$(nproc --all)" \
		'$NF ~ queue { for (i = 2; i < cpus + 2; i++) n += $i } END { print n + 0 }' /proc/interrupts
}

# interrupted ARGUMENT...: by how many interrupts a try's reads came.
interrupted()
{
	local before

	before=$(interrupts "$target")
	try "$@"
	echo $(($(interrupts "$target") - before))
}

# The kernel's own answer: hybrid polling came with 6.13.
has_hybrid()
{
	[[ $(printf '%s\n' 6.13 "$(uname -r)" | sort -V | head -n 1) == 6.13 ]]
}

# One interrupt is that of the pread() that looks for the pattern.
try_polled()
{
	local ring=$1 workload n

	for workload in chase peak swap mixed migrate hops database; do
		n=$(interrupted --label polled --hints auto --ring "$ring" "$workload")
		((n <= 1)) || fail "$workload by $ring had $n interrupts"
	done
}

# registered OPTION...: reads by numbers, as the kernel has them.
registered()
{
	local tracing=/sys/kernel/tracing n

	grep -q " $tracing " /proc/mounts || mount -t tracefs none "$tracing"
	echo >"$tracing/trace"
	echo 1 >"$tracing/events/io_uring/io_uring_submit_req/enable"
	try "$@" peak
	echo 0 >"$tracing/events/io_uring/io_uring_submit_req/enable"
	n=$(grep -c 'opcode READ_FIXED' "$tracing/trace") || true
	[[ $n == "$([[ " $* " == *' --fixed '* ]] && echo 40 || echo 0)" ]] ||
		fail "$* had $n reads of registered buffers"
}

# The SQ thread is where --sq-cpu says.
sq_thread()
{
	local cpu=$1 pid task where=''

	cprovbench --json --seconds 600 --ring sqpoll --sq-cpu "$cpu" --cpus 0 chase "$drive" >/dev/null &
	pid=$!
	for ((n = 0; n < 100 && ${#where} == 0; n++)); do
		sleep 0.1
		for task in /proc/"$pid"/task/*; do
			[[ $(cat "$task/comm") != iou-sqp-* ]] ||
				where=$(sed -n 's/^Cpus_allowed_list:\t//p' "$task/status")
		done
	done
	kill "$pid"
	wait "$pid" || true
	[[ $where == "$cpu" ]] || fail "the SQ thread may run on '$where', not on $cpu"
}

[[ ! -e $module ]] || insmod "$module"
mkfs.ext4 -q "$files"
mount "$files" /mnt
mkdir "$samples"
away=$((($(irq_cpu "$(basename "$(readlink -f "$files")")") + 1) % $(nproc)))
disk=$(basename "$(readlink -f "$drive")")
elsewhere=$(cpus_placed far "$disk" | sed -n 1p)
near=$(cpus_placed near "$disk" | sed -n 1p)
[[ -n $elsewhere && -n $near ]] || fail 'no CPU is near the interrupt, or all are'
target=$samples
try --label prepare --prepare --total 8M loader
target=$drive
try --label prepare --prepare chase
for hints in off auto; do
	for workload in chase peak swap mixed handoff migrate; do
		for ring in default coop defer sqpoll passthrough libaio; do
			[[ $workload/$ring != handoff/defer ]] || continue
			try --label "$hints" --hints "$hints" --ring "$ring" "$workload"
		done
	done
	for ring in default coop defer sqpoll passthrough; do
		try --label "$hints" --hints "$hints" --ring "$ring" --cpus "$elsewhere" --wait 8 --ios 600 mixed
	done
	# What is near is completed where the interrupt is, and an urgent read that goes home by
	# another one is later: only a ring that puts it first has it first.
	try --label "$hints" --hints "$hints" --ring defer --cpus "$near" --wait 8 --ios 600 mixed
	try --label "$hints" --hints "$hints" --ring pread --threads 4 chase
	registered --label "$hints" --hints "$hints"
	for ring in default defer sqpoll; do
		registered --label "$hints" --hints "$hints" --ring "$ring" --fixed
	done
	for ring in default coop defer sqpoll passthrough libaio; do
		try_threads "$hints" "$ring"
	done
	target=$drive
done
sq_thread 2

target=$polled
try --label prepare --prepare chase
# That interrupts are counted at all: one for each read, or two that meet.
n=$(interrupted --label counted chase)
((n >= 20)) || fail "40 reads by interrupt had $n"
try_polled iopoll
registered --label polled --ring iopoll --fixed
if has_hybrid; then
	try_polled hybrid
else
	refused 3 'this kernel has no hybrid rings' --ring hybrid chase "$polled"
fi

refused 3 'no queues to poll' --ring iopoll chase "$drive"
for ring in iopoll hybrid libaio pread; do
	refused 2 "$ring takes no hints" --hints need --ring "$ring" chase "$polled"
done
refused 2 'two threads' --ring iopoll handoff "$polled"
refused 2 'pread is for chase' --ring pread peak "$drive"
refused 2 '--sq-cpu is for --ring sqpoll' --ring coop --sq-cpu 1 chase "$drive"
refused 2 'no SQ thread can be on CPU 99' --ring sqpoll --sq-cpu 99 chase "$drive"
truncate -s 1M /tmp/file
refused 3 'not on a whole NVMe namespace' --no-verify --ring passthrough chase /tmp/file
refused 2 'a hint of its own' --ring passthrough --workers 1 --home backend database "$drive"
refused 2 'loader reads files' --ring passthrough loader "$samples"
# One read fewer than there may be in flight, and it ends.
cprovbench --ios 1 handoff "$drive" >/dev/null || fail 'one read alone was not handed over'
if [[ -e $module ]]; then
	echo 0 >/proc/sys/kernel/completion_provenance
	refused 3 'hints are turned off' --hints need chase "$drive"
	cprovbench --ios 40 --hints auto chase "$drive" >/dev/null || fail 'hints that are turned off are needed'
	echo 1 >/proc/sys/kernel/completion_provenance
else
	refused 3 'takes no locality hints' --hints need chase "$drive"
fi

# The first block of a tensor that is read, as the drive is one tensor then.
target=$drive
size=$(blockdev --getsize64 "$drive")
spoil "$drive" $((size / 2 + 5000))
for ring in default passthrough libaio; do
	broken --ring "$ring" --tensor "$size" --block 256K --ios 2 swap
done
# So small that each flow reads each block of it.
target=/mnt/small
truncate -s 256K "$target"
try --label prepare --prepare hops
spoil "$target" 77777
broken --ios 200 hops
broken --ios 200 database
broken --ios 200 --workers 2 database
# The last byte of the largest file, within a block.
target=$samples
file=$(find "$samples" -type f -size +960k | head -n 1)
spoil "$file" $(($(stat -c %s "$file") - 1))
broken --ios 100 loader
