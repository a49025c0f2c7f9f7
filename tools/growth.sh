#!/bin/bash
# growth.sh: how the cost of a hint grows: instructions per I/O of hinted and of
# unhinted reads as one thing grows, which are flows, slots, reads in flight, CPUs
# and hardware queues. Writes build/growth/report.json (Documentation/growth.rst).
#
# PATCHED_KDIR names a kernel build tree to use as it is, instead of building one.
# GROWTH_IOS is how many reads are counted at each point, where they are not more
# because so many are in flight (100); GROWTH_CPUS are the machines, by CPUs, and
# GROWTH_FLOWS, GROWTH_SLOTS, GROWTH_DEPTHS, GROWTH_NVME_DEPTHS and GROWTH_QUEUES
# the points.
#
# Exit status: 0 nothing grows by more than it may; 1 something does, or was not
# counted; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/icount/count.sh
. "$tools/icount/count.sh"
die_with_parent "$@"

# A limit that does not hold names what grew.
export STEPS_TAIL=60

dir=$CPROV_TOP/build/growth
ios=${GROWTH_IOS:-100}
read -ra cpus <<<"${GROWTH_CPUS:-1 2 4 8 16 32}"
# In the guest of so many CPUs the curves are measured that are about none.
home_cpus=4
# Queues are those of the last guest: a device has no more than there are CPUs, and
# null_blk as many again that poll.
most=${cpus[-1]}
export GROWTH_FLOWS=${GROWTH_FLOWS:-1 10 1000 100000 1000000}
export GROWTH_SLOTS=${GROWTH_SLOTS:-1 16 256 4096}
export GROWTH_DEPTHS=${GROWTH_DEPTHS:-1 4 16 64 256 1024}
export GROWTH_NVME_DEPTHS=${GROWTH_NVME_DEPTHS:-1 4 16 64 256 1023}
export GROWTH_QUEUES=${GROWTH_QUEUES:-2 4 8 16 32 64}
limits=(flows slots depth depth-nvme cpus cpus-elsewhere bystander queues queues-nvme)

# The curves of the guest with so many CPUs.
curves_of()
{
	printf 'cpus'
	(($1 != most)) || printf ' queues'
	(($1 != home_cpus)) || printf ' flows slots depth shared'
}

# drive SERIAL QUEUES: options of boot.sh for icount's drive, one on a line.
drive()
{
	printf '%s\n' --qemu -blockdev \
		--qemu "node-name=$1,driver=null-co,size=$((256 << 20)),read-zeroes=on,latency-ns=$count_latency_ns" \
		--qemu -device --qemu "nvme,drive=$1,serial=$1,max_ioqpairs=$2"
}

# guest CPUS: what was counted is in $dir/CPUS.counted, what the guest said of it
# in $dir/CPUS.said.
guest()
{
	local n=$1 idle depth=64
	local -a curves drives

	read -ra curves <<<"$(curves_of "$n")"
	mapfile -t drives < <(drive per-cpu "$n"; drive shared 1)
	((n != home_cpus)) || depth=1024
	idle=$(count_idle "$patched")
	: >"$dir/$n.said"
	"$tools/vm/boot.sh" --name "growth-$n" --kernel "$patched" --topology one-queue --cpus "$n" \
		--icount --plugin "$dir/icount.so,out=$dir/$n.counted,idle=$idle,percentile=25,common=30" \
		--append "idle=poll nvme.io_queue_depth=$depth" "${drives[@]}" \
		--add "$dir/coherence-io:/usr/bin/coherence-io" \
		--add "$dir/icount-validate:/usr/bin/icount-validate" \
		--add "$dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko" \
		--add "$tools/growth/guest.sh:/lib/cprov/guest.sh" \
		--out "$dir/$n.said" --timeout 1200 \
		-- env GROWTH_FLOWS="$GROWTH_FLOWS" GROWTH_SLOTS="$GROWTH_SLOTS" \
		GROWTH_DEPTHS="$GROWTH_DEPTHS" GROWTH_NVME_DEPTHS="$GROWTH_NVME_DEPTHS" \
		GROWTH_QUEUES="$GROWTH_QUEUES" \
		bash /lib/cprov/guest.sh "$ios" "${curves[@]}"
}

