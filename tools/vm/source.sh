#!/bin/bash
# source.sh: the kernel source, from a Debian package or a tree of one's own,
# with or without the patch series.
#
#   source.sh id          print what identifies the source, one fact a line
#   source.sh series      print the paths of the patches that apply, in order
#   source.sh write DIR   write the tree to DIR, which must not exist
#   source.sh link DIR    the same in a tenth of the time and space, with hard
#                         links: for trees that are built in, never edited
#
# Settings: LINE (6.12), VARIANT (stock, patched), UPTO (the first N patches of
# the series; all), KSRC (a tree, instead of linux-source-LINE; never modified),
# PATCHES_DIR (patches/LINE).
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

line=${LINE:-6.12}
variant=${VARIANT:-stock}
upto=${UPTO:-}
ksrc=${KSRC:-}
patches=${PATCHES_DIR:-$CPROV_TOP/patches/$line}
package=linux-source-$line
tarball=/usr/src/$package.tar.xz

# The header that the series adds: a tree that has it needs no patching.
mark=include/linux/completion_provenance.h

if [[ -n $ksrc ]]; then
	[[ -f $ksrc/Kbuild && -d $ksrc/block ]] ||
		die "KSRC is not a kernel source tree" "$ksrc"
	ksrc=$(cd "$ksrc" && pwd)
elif [[ ! -f $tarball ]]; then
	die "the kernel source is missing" "$tarball" "apt-get install $package"
fi

