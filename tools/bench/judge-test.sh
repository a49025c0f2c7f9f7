#!/bin/bash
# judge-test.sh: a judge that lets all pass is none: of a report by hand, what is lost for no
# known reason and what was not measured has to be refused, and nothing else.
set -euo pipefail
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# One workload on one ring, 100 transfers per read on stock, and 50 with hints.
# shellcheck disable=SC2016 # the variables are jq's
good='
def around: {median: ., min: (. - 1), max: (. + 1)};
def alone: {median: ., min: ., max: .};
def case($mode; $transfers):
  {workload: "chase", phase: "chase", consumer: "far", threads: 1, ring: "default", $mode, rq_affinity: 1,
   repeats: 3, wrong: 0, remote_ratio: null, ahead: null, sleeps: null, in_flight: null, times: null,
   per_read: {transfers: ($transfers | around), instructions: (10000 | around), ipis: (1 | around)}};
[{topology: "small", machine: null, missing: [], cases: [case("stock"; 100)]},
 {topology: "small", machine: null, missing: [], cases: [case("unhinted"; 100), case("hinted"; 50)]}]
| def counted($mode): .[].cases[] | select(.mode == $mode) | .per_read;
  def transfers($mode): counted($mode) | .transfers;
  def ipis($mode): counted($mode) | .ipis;
  '
losses='[{"topology": "small", "workload": "chase", "mode": "hinted", "by": "transfers", "peer": "default",
	"times": "1.5", "reason": "It is known"}]'
cases=$'# A comment.\nsm.*\t\tchase(, near)?\tdefault\t\tstock/1|unhinted/1|hinted/1\nlarge\tchase\tdefault\tstock/1'

# What rows are looked at.
by=transfers

# expect VERDICT WORDS CHANGE: the row of the report with that change, and its reason, if there
# is any; and what both judges say, which is nothing where there is no ground to refuse it.
expect()
{
	local verdict=$1 words=$2 change=$3 report=$scratch/report.json row judge said status=0

	jq -n -c "$good $change | .[]" | jq -L "$bench/../common" -s --argjson facts '{"repeats": 3, "accelerator": {"name": "tcg"}}' \
		--argjson losses "$losses" --arg cases "$cases" -f "$bench/report.jq" >"$report"
	row=$(jq -r --arg by "$by" '.verdicts[] | select(.by == $by) | "\(.verdict), \(.why)" | rtrimstr(", null")' "$report")
	for judge in unexplained lacking; do
		jq -r -f "$bench/$judge.jq" "$report" || status=1
	done >"$scratch/said" 2>&1
	said=$(cat "$scratch/said")
	if [[ $row == "$verdict" && $said == "$words" && $status == "$([[ -z $words ]]; echo $?)" ]]; then
		printf 'right: %s: %s; %s\n' "$change" "${row:-no row}" "${said:-accepted}"
	else
		printf '%s: %s, not %s; status %d, and said: %s; expected: %s\n' "$change" "$row" "$verdict" "$status" \
			"$said" "$words"
		failed=1
	fi
}

expect win '' .
expect tie '' 'transfers("hinted") = (101 | around)'
# So little is no difference, however sure.
expect tie '' 'transfers("stock") = (10 | alone) | transfers("hinted") = (12 | alone)'
# Hints have not won what is had without them.
expect tie '' 'transfers("unhinted") = (40 | around)'
# As much as is known, and what two runs differ by; then one more.
expect 'lose, It is known' '' 'transfers("hinted") = (152 | around)'
expect lose 'small chase, hinted, by transfers: 153, stock 100 (default, rq_affinity 1)' \
	'transfers("hinted") = (153 | around)'
# The same, where it is known how much more.
losses=${losses/1.5/+20}
expect 'lose, It is known' '' 'transfers("hinted") = (122 | around)'
expect lose 'small chase, hinted, by transfers: 123, stock 100 (default, rq_affinity 1)' \
	'transfers("hinted") = (123 | around)'
losses=${losses/+20/1.5}
# What is known is of that topology, and of that peer.
expect lose 'other chase, hinted, by transfers: 140, stock 100 (default, rq_affinity 1)' \
	'transfers("hinted") = (140 | around) | .[].topology = "other"'
expect lose 'small chase, hinted, by transfers: 140, stock 99 (coop, rq_affinity 1)' \
	'transfers("hinted") = (140 | around) | .[0].cases += [.[0].cases[0] | .ring = "coop" | .per_read.transfers = (99 | around)]'
# Interrupts are those of the two that have the fewest transfers.
by=ipis
expect tie '' .
expect win '' 'ipis("hinted") = (0.5 | alone) | ipis("stock") = (1 | alone)'
expect lose 'small chase, hinted, by ipis: 1.5, stock 1 (default, rq_affinity 1)' \
	'ipis("hinted") = (1.5 | alone) | ipis("stock") = (1 | alone)'
