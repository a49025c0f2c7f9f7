# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $stock and count() are coherence.sh's
# Sourced by coherence.sh: transfers per read, on the stock and on the patched
# kernel, with hints and without.

# In the first the interrupt is on one CPU for all, in the second on each.
read -ra io_topologies <<<"${COHERENCE_TOPOLOGIES:-one-queue-2llc queue-per-cpu}"
io_repeats=${COHERENCE_REPEATS:-3}
io_ios=${COHERENCE_IOS:-1000}
# What holds in any of them (limits.jq): half of stock's needs one that shares a cache.
io_limits=(nothing)
[[ " ${io_topologies[*]} " != *' one-queue-2llc '* ]] || io_limits+=(near)
[[ " ${io_topologies[*]} " != *' queue-per-cpu '* ]] || io_limits+=(loop)
# shellcheck disable=SC2034 # coherence.sh's
io_steps=$((2 * ${#io_topologies[@]} + 2 + ${#io_limits[@]}))

# io_guest TOPOLOGY VARIANT KDIR MODE...: a short queue, so that the warm-up goes
# round it, and no entry is first touched within a region.
io_guest()
{
	local topology=$1 variant=$2 kdir=$3 name=io-$1-$2
	local -a add=()
	shift 3

	[[ $variant == stock ]] ||
		add=(--add "$dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko")
	top=200 count "$name" "$kdir" "$topology" --append nvme.io_queue_depth=64 \
		--drive serial=coherence,size=256M \
		--add "$dir/coherence-io:/usr/bin/coherence-io" \
		--add "$CPROV_TOP/tools/common/count.sh:/lib/cprov/count.sh" \
		--add "$CPROV_TOP/tools/coherence/io-guest.sh:/lib/cprov/io-guest.sh" "${add[@]}" \
		-- bash /lib/cprov/io-guest.sh "$io_ios" "$io_repeats" "$@"
}

# All that two runs may differ by is here.
io_facts()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --argjson run "$(run_facts)" --arg qemu "$(qemu_facts)" \
		'{schema: 1, command: "tools/coherence.sh io"} + $run +
		 {accelerator: {name: "tcg", threads: "multi", qemu: $qemu}}'
}

# Topologies, and kernels, whose guests did not end well are missing.
io_report()
{
	local topology variant name

	for topology in "${io_topologies[@]}"; do
		for variant in stock patched; do
			name=$dir/io-$topology-$variant
			[[ -s $name.said && -s $name.counted ]] || continue
			jq -L "$CPROV_TOP/tools/coherence" -n -f "$CPROV_TOP/tools/coherence/io.jq" --arg topology "$topology" \
				--arg variant "$variant" --slurpfile said "$name.said" \
				--slurpfile counted "$name.counted"
		done
	done | jq -s --argjson facts "$(io_facts)" '$facts + {guests: .}' >"$dir/report.json.tmp"
	mv "$dir/report.json.tmp" "$dir/report.json"
	jq -e --argjson guests $((2 * ${#io_topologies[@]})) \
		'.guests | length == $guests and all(.[]; .errors == [])' "$dir/report.json" >/dev/null || {
		jq -r '.guests[].errors[]' "$dir/report.json"
		return 1
	}
}

io_limit()
{
	jq -r -f "$CPROV_TOP/tools/coherence/limits.jq" --arg rule "$1" "$dir/report.json"
}

io_table()
{
	jq -r -f "$CPROV_TOP/tools/coherence/io-table.jq" "$dir/report.json"
}

io()
{
	local patched topology limit

	# What a guest counts are the instrument's regions, 64, and 18 for each.
	((io_repeats <= 3)) ||
		die "COHERENCE_REPEATS=$io_repeats is too many" "coherence.sh" "at most 3"
	patched=${PATCHED_KDIR:-$("$CPROV_TOP/tools/vm/kernel.sh" build --variant patched)}
	rm -f "$dir"/io-*.{said,counted} "$dir/report.json"
	step io-build module_build "$patched" "$dir"
	for topology in "${io_topologies[@]}"; do
		step "io-$topology-stock" io_guest "$topology" stock "$stock" stock/1 stock/2
		step "io-$topology-patched" io_guest "$topology" patched "$patched" \
			patched/1 unhinted/1 hinted/1
	done
	step io-report io_report
	for limit in "${io_limits[@]}"; do
		step "io-limit-$limit" io_limit "$limit"
	done
	[[ ! -s $dir/report.json ]] || io_table
}
