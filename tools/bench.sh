#!/bin/bash
# bench.sh: what hints are worth, against what stock has to offer: instructions,
# line transfers and interrupts per read, in the workloads of cprovbench; how what they
# cost grows; and what is in memory for each request. Writes build/bench/report.json and report.html
# (Documentation/bench.rst).
#
#   QUICK=1   one topology instead of three, fewer reads, some workloads at one rq_affinity
#             only, and nothing grows
#   HOST=1    on this machine and its kernel instead, in no guest, for times: host.sh
#
# TOPOLOGIES names the guests' machines, if not those. STOCK_KDIR and PATCHED_KDIR name
# kernel build trees to use as they are, instead of building any. BENCH_READS is how many
# reads are counted in each run (1000, or 300 with QUICK), BENCH_REPEATS how many runs are
# made of each case (3).
#
# Exit status: 0 all that must be was measured, all data were right, and where we lose it is known
# why; 1 not so; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/common/reasons.sh
. "$tools/common/reasons.sh"
# shellcheck source=tools/common/structs.sh
. "$tools/common/structs.sh"
die_with_parent "$@"

[[ -z ${HOST:-} ]] || exec "$tools/bench/host.sh"

dir=$CPROV_TOP/build/bench
topologies=(one-queue-2llc queue-per-cpu two-node)
reads=1000 size=64M repeats=${BENCH_REPEATS:-3} settings=(--all-settings) cases=("$tools"/bench/cases{,-all-settings})
if [[ -n ${QUICK:-} ]]; then
	# Where there is something to win. Where there is not, what it costs are instructions.
	topologies=(one-queue-2llc) reads=300 size=16M settings=() cases=("$tools/bench/cases")
	export ICOUNT_IOS=${ICOUNT_IOS:-100}
fi
reads=${BENCH_READS:-$reads}
[[ -z ${TOPOLOGIES:-} ]] || read -ra topologies <<<"$TOPOLOGIES"
losses=$(read_reasons "$tools/bench/losses" "$CPROV_TOP/Documentation/bench.rst" topology workload mode by peer times)

build()
{
	make -s -C "$tools/cprovbench" OUT="$dir"
	make -s -C "$tools/coherence" OUT="$dir"
	module_build "$patched" "$dir"
}

# guest TOPOLOGY VARIANT KDIR MODE...: variants whose name begins with polled have a queue
# more, to be polled: in a guest of its own, as the driver would take it from the others of
# every drive that has several.
guest()
{
	local topology=$1 variant=$2 kdir=$3 name=$1-$2 drive=serial=bench,size=$size queues
	local -a add=()
	shift 3

	if [[ $variant == polled* ]]; then
		queues=$(awk -v name="$topology" '$1 == name { print $5 }' "$tools/vm/topologies")
		drive+=,queues=$((queues + 1))
		add=(--append nvme.poll_queues=1)
	fi
	[[ $variant != *patched ]] ||
		add+=(--add "$dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko")
	: >"$dir/$name.said"
	"$tools/vm/boot.sh" --name "bench-$name" --kernel "$kdir" --topology "$topology" \
		--plugin "$dir/coherence.so,out=$dir/$name.counted,top=20" \
		--append nvme.io_queue_depth=64 --drive "$drive" --drive serial=loader,size=64M \
		--drive serial=slow,size=64M,latency=50000 --bin jq \
		--add "$dir/cprovbench:/usr/bin/cprovbench" \
		--add "$tools/common/count.sh:/lib/cprov/count.sh" \
		--add "$tools/bench/guest.sh:/lib/cprov/guest.sh" "${add[@]}" \
		--out "$dir/$name.said" --timeout 1800 -- \
		bash /lib/cprov/guest.sh "${settings[@]}" "$reads" "$repeats" "$@"
}

growth_of_this_run()
{
	[[ -n ${QUICK:-} ]] || cat "$CPROV_TOP/build/growth/report.json"
}

