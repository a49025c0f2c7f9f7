#!/bin/bash
# selftest.sh [KDIR]: does the harness keep its promises?  Boots guests on the
# stock kernel (or KDIR), and prints KTAP.
#
# Machines are what their names say, and every end of a guest gets the verdict
# that is its own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
die_with_parent "$@"

kernel=${1:-$("$here/kernel.sh" path --variant stock)}
name=vm-selftest
guest=$CPROV_TOP/build/vm/$name
tests=0 failed=0
# What runs again is tested however late it is.
unset CPROV_DEADLINE

verdict()
{
	local ok=$1
	shift

	tests=$((tests + 1))
	if [[ $ok == 0 ]]; then
		echo "ok $tests $*"
	else
		echo "not ok $tests $*"
		failed=$((failed + 1))
	fi
}

boot()
{
	"$here/boot.sh" --kernel "$kernel" --name "$name" "$@"
}

# ends STATUS PATTERN DESCRIPTION BOOT-ARGUMENT...: the exit status is STATUS,
# and what is said about it matches PATTERN.
ends()
{
	local status=$1 pattern=$2 what=$3 rc=0 said
	shift 3

	said=$(boot "$@" 2>&1) || rc=$?
	# The emulator may lose any guest, and of those that are not run again, too.
	if ((rc == 3 && status != 3)); then
		rc=0
		said=$(boot "$@" 2>&1) || rc=$?
	fi
	if [[ $rc == "$status" ]] && grep -qE "$pattern" <<<"$said"; then
		verdict 0 "$what"
	else
		printf 'status %d, expected %d and /%s/\n%s\n' "$rc" "$status" "$pattern" "$said" |
			sed 's/^/# /'
		verdict 1 "$what"
	fi
}

# What a guest makes of its machine, in the terms of the file topologies.
# shellcheck disable=SC2016 # expanded in the guest
survey='cd /sys/devices/system
count() { sort -u | wc -l; }
echo $(cat cpu/cpu[0-9]*/online 2>/dev/null | grep -c 1) \
	$(cat cpu/cpu[0-9]*/cache/index3/shared_cpu_list | count) \
	$(ls -d node/node[0-9]* | count) \
	$(ls /sys/block/nvme0n1/mq | count)'

topologies()
{
	local topology cpus sockets nodes queues saw

	while read -r topology cpus sockets nodes queues _; do
		boot --topology "$topology" --drive serial=d0,size=16M -- sh -c "$survey" 2>/dev/null ||
			boot --topology "$topology" --drive serial=d0,size=16M -- sh -c "$survey" || true
		# The first CPU cannot go offline and has no such attribute.
		saw=$(awk '{ print $1 + 1, $2, $3, $4 }' "$guest/log")
		[[ $saw == "$cpus $sockets $nodes $queues" ]] || {
			echo "# CPUs, LLCs, nodes, queues: $saw, expected $cpus $sockets $nodes $queues"
			verdict 1 "topology $topology"
			continue
		}
		verdict 0 "topology $topology"
	done < <(grep '^[a-z]' "$here/topologies")
}

