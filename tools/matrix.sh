#!/bin/bash
# matrix.sh: what each way to submit costs on each kind of ring and number of
# queues, with hints and without: a table, and build/matrix/report.json
# (Documentation/matrix.rst).
#
# TOPOLOGIES names the guests' machines, MATRIX_READS is how many reads there are
# from each CPU in a run (8), MATRIX_REPEATS how many runs (5), MATRIX_SUBMITTER
# the only way to submit, if it is to be one, and MATRIX_RING the only kind of ring.
# Transfers of cache lines are counted in a guest of their own, of
# MATRIX_TRANSFER_READS from each CPU (32; 0: they are not);
# MATRIX_TOP of the instructions and lines that pay most are kept of each run (8).
# PATCHED_KDIR names a kernel build tree to use as it is, instead of building one, and
# MATRIX_MODULE another source of the module.
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
transfer_reads=${MATRIX_TRANSFER_READS:-32}

# guest NAME TOPOLOGY SUBMITTER OUT BOOT-OPTION... -- MATRIX-OPTION...
guest()
{
	local name=$1 topology=$2 submitter=$3 out=$4
	local -a options=()
	shift 4

	while [[ $1 != -- ]]; do options+=("$1"); shift; done
	shift
	: >"$out"
	# A drive that takes a millisecond: the consumer is asleep when a read is done, on
	# any host. Otherwise wakeups would tell how fast the host is.
	"$tools/vm/boot.sh" --name "matrix-$name" --kernel "$patched" --topology "$topology" --keep-threads \
		--drive serial=slow,size=256M,latency=1000 \
		--add "$guest_dir/selftests/matrix:/usr/bin/matrix" \
		--add "$guest_dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko" \
		--out "$out" "${options[@]}" -- \
		env CPROV_KO=/lib/cprov/completion_provenance.ko \
		CPROV_SCRATCH_DEV=/dev/disk/by-serial/slow \
		matrix "$@" ${submitter:+-s "$submitter"} ${MATRIX_RING:+-k "$MATRIX_RING"} -o /dev/virtio-ports/cprov.out
}

# What is counted of a way, or of all, comes on top of what was.
count_events()
{
	local topology=$1 submitter=$2 said=$dir/$1.said

	guest "$topology" "$topology" "$submitter" "$said" --timeout "${GUEST_TIMEOUT:-3600}" -- \
		-n "${MATRIX_READS:-8}" -r "${MATRIX_REPEATS:-5}"
	cat "$said" >>"$dir/$topology.lines"
}

# A short queue, so that a few reads go round it: see WARM_UP in selftests/matrix.c.
count_transfers()
{
	local topology=$1 submitter=$2 said=$dir/$1.said counted=$dir/$1.counted now=$dir/$1.now

	guest "$topology-transfers" "$topology" "$submitter" "$said" --timeout "${GUEST_TIMEOUT:-7200}" \
		--plugin "$guest_dir/coherence.so,out=$now,top=${MATRIX_TOP:-8}" \
		--append nvme.io_queue_depth=16 -- \
		-t -n "$transfer_reads" -r "${MATRIX_REPEATS:-5}"
	jq -L "$tools/coherence" -n -c -f "$tools/matrix/transfers.jq" --slurpfile said "$said" \
		--argjson before "$(wc -l <"$counted")" \
		--slurpfile counted <(jq -c 'del(.pcs, .lines)' "$now") >>"$dir/$topology.transfers" ||
		die "what the instrument counted is not what was to be counted" "$now"
	cat "$now" >>"$counted"
	rm "$now"
}

count()
{
	count_events "$@"
	((transfer_reads == 0)) || count_transfers "$@"
}

judge_counts()
{
	jq -n --arg name "$1" --slurpfile transfers "$dir/$1.transfers" \
		-f "$tools/matrix/cells.jq" "$dir/$1.lines" | judge >"$dir/$1.json"
}

# What loses for no reason that is known may do so by chance, and then not in as many
# repeats again.
measure()
{
	local topology=$1 kind submitter
	local -a again

	for kind in lines transfers counted; do
		: >"$dir/$topology.$kind"
	done
	count "$topology" "${MATRIX_SUBMITTER:-}"
	judge_counts "$topology"
	mapfile -t again < <(jq -r '[.cells[] | select(any(.losses[]; .reason == null)) | .submitter] | unique[]' \
		"$dir/$topology.json")
	for submitter in "${again[@]}"; do
		echo "$submitter loses, and it is not known why: counting it again" >&2
		count "$topology" "$submitter"
	done
	((${#again[@]} == 0)) || judge_counts "$topology"
}

judge()
{
	jq -L "$tools/common" --slurpfile losses "$dir/losses.json" -f "$tools/matrix/judge.jq"
}

# A judge that is content whatever it is told is none. It is told wrong things of cells
# that lose nothing, as those of the plainest way to submit.
judge_can_fail()
{
	local text change counted=$dir/${topologies[0]}.json

	[[ ${MATRIX_SUBMITTER:-direct} == direct && -z ${MATRIX_RING:-} ]] || return 0
	while IFS=$'\t' read -r text change; do
		[[ $text != '#'* ]] || continue
		((transfer_reads)) || [[ $change != *transfers* ]] || continue
		jq "$change" "$counted" | judge | jq '{topologies: [.]}' |
			jq -r -f "$tools/matrix/verdict.jq" | grep -E "$text" >/dev/null ||
			die "the judge does not refuse this: $change" tools/matrix/wrong
	done <"$tools/matrix/wrong"
}

write_report()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --argjson run "$(run_facts)" --arg qemu "$(qemu_facts)" \
		'{schema: 3, command: "make matrix"} + $run + {$qemu, topologies: [inputs]}' \
		"${topologies[@]/%/.json}" >report.json
}

mkdir -p "$dir"
rm -f "$dir"/report.*
read_reasons "$list" Documentation/matrix.rst metric class rq_affinity ring submitter queues most >"$dir/losses.json"
patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
# shellcheck disable=SC2034 # guest.sh's
guest_module=${MATRIX_MODULE:-}
guest_build "$patched"
((transfer_reads == 0)) || make -s -C "$tools/coherence" OUT="$guest_dir"
for topology in "${topologies[@]}"; do
	measure "$topology"
done
judge_can_fail
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
