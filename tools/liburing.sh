#!/bin/bash
# liburing.sh: liburing's own tests, on the stock kernel, on the patched one with
# the policy loaded, and there with a default hint for every ring, by a launcher:
# they pass or fail alike.
#
#   LIBURING_TESTS='read-write poll' ...   only these
#
# A test whose verdicts differ is run five times more on each: it may be one that
# does not always pass anywhere, above all in emulation. If they differ still, though
# it passes at times on each, it is run 300 times more on the stock kernel, or for ten
# minutes: it may fail there as rarely.
#
# Exit status: 0 alike, 1 not so, 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/guest.sh
. "$tools/guest.sh"
die_with_parent "$@"

dir=$CPROV_TOP/build/liburing
runs=(stock patched hinted)

# Static, as the guest has no library.
build()
{
	local source=$dir/liburing

	"$tools/liburing/source.sh" "$dir"
	(
		cd "$source"
		./configure --cc="ccache gcc"
		make -s -j"$(nproc)" -C src ENABLE_SHARED=0
		make -s -j"$(nproc)" -k -C test LDFLAGS="-L../src -static"
	)
	rm -rf "$dir/tests"
	mkdir "$dir/tests"
	find "$source/test" -maxdepth 1 -type f -name '*.t' -exec cp -t "$dir/tests" {} +
	[[ -n $(ls "$dir/tests") ]]
	strip "$dir"/tests/*
}

# guest RUN REPEATS TEST...: a line for each verdict in $dir/RUN.said.
guest()
{
	local run=$1 repeats=$2 kernel=$patched mode=plain each=$(($2 < 10 ? 65 * $2 : 665))
	local -a items=(--add "$guest_dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko"
		--bin "$guest_dir/cprovctl")
	shift 2

	case $run in
	stock) kernel=$stock items=() ;;
	hinted) mode=hinted ;;
	esac
	: >"$dir/$run.said"
	"$tools/vm/boot.sh" --name "liburing-$run" --kernel "$kernel" --topology one-queue-2llc \
		--add "$dir/tests:/liburing" --add "$tools/liburing/guest.sh:/usr/bin/liburing-guest.sh" \
		--drive serial=liburing,size=256M "${items[@]}" \
		--out "$dir/$run.said" --timeout $((600 + ${#} * each)) -- \
		liburing-guest.sh "$repeats" "$mode" "$@"
	cat "$dir/$run.said" >>"$dir/$run.verdicts"
}

# The verdicts of a test in a run, each once.
verdicts()
{
	awk -v name="$2" '$1 == name { print $2 }' "$dir/$1.verdicts" | sort -u | paste -sd,
}

has_verdict()
{
	verdicts "$1" "$2" | tr , '\n' | grep -qx "$3"
}

# alike TEST: no run has a verdict that stock's have not, and where stock passes at
# times, each does.
alike()
{
	local run

	for run in "${runs[@]:1}"; do
		[[ -n $(verdicts "$run" "$1") ]] || return 1
		[[ -z $(comm -13 <(verdicts stock "$1" | tr , '\n') <(verdicts "$run" "$1" | tr , '\n')) ]] ||
			return 1
		! has_verdict stock "$1" pass || has_verdict "$run" "$1" pass || return 1
	done
}

# passes_at_times TEST: in each run.
passes_at_times()
{
	local run

	for run in "${runs[@]}"; do
		has_verdict "$run" "$1" pass || return 1
	done
}

different()
{
	local name

	for name in "${names[@]}"; do
		alike "$name" || printf '%s\n' "$name"
	done
}

# All that differ are run again, on all kernels, and looked at with the first.
again()
{
	local run name
	local -a left

	mapfile -t left < <(different)
	((${#left[@]})) || return 0
	printf 'run again: %s\n' "${left[*]}"
	for run in "${runs[@]}"; do
		guest "$run" 5 "${left[@]}"
	done
	mapfile -t left < <(different | while read -r name; do
		! passes_at_times "$name" || printf '%s\n' "$name"
	done)
	((${#left[@]})) || return 0
	printf 'run again on the stock kernel: %s\n' "${left[*]}"
	guest stock 300 "${left[@]}"
}

compare()
{
	local name run status=0

	printf '%-32s' test
	printf ' %-16s' "${runs[@]}"
	printf '\n'
	for name in "${names[@]}"; do
		printf '%-32s' "$name"
		for run in "${runs[@]}"; do
			printf ' %-16s' "$(verdicts "$run" "$name")"
		done
		if alike "$name"; then
			printf '\n'
		else
			printf ' different\n'
			status=1
		fi
	done | tee "$dir/table"
	! grep -q ' different$' "$dir/table" || status=1
	# A comparison of nothing but failures says nothing.
	(($(grep -c ' pass' "$dir/stock.verdicts") * 2 > ${#names[@]})) ||
		{ echo 'most tests do not pass on the stock kernel'; status=1; }
	return $status
}

stock=$("$tools/vm/kernel.sh" build --variant stock)
patched=$("$tools/vm/kernel.sh" build --variant patched)
guest_build "$patched"
steps_begin liburing 6
mkdir -p "$dir"
step build build
if [[ -n ${LIBURING_TESTS:-} ]]; then
	read -ra names <<<"${LIBURING_TESTS// /.t }.t"
else
	mapfile -t names < <(cd "$dir/tests" && printf '%s\n' *.t)
fi
rm -f "$dir"/*.verdicts
for run in "${runs[@]}"; do
	step "$run" guest "$run" 1 "${names[@]}"
done
step again again
step alike compare
cat "$dir/table" 2>/dev/null || true
steps_end || exit 1