# All that is built for guests has the same configuration, but for what the series adds.
structs()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq --slurpfile icount "$CPROV_TOP/build/icount/report.json" \
		'{config: "tools/vm/config"} + ($icount[0].kernels | map_values(.kernel)) + {bytes: .}' \
		< <(struct_sizes "$stock/vmlinux" "$patched/vmlinux")
}

facts()
{
	local command='make bench' name

	for name in QUICK TOPOLOGIES BENCH_READS BENCH_REPEATS; do
		[[ -z ${!name:-} ]] || command+=" $name=$(printf %q "${!name}")"
	done
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --argjson run "$(run_facts)" --arg qemu "$(qemu_facts)" --arg command "$command" \
		--argjson reads "$reads" --argjson repeats "$repeats" \
		--slurpfile icount "$CPROV_TOP/build/icount/report.json" \
		--slurpfile growth <(growth_of_this_run) --argjson structs "$(structs)" \
		'{schema: 3, $command} + $run +
		 {accelerator: {name: "tcg", threads: "multi", $qemu},
		  $reads, $repeats, icount: ($icount[0] | .cases |= map(del(.functions))), $structs,
		  growth: ($growth[0] | if . then .curves[].points |= map(del(.added, .grown)) else . end)}'
}

write_report()
{
	local topology variant

	for topology in "${topologies[@]}"; do
		for variant in stock polled-stock polled-patched patched; do
			# shellcheck disable=SC2016 # the variables are jq's
			jq -L "$tools/coherence" -n -f "$tools/bench/guest.jq" --arg topology "$topology" --argjson counting true \
				--slurpfile said "$dir/$topology-$variant.said" \
				--slurpfile counted "$dir/$topology-$variant.counted"
		done
	done | jq -L "$tools/common" -s --argjson facts "$(facts)" --argjson losses "$losses" \
		--rawfile cases <(cat "${cases[@]}") -f "$tools/bench/report.jq" >"$dir/report.json.tmp"
	mv "$dir/report.json.tmp" "$dir/report.json"
	jq -L "$tools/icount" -r -f "$tools/bench/html.jq" "$dir/report.json" >"$dir/report.html"
	jq -e '[.guests[].cases[].wrong] | length > 0 and add == 0' "$dir/report.json" >/dev/null || {
		echo 'nothing was measured, or data were wrong'
		return 1
	}
}

complete()
{
	jq -r -f "$tools/bench/lacking.jq" "$dir/report.json"
}

mkdir -p "$dir"
stock=${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}
patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
export STOCK_KDIR=$stock PATCHED_KDIR=$patched
steps_begin bench $(($([[ -n ${QUICK:-} ]] && echo 6 || echo 7) + 4 * ${#topologies[@]}))
rm -f "$dir"/*.{said,counted} "$dir"/report.*
step judge-can-fail "$tools/bench/judge-test.sh"
step build build
# What counts the transfers is right about cases whose answer is known.
step instrument "$tools/coherence.sh" validate
# With what each may cost, which fails if one does not hold.
step instructions "$tools/icount.sh" count limits
[[ -n ${QUICK:-} ]] || step growth "$tools/growth.sh"
for topology in "${topologies[@]}"; do
	step "$topology-stock" guest "$topology" stock "$stock" stock/1 stock/2 stock/0
	step "$topology-polled-stock" guest "$topology" polled-stock "$stock" polled/1
	step "$topology-polled-patched" guest "$topology" polled-patched "$patched" polled/1
	step "$topology-patched" guest "$topology" patched "$patched" patched/1 unhinted/1 unhinted/2 hinted/1 hinted/2
done
step report write_report
step complete complete
[[ ! -s $dir/report.json ]] || jq -r -f "$tools/bench/table.jq" "$dir/report.json"
log "report: $dir/report.html, $dir/report.json"
status=0
steps_end || status=1
if [[ -s $dir/report.json ]] && ! jq -r -f "$tools/bench/unexplained.jq" "$dir/report.json"; then
	log "these rows are lost, and $tools/bench/losses does not say why"
	status=1
fi
[[ $status == 0 ]] || exit 1
