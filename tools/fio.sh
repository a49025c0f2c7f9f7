#!/bin/bash
# fio.sh: Debian's fio, as it is, with io_uring: on the stock kernel, on the patched
# one with the policy loaded, and there with a hint that a launcher or a rule gives
# its ring. It verifies what it wrote, and its completions come home
# (Documentation/fio.rst). A table, and build/fio/report.json and report.txt.
#
# FIO_IOS is how many writes, and how many reads, there are in a run (256), FIO_ROUNDS
# how often fio is killed in each mode (1). STOCK_KDIR and PATCHED_KDIR name kernel
# build trees to use as they are, instead of building any.
#
# Exit status: 0 all is as it should be; 1 not so; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/guest.sh
. "$tools/guest.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
# shellcheck source=tools/common/reasons.sh
. "$tools/common/reasons.sh"
die_with_parent "$@"
cd "$CPROV_TOP"

dir=$CPROV_TOP/build/fio
topology=one-queue-2llc

# guest WAY BOOT-OPTION...: what it said is in $dir/WAY.said.
guest()
{
	local way=$1 kernel=$patched
	local -a items=(--add "$guest_dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko"
		--bin "$guest_dir/cprovctl")
	shift

	[[ $way != stock ]] || kernel=$stock items=()
	: >"$dir/$way.said"
	"$tools/vm/boot.sh" --name "fio-$way" --kernel "$kernel" --topology "$topology" --append nvme.poll_queues=1 \
		--drive serial=fio,size=64M --drive serial=polled,size=64M,queues=2 --bin fio --bin jq \
		--add "$tools/common/count.sh:/lib/cprov/count.sh" --add "$tools/fio/guest.sh:/lib/cprov/guest.sh" \
		--add "$tools/fio/modes:/lib/cprov/modes" --add "$tools/fio/exceptions:/lib/cprov/exceptions" \
		"${items[@]}" "$@" \
		--out "$dir/$way.said" --timeout "${GUEST_TIMEOUT:-900}" -- \
		bash /lib/cprov/guest.sh "$way" "${FIO_IOS:-256}" "${FIO_ROUNDS:-1}"
}

# The files modes and exceptions as JSON.
lists()
{
	grep -v '^#' "$tools/fio/modes" | jq -R -n '[inputs | split("\\s+"; null)
		| { mode: .[0], device: .[1], next: .[2], options: .[3:] | map(select(. != "")) }]' >"$dir/modes.json"
	read_reasons "$tools/fio/exceptions" Documentation/fio.rst check mode >"$dir/exceptions.json"
}

write_report()
{
	local why

	lists
	why=$("$tools/vm/accel.sh" "$patched/vmlinux.boot")
	# A guest that was lost may have left half a line.
	# shellcheck disable=SC2016 # the variables are jq's
	cat "$dir"/{stock,unhinted,hinted,killed}.said | jq -R 'fromjson? // empty' |
		jq -n -f "$tools/fio/report.jq" --argjson run "$(run_facts)" --arg qemu "$(qemu_facts)" \
			--arg accelerator "${why%%$'\t'*}" \
			--arg package "$(dpkg-query -W -f '${Package} ${Version}' fio)" --arg topology "$topology" \
			--slurpfile modes "$dir/modes.json" --slurpfile exceptions "$dir/exceptions.json" \
			>"$dir/report.json"
	jq -r -f "$tools/fio/text.jq" "$dir/report.json" >"$dir/report.txt"
}

# verdict WHAT: fails with what is not as it should be, of a mode, or of spoiled or
# killed.
verdict()
{
	local said

	said=$(jq -r --arg what "$1" -f "$tools/fio/verdict.jq" "$dir/report.json")
	[[ -z $said ]] || { printf '%s\n' "$said" "it is all in $dir/report.json"; return 1; }
}

# A judge that lets all pass is none: each report of the file wrong, which is this
# one with something in it that must not be, has to be refused, and for that.
judge_can_fail()
{
	local what text change status=0

	while IFS=$'\t' read -r what text change; do
		[[ -n $what && $what != '#'* ]] || continue
		jq "$change" "$dir/report.json" >"$dir/wrong.json"
		jq -r --arg what "$what" -f "$tools/fio/verdict.jq" "$dir/report.json" >"$dir/wrong.before"
		jq -r --arg what "$what" -f "$tools/fio/verdict.jq" "$dir/wrong.json" |
			grep -vxFf "$dir/wrong.before" >"$dir/wrong.said" || true
		if grep -qE "$text" "$dir/wrong.said"; then
			printf 'refused: %s\n' "$(grep -m 1 -E "$text" "$dir/wrong.said")"
		else
			printf 'not refused: %s\n' "$change"
			status=1
		fi
	done <"$tools/fio/wrong"
	return $status
}

stock=${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}
patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
guest_build "$patched"
mapfile -t modes < <(sed '/^#/d; s/[[:space:]].*//' "$tools/fio/modes")
# To look at what the guests said takes no time.
steps_begin fio $((8 + ${#modes[@]})) $((4 + ${#modes[@]}))
rm -f "$dir"/*.said "$dir"/report.*
for way in stock unhinted hinted; do
	step "guest-$way" guest "$way"
done
# The module comes and goes under load: what patches code would be run again.
step guest-killed guest killed --one-thread
step report write_report
for mode in "${modes[@]}"; do
	step "$mode" verdict "$mode"
done
step spoiled verdict spoiled
step killed verdict killed
step judge-can-fail judge_can_fail
cat "$dir/report.txt" 2>/dev/null || true
steps_end || exit 1
