# shellcheck shell=bash
# Sourced by every script of the project: where things are, how to speak, how
# to fail, how to show progress.  Results go to stdout, everything else to
# stderr.

# A failure inside $(...) is a failure, and none is silent.  Status 2 is die()'s
# in a subshell, which has spoken already.
shopt -s inherit_errexit
set -E
trap '(($? == 2)) || printf "error: %s:%d: failed: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR

# The tree this file belongs to, whatever directory the caller is in.
CPROV_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CPROV_CACHE=${CPROV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cprov}
export CPROV_TOP CPROV_CACHE

log()
{
	printf '%s\n' "$*" >&2
}

# die WHAT [WHERE [TODO]]: a failure of the harness itself, exit status 2, so
# that it is never taken for a failed test (1).
die()
{
	progress_end
	printf 'error: %s\n' "$1" >&2
	[[ -z ${2:-} ]] || printf '  where: %s\n' "$2" >&2
	[[ -z ${3:-} ]] || printf '  to do: %s\n' "$3" >&2
	exit 2
}

# Re-execute the caller so that it gets a signal when its parent dies: a killed
# `make` must leave no guest and no compiler behind.  The PID survives exec(),
# so the mark in the environment is true only for the process that set it; a
# parent that is another by then has died before the signal was asked for.
die_with_parent()
{
	if [[ ${CPROV_PDEATH:-} != "$$ "* ]]; then
		CPROV_PDEATH="$$ $PPID" exec setpriv --pdeathsig TERM "$BASH" "$0" "$@"
	fi
	[[ $CPROV_PDEATH == "$$ $PPID" ]] || exit 2
}

# A scratch directory that goes away with the script.
scratch_dir()
{
	local -n __dir=$1

	__dir=$(mktemp -d "${TMPDIR:-/tmp}/cprov.XXXXXX")
	# shellcheck disable=SC2064 # expanded now, on purpose
	trap "rm -rf '$__dir'" EXIT
}

# module_build KDIR DIR [SOURCE]: the module and its tests for a kernel, in DIR. They
# are built in a copy there, as objects belong to one kernel.
module_build()
{
	local kdir=$1 dir=$2

	rm -rf "$dir/module" "$dir"/*.ko
	cp -a "${3:-$CPROV_TOP/module}" "$dir/module" &&
		make -s -C "$kdir" M="$dir/module" modules &&
		cp "$dir"/module/*.ko "$dir/"
}

# kernel_make TREE OUT ARGUMENT...: make single objects of a kernel tree, for a
# look at them. A whole kernel is kernel.sh's.
kernel_make()
{
	local tree=$1 out=$2
	shift 2

	CCACHE_DIR=$CPROV_CACHE/ccache CCACHE_BASEDIR=$CPROV_TOP CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 \
		make -s -C "$tree" O="$out" CC='ccache gcc' HOSTCC='ccache gcc' -j"$(nproc)" "$@"
}

duration()
{
	printf '%d:%02d' $(($1 / 60)) $(($1 % 60))
}

# progress_start LABEL TOTAL [TAIL], then progress_update DONE as often as one
# likes, then progress_end.  TAIL is how many seconds pass after the last step
# that can be counted.  A terminal gets one line that is rewritten every second,
# a log file one line every 15 seconds.
progress_start()
{
	PROGRESS_LABEL=$1
	PROGRESS_TOTAL=$2
	PROGRESS_TAIL=${3:-0}
	PROGRESS_BEGIN=$SECONDS
	PROGRESS_SHOWN=-1
	PROGRESS_STEP=15
	[[ ! -t 2 ]] || PROGRESS_STEP=1
}

progress_update()
{
	local done=$1 elapsed=$((SECONDS - PROGRESS_BEGIN)) left

	((elapsed / PROGRESS_STEP > PROGRESS_SHOWN)) || return 0
	PROGRESS_SHOWN=$((elapsed / PROGRESS_STEP))
	# Too little done tells nothing; more done than expected, nothing true.
	if ((done * 50 < PROGRESS_TOTAL || elapsed < 3)); then
		left='estimating time left'
	elif ((done >= PROGRESS_TOTAL)); then
		left='all counted steps done, finishing'
	else
		left="about $(duration $((elapsed * (PROGRESS_TOTAL - done) / done + PROGRESS_TAIL))) left"
	fi
	progress_line "$(printf '%s: %d of about %d (%d%%), %s elapsed, %s' \
		"$PROGRESS_LABEL" "$done" "$PROGRESS_TOTAL" \
		$((done >= PROGRESS_TOTAL ? 99 : done * 100 / PROGRESS_TOTAL)) \
		"$(duration "$elapsed")" "$left")"
}

progress_line()
{
	if [[ -t 2 ]]; then
		printf '\r\033[K%s' "$1" >&2
	else
		printf '%s\n' "$1" >&2
	fi
}

# Ends the line that is being rewritten, if there is one.
progress_end()
{
	[[ -n ${PROGRESS_LABEL:-} ]] || return 0
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	PROGRESS_LABEL=
}

# qemu_version QEMU: such as 7.2.22; nothing if it does not run.
qemu_version()
{
	{ "$1" --version 2>/dev/null || true; } | sed -n '1s/.* version \([0-9.]*\).*/\1/p'
}

# debug_kernel KDIR: whether it is one of those that are slow by themselves.
debug_kernel()
{
	grep -qsE '^CONFIG_(KASAN|KCSAN)=y' "$1/.config"
}

# slowdown KDIR: how many times as long as others it may take.
slowdown()
{
	if debug_kernel "$1"; then echo 4; else echo 1; fi
}

# cpus_allowed PID: the CPUs that a process may run on, as a list.
cpus_allowed()
{
	sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$1/status"
}
