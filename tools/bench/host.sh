#!/bin/bash
# host.sh: the workloads of bench.sh on this machine and its kernel, in no guest: here
# times are what they seem, and nothing counts transfers. `make bench HOST=1`.
#
# BENCH_TARGET   file or block device to read; it is written to only with
#                BENCH_PREPARE=1, which puts the pattern that is verified over ALL that
#                is in it. Default: a file in build/bench, removed afterwards.
# BENCH_CPUS     CPUs of the consumers, such as 2,3. Default: of an NVMe drive that has
#                one queue for several CPUs, those that do not share a cache with its
#                interrupt, or those that share one; otherwise all
# BENCH_SECONDS  of each run (5, or 1 with QUICK=1)
# BENCH_REPEATS  runs of each case (3)
# BENCH_STOCK    the report.json of this machine on a stock kernel, which then is what hints
#                are held against
#
# Each mode that the kernel has: on a stock one that is stock; on one with hints, and the
# policy loaded, unhinted and hinted, of which unhinted takes the place of stock, if
# BENCH_STOCK does not name it. rq_affinity is tried as 0, 1 and 2 where the target
# is a block device and this is root, and put back.
#
# Exit status: 0 all data were right, 1 some were not, 2 nothing was measured.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${bench%/*}
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/common/reasons.sh
. "$tools/common/reasons.sh"
die_with_parent "$@"
# shellcheck source=tools/bench/guest.sh
. "$bench/guest.sh"
# shellcheck source=tools/common/count.sh
. "$tools/common/count.sh"

dir=$CPROV_TOP/build/bench
losses=$(read_reasons "$bench/losses" "$CPROV_TOP/Documentation/bench.rst" topology workload mode by peer times)
policy=/sys/module/completion_provenance
PATH=$dir:$PATH:/usr/sbin:/sbin # blockdev, of whoever is not root
seconds=${BENCH_SECONDS:-$([[ -n ${QUICK:-} ]] && echo 1 || echo 5)}
repeats=${BENCH_REPEATS:-3}
target=${BENCH_TARGET:-}
stock_report=${BENCH_STOCK:-}
undo=()

cleanup()
{
	local i

	# One that fails keeps no other from being tried.
	for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
		eval "${undo[i]}" || log "not undone: ${undo[i]}"
	done
}

need_tools()
{
	local header

	type -P cc make jq findmnt >/dev/null || die "cc, make, jq or findmnt is missing" "PATH" \
		"apt-get install build-essential jq util-linux"
	for header in liburing.h libaio.h; do
		cc -E -xc - <<<"#include <$header>" >/dev/null 2>&1 ||
			die "the header $header is missing" "" "apt-get install liburing-dev libaio-dev"
	done
}

# ---- what is read ----

# It may write over all of the target, so it does not outlive this.
try()
{
	(exec setpriv --pdeathsig KILL cprovbench --ios 1 --ring pread --hints off "$@" chase "$target") >/dev/null
}

# Half of what is free, and no more than 1 GiB.
make_target()
{
	local mib

	mib=$(df --output=avail -m "$dir" | tail -n 1)
	mib=$((mib / 2 < 1024 ? mib / 2 : 1024))
	((mib >= 64)) || die "there is no room for a file to read" "$dir" "BENCH_TARGET=FILE reads another"
	target=$dir/target
	undo+=("rm -f ${target@Q}")
	truncate -s "${mib}M" "$target"
	log "writing $mib MiB to $target"
	try --prepare || die "the file cannot be read with O_DIRECT" "$target" "BENCH_TARGET=FILE reads another"
}

find_target()
{
	verify=()
	if [[ -z $target ]]; then
		make_target
		return
	fi
	[[ -f $target || -b $target ]] || die "BENCH_TARGET is no file and no block device" "$target"
	if [[ ${BENCH_PREPARE:-} == 1 ]]; then
		log "writing the pattern over all that is in $target"
		try --prepare || die "the pattern could not be written" "$target"
	elif ! try 2>/dev/null; then
		try --no-verify || die "BENCH_TARGET cannot be read" "$target"
		log "$target has not the pattern: data are not verified; BENCH_PREPARE=1 writes it, OVER ALL that is there"
		verify=(--no-verify)
	fi
}