# The patches to apply, in order, as paths.
series()
{
	local name n=0

	[[ $variant == patched ]] || return 0
	[[ -z $ksrc || ! -e $ksrc/$mark || -n $upto ]] || return 0
	[[ -f $patches/series ]] ||
		die "there is no patch series for Linux $line, so no patched kernel" \
			"$patches/series" "build VARIANT=stock, or name another LINE="
	while read -r name; do
		[[ -n $name && $name != \#* ]] || continue
		[[ -f $patches/$name ]] || die "a patch of the series is missing" "$patches/$name"
		[[ -z $upto ]] || ((n++ < upto)) || break
		printf '%s\n' "$patches/$name"
	done < <(sed 's/[[:space:]]*#.*//' "$patches/series")
}

# Only what a patch does, not what it says: rewording never rebuilds a kernel.
diff_of()
{
	awk '/^diff --git /{ on = 1 } /^-- $/{ on = 0 } on && !/^index /' "$1"
}

base_version()
{
	if [[ -n $ksrc ]]; then
		printf '%s %s\n' "$ksrc" "$(make -s -C "$ksrc" kernelversion)"
	else
		dpkg-query -W -f '${Package} ${Version}\n' "$package" 2>/dev/null ||
			echo "$tarball, of no Debian package"
	fi
}

# A tree of one's own is what git says it is, or else the content of its files.
tree_id()
{
	if git -C "$ksrc" rev-parse -q --verify HEAD >/dev/null 2>&1 &&
		[[ -z $(git -C "$ksrc" rev-parse --show-prefix) ]]; then
		git -C "$ksrc" rev-parse HEAD
		git -C "$ksrc" diff --binary HEAD
		git -C "$ksrc" ls-files -z --others --exclude-standard |
			(cd "$ksrc" && xargs -0 -r sha256sum)
	else
		(cd "$ksrc" && find . -path ./.git -prune -o -type f -print0 |
			sort -z | xargs -0 sha256sum)
	fi | sha256sum | cut -d ' ' -f 1
}

print_id()
{
	local list patch

	list=$(series)
	if [[ -n $ksrc ]]; then
		printf 'source tree %s\n' "$(tree_id)"
	else
		printf 'source %s %s\n' "$(base_version)" "$(sha256sum <"$tarball" | cut -c 1-64)"
	fi
	while read -r patch; do
		[[ -n $patch ]] || continue
		printf 'patch %s\n' "$(diff_of "$patch" | sha256sum | cut -c 1-64)"
	done <<<"$list"
}

# The package's tree, unpacked once.  What is left out are 500 MiB of graphics
# registers, which no kernel here compiles.
unpack()
{
	local version tree tmp

	version=$(sha256sum <"$tarball" | cut -c 1-12)
	tree=$CPROV_CACHE/source/$line-$version
	mkdir -p "$CPROV_CACHE/source"
	exec {lock}>"$tree.lock"
	flock "$lock"
	if [[ ! -d $tree ]]; then
		log "unpacking $tarball"
		tmp=$(mktemp -d "$CPROV_CACHE/source/.unpack.XXXXXX")
		if ! tar -x -f "$tarball" -C "$tmp" --strip-components=1 \
			--exclude='*/drivers/gpu/drm/amd/include/asic_reg'; then
			rm -rf "$tmp"
			die "unpacking the kernel source failed" "$tarball" \
				"see that $CPROV_CACHE has 4 GiB free"
		fi
		mv -T "$tmp" "$tree"
		# Sources of former package versions serve nobody.
		find "$CPROV_CACHE/source" -maxdepth 1 -type d -name "$line-*" \
			! -path "$tree" -exec rm -rf {} +
	fi
	exec {lock}>&-
	printf '%s\n' "$tree"
}

# git, deaf to the user's own settings and hooks.
plain_git()
{
	env -u GIT_DIR -u GIT_WORK_TREE -u GIT_INDEX_FILE \
		GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
		git -C "$repo" -c core.hooksPath=/dev/null -c gc.auto=0 \
		-c user.name='Completion Provenance' -c user.email=cprov@localhost "$@"
}

# `git am` in a repository of just the files that the patches touch: as strict
# as in a full one, and a hundred times faster.
apply_series()
{
	local tree=$1 repo patch path touched
	local -a list
	shift
	list=("$@")

	scratch_dir repo
	touched=$(sed -n 's@^diff --git a/\(.*\) b/\(.*\)$@\1\n\2@p' "${list[@]}" | sort -u)
	while read -r path; do
		[[ -e $tree/$path ]] || continue
		mkdir -p "$repo/$(dirname "$path")"
		cp -a "$tree/$path" "$repo/$path"
	done <<<"$touched"
	plain_git init -q
	plain_git add -A -f
	plain_git commit -q --allow-empty -m base
	for patch in "${list[@]}"; do
		plain_git am -q --keep-cr "$patch" >"$repo/.git/am.log" 2>&1 && continue
		log "patch does not apply: ${patch#"$CPROV_TOP"/}"
		log "  made for: $(cat "$patches/base" 2>/dev/null || echo "unknown, $patches/base is missing")"
		log "  found:    $(base_version)"
		# git's advice is about a repository that is about to go away.
		grep -E '^(error|fatal)' "$repo/.git/am.log" | sed 's/^/  | /' >&2 || true
		die "the series does not apply to this kernel source" "$patch" \
			"rebase the patch onto the base found and update ${patches#"$CPROV_TOP"/}/base"
	done
	# Removed first, for the file may be a link to the pristine one.
	while read -r path; do
		rm -f "$tree/$path"
		[[ -e $repo/$path ]] || continue
		mkdir -p "$tree/$(dirname "$path")"
		cp -a "$repo/$path" "$tree/$path"
	done <<<"$touched"
}

write_tree()
{
	local dir=$1 how=$2 list
	local -a patch_list

	[[ ! -e $dir ]] || die "will not write over what is there" "$dir"
	list=$(series)
	if [[ -n $ksrc ]]; then
		# Without the owner's objects and configuration: the sources only.
		mkdir -p "$dir"
		tar -C "$ksrc" -c --exclude=./.git --exclude='*.o' --exclude='*.cmd' . | tar -C "$dir" -x
		make -s -C "$dir" mrproper
	else
		cp -a "$how" "$(unpack)" "$dir"
	fi
	[[ -n $list ]] || return 0
	mapfile -t patch_list <<<"$list"
	apply_series "$dir" "${patch_list[@]}"
}

case ${1:-} in
id) print_id ;;
series) series ;;
write) write_tree "${2:?usage: source.sh write DIR}" --reflink=auto ;;
link) write_tree "${2:?usage: source.sh link DIR}" --link ;;
*) die "usage: source.sh id | series | write DIR | link DIR" ;;
esac