# From what the guests' regions came to, to the report.
growth_report()
{
	jq -s --argjson facts "$(count_facts)" --argjson ios "$ios" -f "$tools/growth/report.jq"
}

write_report()
{
	local n

	for n in "${cpus[@]}"; do
		count_names "$n" "$patched"
		# shellcheck disable=SC2016 # the variables are jq's
		jq -n -f "$tools/growth/guest.jq" --argjson cpus "$n" --slurpfile said "$dir/$n.said" \
			--slurpfile counted "$dir/$n.counted" --slurpfile names "$dir/$n.names"
	done >"$dir/guests.json"
	growth_report <"$dir/guests.json" >"$dir/report.json.tmp"
	mv "$dir/report.json.tmp" "$dir/report.json"
	jq -e '.errors == []' "$dir/report.json" >/dev/null || {
		jq -r '.errors[]' "$dir/report.json"
		return 1
	}
}

valid()
{
	jq -r -f "$tools/icount/validate.jq" "$dir/report.json"
}

table()
{
	jq -r -f "$tools/growth/table.jq" "$dir/report.json"
}

# limit_of CURVE: fails if it grows by more than it may, with what does.
limit_of()
{
	jq -r -f "$tools/growth/limit.jq" --arg curve "$1" "$dir/report.json"
}

# doctored CURVE MORE: the report of guests where the last point of a curve has risen
# by as much as it may, and MORE; or where it was not counted.
doctored()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq --arg curve "$1" --arg more "$2" --slurpfile report "$dir/report.json" '
		($report[0].curves[] | select(.name == $curve)) as {$points, $tolerance}
		| ([$points[:-1][].difference] | min) as $least
		| ($tolerance | [.instructions, $least * .percent / 100] | max) as $may_rise
		| if $more == "gone" then .regions |= map(select(.curve != $curve))
		  else (.regions[] | select(.curve == $curve and .mode == "hinted" and .at == $points[-1].at)) |=
			(.instructions = $points[-1].unhinted + $least + $may_rise + ($more | tonumber)
			 | .functions.a_function = 999) end' "$dir/guests.json" | growth_report
}

# A limit that lets all pass is none: of figures that have grown by as much as is
# tolerated each curve must pass, by 1 more, none, and none that was not counted.
limit_can_fail()
{
	local curve more status

	for curve in "${limits[@]}"; do
		for more in 0 1 gone; do
			doctored "$curve" "$more" >"$dir/doctored.json"
			status=0
			jq -r -f "$tools/growth/limit.jq" --arg curve "$curve" "$dir/doctored.json" \
				>"$dir/doctored.said" 2>&1 || status=$?
			cat "$dir/doctored.said"
			case $more in
			0) ((status == 0)) ;;
			1) ((status)) && grep -q a_function "$dir/doctored.said" ;;
			gone) ((status)) ;;
			esac || { echo "$curve, $more beyond: status $status"; return 1; }
		done
	done
}

mkdir -p "$dir"
patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
steps_begin growth $((5 + ${#cpus[@]} + ${#limits[@]}))
rm -f "$dir"/*.{said,counted,names,json}
step build count_build
for n in "${cpus[@]}"; do
	step "guest-$n" guest "$n"
done
step report write_report
step valid valid
step table table
[[ ! -s $STEPS_DIR/table.log ]] || cat "$STEPS_DIR/table.log"
step limit-can-fail limit_can_fail
for curve in "${limits[@]}"; do
	step "limit-$curve" limit_of "$curve"
done
steps_end || exit 1