expect tie '' 'ipis("hinted") = (1.04 | alone) | ipis("stock") = (1 | alone)'
expect win '' 'ipis("hinted") = (0.5 | alone) | ipis("stock") = (1 | alone)
	| .[0].cases += [.[0].cases[0] | .ring = "coop" | .per_read |= (.transfers = (101 | around) | .ipis = (0.1 | alone))]'
# Of three flows on one ring there are four rows, in this order: what there is of all, held
# against the most prompt of stock and against the least of any; and so what there is while an
# urgent read is in flight.
chase_cases=$cases cases=
mixed='.[].cases[] |= (.workload = "mixed" | .phase = "mixed" | .ahead = (1 | alone) | .sleeps = (0.1 | alone)
	| .in_flight = {sleeps: (0.5 | alone), per_read: (.per_read | .ipis = (1 | alone))})'
calmer='| .[0].cases += [.[0].cases[0] | .ring = "coop" | .ahead = (2 | alone)
	| .in_flight.per_read.ipis = (0.1 | alone)]'
in_flight='| (.[1].cases[1].in_flight) |='
expect $'tie\ntie\ntie\ntie' '' "$mixed"
expect $'tie\ntie\nwin\nwin' '' "$mixed $in_flight (.per_read.ipis = (0.5 | alone)) | (.[0].cases[].in_flight.per_read.ipis) = (1 | alone)"
expect $'tie\ntie\ntie\nlose' 'small mixed, in flight, least, hinted, by ipis: 1, stock 0.1 (coop, rq_affinity 1)' \
	"$mixed $calmer"
expect $'tie\ntie\nlose\nlose' "small mixed, in flight, hinted, by ipis: 3, stock 1 (default, rq_affinity 1)
small mixed, in flight, least, hinted, by ipis: 3, stock 1 (default, rq_affinity 1)" \
	"$mixed $in_flight (.per_read.ipis = (3 | alone))"
# Of ours that is held which is through with the least, whatever the other one has.
expect $'tie\ntie\nlose\nlose' "small mixed, in flight, hinted, by ipis: 3, stock 1 (default, rq_affinity 1)
small mixed, in flight, least, hinted, by ipis: 3, stock 1 (default, rq_affinity 1)" \
	"$mixed | .[1].cases += [.[1].cases[1] | .ring = \"coop\" | .ahead = (1.1 | alone)
	| .in_flight.per_read |= (.instructions = (9000 | alone) | .ipis = (3 | alone))]"
by=sleeps
expect $'tie\ntie\nwin\nwin' '' "$mixed $in_flight (.sleeps = (0.4 | alone))"
expect $'tie\ntie\nlose\nlose' "small mixed, in flight, hinted, by sleeps: 0.6, stock 0.5 (default, rq_affinity 1)
small mixed, in flight, least, hinted, by sleeps: 0.6, stock 0.5 (default, rq_affinity 1)" \
	"$mixed $in_flight (.sleeps = (0.6 | alone))"
# What no report of an earlier stock kernel has is not held against anything.
expect $'tie\ntie' '' "$mixed | del(.[0].cases[].in_flight)"
cases=$chase_cases
by=transfers
# Who has no module is held against stock on the same ring, not against its best.
expect $'win\ntie' '' '.[1].cases += [case("patched"; 101)] | .[0].cases += [case("stock"; 10) | .ring = "coop"] | transfers("hinted") = (5 | around)'
expect $'win\nlose' 'small chase, patched, by transfers: 110, stock 100 (default, rq_affinity 1)' '.[1].cases += [case("patched"; 110)]'
# Without one side there is no row, nor may that be.
not='was not measured, or not 3 times'
expect '' "small: chase, default, hinted, rq_affinity 1: $not
small: chase, any, hinted, rq_affinity any: nothing to compare with" 'del(.[1].cases[1])'
expect '' "small: chase, default, stock, rq_affinity 1: $not
small: chase, any, stock, rq_affinity any: nothing to compare with" '.[0].cases = []'
expect win "small: chase, default, unhinted, rq_affinity 1: $not" 'del(.[1].cases[0])'
expect win "small: chase, default, hinted, rq_affinity 1: $not" '.[1].cases[1].repeats = 2'
expect '' 'small: chase, default, hinted, rq_affinity 1: no such luck
small: chase, any, hinted, rq_affinity any: nothing to compare with' \
	'del(.[1].cases[1]) | .[1].missing = [{workload: "chase", ring: "default", mode: "hinted", why: "no such luck"}]'
expect win 'small: chase, near, any, hinted, rq_affinity any: nothing to compare with' \
	'.[0].cases += [.[0].cases[0] | .consumer = "near"]'
# Who polls is beside those who do not, wherever these are.
expect $'win\nlose' 'small chase, near, spinning, hinted, by transfers: 50, stock 2 (iopoll, rq_affinity 1)' \
	'.[0].cases += [case("stock"; 2) | .ring = "iopoll"] | (.[].cases[] | select(.ring == "default") | .consumer) = "near"'
# What need not be may be missing.
expect win '' '.[0].missing = [{workload: "chase", ring: "hybrid", mode: "stock", why: "no such luck"}]'
exit "$failed"
