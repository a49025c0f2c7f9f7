#!/bin/bash
# mutants.sh [NAME...]: break the code in small ways, one at a time, and see a
# test turn red for each.
#
# A mutant is a patch in tools/mutants/: to the kernel tree, to module/, or to
# cprovctl in tools/. Lines before the diff say what it breaks and where it must
# show:
#   tests: the groups or tests of selftests/run_all.sh that are run
#   topology: the guest's (one-queue-2llc)
#   debug: the kernel's (none)
#   append: what its command line has besides
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

line=${LINE:-6.12}
work=$CPROV_TOP/build/mutants/work

header()
{
	sed -n "/^diff /q; s/^$1: *//p" "$2"
}

# The series with the mutant as its last patch, as kernel.sh takes it.
mutant_kernel()
{
	local mutant=$1

	rm -rf "$work/patches"
	cp -a "patches/$line" "$work/patches"
	{
		printf 'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n'
		printf 'From: Mutant <mutant@localhost>\nDate: Thu, 1 Jan 1970 00:00:00 +0000\n'
		printf 'Subject: [PATCH] mutant\n\n---\n'
		sed -n '/^diff /,$p' "$mutant"
		printf -- '-- \n'
	} >"$work/patches/9999-mutant.patch"
	echo 9999-mutant.patch >>"$work/patches/series"
	# With a limit, so that it crowds out no kernel that is in use.
	PATCHES_DIR=$work/patches "$tools/vm/kernel.sh" build --variant patched --upto 9999
}

# Succeeds if the tests fail, which includes a guest that is lost or complains.
caught()
{
	local mutant=$1 kernel status=0 topology append
	local -a tests

	rm -rf "$work"
	mkdir -p "$work"
	read -ra tests <<<"$(header tests "$mutant")"
	topology=$(header topology "$mutant")
	DEBUG=$(header debug "$mutant")
	export DEBUG
	append=$(header append "$mutant")
	if grep -q '^+++ b/module/' "$mutant"; then
		kernel=$("$tools/vm/kernel.sh" build --variant patched)
		cp -a module "$work/module"
		sed -n '/^diff /,$p' "$mutant" | patch -s -p1 --fuzz=0 -d "$work"
		guest_module=$work/module guest_build "$kernel"
	elif grep -q '^+++ b/tools/' "$mutant"; then
		kernel=$("$tools/vm/kernel.sh" build --variant patched)
		mkdir "$work/tools"
		cp -a uapi "$work/"
		cp -a tools/cprovctl tools/common "$work/tools/"
		sed -n '/^diff /,$p' "$mutant" | patch -s -p1 --fuzz=0 -d "$work"
		guest_tools=$work/tools guest_build "$kernel"
	else
		kernel=$(mutant_kernel "$mutant")
		guest_build "$kernel"
	fi
	guest_selftests "mutant" "$kernel" "${topology:-one-queue-2llc}" ${append:+--append "$append"} -- \
		"${tests[@]}" || status=$?
	rm -f "$STEPS_DIR/guest.totals"
	case $status in
	0)
		echo "the tests passed all the same: ${tests[*]}"
		return 1
		;;
	1)
		# A test that is not there any more fails, too.
		grep -qE '^ *not ok' build/vm/mutant/log || {
			echo "nothing says which test failed: ${tests[*]}"
			return 1
		}
		;;
	2) return 2 ;;
	esac
	echo "caught: $(grep -E '^( *not ok)' build/vm/mutant/log | head -n 3 | tr -s ' ' | tr '\n' ';')"
}

if (($#)); then
	mutants=("${@/#/$tools/mutants/}")
	mutants=("${mutants[@]/%/.patch}")
else
	mutants=("$tools"/mutants/*.patch)
fi
steps_begin mutants ${#mutants[@]}
for mutant in "${mutants[@]}"; do
	step "$(basename "$mutant" .patch)" caught "$mutant"
done
steps_end || exit 1
