#!/bin/bash
# kernel.sh: build the guest's kernels, and keep them by content.
#
#   kernel.sh build [OPTION...]   build unless it is there; print its KDIR
#   kernel.sh path  [OPTION...]   print its KDIR; exit 1 if it is not built
#   kernel.sh key   [OPTION...]   print what its content depends on
#   kernel.sh list                what is in the cache, and its size
#   kernel.sh purge               remove all that is in the cache
#
#   --variant stock|patched   default $VARIANT, else stock
#   --debug none|kasan|kcsan  default $DEBUG, else none
#   --fragment NAME|FILE      further options (config/NAME.config); repeatable;
#                             default $FRAGMENTS
#   --line 6.12               kernel line, default $LINE
#   --upto N                  only the first N patches of the series
#   --ksrc DIR                a source tree of one's own, default $KSRC
#
# A KDIR is a complete build tree: modules build against it, `make headers` is
# in KDIR/usr/include, and KDIR/vmlinux.boot is what QEMU boots.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
die_with_parent "$@"

# Raise it when the recipe below changes what ends up in a KDIR.
recipe=1
# Kernels kept of each kind; one is 0.9 GiB, a debug kernel 1.5 GiB.
keep=3

command=${1:-}
shift || true
variant=${VARIANT:-stock}
debug=${DEBUG:-none}
read -ra fragments <<<"${FRAGMENTS:-}"
export LINE=${LINE:-6.12} KSRC=${KSRC:-} UPTO=${UPTO:-}

while (($#)); do
	case $1 in
	--variant) variant=$2 ;;
	--debug) debug=$2 ;;
	--fragment) fragments+=("$2") ;;
	--line) LINE=$2 ;;
	--upto) UPTO=$2 ;;
	--ksrc) KSRC=$2 ;;
	*) die "unknown option $1" "kernel.sh $command" "sed -n 2,20p tools/vm/kernel.sh" ;;
	esac
	shift 2 || die "an option lacks its value" "kernel.sh $command"
done
case $variant in
stock | patched) ;;
*) die "unknown VARIANT '$variant'" "kernel.sh" "use stock or patched" ;;
esac
case ${debug:=none} in
none | kasan | kcsan) ;;
*) die "unknown DEBUG '$debug'" "kernel.sh" "use none, kasan or kcsan" ;;
esac
export VARIANT=$variant

# The kind of a kernel, for people and for pruning: 6.12-patched-kasan.
kind=$LINE-$variant
[[ $debug == none ]] || kind+=-$debug
[[ -z $KSRC ]] || kind+=-own
[[ -z $UPTO ]] || kind+=-upto
configs=("$here/config/base.config")
# Half a series may not have the option yet.
if [[ $variant == patched ]] && { [[ -z $UPTO ]] || "$here/source.sh" series |
	xargs -r grep -qsE '^\+config COMPLETION_PROVENANCE$'; }; then
	configs+=("$here/config/patched.config")
