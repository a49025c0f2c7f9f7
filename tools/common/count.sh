# shellcheck shell=bash
# Sourced in guests: where completions run, and how often CPUs interrupt each
# other, as the kernel counts it anyway, stock or patched (cprovread does the same
# for its own reads); and which CPUs are near to which.

count_trace=/sys/kernel/tracing/instances/count

# irq_cpu DISK [QUEUE]: the CPU that the interrupt of an NVMe drive's hardware queue
# goes to; queue 0 is the first for I/O, which the driver calls 1.
irq_cpu()
{
	local irq

	irq=$(awk -v name="${1%n*}q$((${2:-0} + 1))" '$NF == name { sub(":", "", $1); print $1 }' /proc/interrupts)
	cat "/proc/irq/${irq:?no interrupt of queue ${2:-0}}/effective_affinity_list"
}

# queue_of DISK CPU: the hardware queue that the CPU submits to. A drive that can be polled
# has another for that, without an interrupt, which comes after those with one.
queue_of()
{
	local queue

	for ((queue = 0; ; queue++)); do
		[[ -e /sys/block/$1/mq/$queue ]] || return 0
		if tr -d ' ' <"/sys/block/$1/mq/$queue/cpu_list" | tr ',' '\n' | grep -qx "$2"; then
			echo "$queue"
			return
		fi
	done
}

# last_level_cache CPU: the CPUs that share it.
last_level_cache()
{
	local index

	for index in "/sys/devices/system/cpu/cpu$1/cache"/index[0-9]*; do
		cat "$index/shared_cpu_list"
	done | tail -n 1
}

# placement DISK CPU [QUEUE]: where the CPU is, as seen from the interrupt of its queue,
# or of that one: home, near, which shares its cache, or far.
placement()
{
	local irq

	irq=$(irq_cpu "$1" "${3:-$(queue_of "$1" "$2")}")
	if [[ $irq == "$2" ]]; then
		echo home
	elif [[ $(last_level_cache "$irq") == "$(last_level_cache "$2")" ]]; then
		echo near
	else
		echo far
	fi
}

# cpus_placed WHERE DISK [QUEUE]: the CPUs of that placement, one per line.
cpus_placed()
{
	local cpu

	for ((cpu = 0; cpu < $(nproc); cpu++)); do
		[[ $(placement "$2" "$cpu" "${3:-}") != "$1" ]] || echo "$cpu"
	done
}

# Interrupts between CPUs until now, of all CPUs: for calls, and to reschedule.
ipis()
{
	awk -v cpus="$(nproc --all)" '/Function call interrupts|Rescheduling interrupts/ {
		for (i = 2; i < cpus + 2; i++) n += $i
	} END { print n + 0 }' /proc/interrupts
}

# completions_begin DISK: count, inside the kernel, on which CPU each of its
# requests completes.
completions_begin()
{
	local major minor

	IFS=: read -r major minor <"/sys/class/block/$1/dev"
	mkdir "$count_trace"
	# The kernel's own encoding of a device number.
	echo "hist:keys=common_cpu if dev == $((major << 20 | minor))" \
		>"$count_trace/events/block/block_rq_complete/trigger"
}

# What was counted until now, by CPU: a JSON array.
completions()
{
	awk -v cpus="$(nproc --all)" '/^\{/ { n[$3] = $NF }
		/Dropped:/ && $NF { print "dropped " $NF >"/dev/stderr"; exit 1 }
		END { for (i = 0; i < cpus; i++) printf "%s%d", i ? "," : "[", n[i]; print "]" }' \
		"$count_trace/events/block/block_rq_complete/hist"
}

completions_end()
{
	rmdir "$count_trace"
}
