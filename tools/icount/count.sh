# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $tools, $stock and $patched are icount.sh's
# Sourced by icount.sh: the guests, and what is reported of them.

count_topology=queue-per-cpu
count_ios=${ICOUNT_IOS:-200}
count_repeats=${ICOUNT_REPEATS:-2}
# Long enough for the guest to go idle, so that each read waits: a device that
# answers at once would interrupt now here, now there.
count_latency_ns=1000000
limits_rules=(patched module bystander bystander-all beside hinted hinted-rounds mixed)
# shellcheck disable=SC2034 # icount.sh's
count_steps=7 limits_steps=$((${#limits_rules[@]} + 1))

count_build()
{
	make -s -C "$tools/icount" OUT="$dir"
	module_build "$patched" "$dir"
}

# Code of a kernel: address, name.
count_symbols()
{
	nm "$1/vmlinux" | awk '$1 ~ /^ffffffff[89]/ && $2 ~ /^[tTwW]$/ { print $1, $3 }' | LC_ALL=C sort -u
}

# Where the idle loop polls, FIRST-END, in hexadecimal.
count_idle()
{
	count_symbols "$1" | awk 'first != "" && end == "" && $1 != first { end = $1; print first "-" end }
		$2 ~ /^cpu_idle_poll([.]|$)/ { first = $1 }' | grep . ||
		die "the kernel has no cpu_idle_poll()" "$1/vmlinux"
}

# count_guest VARIANT KDIR MODE...: what was counted is in $dir/VARIANT.counted,
# what the guest said of it in $dir/VARIANT.said.
count_guest()
{
	local variant=$1 kdir=$2 idle
	local -a add=()
	shift 2

	idle=$(count_idle "$kdir")
	[[ $kdir != "$patched" ]] ||
		add=(--add "$dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko")
	: >"$dir/$variant.said"
	"$tools/vm/boot.sh" --name "icount-$variant" --kernel "$kdir" --topology "$count_topology" \
		--icount --plugin "$dir/icount.so,out=$dir/$variant.counted,idle=$idle,percentile=25,common=30" \
		--append 'idle=poll nvme.io_queue_depth=64' \
		--qemu -blockdev --qemu "node-name=icount,driver=null-co,size=$((256 << 20)),read-zeroes=on,latency-ns=$count_latency_ns" \
		--qemu -device --qemu "nvme,drive=icount,serial=icount,max_ioqpairs=4" \
		--add "$dir/coherence-io:/usr/bin/coherence-io" \
		--add "$dir/icount-validate:/usr/bin/icount-validate" \
		--add "$tools/icount/guest.sh:/lib/cprov/guest.sh" "${add[@]}" \
		--out "$dir/$variant.said" --timeout 400 \
		-- bash /lib/cprov/guest.sh "$count_ios" "$count_repeats" "$@"
}

# Names of the instructions that were executed, as an object: address, function.
# A compiler's copies of a function have its name.
count_names()
{
	{
		count_symbols "$2"
		jq -r '.symbols[]? // empty' "$dir/$1.said"
	} | sed -E 's/ ([^ .]+)\..*/ \1/' >"$dir/$1.symbols"
	{
		sed 's/$/ 0/' "$dir/$1.symbols"
		jq -r '.pcs[]? | .[0]' "$dir/$1.counted" | sort -u |
			sed -n 's/^0x\(ffffffff.*\)/\1 ~ 1/p'
	} | LC_ALL=C sort -k 1,1 -k 3,3 |
		awk '$3 == 0 { name = $2 } $3 == 1 { printf "0x%s\t%s\n", $1, name }' |
		jq -R -n '[inputs | split("\t") | {key: .[0], value: .[1]}] | from_entries' \
			>"$dir/$1.names"
}

# All that two runs may differ by is here.
count_facts()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --argjson run "$(run_facts)" --arg qemu "$(qemu_facts)" \
		--arg compiler "$(sed -n 's/^CONFIG_CC_VERSION_TEXT="\(.*\)"/\1/p' "$patched/.config")" \
		--arg topology "$count_topology" --argjson ios "$count_ios" --argjson repeats "$count_repeats" \
		'{schema: 3, command: "tools/icount.sh count"} + $run +
		 {accelerator: {name: "tcg", threads: "single", icount: "shift=0", $qemu},
		  $compiler, $topology, $ios, $repeats}'
}

count_report()
{
	local variant

	count_names stock "$stock"
	count_names patched "$patched"
	count_names rounds "$patched"
	for variant in stock patched rounds; do
		# shellcheck disable=SC2016 # the variables are jq's
		jq -n -f "$tools/icount/guest.jq" --arg variant "$variant" \
			--slurpfile said "$dir/$variant.said" --slurpfile counted "$dir/$variant.counted" \
			--slurpfile names "$dir/$variant.names"
	done | jq -s --argjson facts "$(count_facts)" -f "$tools/icount/report.jq" >"$dir/report.json.tmp"
	mv "$dir/report.json.tmp" "$dir/report.json"
	jq -e '.errors == []' "$dir/report.json" >/dev/null || {
		jq -r '.errors[]' "$dir/report.json"
		return 1
	}
}

count_valid()
{
	jq -r -f "$tools/icount/validate.jq" "$dir/report.json"
}

count()
{
	rm -f "$dir"/{stock,patched,rounds}.{said,counted} "$dir/report.json"
	step build count_build
	step guest-stock count_guest stock "$stock" stock stock/rounds stock/other
	# The kernel looks for more once a ring has asked for it, so that goes by order: there
	# are receipts last, and bounded batching is in a guest of its own.
	step guest-patched count_guest patched "$patched" \
		patched module opted-in latency step_critical bystander receipts
	step guest-rounds count_guest rounds "$patched" \
		patched/{rounds,other} module/{rounds,other} bystander/other \
		{latency,urgent,urgent-batch,mixed,mixed-slots}/rounds bystander-all
	step report count_report
	step valid count_valid
	step table count_table
	[[ ! -s $STEPS_DIR/table.log ]] || cat "$STEPS_DIR/table.log"
}

count_table()
{
	jq -L "$tools/icount" -r -f "$tools/icount/table.jq" "$dir/report.json"
}

# limit_of RULE [OPTION...]: fails with what is beyond it, and the functions that cost it.
limit_of()
{
	jq -L "$tools/icount" -r -f "$tools/icount/limits.jq" --arg rule "$1" "${@:2}" "$dir/report.json"
}

# A limit that lets all pass is none: who costs as much as may be must pass, who costs
# 1 more, must not, in any case, nor who was not counted.
limits_can_fail()
{
	local rule more status cases

	for rule in "${limits_rules[@]}"; do
		for more in 0 1 gone; do
			status=0
			limit_of "$rule" --arg more "$more" >"$dir/tried.log" 2>&1 || status=$?
			cat "$dir/tried.log"
			[[ $((status != 0)) == "${more/gone/1}" ]] || { echo "$rule, $more beyond: status $status"; return 1; }
			case $more in
			0) cases=$(wc -l <"$dir/tried.log") ;;
			1) [[ $(grep -c 'the limit is' "$dir/tried.log") == "$cases" ]] || { echo "$rule: not all of $cases cases"; return 1; } ;;
			esac
		done
	done
}

limits()
{
	local rule

	[[ -s $dir/report.json ]] || die "nothing was counted" "$dir/report.json" "tools/icount.sh count"
	step limits-can-fail limits_can_fail
	for rule in "${limits_rules[@]}"; do
		step "limit-$rule" limit_of "$rule"
	done
}
