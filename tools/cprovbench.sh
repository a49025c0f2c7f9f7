#!/bin/bash
# cprovbench.sh: try the benchmark program: every workload on every ring, on the
# stock kernel and on the patched one; that wrong data are noticed; what options it
# refuses; and its percentiles.
#
# STOCK_KDIR and PATCHED_KDIR name kernel build trees to use as they are, instead
# of building any.
#
# Exit status: 0 all passed, 1 some failed, 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
die_with_parent "$@"

dir=$CPROV_TOP/build/cprovbench

build()
{
	make -s -C "$tools/cprovbench" OUT="$dir"
	module_build "$patched" "$dir"
}

percentiles()
{
	make -s -C "$tools/cprovbench" OUT="$dir" "$dir/hist-test"
	"$dir/hist-test"
}

try()
{
	local variant=$1 kdir=$2 hints=$3
	local -a add=()

	[[ $variant == stock ]] ||
		add=(--add "$dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko")
	: >"$dir/$variant.said"
	"$tools/vm/boot.sh" --name "cprovbench-$variant" --kernel "$kdir" --topology one-queue-2llc \
		--append nvme.poll_queues=1 \
		--drive serial=bench,size=64M --drive serial=polled,size=64M,queues=2 \
		--drive serial=files,size=32M --add "$tools/common/count.sh:/lib/cprov/count.sh" \
		--add "$dir/cprovbench:/usr/bin/cprovbench" \
		--add "$tools/cprovbench/guest-test.sh:/lib/cprov/guest.sh" "${add[@]}" \
		--out "$dir/$variant.said" --timeout 600 -- bash /lib/cprov/guest.sh
	jq -s -r -f "$tools/cprovbench/test.jq" --argjson hints "$hints" "$dir/$variant.said"
}

stock=${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}
patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
steps_begin cprovbench 5
step build build
step options bash "$tools/cprovbench/options-test.sh" "$dir/cprovbench"
step percentiles percentiles
step stock try stock "$stock" false
step patched try patched "$patched" true
steps_end || exit 1
