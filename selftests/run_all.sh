#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run_all.sh [-l] [NAME...]: run tests and print one KTAP document.
#
# A NAME is a test (carry_dm), a group (carry), or anything a test's name begins
# with; none means all. -l lists the tests instead. Tests are looked for beside
# this script, else in $CPROV_TESTS.
#
# On a kernel with kmemleak that is switched on (kmemleak=on), what the tests left
# behind in the kernel's memory is one more result.
#
# Exit status: 0 if nothing failed, 1 if something did, 2 if there is no such
# test.
#
# What tests look at in the environment, all optional:
#   CPROV_DEV            a drive to read from, such as /dev/disk/by-serial/NAME
#   CPROV_SCRATCH_DEV    a drive to write to: what is on it is lost
#   CPROV_MULTIPATH_DEV  the same, of two NVMe controllers
#   CPROV_KO             completion_provenance.ko
#   CPROV_TRIALS         how often each order of a batch's completions is tried
#   CPROV_KILLS          how often a program with requests in flight is killed, at
#                        points spread over its first 40
#   CPROV_RELOADS        how often the module is reloaded under I/O
#   CPROV_SECONDS        after so many no further test is begun, and the rest is skipped
#   CPROV_QUIET          seconds after which a test that says nothing hangs, default 110;
#                        what it waits for is printed then. A test gives up after 180.

here=$(cd "$(dirname "$0")" && pwd)
dir=${CPROV_TESTS:-$here}

tests()
{
	for path in "$dir"/abi_* "$dir"/perm_* "$dir"/carry_* "$dir"/steer_* \
		"$dir"/batch_* "$dir"/way_* "$dir"/fault_* "$dir"/reload_* \
		"$dir"/rule_* "$dir"/ctl_*; do
		case $path in
		*.*) continue ;;
		esac
		if [ -x "$path" ]; then
			echo "${path##*/}"
		fi
	done
}

# The tests that the arguments name, each once, in the order of the list.
chosen()
{
	for test in $(tests); do
		[ $# -gt 0 ] || echo "$test"
		for name; do
			case $test in
			"$name"*) echo "$test"; break ;;
			esac
		done
	done
}

list=
if [ "$1" = -l ]; then
	list=1
	shift
fi
for name; do
	if [ -z "$(chosen "$name")" ]; then
		echo "run_all.sh: no test '$name' in $dir" >&2
		exit 2
	fi
done
selected=$(chosen "$@")
if [ -z "$selected" ]; then
	echo "run_all.sh: no tests in $dir" >&2
	exit 2
fi
if [ -n "$list" ]; then
	echo "$selected"
	exit 0
fi

# The first drive that has a serial number is good enough to be read. One of
# several paths has no requests of its own.
if [ -z "$CPROV_DEV" ]; then
	for drive in /dev/disk/by-serial/*; do
		disk=$(readlink -f "$drive")
		if [ -b "$drive" ] && [ -d "/sys/block/${disk##*/}/mq" ]; then
			export CPROV_DEV="$drive"
			break
		fi
	done
fi

