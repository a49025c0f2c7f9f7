# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $tools, $stock and $patched are icount.sh's
# Sourced by icount.sh: what is counted now against what was counted when the
# baseline was made. All of it is the difference to the stock kernel in the same
# run, which other compilers and hosts change little.

gate_baseline=${ICOUNT_BASELINE:-$tools/icount/baseline.json}
gate_coherence=$CPROV_TOP/build/coherence/report.json
# shellcheck disable=SC2034 # icount.sh's
gate_steps=$(($([[ -n ${UPDATE:-} ]] && echo 4 || echo 7)))

# Where nothing of a drive is remote, what is counted is what hints cost, and what they
# save where a worker submits; where one interrupt is for all CPUs, what they save.
gate_transfers()
{
	STOCK_KDIR=$stock PATCHED_KDIR=$patched COHERENCE_TOPOLOGIES="$count_topology one-queue-2llc" \
		COHERENCE_IOS=300 COHERENCE_REPEATS=3 "$tools/coherence.sh" io
}

# Sizes as the guest's kernels have them.
gate_structs()
{
	struct_sizes "$stock/vmlinux" "$patched/vmlinux" >"$dir/structs.json"
}

# What this run has, in the form of the baseline.
gate_now()
{
	jq -n -f "$tools/icount/baseline.jq" --slurpfile report "$dir/report.json" \
		--slurpfile structs "$dir/structs.json" \
		--slurpfile coherence "$gate_coherence"
}

gate_update()
{
	gate_now >"$gate_baseline.tmp"
	mv "$gate_baseline.tmp" "$gate_baseline"
	jq -r '"baseline of \(.kernel), \(.compiler): \(.cases | length) cases"' "$gate_baseline"
}

# gate_region VARIANT KDIR TOPOLOGY CONSUMER MODE: the first region of it in the guest of
# gate_transfers(), with the names of who paid.
gate_region()
{
	local counted=$CPROV_TOP/build/coherence/io-$3-$1 region base
	local -a module=()

	# shellcheck disable=SC2016 # the variables are jq's
	region=$(jq -n --arg consumer "$4" --arg mode "$5" 'first(inputs
		| select(.device == "nvme" and .consumer == $consumer and .mode == $mode and .rq_affinity == 1)) | .region' \
		"$counted.said")
	base=$(jq -r '.module.text // empty' "$counted.said")
	[[ -z $base ]] || module=(--module "$CPROV_TOP/build/coherence/completion_provenance.ko:$base")
	"$tools/coherence/report.sh" --kernel "$2" --region "$region" "${module[@]}" --top 0 --json "$counted.counted"
}

# gate_who TOPOLOGY CONSUMER MODE: which functions pay for more transfers than on the stock
# kernel.
gate_who()
{
	jq -n -r -f "$tools/icount/who.jq" --slurpfile was <(gate_region stock "$stock" "$1" "$2" stock) \
		--slurpfile now <(gate_region patched "$patched" "$@")
}

# gate_compare WHAT: fails with what rose. The baseline is part of the tree, so one that
# is missing is a mistake, and nothing to skip.
gate_compare()
{
	[[ -s $gate_baseline ]] || {
		echo "there is no baseline to compare with, $gate_baseline: git checkout it, or make icount UPDATE=1"
		return 1
	}
	gate_now >"$dir/now.json"
	gate_rose "$1" "$gate_baseline" "$dir/now.json"
}

# gate_rose WHAT WAS NOW: of transfers, who pays is looked up only if they rose.
gate_rose()
{
	local said topology consumer mode

	said=$(jq -n -r -f "$tools/icount/gate.jq" --arg what "$1" --slurpfile was "$2" --slurpfile now "$3" 2>&1) ||
		{
			printf '%s\n' "$said"
			[[ $1 == transfers ]] || return 1
			while IFS=/ read -r topology consumer mode; do
				printf '%s, %s, %s, more than stock:\n' "$topology" "$consumer" "$mode"
				gate_who "$topology" "$consumer" "$mode"
			done < <(sed -n 's|^\([^ ]*\): .*: rose by .*|\1|p' <<<"$said")
			return 1
		}
	printf '%s\n' "$said"
}

