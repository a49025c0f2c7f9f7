#!/bin/bash
# drive.sh DIR: make the drive that `make run` reads, unless it is there, and
# print what it is, as JSON.
#
# It holds an ext4 file system with one file of 64 MiB, cut from the kernel's
# source package: compressed, so without the blocks of zeroes that mke2fs would
# leave out.  The file is one extent, so that a read of the raw device at its
# place has the same bytes, the same digest and the same requests.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$here/../vm/lib.sh"
# bookworm keeps mke2fs in sbin, which a user's PATH may lack.
PATH=$PATH:/usr/sbin:/sbin

dir=${1:?usage: drive.sh DIR}
source=/usr/src/linux-source-${LINE:-6.12}.tar.xz
bytes=$((64 << 20))
block=4096

[[ -r $source ]] || die "there is no file to put on the drive" "$source" \
	"apt-get install linux-source-${LINE:-6.12}"

key="$(stat -c '%s %Y' "$source") $(sha256sum <"${BASH_SOURCE[0]}")"
mkdir -p "$dir"
if [[ ! -e $dir/drive.img || $(cat "$dir/drive.key" 2>/dev/null) != "$key" ]]; then
	rm -rf "$dir"/drive.*
	mkdir "$dir/drive.files"
	head -c "$bytes" "$source" >"$dir/drive.files/data"
	[[ $(stat -c %s "$dir/drive.files/data") == "$bytes" ]] ||
		die "the file for the drive is smaller than $bytes bytes" "$source"
	# flex_bg would put the file's first blocks into gaps between metadata.
	mke2fs -q -t ext4 -b "$block" -m 0 -O '^flex_bg,^has_journal,^resize_inode' \
		-d "$dir/drive.files" "$dir/drive.img" 80M >"$dir/drive.log" 2>&1 ||
		die "making the file system failed" "$dir/drive.log"
	pieces=$(debugfs -R 'blocks /data' "$dir/drive.img" 2>/dev/null | tr -s ' ' '\n' |
		awk 'NF { if ($1 != last + 1) { n++; if (n == 1) first = $1 } last = $1 }
			END { print n, first }')
	[[ $pieces == '1 '* ]] ||
		die "mke2fs laid the file out in ${pieces% *} pieces, not in one" "$dir/drive.img" \
			"report it with the version of e2fsprogs"
	jq -cn --arg image "$dir/drive.img" --arg source "$source" \
		--arg sha256 "$(sha256sum <"$dir/drive.files/data" | cut -c 1-64)" \
		--argjson bytes "$bytes" --argjson offset "$((${pieces#* } * block))" \
		'{$image, $source, $bytes, $offset, $sha256}' >"$dir/drive.json"
	rm -r "$dir/drive.files"
	printf '%s\n' "$key" >"$dir/drive.key"
fi
cat "$dir/drive.json"