fi
[[ $debug == none ]] || configs+=("$here/config/debug.config" "$here/config/$debug.config")
for f in "${fragments[@]}"; do
	if [[ $f != */* ]]; then
		kind+=-$f
		f=$here/config/$f.config
	else
		kind+=-$(basename "$f" .config)
	fi
	[[ -r $f ]] || die "no such configuration fragment" "$f"
	configs+=("$f")
done

print_key()
{
	printf 'recipe %s\narch x86_64\n' "$recipe"
	"$here/source.sh" id
	printf 'config %s\n' "$("$here/config.sh" merge "${configs[@]}" | sha256sum | cut -c 1-64)"
	printf 'compiler %s\n' "$(gcc --version | head -n 1)"
	printf 'linker %s\n' "$(ld --version | head -n 1)"
	printf 'pahole %s\n' "$(pahole --version)"
}

kernels=$CPROV_CACHE/kernel

entry()
{
	local key

	key=$(print_key)
	printf '%s/%s-%s\n' "$kernels" "$kind" "$(sha256sum <<<"$key" | cut -c 1-12)"
}

# Fixed identity and time, so that ccache hits whatever directory it is; what a file
# depends on told by its compilation, as to preprocess it before takes a third as
# long again.  One make, and one that dies with us: a subshell around it would live on.
kmake()
{
	local release=-$variant

	[[ $debug == none ]] || release+=-$debug
	cd "$1"
	shift
	CCACHE_DIR=$CPROV_CACHE/ccache CCACHE_BASEDIR=$(pwd) CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1 \
		CCACHE_MAXSIZE=4G exec setpriv --pdeathsig TERM \
		make -j"$(nproc)" ARCH=x86_64 CC='ccache gcc' HOSTCC='ccache gcc' LOCALVERSION="$release" \
		KBUILD_BUILD_USER=cprov KBUILD_BUILD_HOST=cprov \
		KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970' "$@"
}

# Steps (compilations and the like) that such a build takes: as counted when
# the last one of this kind was made, else a figure that was measured once.
estimate()
{
	local counted=$kernels/.steps-$kind

	if [[ -r $counted ]]; then
		cat "$counted"
	elif ((${#fragments[@]})); then
		echo 3600
	else
		echo 1910
	fi
}

count_steps()
{
	grep -cE '^  (CC|AS|LD|AR|HOSTCC) ' "$1" || true
}

compile()
{
	local tree=$1 logfile=$2 pid

	# Linking, BTF and headers are few steps and half a minute.
	progress_start "kernel $kind" "$(estimate)" 30
	kmake "$tree" vmlinux modules headers >"$logfile" 2>&1 &
	pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		progress_update "$(count_steps "$logfile")"
		sleep 1
	done
	progress_end
	if ! wait "$pid"; then
		log "the kernel build failed:"
		{ grep -E -A 8 'error:|Error |undefined reference|No space|FAILED' "$logfile" ||
			cat "$logfile"; } | tail -n 30 | sed 's/^/  | /' >&2
		die "building kernel $kind failed" "$logfile" \
			"fix what the log says and run the same command again; what compiled is in the compiler cache"
	fi
	count_steps "$logfile" >"$kernels/.steps-$kind"
	objcopy -S "$tree/vmlinux" "$tree/vmlinux.boot"
}

# Old kernels of the same kind go, and what interrupted builds left behind;
# `touch` at every use keeps those in use.
prune()
{
	local old

	for old in "$kernels/.building-$kind"-????????????/; do
		[[ -d $old ]] || continue
		old=${old%/}
		flock -n "$kernels/.lock-${old##*/.building-}" rm -rf "$old" || true
	done
	# shellcheck disable=SC2012 # names are ours, and we want them by age
	{ ls -dt "$kernels/$kind"-????????????/ 2>/dev/null || true; } | tail -n +$((keep + 1)) |
		while read -r old; do
			log "dropping old kernel $old"
			rm -rf "$old"
		done
}

# Of what is there, the part that is not shared with the pristine source.
own_size()
{
	find "$1" -type f -links 1 -print0 | du -ch --files0-from=- | tail -n 1 | cut -f 1
}

build()
{
	local dir tmp begin=$SECONDS

	dir=$(entry)
	mkdir -p "$kernels"
	exec {lock}>"$kernels/.lock-${dir##*/}"
	flock -n "$lock" || { log "waiting for another build of kernel $kind"; flock "$lock"; }
	if [[ ! -e $dir/.done ]]; then
		tmp=$kernels/.building-${dir##*/}
		prune
		rm -rf "$tmp"
		mkdir "$tmp"
		print_key >"$tmp/key"
		"$here/source.sh" link "$tmp/tree"
		"$here/config.sh" apply "$tmp/tree" "${configs[@]}"
		compile "$tmp/tree" "$tmp/build.log"
		# All that a module needs is in vmlinux and Module.symvers.
		find "$tmp/tree" \( -name '*.o' -o -name '*.a' -o -name '.tmp_vmlinux*' \) \
			! -path '*/scripts/*' ! -path '*/tools/*' -delete
		touch "$tmp/.done"
		rm -rf "$dir"
		mv -T "$tmp" "$dir"
		log "kernel $kind built in $(duration $((SECONDS - begin))), $(own_size "$dir")"
		prune
	fi
	touch "$dir"
	exec {lock}>&-
	printf '%s/tree\n' "$dir"
}

case $command in
build) build ;;
path)
	dir=$(entry)
	[[ -e $dir/.done ]] || {
		log "kernel $kind is not built; make kernels"
		exit 1
	}
	printf '%s/tree\n' "$dir"
	;;
key) print_key ;;
list)
	for dir in "$kernels"/*/; do
		[[ ! -d $dir ]] || printf '%s\t%s\n' "$(own_size "$dir")" "${dir%/}"
	done
	;;
purge)
	log "removing $CPROV_CACHE: $(du -sh "$CPROV_CACHE" 2>/dev/null | cut -f 1)"
	rm -rf "$CPROV_CACHE"/{kernel,source,ccache,initramfs,accel*,qemu*}
	;;
*) die "usage: kernel.sh build|path|key|list|purge [OPTION...]" "$here/kernel.sh" ;;
esac; exit # on one line: the file may be edited during a build
