#!/bin/bash
# icount.sh [PART...]: instructions per I/O, exactly, on the stock and on the
# patched kernel, with hints and without (Documentation/icount.rst).
#
#   count    run the guests; a table, and build/icount/report.json
#   limits   what each case may cost more than on the stock kernel, of the last
#            count
#   gate     that nothing rose since tools/icount/baseline.json: instructions of
#            the last count, sizes of structs, and line transfers
#   series   what each patch costs who uses none of it: a kernel and a guest for
#            each, or for those that ICOUNT_PATCHES names by number
#
# count and limits, if none is named. With UPDATE=1 gate writes the baseline.
# STOCK_KDIR and PATCHED_KDIR name kernel build trees to use as they are, instead
# of building any. ICOUNT_IOS is how many reads are counted in each case (200),
# ICOUNT_REPEATS how often (2).
#
# Exit status: 0 all is as it should be; 1 not so; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/common/structs.sh
. "$tools/common/structs.sh"
# shellcheck source=tools/icount/count.sh
. "$tools/icount/count.sh"
# shellcheck source=tools/icount/gate.sh
. "$tools/icount/gate.sh"
# shellcheck source=tools/icount/series.sh
. "$tools/icount/series.sh"
die_with_parent "$@"

# A limit that does not hold names what grew, in each case.
export STEPS_TAIL=60

dir=$CPROV_TOP/build/icount

parts=("$@")
((${#parts[@]})) || parts=(count limits)
total=0
for part in "${parts[@]}"; do
	case $part in
	count) total=$((total + count_steps)) ;;
	limits) total=$((total + limits_steps)) ;;
	gate) total=$((total + gate_steps)) ;;
	series) total=$((total + series_steps)) ;;
	*) die "unknown part '$part'" "icount.sh" "use count, limits, gate, series" ;;
	esac
done

stock=${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}
patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
steps_begin icount "$total"
for part in "${parts[@]}"; do
	"$part"
done
steps_end || exit 1