# A loader wants files, wherever the target is. Without them there is none.
make_samples()
{
	samples=$dir/samples
	undo+=("rm -rf ${samples@Q}")
	rm -rf "$samples"
	mkdir "$samples"
	cprovbench --prepare --total 64M --ios 1 --ring libaio --hints off loader "$samples" >/dev/null 2>"$said" || {
		log "no files for the loader: $(tail -n 1 "$said")"
		samples=''
	}
}

# The disk that the target is on, or nothing; a partition's has its queue.
find_disk()
{
	local device=$target path

	[[ -b $target ]] || device=$(findmnt -n -v -o SOURCE -T "$target")
	path=$(readlink -f "/sys/class/block/$(basename "$(readlink -f "$device")")")
	[[ ! -b $target || -e $path/partition ]] || whole=1
	[[ ! -e $path/partition ]] || path=${path%/*}
	[[ ! -e $path/queue ]] || disk=${path##*/}
}

# ---- what is tried ----

set_rq_affinity()
{
	[[ $1 == null || $1 == "$(cat "$rq_affinity_file")" ]] || echo "$1" >"$rq_affinity_file"
}

# The device of a file or a partition is not ours to tune: others may use it.
find_modes()
{
	local -a others=()

	rq_affinity_file=/sys/block/$disk/queue/rq_affinity
	usual=null
	[[ -z $disk || ! -r $rq_affinity_file ]] || usual=$(cat "$rq_affinity_file")
	if [[ $usual != null && -n $whole && -w $rq_affinity_file ]]; then
		undo+=("echo $usual >$rq_affinity_file")
		mapfile -t others < <(printf '%s\n' 0 1 2 | grep -vx "$usual")
	fi
	baseline=stock
	if cprovbench --ios 1 --hints need --no-verify chase "$target" >/dev/null 2>&1; then
		[[ -e $policy ]] || die "this kernel takes hints, and no policy is loaded" "$policy" \
			"insmod completion_provenance.ko, which make module builds"
		baseline=unhinted
	fi
	modes=("$baseline/$usual" "${others[@]/#/$baseline/}" "polled/$usual")
	[[ $baseline == stock ]] || modes+=("hinted/$usual" "${others[@]/#/hinted/}")
	[[ -z $stock_report || $baseline != stock ]] ||
		die "this kernel takes no hints, so there is nothing to compare with BENCH_STOCK" "$(uname -r)"
}

# It may be the report that this run replaces.
keep_stock()
{
	[[ -n $stock_report ]] || return 0
	[[ -r $stock_report ]] || die "BENCH_STOCK cannot be read" "$stock_report"
	[[ $stock_report -ef $dir/stock.json ]] || cp "$stock_report" "$dir/stock.json"
	stock_report=$dir/stock.json
}

# What was measured on a stock kernel, of the same machine and target, which may have got
# another name.
stock_guest()
{
	[[ -n $stock_report ]] || return 0
	# shellcheck disable=SC2016 # the variables are jq's
	jq -c --argjson here "$(machine)" '
		def what: {cpus, queues, consumers, cpu, bytes, model, scheduler, filesystem, verified};
		.guests[] | select(.topology == "host" and any(.cases[]; .mode == "stock"))
		| if (.machine | what) == ($here.machine | what) then . else
			error("is of another machine, or of another target: \(.machine | what)") end' "$stock_report"
}

check_stock()
{
	[[ -z $stock_report || -n $(stock_guest) ]] ||
		die "BENCH_STOCK is no report of this machine on a stock kernel" "$stock_report" \
			"make bench HOST=1 with the same settings, on that kernel"
}

find_consumers()
{
	near='' consumer=any
	cpus=${BENCH_CPUS:-}
	if [[ -z $cpus && $disk == nvme* ]] && (($(queues) < $(nproc))) && irq_cpu "$disk" >/dev/null 2>&1; then
		place_consumers
	fi
	[[ -n $cpus ]] || cpus=$(taskset -cp $$ | sed 's/.*: //') near='' consumer=any
	[[ $cpus == *[,-]* ]] || die "handoff and migrate go from one CPU to another" "consumers: CPU $cpus" \
		"BENCH_CPUS=2,3 names two"
	loader_cpus=$cpus
}

how_long()
{
	printf '%s\n' --seconds "$seconds"
}

shortly()
{
	printf '%s\n' --seconds 1
}

may_lack()
{
	:
}

