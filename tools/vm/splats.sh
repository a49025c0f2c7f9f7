#!/bin/bash
# splats.sh LOG: print the kernel splats found in LOG, each with what follows
# it; exit 4 if there are any, 0 if there are none.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/lib.sh"

# How much of a splat is shown: a trace fits, a lockdep report mostly.
context=45

log=${1:?usage: splats.sh LOG}
[[ -r $log ]] || die "cannot read the kernel log" "$log"

patterns()
{
	sed '/^#/d; /^$/d; s/\t.*//' "$1"
}

# Binary zeroes (a torn write of a dying guest) must not hide the rest.
hits=$(tr -d '\000\r' <"$log" | grep -nE -f <(patterns "$here/splats") |
	if [[ -n $(patterns "$here/splats.allow") ]]; then
		grep -vE -f <(patterns "$here/splats.allow")
	else
		cat
	fi) || true
[[ -n $hits ]] || exit 0

# Lines of one report match again and again: print each region once. The first, which
# explains the others, is told at the end, as only that may be shown, with its test.
tr -d '\000\r' <"$log" | awk -v hits="$hits" -v context="$context" '
	BEGIN {
		n = split(hits, h, "\n")
		for (i = 1; i <= n; i++)
			hit[h[i] + 0] = 1
	}
	/cprov selftest: / { test = $NF }
	hit[NR] { last = NR + context }
	hit[NR] && !first { first = $0 (test ? ", in " test : "") }
	NR <= last { print "  | " $0 }
	END { print "  first: " first }'
exit 4
