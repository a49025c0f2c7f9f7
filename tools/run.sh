#!/bin/bash
# run.sh: the demonstration behind `make run`.
#
# Reads a file with O_DIRECT through io_uring, on a raw NVMe drive and through
# ext4: on the stock kernel, on the patched one without hints, and with them, in
# guests of four topologies.  Prints where the completions ran, and writes
# build/run/report.json (Documentation/report.rst).
#
# CPROV_RUN_DIR is another place for the results.  STOCK_KDIR and PATCHED_KDIR
# name kernel build trees to use as they are, instead of building any.
# CPROV_RUN_TIMEOUT is how many seconds a guest may take.
#
# Exit status: 0 all data are right and each hinted completion came home;
# 1 something is not so; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/common/facts.sh
. "$tools/common/facts.sh"
die_with_parent "$@"

scenarios=(one-queue few-queues queue-per-cpu two-node)
# A guest takes a few seconds; a host that builds a kernel meanwhile, more.
deadline=${CPROV_RUN_TIMEOUT:-180}
dir=${CPROV_RUN_DIR:-$CPROV_TOP/build/run}
begin=$SECONDS

build_module()
{
	module_build "$1" "$dir" >"$dir/module.log" 2>&1 ||
		die "the module does not build" "$dir/module.log" "tail $dir/module.log"
}

# Vector instructions cost more than they save where they are emulated, and
# libcrypto cannot know: whole hashes take a quarter of the time without.
crypto_settings()
{
	[[ $accel != tcg ]] || echo OPENSSL_ia32cap=0:0
}

# Run one guest, and leave what it wrote in $dir/guest-SCENARIO-VARIANT.json.
run_guest()
{
	local scenario=$1 variant=$2 kdir=$3 name=run-$1-$2 status=0 one_thread=false
	local -a add=()
	shift 3

	[[ $variant == stock ]] ||
		add=(--add "$dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko")
	: >"$dir/$name.out"
	# shellcheck disable=SC2046 # no settings are no words
	"$tools/vm/boot.sh" --kernel "$kdir" --topology "$scenario" --name "$name" \
		--drive "serial=run,file=$dir/drive.img,snapshot" \
		--add "$dir/cprovread:/usr/bin/cprovread" \
		--add "$tools/run/guest.sh:/lib/cprov/guest.sh" "${add[@]}" \
		--out "$dir/$name.out" --timeout "$deadline" -- \
		env $(crypto_settings) bash /lib/cprov/guest.sh \
		"$(jq -r .sha256 "$dir/drive.json")" "$(jq -r .offset "$dir/drive.json")" \
		"$(jq -r .bytes "$dir/drive.json")" "$@" || status=$?
	[[ ! -e build/vm/$name/console.one-thread ]] || one_thread=true
	# A lost guest may leave half a line.
	jq -R 'fromjson? // empty' <"$dir/$name.out" |
		jq -s --arg scenario "$scenario" --arg variant "$variant" --argjson status "$status" --argjson one_thread "$one_thread" \
			--arg files "build/vm/$name" \
			'{$scenario, $variant, $status, $one_thread, $files, lines: .}' \
			>"$dir/guest-$scenario-$variant.json"
}

write_report()
{
	jq -n -f "$tools/run/report.jq" --slurpfile facts "$dir/facts.json" \
		"$dir"/guest-*.json >"$dir/report.json.tmp"
	mv "$dir/report.json.tmp" "$dir/report.json"
}

show()
{
	write_report
	jq -r --arg name "$1" '.scenarios[] | select(.name == $name)' "$dir/report.json" |
		jq -r -f "$tools/run/table.jq"
}

write_facts()
{
	local accel_why=$1

	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --arg accel "$accel" --arg why "${accel_why#*$'\t'}" \
		--argjson run "$(run_facts)" --arg qemu "$(qemu_facts)" \
		--slurpfile drive "$dir/drive.json" \
		'{schema: 1, command: "make run"} + $run +
		 {accelerator: {name: $accel, why: $why, qemu: $qemu},
		  drive: ($drive[0] | del(.image)), scenarios: $ARGS.positional}' \
		--args "${scenarios[@]}" >"$dir/facts.json"
}

conclude()
{
	local failures

	failures=$(jq -r -f "$tools/run/verdict.jq" "$dir/report.json")
	log ""
	log "report: $dir/report.json, after $(duration $((SECONDS - begin))) minutes"
	if [[ -z $failures ]]; then
		echo "All data verified; every hinted completion ran on its consumer's CPU."
		return
	fi
	log "make run failed:"
	log "${failures//$'\n'/$'\n'}"
	log "  where: log and console in $CPROV_TOP/build/vm/run-SCENARIO-{stock,patched}/"
	log "  to do: read these; 'make shell TOPOLOGY=SCENARIO' opens such a guest"
	exit 1
}

mkdir -p "$dir"
rm -f "$dir"/guest-*.json "$dir"/run-*.out "$dir/report.json"
make -s -C "$tools/cprovread" OUT="$dir" >"$dir/cprovread.log" 2>&1 ||
	die "cprovread does not build" "$dir/cprovread.log"
"$tools/run/drive.sh" "$dir" >/dev/null

stock=${STOCK_KDIR:-$("$tools/vm/kernel.sh" build --variant stock)}
accel_why=$("$tools/vm/accel.sh" "$stock/vmlinux.boot")
accel=${accel_why%%$'\t'*}
write_facts "$accel_why"
echo "accelerator: $accel (${accel_why#*$'\t'}); reads of 64 MiB whole and in samples, raw and ext4"

for scenario in "${scenarios[@]}"; do
	run_guest "$scenario" stock "$stock" stock
	show "$scenario"
done

patched=${PATCHED_KDIR:-$("$tools/vm/kernel.sh" build --variant patched)}
build_module "$patched"
for scenario in "${scenarios[@]}"; do
	run_guest "$scenario" patched "$patched" unhinted hinted
	show "$scenario"
done
conclude
