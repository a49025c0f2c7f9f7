#!/bin/bash
# test.sh: the selftests in guests, in every topology, and what compares kernels.
#
#   DEBUG=kasan make test     the same on a kernel with KASAN and lockdep
#   TESTS='carry steer' ...   only these groups (selftests/run_all.sh), and
#                             nothing but the selftests
#   TOPOLOGIES='one-queue'    only these
#   TEST_MINUTES=10           begin no test once it has tested for so long
#
# Exit status: 0 all passed, 1 some failed, 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
# shellcheck source=tools/guest.sh
. "$tools/guest.sh"
die_with_parent "$@"
cd "$CPROV_TOP"

debug=${DEBUG:-none}
read -ra only <<<"${TESTS:-}"
# threadirqs is one-queue, with interrupts that are threads.
read -ra topologies <<<"${TOPOLOGIES:-one-queue-2llc one-cpu one-queue few-queues queue-per-cpu two-node eight-cpu threadirqs}"

# What does not depend on the topology runs in the first; where completions go
# is asked in all of them, and where the drive has several queues each way to
# submit, and a task that moves, are as well.
groups_for()
{
	# What has a guest of its own, see below.
	local elsewhere='reload.*|carry_multipath'

	if ((${#only[@]})); then
		[[ $debug != kasan ]] || elsewhere+='|way_exit'
		printf '%s\n' "${only[@]}" | grep -vxE "$elsewhere" || true
	elif [[ $1 == "${topologies[0]}" ]]; then
		printf '%s\n' abi perm carry steer batch way fault rule ctl
	else
		echo steer
		# Where the drive has several queues.
		[[ $1 != @(few-queues|queue-per-cpu|two-node) ]] || printf '%s\n' way_submit way_migrate
		# A home CPU that is not on the home node takes two nodes.
		[[ $1 != two-node ]] || echo rule_files
		# Only a queue that is one CPU's goes away with it.
		[[ $1 != queue-per-cpu ]] || echo fault_offline
	fi
}

# in_time COMMAND...: with what is left of the time. A guest that has just booted is no use.
in_time()
{
	local left

	if [[ -n ${TEST_MINUTES:-} ]]; then
		left=$((TEST_MINUTES * 60 - (SECONDS - STEPS_BEGIN)))
		((left >= 60)) || { echo "the $TEST_MINUTES minutes are over"; exit 77; }
		export CPROV_SECONDS=$left
		# A test that hangs, too, has its end; boot.sh gives a slow kernel more.
		GUEST_TIMEOUT=$(((left + 600) / $(slowdown "$patched")))
		((GUEST_TIMEOUT < 900)) || GUEST_TIMEOUT=900
		export GUEST_TIMEOUT
	fi
	"$@"
}

selftests_in()
{
	local topology=$1 name=test-$1
	local -a groups options=()

	mapfile -t groups < <(groups_for "$topology")
	((${#groups[@]})) || { echo 'none of the tests is for it'; exit 77; }
	[[ $topology != threadirqs ]] || { topology=one-queue; options=(--append threadirqs); }
	guest_selftests "$name" "$patched" "$topology" "${options[@]}" -- "${groups[@]}"
}

# The module comes and goes under load: in a guest of its own.
reloads()
{
	if ((${#only[@]})) && ! printf '%s\n' "${only[@]}" | grep -q '^reload'; then
		echo 'none of the tests is for it'
		exit 77
	fi
	guest_selftests test-reload "$patched" one-queue-2llc -- reload
}

# A drive that has two paths, without which steer_stack skips what is for one.
multipath()
{
	local name
	local -a tests=()

	for name in "${only[@]:-}"; do
		# The drive is there for those that carry_multipath is named beside.
		[[ steer_stack != "$name"* ]] || tests=(carry_multipath steer_stack)
		[[ carry_multipath != "$name"* ]] || ((${#tests[@]})) || tests=(carry_multipath)
	done
	((${#tests[@]})) || { echo 'none of the tests is for it'; exit 77; }
	guest_selftests test-multipath "$patched" one-queue-2llc -- "${tests[@]}"
}

# Programs that die, rings that go away, rules that change: nothing that the kernel
# allocated for them stays behind.
leaks()
{
	if ((${#only[@]})) && ! printf '%s\n' "${only[@]}" | grep -qx 'way\|way_exit'; then
		echo 'none of the tests is for it'
		exit 77
	fi
	guest_selftests test-leaks "$patched" one-queue-2llc --append kmemleak=on -- \
		way_exit fault_exit abi_update abi_task_default rule_change
}

# What a guest counted inside itself is counted here, not the guest as one.
selftest_step()
{
	step "$@"
	if [[ -s $STEPS_DIR/guest.totals ]]; then
		local -i passed failed skipped

		read -r passed failed skipped <"$STEPS_DIR/guest.totals"
		rm "$STEPS_DIR/guest.totals"
		steps_count "$passed" "$failed" "$skipped"
	fi
}

module_in_guest()
{
	"$tools/vm/boot.sh" --name test-kunit --kernel "$patched" --topology one-queue --append kunit.enable=1 \
		--add "$guest_dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko" \
		--add "$guest_dir/completion_provenance_kunit.ko:/lib/cprov/completion_provenance_kunit.ko" \
		--stream -- sh -ec 'insmod /lib/cprov/completion_provenance.ko
			insmod /lib/cprov/completion_provenance_kunit.ko
			dmesg | sed -n "s/^\[[^]]*\] \( *\(ok\|not ok\|#\|1\.\.\|KTAP\).*\)/\1/p" >/tmp/ktap
			cat /tmp/ktap
			grep -q "^ok " /tmp/ktap
			! grep -q "^ *not ok" /tmp/ktap'
}

# On a kernel that knows nothing of hints each test is skipped, and says why, but for what
# stock is to do.
stock_skips()
{
	local stock

	stock=$("$tools/vm/kernel.sh" build --variant stock)
	guest_selftests test-stock "$stock" one-queue -- abi perm carry steer batch way fault rule ctl
	rm -f "$STEPS_DIR/guest.totals"
	# Who observes nothing here, and passes, may observe nothing elsewhere.
	! grep -aE '^ +ok ' build/vm/test-stock/log |
		grep -avE '# SKIP| ok [0-9]+ (helper\.(flow_ids|is_inert_without_support)|old_kernel|stock|usage)\b'
}

# One way to submit, on every kind of ring and number of queues. Transfers take minutes.
matrix()
{
	MATRIX_SUBMITTER=direct MATRIX_TRANSFER_READS=0 TOPOLOGIES=one-queue-2llc "$tools/matrix.sh"
}

# One of CI's runs of it failed, of hundreds, and its output did not say why: that is told
# wherever it ends, and twice is no accident.
demonstration()
{
	local status=0

	"$tools/run.sh" || status=$?
	# What the host is at fault for does not go away.
	((status == 1)) || return "$status"
	steps_remark "run is tried again" "$STEPS_DIR/run.log"
	"$tools/run.sh"
}

# Patched without hints is stock: the same completions on each CPU, scenario by
# scenario, and IPIs that differ by no more than two runs of one kernel do.
unhinted_is_stock()
{
	# What the host does meanwhile decides how many completions share an IPI, and
	# may change between two guests: then it does not do so each time.
	jq -e -f "$tools/run/unhinted.jq" build/run/report.json ||
		{ "$tools/run.sh" && jq -e -f "$tools/run/unhinted.jq" build/run/report.json; }
}

patched=$("$tools/vm/kernel.sh" build --variant patched --debug "$debug")
guest_build "$patched"

total=$((${#topologies[@]} + 2))
[[ $debug != kasan ]] || total=$((total + 1))
((${#only[@]})) || { total=$((total + 1)); [[ $debug != none ]] || total=$((total + 6)); }
steps_begin test "$total"
((${#only[@]})) || step kunit module_in_guest
for topology in "${topologies[@]}"; do
	selftest_step "selftests-$topology" in_time selftests_in "$topology"
done
selftest_step selftests-reload in_time reloads
selftest_step selftests-multipath in_time multipath
[[ $debug != kasan ]] || selftest_step selftests-leaks in_time leaks
if ! ((${#only[@]})) && [[ $debug == none ]]; then
	step harness "$tools/vm/selftest.sh" "$patched"
	step stock-skips stock_skips
	step matrix matrix
	step run demonstration
	step unhinted-is-stock unhinted_is_stock
	step cprovbench "$tools/cprovbench.sh"
fi
steps_end || exit 1
