#!/bin/bash
# matrix.sh: what each way to submit costs on each kind of ring and number of
# queues, with hints and without: a table, and build/matrix/report.json
# (Documentation/matrix.rst).
#
# TOPOLOGIES names the guests' machines, MATRIX_READS is how many reads there are
# from each CPU in a run (8), MATRIX_REPEATS how many runs (5), MATRIX_SUBMITTER
# the only way to submit, if it is to be one.
#
# Exit status: 0 each loss is one of tools/matrix/losses; 1 not so; 2 the host is
# at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/guest.sh
. "$tools/guest.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/common/reasons.sh
. "$tools/common/reasons.sh"
die_with_parent "$@"
cd "$CPROV_TOP"

dir=$CPROV_TOP/build/matrix
list=$tools/matrix/losses
read -ra topologies <<<"${TOPOLOGIES:-one-queue-2llc few-queues}"

# A drive that takes a millisecond: the consumer is asleep when a read is done, on
# any host. Otherwise wakeups would tell how fast the host is.
slow_drive()
{
	local queues

	queues=$(awk -v name="$1" '$1 == name { print $5 }' "$tools/vm/topologies")
	printf '%s\n' --qemu -drive --qemu \
		if=none,id=slow,driver=null-co,size=256M,latency-ns=1000000,read-zeroes=on \
		--qemu -device --qemu "nvme,serial=slow,drive=slow,max_ioqpairs=$queues"
}

measure()
{
	local topology=$1
	local -a drive

	mapfile -t drive < <(slow_drive "$topology")
	: >"$dir/$topology.lines"
	"$tools/vm/boot.sh" --name "matrix-$topology" --kernel "$patched" --topology "$topology" \
		--add "$guest_dir/selftests/matrix:/usr/bin/matrix" \
		--add "$guest_dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko" \
		--out "$dir/$topology.lines" --timeout "${GUEST_TIMEOUT:-600}" "${drive[@]}" -- \
		env CPROV_KO=/lib/cprov/completion_provenance.ko \
		CPROV_SCRATCH_DEV=/dev/disk/by-serial/slow \
		matrix -n "${MATRIX_READS:-8}" -r "${MATRIX_REPEATS:-5}" ${MATRIX_SUBMITTER:+-s "$MATRIX_SUBMITTER"} -o /dev/virtio-ports/cprov.out
	jq -n --arg name "$topology" -f "$tools/matrix/cells.jq" "$dir/$topology.lines" |
		jq -L "$tools/common" --slurpfile losses "$dir/losses.json" -f "$tools/matrix/judge.jq" \
			>"$dir/$topology.json"
}

write_report()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --argjson run "$(run_facts)" --arg qemu "$(qemu_version)" \
		'{schema: 1, command: "make matrix"} + $run + {$qemu, topologies: [inputs]}' \
		"${topologies[@]/%/.json}" >report.json
}

mkdir -p "$dir"
read_reasons "$list" Documentation/matrix.rst metric class ring submitter queues >"$dir/losses.json"
patched=$("$tools/vm/kernel.sh" build --variant patched)
guest_build "$patched"
for topology in "${topologies[@]}"; do
	measure "$topology"
done
cd "$dir"
write_report
jq -r -f "$tools/matrix/text.jq" report.json | tee report.txt
failures=$(jq -r -f "$tools/matrix/verdict.jq" report.json)
echo
if [[ -n $failures ]]; then
	printf 'These cells lose, and it is not known why:\n%s\n' "$failures"
	exit 1
fi
echo "Every loss is a known one; the report is $dir/report.json"