# Indents a test's document, counts its results, and passes on its verdict. A
# test that printed fewer results than it planned has not passed. What failed is kept
# with the last that it said, as it is told once more at the end.
# shellcheck disable=SC2016 # awk's, not the shell's
merge='
	function tell(what,    i) {
		print "# failed: " name, what >>failures
		for (i = said > 8 ? said - 8 : 0; i < said; i++)
			print "#   " line[i] >>failures
	}
	/^(TAP|KTAP) version/ { print "    KTAP version 1"; next }
	/^1\.\.[0-9]+/ { planned = substr($1, 4) + 0 }
	/^not ok / { fail++; result = $0; sub(/^not ok [0-9]* */, "", result); tell(result) }
	/^ok .*# SKIP/ { skip++; said = 0; print "    " $0; next }
	/^ok / { pass++ }
	/^(ok|not ok|1\.\.)/ { said = 0; print "    " $0; next }
	/^exit [0-9]+$/ { status = $2; next }
	{ sub(/^# */, ""); line[said++] = $0; print "    # " $0 }
	END {
		done = pass + fail + skip
		lost = planned > done ? planned - done : 0
		bad = fail + lost || (status != 0 && status != 4) || !done
		printf "%sok %d %s%s\n", bad ? "not " : "", nr, name,
			!bad && !pass ? " # SKIP all of it" : ""
		if (lost)
			printf "# %s ended early: %d of %d results\n", name, done, planned
		if (lost || bad && !fail)
			tell("ended with status " status ", " done " of " planned + 0 " results")
		printf "%d %d %d\n", pass, fail + lost + (bad && !fail && !lost), skip >totals
	}'

kmemleak=/sys/kernel/debug/kmemleak

# What is found before is not the tests'. Only one that is switched on can scan.
leaks_begin()
{
	{ echo scan && echo clear; } 2>/dev/null >$kmemleak
}

# Young objects do not count, and what a CPU has in its registers is not seen: two
# scans, some seconds later, and again if there is something. A leak stays.
leaks()
{
	for _ in 1 2 3; do
		sleep 6
		echo scan >$kmemleak
		sleep 1
		echo scan >$kmemleak
		still=$(cat $kmemleak)
		[ -n "$still" ] || return
	done
	echo "$still"
}

# Each thread with its stack, innermost first, in one line: of the processes of a test, and
# of workers that wait for a ring's requests, or for a device's.
stacks()
{
	for comm in /proc/[0-9]*/comm; do
		who=$(cat "$comm" 2>/dev/null) || continue
		case $who in
		"$1"* | *iou_exit* | iou-*) ;;
		*) grep -q '^State:.D ' "${comm%comm}status" 2>/dev/null || continue ;;
		esac
		for task in "${comm%comm}"task/*; do
			echo "$(cat "$task/comm"), $(sed -n 's/^State:.//p' "$task/status"):" \
				"$(sed 's/^[^ ]* //; s/+.*//' "$task/stack" | head -n 8 | tr '\n' ' ')"
		done 2>/dev/null
	done
}

