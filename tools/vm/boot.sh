#!/bin/bash
# boot.sh [OPTION...] [-- COMMAND ARGUMENT...]: run one command in a guest.
#
#   --kernel KDIR|IMAGE   a tree of kernel.sh, or an image; default: the kernel
#                         of $VARIANT and $DEBUG
#   --topology NAME       a line of the file topologies; default $TOPOLOGY, else
#                         one-queue
#   --drive K=V,...       an NVMe drive, repeatable; keys: serial=NAME (needed;
#                         /dev/disk/by-serial/NAME), file=IMAGE (raw), size=64M
#                         (creates the file; without file=, a scratch drive),
#                         queues=N, snapshot (writes are thrown away), paths=N
#                         (so many controllers share the one namespace), latency=N
#                         (without file=: microseconds that it takes for each request;
#                         it reads as zeroes)
#   --add SRC:DST         a file or directory for the guest, repeatable
#   --bin PROGRAM         a program with its libraries, repeatable
#   --append TEXT         more of the kernel command line
#   --memory MIB          instead of the topology's
#   --cpus N              instead of the topology's; they share one cache and one
#                         node, and a drive has a queue for each
#   --qemu ARGUMENT       more for QEMU, one word each, repeatable
#   --plugin FILE[,K=V]   a plugin for TCG, with which the guest runs then
#   --one-thread          on TCG, which runs all CPUs on one thread then, and on one
#                         of the host's CPUs
#   --keep-threads        if it is lost to a race in the emulator, it runs again as it
#                         was, and not on one thread, where its CPUs take turns
#   --icount              on TCG with a clock that counts instructions: a
#                         nanosecond is one, and all CPUs share one thread
#   --name NAME           files go to build/vm/NAME/; default guest
#   --log FILE            output of the command; default build/vm/NAME/log
#   --out FILE            what the command writes to /dev/virtio-ports/cprov.out
#   --console FILE        kernel log; default build/vm/NAME/console. FILE.one-thread is
#                         there if the guest was lost, and run again on one thread,
#                         and FILE.raced has the first
#   --result FILE         the final record; default build/vm/NAME/result
#   --timeout SECONDS     default 120; a debug kernel gets four times as long, as it
#                         does of CPROV_BOOT_TIMEOUT (180), until its first program
#   --stream              copy the command's output to stdout while it runs
#   --shell               no command: a shell on this terminal
#   --dry-run             print the QEMU command line
#
# Exit status: 0 the command succeeded; 1 it failed; 2 the host is at fault;
# 3 the guest was lost (panic, deadline, QEMU died); 4 the kernel log has a
# splat.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
die_with_parent "$@"

kernel='' topology=${TOPOLOGY:-one-queue} append='' memory='' cpus_instead='' name=guest
logfile='' out='' console='' result='' timeout=120 plugin=''
boot_timeout=${CPROV_BOOT_TIMEOUT:-180}
qemu_program=${CPROV_QEMU:-qemu-system-x86_64}
stream='' shell='' dry_run='' icount='' one_thread='' keep_threads='' multipath=''
drives=() items=() qemu_more=() guest_command=() affinity=()

