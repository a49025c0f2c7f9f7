#!/bin/bash
# bisect.sh: build and boot the series patch by patch.
#
#   bisect.sh          each patch: the directories it touches with the option on
#                      and off, then the whole kernel, booted, reading a drive
#   bisect.sh --build  only the first half
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
die_with_parent "$@"
cd "$CPROV_TOP"

tree=$CPROV_TOP/build/bisect/tree

kmake()
{
	local out=$1
	shift

	kernel_make "$tree" "$CPROV_TOP/build/bisect/$out" ARCH=x86_64 "$@"
}

# The objects of the directories in which a patch changes C code, and of those
# alone that are built in this configuration.
touched()
{
	local dir

	sed -n 's,^+++ b/\(.*\)/[^/]*\.c$,\1,p' "$1" | sort -u | while read -r dir; do
		case $dir in
		drivers/block) echo drivers/block/loop.o ;;
		drivers/md) echo drivers/md/ ;;
		fs) echo fs/exec.o ;;
		kernel) echo kernel/fork.o ;;
		*) echo "$dir/" ;;
		esac
	done
	# A header is for whoever includes it.
	! grep -q '^+++ b/include/' "$1" || printf '%s\n' block/ io_uring/
}

configure()
{
	local out=$1 option=$2

	mkdir -p "build/bisect/$out"
	{
		cat "$tools/vm/config/base.config"
		echo "CONFIG_COMPLETION_PROVENANCE=$option"
	} | sed 's/[[:space:]]*#.*//' >"build/bisect/$out/fragment"
	kmake "$out" KCONFIG_ALLCONFIG="$CPROV_TOP/build/bisect/$out/fragment" allnoconfig
	kmake "$out" prepare
}

build_touched()
{
	local patch=$1
	local -a targets

	patch -s -p1 -d "$tree" --fuzz=0 <"$patch"
	mapfile -t targets < <(touched "$patch" | sort -u)
	configure on y
	kmake on "${targets[@]}"
	configure off n
	kmake off "${targets[@]}"
}

boot_upto()
{
	local kernel

	kernel=$("$tools/vm/kernel.sh" build --variant patched --upto "$1")
	"$tools/vm/boot.sh" --name "bisect-$1" --kernel "$kernel" --topology few-queues \
		--drive serial=bisect,size=64M -- \
		sh -c 'dd if=/dev/disk/by-serial/bisect of=/dev/null bs=64k iflag=direct'
}

mapfile -t series < <(VARIANT=patched "$tools/vm/source.sh" series)
rm -rf "$tree"
mkdir -p build/bisect
VARIANT=stock "$tools/vm/source.sh" write "$tree"

boot=1
[[ ${1:-} != --build ]] || boot=
steps_begin "bisect${boot:+-boot}" $((${#series[@]} * (boot ? 2 : 1)))
n=0
for patch in "${series[@]}"; do
	n=$((n + 1))
	step "build-$(basename "$patch" .patch)" build_touched "$patch"
	[[ -z $boot ]] || step "boot-$(basename "$patch" .patch)" boot_upto "$n"
done
steps_end || exit 1
