#!/bin/bash
# check.sh: what can be said about the code without running it.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
die_with_parent "$@"
cd "$CPROV_TOP"

line=${LINE:-6.12}
patches=patches/$line
tree=build/check/tree

# ---- style ----

c_files()
{
	git ls-files --cached --others --exclude-standard -- \
		'module/*.[ch]' 'selftests/*.[ch]' 'tools/*.[ch]' 'uapi/*.h'
}

sh_files()
{
	git ls-files --cached --others --exclude-standard -- '*.sh' '*.bash' .ci/run
}

# What checkpatch cannot know is in tools/check/checkpatch.allow: TYPE, the files
# it is allowed in, and the reason.
checkpatch_ignore()
{
	local type glob

	while read -r type glob _; do
		# shellcheck disable=SC2053 # a pattern
		[[ $type == '#' || $1 != $glob ]] || printf '%s,' "$type"
	done <"$tools/check/checkpatch.allow"
}

# checkpatch OPTION... -- FILE...
checkpatch()
{
	local file
	local -a options=()

	while [[ $1 != -- ]]; do options+=("$1"); shift; done
	shift
	for file; do
		printf '%s\0' "$(checkpatch_ignore "$file")NONE" "$file"
	done | xargs -0 -n 2 -P "$(nproc)" perl "$tree/scripts/checkpatch.pl" --root "$tree" \
		--strict --quiet --terse --show-types "${options[@]}" --ignore |
		sed '/^total: 0 errors, 0 warnings, 0 checks/d'
}

checkpatch_patches()
{
	# A file that git knows is taken for a source file, whatever it is.
	rm -rf build/check/patches
	cp -a "$patches" build/check/patches
	rm -f build/check/patches/0000-cover-letter.patch
	checkpatch -- build/check/patches/0*.patch
}

checkpatch_sources()
{
	local -a files

	mapfile -t files < <(c_files)
	checkpatch --file -- "${files[@]}"
}

shell_scripts()
{
	sh_files | xargs shellcheck -x
}