parse_options()
{
	while (($#)); do
		case $1 in
		--stream) stream=1; shift; continue ;;
		--shell) shell=1; shift; continue ;;
		--dry-run) dry_run=1; shift; continue ;;
		--icount) icount=1; shift; continue ;;
		--one-thread) one_thread=1; shift; continue ;;
		--keep-threads) keep_threads=1; shift; continue ;;
		--) shift; guest_command=("$@"); break ;;
		esac
		(($# >= 2)) || die "option $1 lacks its value, or is unknown" "boot.sh"
		case $1 in
		--kernel) kernel=$2 ;;
		--topology) topology=$2 ;;
		--drive) drives+=("$2") ;;
		--add | --bin) items+=("$1" "$2") ;;
		--append) append+=" $2" ;;
		--memory) memory=$2 ;;
		--cpus) cpus_instead=$2 ;;
		--qemu) qemu_more+=("$2") ;;
		--plugin) plugin=$2 ;;
		--name) name=$2 ;;
		--log) logfile=$2 ;;
		--out) out=$2 ;;
		--console) console=$2 ;;
		--result) result=$2 ;;
		--timeout) timeout=$2 ;;
		*) die "unknown option $1" "boot.sh" "sed -n 2,40p tools/vm/boot.sh" ;;
		esac
		shift 2
	done
	[[ -n $shell ]] || ((${#guest_command[@]})) ||
		die "no command to run in the guest" "boot.sh" "-- COMMAND, or --shell"
}

# One guest of a name at a time; QEMU inherits the lock and keeps it.
take_name()
{
	dir=$CPROV_TOP/build/vm/$name
	mkdir -p "$dir"
	exec {lock}>"$dir/lock"
	flock -n "$lock" ||
		die "a guest of the name $name is running" "$dir/pid" "end it, or use another --name"
	: "${logfile:=$dir/log}" "${console:=$dir/console}" "${result:=$dir/result}"
	qemu_log=$dir/qemu
	rm -f "$logfile" "$console" "$console".{raced,one-thread} "$result" "$qemu_log"
}

# vmlinux.boot has a PVH entry point: nothing is decompressed.
find_kernel()
{
	[[ -n $kernel ]] || kernel=$("$here/kernel.sh" path)
	image=$kernel
	if [[ -d $kernel ]]; then
		image=$kernel/vmlinux.boot
		[[ -e $image ]] || image=$kernel/arch/x86/boot/bzImage
	fi
	[[ -r $image ]] || die "no kernel image" "$image" "make kernels"
}

describe_machine()
{
	local mib n why

	read -r cpus sockets nodes queues mib < <(
		awk -v name="$topology" '$1 == name { print $2, $3, $4, $5, $6 }' "$here/topologies"
	) || die "unknown topology '$topology'" "$here/topologies" \
		"use one of: $(awk '/^[a-z]/ { printf "%s ", $1 }' "$here/topologies")"
	[[ -z $cpus_instead ]] ||
		cpus=$cpus_instead sockets=1 nodes=1 queues=$cpus_instead topology="$cpus_instead CPUs"
	! debug_kernel "$kernel" || mib=$((mib * 2))
	n=$(slowdown "$kernel")
	timeout=$((timeout * n)) boot_timeout=$((boot_timeout * n))
	: "${memory:=$mib}"

	machine=(
		-machine q35 -m "$memory"
		-smp "$cpus,sockets=$sockets,cores=$((cpus / sockets)),threads=1"
	)
	# One node per group of sockets, with its share of the memory.
	for ((n = 0; nodes > 1 && n < nodes; n++)); do
		machine+=(
			-object "memory-backend-ram,id=ram$n,size=$((memory / nodes))M"
			-numa "node,nodeid=$n,memdev=ram$n,cpus=$((cpus * n / nodes))-$((cpus * (n + 1) / nodes - 1))"
		)
	done

	if [[ -n $icount ]]; then
		why=$'tcg\tinstructions are for TCG to count'
	elif [[ -n $plugin ]]; then
		why=$'tcg\tplugins are for TCG'
	else
		why=$("$here/accel.sh" "$image")
	fi
	if [[ -n $plugin ]]; then
		[[ -r ${plugin%%,*} ]] || die "no such plugin" "${plugin%%,*}"
		machine+=(-plugin "$plugin")
	fi
	if [[ $why == kvm$'\t'* ]]; then
		machine+=(-accel kvm -cpu host)
		accelerator="KVM (${why#*$'\t'})"
	elif [[ -n $icount ]]; then
		# Nothing of the host's is in it: the date and what is random are given.
		machine+=(-accel 'tcg,thread=single' -cpu max -icount shift=0
			-rtc 'base=2026-01-01,clock=vm' -seed 1)
		accelerator="TCG, single-threaded, icount shift=0 (${why#*$'\t'})"
	elif [[ -n $one_thread ]]; then
		machine+=(-accel 'tcg,thread=single' -cpu max)
		accelerator="TCG, single-threaded (${why#*$'\t'})"
	else
		machine+=(-accel 'tcg,thread=multi' -cpu max)
		accelerator="TCG, multi-threaded (${why#*$'\t'})"
	fi
	[[ $accelerator != 'TCG, single-threaded'* && $accelerator/$cpus != TCG*/1 ]] || stay_on_one_cpu
}

# Where all CPUs of a guest are one thread, TCG of QEMU before 8.1 leaves out its memory
# barriers, as if nothing ran beside it. But devices do, in another thread: that of an NVMe
# drive writes how far it has read a queue and then looks for more, the driver adds to it
# and then looks how far that is, and if each has looked before the other's write arrived, the
# drive is not told of the command. One of the host's CPUs sees its own writes in order.
stay_on_one_cpu()
{
	affinity=(taskset -c "$(cpus_allowed self | tr ',' '\n' |
		awk -F- '{ for (cpu = $1; cpu <= $NF; cpu++) print cpu }' | shuf -n 1)")
}

add_drive()
{
	local n=$1 key value serial='' file='' size='' drive_queues=$queues snapshot=off paths=1 path
	local latency='' backend

	while IFS='=' read -r key value; do
		case $key in
		serial) serial=$value ;;
		file) file=$value ;;
		size) size=$value ;;
		queues) drive_queues=$value ;;
		snapshot) snapshot=on ;;
		paths) paths=$value ;;
		latency) latency=$value ;;
		*) die "unknown key '$key' of a drive" "$2" ;;
		esac
	done < <(tr ',' '\n' <<<"$2")
	[[ -n $serial ]] || die "a drive needs a serial number" "$2"
	[[ -z $file || -z $latency ]] || die "a drive with a latency keeps nothing, so it has no file" "$2"
	if [[ -z $file ]]; then
		[[ -n $size ]] || die "a drive needs a file or a size" "$2"
		file=$tmp/$serial
	fi
	if [[ -n $latency ]]; then
		backend=driver=null-co,size=$size,latency-ns=${latency}000,read-zeroes=on
	else
		[[ -z $size ]] || truncate -s "$size" "$file"
		[[ -r $file ]] || die "no image for drive $serial" "$file"
		# Images are made for tests: no flush need reach the host's disk.
		backend=format=raw,file=$file,snapshot=$snapshot,cache=unsafe
	fi
	machine+=(-drive "if=none,id=drive$n,$backend")
	if ((paths == 1)); then
		machine+=(-device "nvme,id=nvme$n,drive=drive$n,serial=$serial,max_ioqpairs=$drive_queues")
		return
	fi
	multipath=1
	# A namespace is put on one controller's bus, and is its subsystem's then.
	machine+=(-device "nvme-subsys,id=subsys$n,nqn=$serial")
	for ((path = 0; path < paths; path++)); do
		machine+=(-device "nvme,id=nvme$n-$path,subsys=subsys$n,serial=$serial,max_ioqpairs=$drive_queues")
	done
	machine+=(-device "nvme-ns,drive=drive$n,bus=nvme$n-0,nsid=1,shared=on")
}