# Where each CPU has a queue nothing is to be won, and nothing may be lost: no case
# has more transfers than stock, as far as two runs of one kernel agree.
limit_transfers()
{
	# shellcheck disable=SC2016 # the variables are jq's
	gate_now | jq -r --arg topology "$count_topology/" '.tolerance.transfers as $may
		| [.transfers | to_entries[] | select(.key | startswith($topology)) | .text = "\(.key): \(.value.over_stock) over stock, may be \($may)"]
		| if . == [] then "no case was counted\n" | halt_error(1)
		  elif all(.[]; .value.over_stock <= $may) then .[].text
		  else (map(.text) | join("\n") + "\n" | halt_error(1)) end'
}

# A gate that lets all pass is none: of a baseline that is lower by as much as is
# tolerated, each figure must pass, and by 1 more, none; nor may any without a baseline,
# or with an empty one. So with what coherence.sh limits.
gate_can_fail()
{
	local what more status figures gate_baseline

	: >"$dir/lower.json"
	for gate_baseline in "$dir/missing.json" "$dir/lower.json"; do
		status=0
		gate_compare cases || status=$?
		((status != 0 && status != 77)) || { echo "$gate_baseline: status $status"; return 1; }
	done
	for what in cases structs transfers; do
		for more in 0 1; do
			# shellcheck disable=SC2016 # the variables are jq's
			gate_now | jq --argjson more "$more" --arg what "$what" '
				.tolerance as $may
				| if $what == "cases" then
					.cases[] |= (.over_stock -= $may.instructions + $more
						| .grown["a_function"] = 9 | .grown |= with_entries(.value -= 9))
				  elif $what == "structs" then .structs[].stock += $may.bytes + $more
				  else .transfers |= with_entries(.value.over_stock -= $more
					+ if .key | test("/home/") then $may.transfers else $may.transfers_away end) end' >"$dir/lower.json"
			status=0
			gate_now >"$dir/now.json"
			gate_rose "$what" "$dir/lower.json" "$dir/now.json" >"$dir/lower.log" 2>&1 || status=$?
			cat "$dir/lower.log"
			((status != 0 == more)) || { echo "$what, $more beyond: status $status"; return 1; }
			figures=$(jq --arg what "$what" '.[$what] | length' "$dir/now.json")
			[[ $more == 0 || $(grep -c 'rose by more than' "$dir/lower.log") == "$figures" ]] ||
				{ echo "$what: not all of $figures figures"; return 1; }
			# Who pays is named, if anybody does.
			[[ $what$more != transfers1 ]] || grep ', hinted, more than stock:$' "$dir/lower.log" || return 1
		done
	done
	for what in nothing loop near; do
		for more in 0 1; do
			# shellcheck disable=SC2016 # the variables are jq's
			jq --argjson more "$more" --arg what "$what" '
				def transfers($topology; $consumer; $device; $mode):
					.guests[] | select(.topology == $topology) | .cases[]
					| select(.consumer == $consumer and .device == $device and .mode == $mode and .rq_affinity == 1)
					| .per_io.transfers;
				def home($device; $mode): transfers("queue-per-cpu"; "home"; $device; $mode);
				def near($mode): transfers("one-queue-2llc"; "near"; "nvme"; $mode);
				if $what == "loop" then home("loop"; "hinted").median = 20 + $more
				elif $what == "near" then near("hinted").median = near("stock").median / 2 + $more
				else home("nvme"; "hinted").min = home("nvme"; "stock").max + 0.5 + $more end' \
				"$gate_coherence" >"$dir/higher.json"
			status=0
			jq -r -f "$tools/coherence/limits.jq" --arg rule "$what" "$dir/higher.json" \
				>"$dir/lower.log" 2>&1 || status=$?
			cat "$dir/lower.log"
			((status != 0 == more)) || { echo "$what, $more beyond: status $status"; return 1; }
		done
	done
}

gate()
{
	[[ -s $dir/report.json ]] || die "nothing was counted" "$dir/report.json" "tools/icount.sh count"
	step structs gate_structs
	step transfers gate_transfers
	step limit-transfers limit_transfers
	if [[ -n ${UPDATE:-} ]]; then
		step update gate_update
		return
	fi
	step gate-can-fail gate_can_fail
	step gate-instructions gate_compare cases
	step gate-structs gate_compare structs
	step gate-transfers gate_compare transfers
}
