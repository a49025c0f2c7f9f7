#!/bin/bash
# initramfs.sh: the guest's root file system, as an uncompressed cpio archive.
#
#   initramfs.sh base               print the archive every guest has: init,
#                                   busybox, and the host programs named below
#   initramfs.sh make OUT ITEM...   write one that holds only the items
#
# An item is --add SRC:DST (a file or a directory), --bin PROGRAM (with its
# libraries; one given by path lands in /usr/local/bin) or --script DST TEXT.
# The kernel unpacks archives one after the other, so what changes goes into a
# small one behind the base.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"
# bookworm keeps much in sbin, which a user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

# Host programs for tests; busybox has the rest, or too simple a version.  It
# also prefers its own applets to those of PATH, so no shell may be busybox's,
# nor anything that runs other programs.
programs=(
	dash		# /bin/sh
	env timeout nice xargs find unshare
	bash		# arrays and pipefail in test scripts
	mkfs.ext4	# the file system of `make run`
	dmsetup		# linear, striped, flakey
	mdadm		# raid1
	losetup		# direct I/O on loop devices
	blockdev	# sizes, flushing
	taskset		# pinning by list
	setpriv		# unprivileged users with chosen capabilities
	chrt		# scheduling classes
	sha256sum	# verifying, with the CPU's instructions
)

# Debian's /bin is usr/bin: one place for every path.
place()
{
	case $1 in
	/bin/* | /sbin/* | /lib/* | /lib64/* | /lib32/*) printf '/usr%s' "$1" ;;
	*) printf '%s' "$1" ;;
	esac
}

skeleton()
{
	local root=$1 dir

	for dir in bin sbin lib lib64; do
		mkdir -p "$root/usr/$dir"
		ln -sfn "usr/$dir" "$root/$dir"
	done
}

add()
{
	local root=$1 src=${2%%:*} dst=${2#*:}

	[[ -e $src ]] || die "cannot add to the initramfs: no such file" "$src"
	dst=$root$(place "/${dst#/}")
	mkdir -p "$(dirname "$dst")"
	cp -aL -T "$src" "$dst"
}

add_program()
{
	local root=$1 path dst file libraries

	path=$(type -P "$2") || die "program not found" "$2" "build it, or run tools/vm/deps.sh"
	dst=$path
	[[ $2 != */* ]] || dst=/usr/local/bin/${path##*/}
	add "$root" "$path:$dst"
	# ldd fails on static programs, which need nothing more.
	libraries=$(ldd "$path" 2>/dev/null | grep -oE '/[^ ]+') || return 0
	for file in $libraries; do
		[[ -e $root$(place "$file") ]] || add "$root" "$file:$file"
	done
}

add_script()
{
	local root=$1 dst=$2

	mkdir -p "$(dirname "$root$dst")"
	printf '%s\n' "$3" >"$root$dst"
	chmod 755 "$root$dst"
}

pack()
{
	local root=$1 out=$2

	(cd "$root" && find . -mindepth 1 -print0 | LC_ALL=C sort -z |
		cpio --null --create --format=newc --owner=0:0 --quiet) >"$out.$$"
	mv "$out.$$" "$out"
}

make_archive()
{
	local out=$1 root
	shift

	scratch_dir root
	skeleton "$root"
	while (($#)); do
		case $1 in
		--add) add "$root" "$2"; shift 2 ;;
		--bin) add_program "$root" "$2"; shift 2 ;;
		--script) add_script "$root" "$2" "$3"; shift 3 ;;
		*) die "unknown item $1" "initramfs.sh make" ;;
		esac
	done
	pack "$root" "$out"
}

# What the base archive is made of: a rebuilt program changes its date.
base_key()
{
	cat "$here/init.c" "${BASH_SOURCE[0]}"
	gcc --version | head -n 1
	for p in busybox "${programs[@]}"; do
		p=$(type -P "$p") || die "program not found" "$p" "run tools/vm/deps.sh"
		stat -L -c '%n %s %Y' "$p"
	done
}

base()
{
	local key out root applet

	key=$(base_key | sha256sum | cut -c 1-12)
	out=$CPROV_CACHE/initramfs/$key.cpio
	if [[ ! -e $out ]]; then
		mkdir -p "${out%/*}"
		rm -f "${out%/*}"/*.cpio
		scratch_dir root
		skeleton "$root"
		mkdir -p "$root"/{dev,etc,proc,root,run,sys,tmp,mnt}
		echo 'root:x:0:0:root:/root:/bin/bash
nobody:x:65534:65534:nobody:/:/bin/sh' >"$root/etc/passwd"
		echo 'root:x:0:
nogroup:x:65534:' >"$root/etc/group"
		: >"$root/etc/mtab"
		gcc -O2 -Wall -Wextra -static -o "$root/init" "$here/init.c" ||
			die "the guest's init does not compile" "$here/init.c"
		add "$root" "$(type -P busybox):/bin/busybox"
		busybox --list-full | while read -r applet; do
			applet=$root$(place "/$applet")
			mkdir -p "${applet%/*}"
			[[ -e $applet ]] || ln -s /usr/bin/busybox "$applet"
		done
		for applet in "${programs[@]}"; do
			# busybox may have put its own elsewhere, earlier in PATH.
			rm -f "$root"/usr/{bin,sbin}/"$applet"
			add_program "$root" "$applet"
		done
		ln -sf dash "$root/usr/bin/sh"
		pack "$root" "$out"
	fi
	printf '%s\n' "$out"
}

case ${1:-} in
base) base ;;
make) shift; make_archive "${@:?usage: initramfs.sh make OUT ITEM...}" ;;
*) die "usage: initramfs.sh base | make OUT ITEM..." ;;
esac