# What is completed is data, whatever it looks like.
completion()
{
	local dir=build/check/completion

	rm -rf "$dir"
	mkdir -p "$dir/rules/\$(touch \${IFS}it_ran)" "$dir/rules/db"
	cd "$dir"
	# shellcheck source=tools/cprovctl/cprovctl.bash
	. "$tools/cprovctl/cprovctl.bash"
	complete_is()
	{
		local expected=$1

		COMP_WORDS=("${@:2}")
		COMP_CWORD=$(($# - 2))
		CPROVCTL_RULES=rules _cprovctl
		diff <(echo "$expected") <(printf '%s\n' "${COMPREPLY[*]}")
	}
	complete_is 'status set' cprovctl s
	complete_is 'show save' cprovctl rules s
	complete_is 'step_critical' cprovctl run --class s
	complete_is 'root' cprovctl rules add --uid roo
	complete_is 'db' cprovctl rules del d
	complete_is '\$\(touch\ \$\{IFS\}it_ran\)' cprovctl rules del '$'
	complete_is '' cprovctl rules load ''
	[[ ! -e it_ran ]]
}

# The uapi header and the module are laid out by hand, as kernel code is: with
# tables, which clang-format would undo. checkpatch looks at them.
formatted()
{
	c_files | grep -vE '^(uapi/linux|module)/' | xargs clang-format --style=file:"$tree/.clang-format" --dry-run -Werror
}

# ---- the series ----

series_is_complete()
{
	diff <(grep -v '^#' "$patches/series" | grep .) \
		<(cd "$patches" && printf '%s\n' 0*.patch | grep -v cover-letter)
	grep -q '^linux-source-' "$patches/base"
	# It ends with a list of the others' subjects, wrapped.
	diff <(sed -n '/^      completion provenance: /,$s/^ *//p' "$patches/0000-cover-letter.patch" | tr ' ' '\n') \
		<(grep '^0' "$patches/series" | while read -r patch; do
			git mailinfo /dev/null /dev/null <"$patches/$patch"
		done | sed -n 's/^Subject: //p' | tr ' ' '\n')
}

one_uapi_header()
{
	diff uapi/linux/completion_provenance.h "$tree/include/uapi/linux/completion_provenance.h"
}

uapi_alone()
{
	local dir=build/check/uapi lang std

	mkdir -p "$dir"
	echo '#include <linux/completion_provenance.h>' >"$dir/alone.c"
	echo '#include <cprov.h>' >"$dir/helper.c"
	for std in c99 c11 gnu17; do
		gcc -std=$std -Wall -Wextra -Werror -Iuapi -fsyntax-only "$dir/alone.c"
	done
	for lang in c c++; do
		gcc -x $lang -Wall -Wextra -Werror -Iuapi -fsyntax-only "$dir/alone.c"
		gcc -x $lang -Wall -Wextra -Werror -Iuapi -fsyntax-only "$dir/helper.c"
	done
}

kernel_doc()
{
	local -a files

	mapfile -t files < <(git ls-files 'module/*.[ch]' 'uapi/linux/*.h')
	perl "$tree/scripts/kernel-doc" -none -Werror "${files[@]}" "$tree"/block/blk-cprov.c \
		"$tree"/include/linux/completion_provenance.h
}

# ---- the compiler ----

# What the series touches, each after the option that it is built with; MMU is always there.
objects()
{
	cat <<-'EOF'
		BLOCK block/
		IO_URING io_uring/
		BLK_DEV_LOOP drivers/block/loop.o
		BLK_DEV_NVME drivers/nvme/host/
		BLK_DEV_DM drivers/md/dm.o
		DM_CRYPT drivers/md/dm-crypt.o
		CPUSETS kernel/cgroup/cpuset.o
		MMU kernel/fork.o
		MMU kernel/sched/core.o
		MMU fs/exec.o
	EOF
}

# build_config NAME ARCH MAKE-ARGUMENTS... -- OPTION...: W=1 on the touched files,
# with options on top of the guest's configuration.
build_config()
{
	local name=$1 arch=$2 out=build/check/$1 option target
	local -a args=() targets=()
	shift 2

	while [[ $1 != -- ]]; do args+=("$1"); shift; done
	shift
	mkdir -p "$out"
	cat "$tools"/vm/config/{base,patched}.config | sed 's/[[:space:]]*#.*//' >"$out/fragment"
	printf '%s\n' "$@" >>"$out/fragment"
	kmake() {
		kernel_make "$tree" "$CPROV_TOP/$out" ARCH="$arch" "${args[@]}" "$@"
	}
	kmake KCONFIG_ALLCONFIG="$CPROV_TOP/$out/fragment" allnoconfig
	for option; do
		# What does not exist is not set, either.
		if [[ $option == *=n ]]; then
			! grep -q "^${option%%=*}=" "$out/.config"
		else
			grep -qx "$option" "$out/.config"
		fi || { echo "$option was not taken"; return 1; }
	done
	kmake prepare
	while read -r option target; do
		! grep -q "^CONFIG_$option=[ym]" "$out/.config" || targets+=("$target")
	done < <(objects)
	kmake W=1 "${targets[@]}"
	only_known_warnings "$name"
}

# W=1 speaks of the whole kernel; a line that names one of our files fails.
only_known_warnings()
{
	! grep -E '(blk-cprov|completion_provenance|io_uring/(locality|batch)|trace/events/cprov)[^ ]*:[0-9]+:.*(warning|error):' \
		"$STEPS_DIR/build-$1.log"
}

# Code without its place and without the numbers that only count lines.
# The functions of an object, by name: gcc may put them in another order.
# io_req_local_work_add() is left out. It is the same source (patch 15), but inlined into
# a function around it, and gcc then has other registers and jumps.
code()
{
	objdump -d --no-addresses --no-show-raw-insn "$1" | sed '1,3d; s/__UNIQUE_ID_[^>+]*//' |
		awk '/^<.*>:$/ { name = $1 } name != "<io_req_local_work_add>:" { print name "\t" $0 }' |
		sort -s -t $'\t' -k 1,1 | cut -f 2-
}

# With the option off, the code of the touched files is what it was. Left out are io-wq,
# rsrc and uring_cmd, where patches give a function another parameter, or a name to lines
# that two have in common, and sched/core, which has one function more.
text_off()
{
	local stock=$CPROV_TOP/build/check/stock object differ=0
	local -a objects=(
		block/{bio,blk-core,blk-mq,blk-merge,blk-flush,blk-mq-debugfs}.o
		drivers/block/loop.o drivers/nvme/host/pci.o drivers/md/{dm,dm-crypt}.o
		io_uring/{io_uring,register,rw,fdinfo,opdef,sqpoll,sync,tctx}.o
		kernel/{fork,cgroup/cpuset}.o fs/exec.o
	)

	rm -rf "$stock-tree"
	VARIANT=stock "$tools/vm/source.sh" link "$stock-tree"
	mkdir -p "$stock"
	cp build/check/off/fragment "$stock/"
	stock_make() {
		kernel_make "$stock-tree" "$stock" ARCH=x86_64 "$@"
	}
	stock_make KCONFIG_ALLCONFIG="$stock/fragment" allnoconfig
	stock_make prepare
	stock_make "${objects[@]}"
	for object in "${objects[@]}"; do
		# Line numbers are data of BUG() and the like, not code.
		cmp <(code "$stock/$object") <(code "build/check/off/$object") ||
			{ echo "$object differs"; differ=1; }
	done
	return $differ
}

sparse()
{
	local log

	log=$(make -s -C "$tree" O="$CPROV_TOP/build/check/on" ARCH=x86_64 C=2 \
		block/blk-cprov.o block/blk-mq.o block/blk-merge.o \
		io_uring/{batch,io-wq,io_uring,locality,register,rw,sqpoll}.o 2>&1)
	printf '%s\n' "$log"
	! grep -E '(blk-cprov|completion_provenance|locality|io_uring/batch)[^ ]*:[0-9]+:[0-9]+: (warning|error)' <<<"$log"
}

module_checks()
{
	local kdir log

	kdir=$("$tools/vm/kernel.sh" path --variant patched) || { echo "no patched kernel is built"; return 77; }
	make -s -C "$kdir" M="$CPROV_TOP/module" clean
	log=$(make -s -C "$kdir" M="$CPROV_TOP/module" W=1 C=2 modules 2>&1) || { echo "$log"; return 1; }
	printf '%s\n' "$log"
	! grep -E 'warning|error' <<<"$log"
}

# ---- the documents ----

rst_files()
{
	git ls-files --cached --others --exclude-standard -- 'Documentation/*.rst' README.md
}

# Every relative link and every file that is named like one exists.
links()
{
	local file target status=0
	# shellcheck disable=SC2016 # backquotes are Markdown's and rst's
	local named='\]\([^)#: ]+\)|``?[A-Za-z_./-]+/[A-Za-z0-9_.-]+\.(rst|sh|c|h|md|config)``?'

	while read -r file; do
		while read -r target; do
			[[ -e $(dirname "$file")/$target || -e $target || -e $tree/$target ]] ||
				{ echo "$file: $target does not exist"; status=1; }
		done < <({ grep -oE "$named" "$file" || true; } | sed -E 's/^\]\(|\)$|`//g' | sort -u)
	done < <(rst_files)
	return $status
}

rst_parses()
{
	local file status=0

	for file in Documentation/*.rst; do
		rst2html --strict --halt=2 "$file" /dev/null || status=1
	done
	return $status
}

man_pages()
{
	local -a pages

	mapfile -t pages < <(git ls-files --cached --others --exclude-standard -- 'tools/man/*.1' 'Documentation/man/*.8')
	[[ ${#pages[@]} -gt 0 ]]
	! LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "${pages[@]}" 2>&1 >/dev/null | grep .
}

rm -rf "$tree"
mkdir -p build/check
VARIANT=patched "$tools/vm/source.sh" link "$CPROV_TOP/$tree"

arm=(CROSS_COMPILE=aarch64-linux-gnu- CC='ccache aarch64-linux-gnu-gcc')

steps_begin check 22
step series series_is_complete
step uapi-header-is-the-patch one_uapi_header
step uapi-alone uapi_alone
step checkpatch-patches checkpatch_patches
step checkpatch-sources checkpatch_sources
step clang-format formatted
step shellcheck shell_scripts
step completion completion
step bench-judges "$tools/bench/judge-test.sh"
step kernel-doc kernel_doc
step links links
step rst rst_parses
step man-pages man_pages
step build-on build_config on x86_64 --
step sparse sparse
# With zoned devices gcc gives blk_mq_submit_bio() other registers, and text-off
# could not tell that from a change.
step build-off build_config off x86_64 -- CONFIG_COMPLETION_PROVENANCE=n CONFIG_BLK_DEV_ZONED=n
step text-off text_off
step build-up build_config up x86_64 -- CONFIG_SMP=n CONFIG_NUMA=n
step build-no-io_uring build_config no-io_uring x86_64 -- CONFIG_IO_URING=n
step build-i386 build_config i386 i386 -- CONFIG_64BIT=n
# With a network, which the guests do without, and so with io_uring/napi.c.
step build-arm64 build_config arm64 arm64 "${arm[@]}" -- CONFIG_NET=y
step module module_checks
steps_end || exit 1