add_port()
{
	machine+=(
		-chardev "file,id=$1,path=$2"
		-device "virtserialport,chardev=$1,name=cprov.$1"
	)
}

# Results travel apart from the console, which the kernel writes to as well.
add_ports()
{
	machine+=(-device virtio-serial-pci)
	if [[ -n $shell ]]; then
		machine+=(-serial mon:stdio)
	else
		machine+=(-serial "file:$console")
		add_port log "$logfile"
		add_port result "$result"
	fi
	[[ -z $out ]] || add_port out "$out"
}

# The command travels as a script; each word arrives as it was given.
write_initramfs()
{
	local base

	if [[ -z $shell ]]; then
		items+=(--script /etc/cprov/cmd "#!/bin/sh
exec $(printf "'%s' " "${guest_command[@]//\'/\'\\\'\'}")")
	fi
	base=$("$here/initramfs.sh" base)
	"$here/initramfs.sh" make "$tmp/overlay" "${items[@]}"
	cat "$base" "$tmp/overlay" >"$tmp/initramfs"
}

kernel_command_line()
{
	# Any warning ends the guest: nothing that follows could be trusted.
	printf '%s ' 'console=ttyS0 8250.nr_uarts=1 panic=-1 oops=panic panic_on_warn=1'
	# No time spent on nothing under emulation; addresses that compare
	# between runs.
	printf '%s ' 'tsc=reliable nokaslr no_timer_check random.trust_cpu=on'
	# Devices are made by the tests that want them.
	printf '%s ' "null_blk.nr_devices=0 null_blk.poll_queues=$cpus loop.max_loop=0"
	# Each drive of QEMU 10 could have more paths, and the disk that programs see of such
	# a one has no requests of its own.
	[[ -n $multipath ]] || printf 'nvme_core.multipath=N '
	[[ -z $shell ]] || printf 'quiet '
	printf '%s' "$append"
}

has_booted()
{
	grep -aqs 'Run /init' "$console"
}

# end_hung_boot PID: a guest that runs no program within $boot_timeout is not waited for
# until $timeout.
end_hung_boot()
{
	local begin=$SECONDS

	while kill -0 "$1" 2>/dev/null && ! has_booted; do
		if ((SECONDS - begin >= boot_timeout)); then
			kill -KILL "$1" || true
			return
		fi
		sleep 1
	done
}

# Each process of the chain is killed with the one before it.
run()
{
	local pid begin=$SECONDS

	: >"$logfile"
	rm -f "$console"
	setpriv --pdeathsig KILL timeout --signal=KILL "$timeout" \
		setpriv --pdeathsig KILL "${affinity[@]}" "${qemu[@]}" </dev/null >"$qemu_log" 2>&1 &
	pid=$!
	end_hung_boot "$pid" &
	[[ -z $stream ]] || tail -n +1 -s 0.1 -f --pid="$pid" "$logfile" 2>/dev/null &
	qemu_status=0
	# Of a process that is killed bash would tell.
	wait "$pid" 2>/dev/null || qemu_status=$?
	wait
	elapsed=$((SECONDS - begin))
}

why_lost()
{
	local panic

	panic=$(grep -a -m 1 'Kernel panic' "$console" 2>/dev/null || true)
	if [[ -n $panic ]]; then
		echo "${panic#*] }"
	elif ((elapsed >= timeout)); then
		echo "no result within $timeout s"
	elif hung_at_boot; then
		echo "it had run no program after $elapsed s"
	elif ((qemu_status)); then
		echo "QEMU ended with status $qemu_status"
	else
		echo "it powered off without a result"
	fi
}

hung_at_boot()
{
	((qemu_status == 128 + 9 && elapsed >= boot_timeout)) && ! has_booted
}

# Whether a CPU of which run_all.sh says that it runs nothing is idle, as one that the
# emulator has halted for good; and that is all that the kernel complains of.
halted_cpu()
{
	local cpu

	"$here/splats.sh" "$console" >/dev/null || return
	while read -r cpu; do
		! grep -aqsE "NMI backtrace for cpu $cpu\s*$" "$console" || return
	done < <(sed -nE 's/^# +cpu([0-9]+) runs nothing$/\1/p' "$logfile")
}

# Multi-threaded TCG of QEMU before 8.1 may run a stale translation of an instruction
# that the kernel has just patched, as it does for static keys, and then reports
# the breakpoint that was there for a moment. It is the first thing that goes
# wrong in such a guest, and no kernel that is at fault looks like that. Where the
# breakpoint's own handler is hit, the machine resets without a word, before any
# program has run: a kernel that is at fault would do so again. Or QEMU ends by
# a signal of its own, which was seen as well. So was a CPU that halts and is not woken by
# any interrupt from then on, as the guest boots; in a test that hangs run_all.sh tells. Or
# one that has lost its timer, for which all others wait.
emulator_raced()
{
	local wrong

	[[ $accelerator == 'TCG, multi-threaded'* ]] || return 1
	hung_at_boot && return
	if grep -aqsE '^# +cpu[0-9]+ runs nothing$' "$logfile"; then
		halted_cpu
		return
	fi
	# That of a CPU that is idle, as the kernel says itself.
	grep -aqs "kthread timer wakeup didn't happen for" "$console" && return
	wrong=$(grep -a -m 1 -E 'BUG:|WARNING:|Oops|Kernel panic' "$console" 2>/dev/null || true)
	[[ $wrong == *'Oops: int3:'* ]] && return
	# QEMU itself: what the guest does is no excuse.
	((qemu_status == 128 + 11 || qemu_status == 128 + 6)) && return
	[[ -z $wrong && ! -s $result && $qemu_status == 0 && $elapsed -lt $timeout ]] &&
		! has_booted
}

may_run_again()
{
	[[ -z ${CPROV_DEADLINE:-} ]] || (($(date +%s) < CPROV_DEADLINE))
}

# The gravest first: a test that passed on a broken kernel has not passed.
judge()
{
	local record splats

	record=$(tail -n 1 "$result" 2>/dev/null || true)
	[[ -e $console ]] || : >"$console"
	splats=$("$here/splats.sh" "$console") || (($? == 4)) || exit 2
	if [[ -n $splats ]]; then
		log "kernel splat in guest $name${record:+, whose command ended with: $record}"
		log "$splats"
		log "  console: $console"
		exit 4
	fi
	case $record in
	'exit 0') ;;
	'exit '* | 'signal '*)
		log "command failed in guest $name: $record"
		tail -n 15 "$logfile" | sed 's/^/  | /' >&2
		log "  its output: $logfile"
		exit 1
		;;
	*)
		log "guest $name lost: ${record:-$(why_lost)}"
		cat "$qemu_log" <(tail -n 25 "$console" 2>/dev/null | tr -d '\r') | sed 's/^/  | /' >&2
		log "  console: $console"
		exit 3
		;;
	esac
}

