#!/bin/bash
# deps.sh: install whatever is missing of tools/vm/packages.
#
# With everything there it costs one dpkg-query.  LINE names the kernel line.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

type -P dpkg-query >/dev/null ||
	die "this is not Debian: its package manager is missing" "PATH" \
		"on Debian 12 or 13 run it again; elsewhere install the equivalents of $here/packages"

wanted=()
while read -r package _; do
	wanted+=("${package//\{line\}/${LINE:-6.12}}")
done < <(sed '/^#/d; /^$/d' "$here/packages")

missing()
{
	# dpkg-query fails when it does not know one of them.
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
		sed -n 's/^installed //p' | sort -u |
		comm -13 - <(printf '%s\n' "${wanted[@]}" | sort -u) || true
}

mapfile -t list < <(missing)
((${#list[@]})) || exit 0

as_root=()
if ((EUID)); then
	type -P sudo >/dev/null ||
		die "packages are missing, and neither root nor sudo is at hand" \
			"${list[*]}" "as root: apt-get install ${list[*]}"
	as_root=(sudo)
	log "sudo installs: ${list[*]}"
fi

apt_log=$(mktemp "${TMPDIR:-/tmp}/cprov-apt.XXXXXX")

# apt-get's own numbered steps are the progress; the rest goes to the log.
apt()
{
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y \
		-o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >>"$apt_log" 2>&1 &
	local pid=$! steps

	# It may be root's, to whom others may send no signal.
	while [[ -d /proc/$pid ]]; do
		steps=$(grep -cE '^(Get|Hit|Unpacking|Setting up)' "$apt_log" || true)
		progress_update "$steps"
		sleep 1
	done
	wait "$pid"
}

log "installing ${#list[@]} missing packages: ${list[*]}"
# Each package is fetched, unpacked and set up, and brings another on average.
progress_start "packages" $((${#list[@]} * 6))
# A package that is not found, or no longer at its address: the lists are old.
apt install --no-install-recommends "${list[@]}" ||
	{ apt update && apt install --no-install-recommends "${list[@]}"; } || {
	progress_end
	tail -n 15 "$apt_log" | sed 's/^/  | /' >&2
	die "installing packages failed" "$apt_log" \
		"apt-get install ${list[*]}, then the same command again"
}
progress_end
rm -f "$apt_log"
mapfile -t list < <(missing)
((${#list[@]} == 0)) || die "packages are still missing" "${list[*]}"