# No drive is made here, and those that there are take as long as they take.
run_mixed_slow()
{
	:
}

ran()
{
	done_runs=$((done_runs + 1))
	progress_update "$done_runs"
}

# How many runs that will be: the same loops, and nothing in them.
count_runs()
{
	(
		run() { echo; }
		lacks() { :; }
		set_rq_affinity() { :; }
		run_modes "${modes[@]}"
	) | wc -l
}

# ---- what is said ----

machine()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -c -n --arg kernel "$(uname -r)" --argjson cpus "$(nproc)" \
		--argjson queues "$([[ -d /sys/block/$disk/mq ]] && queues || echo null)" --arg consumers "$cpus" \
		--arg cpu "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
		--argjson virtual "$(grep -q '^flags.* hypervisor' /proc/cpuinfo && echo true || echo false)" \
		--arg target "$(readlink -f "$target")" --argjson bytes "$(target_bytes)" --arg disk "$disk" \
		--arg model "$(sed 's/ *$//' "/sys/block/$disk/device/model" 2>/dev/null || true)" \
		--arg scheduler "$(sed 's/.*\[\(.*\)\].*/\1/' "/sys/block/$disk/queue/scheduler" 2>/dev/null || true)" \
		--arg filesystem "$([[ -b $target ]] || findmnt -n -o FSTYPE -T "$target")" \
		--argjson verified "$([[ ${#verify[@]} == 0 ]] && echo true || echo false)" \
		'def known: if . == "" then null else . end;
		 {machine: {$kernel, $cpus, $queues, $consumers, cpu: ($cpu | known), $virtual, $target, $bytes,
		  device: ($disk | known), model: ($model | known), scheduler: ($scheduler | known),
		  filesystem: ($filesystem | known), $verified}}'
}

target_bytes()
{
	if [[ -b $target ]]; then blockdev --getsize64 "$target"; else stat -L -c %s "$target"; fi
}

facts()
{
	local command='make bench HOST=1' name

	for name in QUICK BENCH_TARGET BENCH_PREPARE BENCH_CPUS BENCH_SECONDS BENCH_REPEATS BENCH_STOCK; do
		[[ -z ${!name:-} ]] || command+=" $name=${!name}"
	done
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --arg command "$command" --argjson run "$(run_facts)" \
		--argjson seconds "$seconds" --argjson repeats "$repeats" \
		'{schema: 3, $command} + $run +
		 {accelerator: null, reads: null, $seconds, $repeats,
		  icount: null, structs: null, growth: null}'
}

write_report()
{
	# shellcheck disable=SC2016 # the variables are jq's
	{
		stock_guest
		jq -L "$tools/coherence" -n -f "$bench/guest.jq" --arg topology host --argjson counting false \
			--slurpfile said "$dir/host.said" --slurpfile counted /dev/null
	} |
		jq -L "$tools/common" -s --argjson facts "$(facts)" --argjson losses "$losses" --arg cases '' -f "$bench/report.jq" >"$dir/report.json.tmp"
	mv "$dir/report.json.tmp" "$dir/report.json"
	jq -L "$tools/icount" -r -f "$bench/html.jq" "$dir/report.json" >"$dir/report.html"
	jq -r -f "$bench/table.jq" "$dir/report.json"
	log "report: $dir/report.html, $dir/report.json"
	jq -e '[.guests[].cases[]] | length > 0' "$dir/report.json" >/dev/null ||
		die "nothing was measured" "$dir/report.json" "its list missing says why"
	jq -e '[.guests[].cases[].wrong] | add == 0' "$dir/report.json" >/dev/null || {
		log "data were wrong: $dir/report.json"
		return 1
	}
}

main_on_host()
{
	need_tools
	mkdir -p "$dir"
	make -s -C "$tools/cprovbench" OUT="$dir" || die "cprovbench does not build" "$tools/cprovbench"
	keep_stock
	rm -f "$dir"/host.said "$dir"/report.*
	trap cleanup EXIT
	find_target
	drive=$target said=$dir/host.messages disk='' whole='' done_runs=0
	make_samples
	find_disk
	find_modes
	find_consumers
	check_stock
	exec {out}>"$dir/host.said"
	machine >&"$out"
	progress_start 'runs' "$(count_runs)"
	run_modes "${modes[@]}"
	progress_end
	write_report
}

main_on_host