main()
{
	parse_options "$@"
	scratch_dir tmp
	find_kernel
	describe_machine
	take_name
	for n in "${!drives[@]}"; do
		add_drive "$n" "${drives[n]}"
	done
	add_ports
	write_initramfs
	qemu=(
		"$qemu_program" -nodefaults -no-user-config -no-reboot -display none
		-pidfile "$dir/pid" "${machine[@]}" "${qemu_more[@]}"
		-kernel "$image" -initrd "$tmp/initramfs" -append "$(kernel_command_line)"
	)
	if [[ -n $dry_run ]]; then
		printf '%q ' "${affinity[@]}" "${qemu[@]}"
		echo
		return
	fi
	log "guest $name: $topology (CPUs: $cpus, LLCs: $sockets, nodes: $nodes), accelerator: $accelerator, QEMU $(qemu_version "$qemu_program")"
	if [[ -n $shell ]]; then
		log "Ctrl-A X ends it, so does leaving the shell"
		setpriv --pdeathsig KILL "${affinity[@]}" "${qemu[@]}" || die "QEMU failed"
		return
	fi
	run
	if may_run_again && emulator_raced; then
		# On one thread a locked instruction is two accesses to a plugin.
		if [[ -n $plugin$keep_threads ]]; then
			log "guest $name was lost to a race in the emulator: again"
		else
			log "guest $name was lost to a race in the emulator: again, on one thread, where there is none"
			qemu=("${qemu[@]/#tcg,thread=multi/tcg,thread=single}")
			stay_on_one_cpu
			: >"$console.one-thread"
		fi
		[[ ! -e $console ]] || mv "$console" "$console.raced"
		rm -f "$result"
		run
	fi
	judge
}

# On one line: the file may be edited while a guest runs.
tmp=''
main "$@"; exit
