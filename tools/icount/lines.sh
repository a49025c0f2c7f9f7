#!/bin/bash
# lines.sh CASE FUNCTION: which lines of a function are executed in the reads of a
# case, and how many instructions of each, in the last count of tools/icount.sh.
#
#   lines.sh nvme/default/patched io_cqring_wait
#
# For each line: instructions per read, file and line; of inlined code, the line
# that it was inlined at, in the function that was asked for. A module's functions
# are not in the kernel's debug information. STOCK_KDIR and PATCHED_KDIR as in
# icount.sh.
#
# Exit status: 0; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"

(($# == 2)) || die "a case and a function are needed" "lines.sh" "sed -n 2,12p tools/icount/lines.sh"
case=$1 function=$2 tmp=''
dir=$CPROV_TOP/build/icount

# The guest of that variant that the case was counted in.
guest_of()
{
	local guest=$1

	[[ $1 == stock ]] || ! jq -e -n --arg case "$case" \
		'any(inputs; "\(.device)/\(.ring)/\(.mode)" == $case)' "$dir/rounds.said" >/dev/null || guest=rounds
	echo "$guest"
}

# pcs VARIANT: address and instructions per read, of the first region of the case.
pcs()
{
	local case=$case guest

	guest=$(guest_of "$1")
	[[ $1 != stock ]] || case=${case%/*}/stock
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n -r --arg case "$case" --arg f "$function" --slurpfile said "$dir/$guest.said" \
		--slurpfile counted "$dir/$guest.counted" --slurpfile names "$dir/$guest.names" '
		(first($said[] | select(.mode and "\(.device)/\(.ring)/\(.mode)" == $case))) as $of
		| $counted[] | select(.region == $of.region) | (.at_profiled * $of.unit) as $units
		| .pcs[] | select($names[0][.[0]] == $f) | "\(.[0]) \(.[1] / $units)"'
}

lines()
{
	local variant=$1 kdir=$2

	pcs "$variant" >"$tmp/pcs"
	[[ -s $tmp/pcs ]] || { echo "$variant: nothing of $function() is executed"; return; }
	cut -d ' ' -f 1 "$tmp/pcs" | addr2line -a -i -e "$kdir/vmlinux" | sed 's/ (discriminator.*//' |
		awk '/^0x/ { if (at) print at, last; at = $1; next } { last = $0 } END { print at, last }' |
		sed -E 's|^0x0*([0-9a-f]+) (.*/)?([^/]+/[^/]+)$|0x\1 \3|' >"$tmp/places"
	awk -v variant="$variant" 'NR == FNR { place[$1] = $2; next }
		{ n[place[$1]] += $2; sum += $2 }
		END {
			printf "%s: %g instructions\n", variant, sum
			for (p in n) printf "%8.1f  %s\n", n[p], p | "sort -t : -k 2,2n"
		}' "$tmp/places" "$tmp/pcs"
}

scratch_dir tmp
lines stock "${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}"
case ${case##*/} in
stock) ;;
*) lines patched "${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}" ;;
esac
