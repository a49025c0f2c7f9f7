#!/bin/bash
# who-pays.sh TOPOLOGY SUBMITTER RING QUEUES MODE RQ_AFFINITY [OPTION...]: who paid for the
# transfers of a cell of the last `make matrix`, by name; of its repeats the one that is
# the median. MODE is stock or a class; the options are those of
# tools/coherence/report.sh. More is known with MATRIX_TOP=200.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"

(($# >= 6)) || die "which cell?" "who-pays.sh" "sed -n 2,5p tools/matrix/who-pays.sh"
topology=$CPROV_TOP/build/matrix/$1
cell=("${@:2:5}")
shift 6
[[ -s $topology.transfers ]] || die "no transfers were counted" "$topology.transfers" "make matrix"
kernel=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" path --variant patched)}
tmp=''
scratch_dir tmp

# shellcheck disable=SC2016 # the variables are jq's
line=$(jq -n '[inputs | select([.submitter, .ring, .queues, .mode, "\(.rq_affinity)"] == $ARGS.positional)]
	| sort_by(.transfers)[length / 2 | floor].line // empty' "$topology.transfers" --args "${cell[@]}")
[[ -n $line ]] || die "there is no such cell: ${cell[*]}" "$topology.transfers"
# The first line is of the instrument itself.
sed -n "$((line + 1)){p;q}" "$topology.counted" >"$tmp/counted"
"$tools/coherence/report.sh" --kernel "$kernel" \
	--module "$CPROV_TOP/build/guest/matrix/completion_provenance.ko:$(jq -r '.module.text // empty' "$topology.said")" \
	"$@" "$tmp/counted"