# Requests that the drivers have, or that wait to be dispatched.
requests()
{
	for list in /sys/kernel/debug/block/*/hctx*/busy /sys/kernel/debug/block/*/hctx*/dispatch \
		/sys/kernel/debug/block/*/hctx*/cpu*/*_rq_list; do
		sed "s|^|${list#/sys/kernel/debug/block/}: |" "$list" 2>/dev/null
	done
}

# The numbers of a list such as 0-3,6.
numbers()
{
	for range in $(echo "$1" | tr , ' '); do
		n=${range%-*}
		while [ "$n" -le "${range#*-}" ]; do
			echo "$n"
			n=$((n + 1))
		done
	done
}

# CPUs on which nothing runs: an emulated one may have halted for good. One that may not be
# used is none of them. What they do, if anything, is in the kernel log then.
dead_cpus()
{
	alive=$(mktemp) dead=
	# The list, as a CPU's own file waits for one that is just going offline.
	online=$(numbers "$(cat /sys/devices/system/cpu/online)")
	for cpu in $online; do
		{ taskset -c "$cpu" echo "cpu$cpu" || echo "cpu$cpu"; } >>"$alive" 2>/dev/null &
	done
	sleep 30 >/dev/null
	if [ -s "$alive" ]; then
		for cpu in $online; do
			grep -qx "cpu$cpu" "$alive" || dead="$dead $cpu"
		done
	fi
	rm "$alive"
	[ -z "$dead" ] || { echo l >/proc/sysrq-trigger; } 2>/dev/null
	for cpu in $dead; do
		echo "cpu$cpu runs nothing"
	done
}

# CPUs whose next timer is overdue by seconds: an emulated one may have lost it, and then
# sleeps until it is given something to run. What waits for anything else stays.
wake_the_late()
{
	awk '/^now at/ { now = $3 }
		/^cpu:/ { cpu = $2 }
		/[.]expires_next/ && $3 < now - 5e9 { print cpu }' /proc/timer_list 2>/dev/null |
		while read -r cpu; do
			echo "# the timers of cpu$cpu are overdue: it is woken"
			taskset -c "$cpu" true
		done
}

# watch_from CPU SECONDS COMMAND: again and again, all from there. No sleep keeps who reads
# what is printed waiting when all is over.
watch_from()
{
	# shellcheck disable=SC2016 # the inner shell's parent
	taskset -cp "$1" "$(exec sh -c 'echo $PPID')" >/dev/null 2>&1
	while sleep "$2" >/dev/null && kill -0 $$ 2>/dev/null; do
		"$3"
	done
}

# The same bytes for so long: it hangs. Once is enough to be told.
size=-1 quiet=0 told=
look_for_hangs()
{
	now=$(wc -c <"$said")
	if [ "$now" != "$size" ]; then
		size=$now quiet=0 told=
		return
	fi
	wake_the_late
	quiet=$((quiet + 10))
	if [ -z "$told" ] && [ "$quiet" -ge "${CPROV_QUIET:-110}" ]; then
		told=1 name=$(cat "$running")
		{
			echo "# $name has said nothing for $quiet s; there are"
			{ stacks "$(echo "$name" | cut -c -15)"; requests; dead_cpus; } | sed 's/^/#   /'
		} | tee -a "$hangs"
		# All that follows would hang as well.
		if grep -q ' runs nothing$' "$hangs"; then
			echo "Bail out! a CPU is lost"
			kill $$
		fi
	fi
}

# shellcheck disable=SC2086 # one word a test
set -- $selected
leaks_begin && look_for_leaks=1 || look_for_leaks=0
if [ "$look_for_leaks" -eq 0 ] && grep -qw kmemleak=on /proc/cmdline; then
	echo "Bail out! kmemleak=on was asked for, and $kmemleak cannot scan"
	exit 1
fi
echo "KTAP version 1"
echo "1..$(($# + look_for_leaks))"
totals=$(mktemp) failures=$(mktemp) said=$(mktemp) running=$(mktemp) hangs=$(mktemp)
# From two CPUs, as one of them may be the one that is late, or lost, which looks idle.
watch_from 0 10 look_for_hangs &
watchers=$!
watch_from 1 30 wake_the_late &
watchers="$watchers $!"
trap 'kill $watchers; rm -f "$totals" "$failures" "$said" "$running" "$hangs"' EXIT
nr=0 pass=0 fail=0 skip=0
begin=$(date +%s)
for test; do
	nr=$((nr + 1))
	if [ -n "$CPROV_SECONDS" ] && [ $(($(date +%s) - begin)) -ge "$CPROV_SECONDS" ]; then
		echo "ok $nr $test # SKIP the $CPROV_SECONDS s are over"
		skip=$((skip + 1))
		continue
	fi
	echo "# $test"
	# The kernel log tells to which test a splat belongs.
	echo "cprov selftest: $test" 2>/dev/null >/dev/kmsg
	echo "$test" >"$running"
	{
		"$dir/$test" 2>&1
		echo "exit $?"
	} | tee "$said" | awk -v nr="$nr" -v name="$test" -v totals="$totals" -v failures="$failures" "$merge"
	read -r p f s <"$totals"
	pass=$((pass + p)) fail=$((fail + f)) skip=$((skip + s))
done
if [ "$look_for_leaks" -eq 1 ]; then
	found=$(leaks)
	if [ -z "$found" ]; then
		echo "ok $((nr + 1)) kmemleak"
		pass=$((pass + 1))
	else
		echo "$found" | sed 's/^/# /'
		echo "not ok $((nr + 1)) kmemleak"
		fail=$((fail + 1))
	fi
fi
cat "$failures"
cat "$hangs"
echo "# Totals: pass:$pass fail:$fail xfail:0 xpass:0 skip:$skip error:0"
[ "$fail" -eq 0 ]
