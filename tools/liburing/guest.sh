#!/bin/bash
# guest.sh REPEATS MODE TEST...: what a guest of liburing.sh does: runs liburing's
# tests, so often each, but none again that has had ten minutes. MODE is plain, or
# hinted: started by a launcher that gives their rings a default hint. The port
# cprov.out gets a line for each run: the test and its verdict, which is pass, skip,
# timeout or fail.
set -uo pipefail

repeats=$1 mode=$2
shift 2

module=/lib/cprov/completion_provenance.ko
exec {out}>/dev/virtio-ports/cprov.out
launcher=()
if [[ -e $module ]]; then
	insmod "$module" || exit 1
fi
if [[ $mode == hinted ]]; then
	# No limit of theirs, and steered wherever there is a choice.
	launcher=(cprovctl run --strict --class latency --budget 60s --follow-task --)
fi

verdict()
{
	case $1 in
	0) echo pass ;;
	77) echo skip ;;
	124 | 137) echo timeout ;;
	*) echo fail ;;
	esac
}

# limit TEST: seconds. Some fork thousands of times, which takes a minute in emulation, or
# two on a busy machine; those that hang, as there is no network, need not do so for long.
limit()
{
	case $1 in
	a4c0b3decb33.t | pollfree.t) echo 300 ;;
	*) echo 60 ;;
	esac
}

# A test leaves files where it is, and processes that it forgot.
one()
{
	local name=$1 dir status=0

	dir=$(mktemp -d)
	cd "$dir" || return
	timeout --kill-after=5 "$(limit "$name")" "${launcher[@]}" "/liburing/$name" >"$dir.out" 2>&1 || status=$?
	cd /
	rm -rf "$dir"
	verdict "$status"
	[[ $status == 0 || $status == 77 ]] || sed "s|^|$name: |" "$dir.out" | tail -n 5 >&2
	rm -f "$dir.out"
}

ulimit -l unlimited
for name; do
	began=$SECONDS
	for ((i = 0; i < repeats && SECONDS - began < 600; i++)); do
		printf '%s %s\n' "$name" "$(one "$name")" >&"$out"
	done
done