wait_until()
{
	local deadline=$((SECONDS + $1))
	shift

	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

guest_runs()
{
	[[ -s $guest/pid ]] && grep -q started "$guest/log" 2>/dev/null
}

process_gone()
{
	[[ ! -e /proc/$1 ]]
}

# The guest of a parent that gets no chance to clean up.
parent_death()
{
	local parent pid=none ok=1

	rm -f "$guest"/{pid,log}
	bash -c '"$@" & wait' parent "$here/boot.sh" --kernel "$kernel" --name "$name" \
		-- sh -c 'echo started; sleep 600' 2>/dev/null &
	parent=$!
	if wait_until 60 guest_runs; then
		pid=$(<"$guest/pid")
		kill -KILL "$parent"
		wait "$parent" 2>/dev/null || true
		wait_until 10 process_gone "$pid" && ok=0
	fi
	verdict "$ok" "a guest dies with its parent"
}

qemu_death()
{
	local pid ok=1 rc=0

	rm -f "$guest"/{pid,log}
	boot -- sh -c 'echo started; sleep 600' 2>"$guest/said" &
	pid=$!
	if wait_until 60 guest_runs; then
		kill -KILL "$(<"$guest/pid")"
		wait "$pid" || rc=$?
		[[ $rc != 3 ]] || ! grep -q 'QEMU ended' "$guest/said" || ok=0
	fi
	verdict "$ok" "QEMU's death is a lost guest"
}

# host_cpus PATTERN DESCRIPTION BOOT-ARGUMENT...: the list of those that the guest may use.
host_cpus()
{
	local pattern=$1 what=$2 cpus=none
	shift 2

	rm -f "$guest"/{pid,log}
	boot "$@" -- sh -c 'echo started; sleep 600' 2>/dev/null &
	! wait_until 60 guest_runs || cpus=$(cpus_allowed "$(<"$guest/pid")")
	end_guest $!
	matches "$cpus" "$pattern" "$what"
}

# Those of the guest that is started instead of one that was lost.
host_cpus_again()
{
	local what=$1 cpus=none

	rm -f "$guest"/{pid,log,console.one-thread}
	boot -- sh -c 'echo started; sleep 2; echo "Oops: int3: 0000 [#1] SMP" >/dev/kmsg' 2>/dev/null &
	! { wait_until 60 [ -e "$guest/console.one-thread" ] && wait_until 60 guest_runs; } ||
		cpus=$(cpus_allowed "$(<"$guest/pid")")
	end_guest $!
	matches "$cpus" '^[0-9]+$' "$what"
}

matches()
{
	if [[ $1 =~ $2 ]]; then
		verdict 0 "$3"
	else
		verdict 1 "$3: $1"
	fi
}

# end_guest PID: with the process that booted it.
end_guest()
{
	kill -KILL "$1" || true
	wait "$1" 2>/dev/null || true
	[[ ! -s $guest/pid ]] || wait_until 10 process_gone "$(<"$guest/pid")" || true
}

echo 'KTAP version 1'
topologies
ends 0 '' 'success' -- true
ends 1 'exit 7' 'a failing command is a failed test' -- sh -c 'exit 7'
ends 1 'signal 6' 'a command killed by a signal is a failed test' -- bash -c 'kill -ABRT $$'
ends 1 'not found' 'a missing command is a failed test' -- no-such-command
ends 3 'sysrq triggered crash' 'a panic is a lost guest' -- sh -c 'echo c >/proc/sysrq-trigger'
ends 3 'no result within 6 s' 'a deadline is a lost guest' --timeout 6 -- sleep 600
ends 3 'powered off without' 'a guest without a result is lost' -- sh -c 'echo o >/proc/sysrq-trigger; sleep 9'
CPROV_BOOT_TIMEOUT=5 ends 3 'run no program after' 'a guest that never boots is not waited for' --qemu -S -- true
ends 4 'BUG: planted' 'a splat in a test that succeeds' -- sh -c 'echo BUG: planted >/dev/kmsg'
ends 4 'first: .*BUG: one, in steer_x' 'the first splat is told with its test' \
	-- sh -c 'echo "cprov selftest: steer_x" >/dev/kmsg; echo "BUG: one" >/dev/kmsg; echo "BUG: two" >/dev/kmsg'
ends 4 'WARNING: CPU' 'a splat in a test that fails' \
	-- sh -c 'echo "WARNING: CPU: 0 PID: 1 at planted" >/dev/kmsg; exit 1'
ends 0 '' 'a fault of a program is no splat' \
	-- sh -c 'echo "traps: a.t[12] general protection fault ip:1 sp:2 error:0" >/dev/kmsg'
ends 4 'general protection fault, probably' 'one of the kernel is' \
	-- sh -c 'echo "Oops: general protection fault, probably for non-canonical address 1" >/dev/kmsg'
# Only of the emulator with a thread for each CPU is such a breakpoint expected.
if [[ $("$here/accel.sh" "$kernel") == tcg* ]]; then
	ends 4 'again, on one thread' 'a guest that hits a breakpoint which is gone runs again' \
		-- sh -c 'echo "Oops: int3: 0000 [#1] SMP" >/dev/kmsg'
	ends 4 'in the emulator: again$' 'as it was, if its CPUs are to run at the same time' --keep-threads \
		-- sh -c 'echo "Oops: int3: 0000 [#1] SMP" >/dev/kmsg'
	ends 4 'again, on one thread' 'a guest with a CPU that has lost its timer runs again' \
		-- sh -c 'echo "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:" >/dev/kmsg
			echo "rcu: rcu_preempt kthread timer wakeup didn'"'"'t happen for 9 jiffies!" >/dev/kmsg'
	ends 1 'again, on one thread' 'a guest with a CPU that has halted runs again' \
		-- sh -c 'echo "#   cpu1 runs nothing"; exit 1'
	ends 4 '^kernel splat' 'but not if there is another complaint' \
		-- sh -c 'echo "#   cpu1 runs nothing"; echo "BUG: planted" >/dev/kmsg'
	ends 1 '^command failed' 'nor if that CPU is busy' \
		-- sh -c 'echo "#   cpu1 runs nothing"; echo "NMI backtrace for cpu 1" >/dev/kmsg; exit 1'
	CPROV_DEADLINE=1 ends 1 '^command failed' 'nor if it is too late' \
		-- sh -c 'echo "#   cpu1 runs nothing"; exit 1'
	host_cpus '^[0-9]+$' 'a guest on one thread stays on one CPU' --one-thread
	host_cpus '^[0-9]+$' 'so does one whose clock counts instructions' --icount
	host_cpus '^[0-9]+$' 'and one that has one CPU' --cpus 1
	host_cpus_again 'and one that runs again'
	host_cpus "^$(cpus_allowed self)$" 'others do not'
fi
ends 4 '^kernel splat' 'a drive that does not answer is a splat' \
	-- sh -c 'echo "nvme nvme0: I/O tag 1 QID 1 timeout, aborting" >/dev/kmsg'
# shellcheck disable=SC2016 # expanded in the guest
ends 0 '' 'a guest has as many CPUs as are asked for' --cpus 3 \
	-- sh -c '[ $(nproc) = 3 ] && [ $(cat /sys/devices/system/cpu/cpu0/cache/index3/shared_cpu_list) = 0-2 ]'
ends 2 'unknown topology' 'a mistake of the host is neither' --topology nonsense -- true
ends 2 'so it has no file' 'a drive with a latency has no file' --drive serial=slow,size=8M,latency=1000,file=/dev/zero -- true
# shellcheck disable=SC2016 # expanded in the guest
ends 0 '' 'drives are found by serial number' \
	--drive serial=small,size=16M --drive serial=large,size=32M,queues=2 --drive serial=slow,size=8M,latency=1000 \
	-- sh -c '[ $(blockdev --getsize64 /dev/disk/by-serial/small) = 16777216 ] &&
		[ $(blockdev --getsize64 /dev/disk/by-serial/large) = 33554432 ] &&
		[ $(blockdev --getsize64 /dev/disk/by-serial/slow) = 8388608 ]'
# shellcheck disable=SC1003,SC2016 # to arrive as they are
ends 0 '' 'words arrive as they were given' \
	-- sh -c '[ "$*" = "it'\''s  \$HOME \"x\" \\ *" ]' sh "it's " '$HOME' '"x"' '\' '*'
ends 0 '' 'files and programs are added' --add "$here/topologies:/etc/topologies" --bin ps \
	-- sh -c 'grep -q one-queue /etc/topologies && ps --version'
parent_death
qemu_death
echo "1..$tests"
((failed == 0))
