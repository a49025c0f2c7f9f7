#!/bin/bash
# qemu.sh: print a QEMU that has not the race below, for CPROV_QEMU=$(tools/vm/qemu.sh) make test.
# qemu.sh races: status 0 if $CPROV_QEMU, or the installed one, has the race below.
#
# It is the installed one, unless that is older than 8.1, whose multi-threaded TCG has a
# race with code that the kernel patches (Documentation/testing.rst). Then it is that of
# Debian's backports, if they have one and can be reached: unpacked in the cache, checked
# as apt checks it, and nothing is installed.
# That has faults of its own, so it is used by who asks for it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

dir=$CPROV_CACHE/qemu
qemu_log=$CPROV_CACHE/qemu.log
failed=$CPROV_CACHE/qemu.failed

# has_race QEMU: whether it is too old. One that does not run has it as well.
has_race()
{
	! printf '8.1\n%s\n' "$(qemu_version "$1")" | sort -CV
}

# Debian's address, and what the release is called, as apt has them; it has not if its
# lists were removed.
archive()
{
	# shellcheck disable=SC2016 # apt's
	{
		apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(ORIGIN) $(COMPONENT)' 'Created-By: Packages' |
			awk '$2 !~ /-/ && $3 == "Debian" && $4 == "main" { print $1, $2 }'
		sed -n 's,^VERSION_CODENAME=,http://deb.debian.org/debian ,p' /etc/os-release
	} | sed -n 1p
}

# private_apt DIR ARGUMENT...: all that apt writes is in there.
private_apt()
{
	local in=$1
	shift

	apt-get -q -o Dir::Etc::SourceList="$in/sources" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$in/state" -o Dir::State::Status="$in/status" -o Dir::Cache="$in/cache" \
		-o APT::Sandbox::User= -o Acquire::http::Timeout=20 -o Acquire::Retries=1 "$@"
}

fetch()
{
	local tmp='' uri codename deb

	scratch_dir tmp
	read -r uri codename < <(archive)
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s-backports main\n' \
		"$uri" "$codename" >"$tmp/sources"
	mkdir -p "$tmp"/{state/lists/partial,cache/archives/partial,debs,root}
	: >"$tmp/status"
	private_apt "$tmp" update
	(cd "$tmp/debs" && private_apt "$tmp" download qemu-system-{x86,common,data} seabios)
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root"
	done
	# It would look for its parts where they would be installed.
	cat >"$tmp/root/qemu-system-x86_64" <<-'EOF'
		#!/bin/sh
		here=$(dirname "$0")
		export QEMU_MODULE_DIR="$here/usr/lib/x86_64-linux-gnu/qemu"
		exec "$here/usr/bin/qemu-system-x86_64" -L "$here/usr/share/qemu" -L "$here/usr/share/seabios" "$@"
	EOF
	chmod +x "$tmp/root/qemu-system-x86_64"
	if has_race "$tmp/root/qemu-system-x86_64"; then
		"$tmp/root/qemu-system-x86_64" --version
		die "it does not run here, or has the race as well"
	fi
	# Whole or not at all, whatever file system the scratch directory is on.
	rm -rf "$dir" "$dir.new"
	cp -r "$tmp/root" "$dir.new"
	mv -T "$dir.new" "$dir"
}

case ${1:-} in
fetch)
	fetch
	exit
	;;
races)
	if has_race "${CPROV_QEMU:-qemu-system-x86_64}"; then exit 0; else exit 1; fi
	;;
esac
if [[ -n ${CPROV_QEMU:-} ]]; then
	echo "$CPROV_QEMU"
	exit
fi
installed=$(type -P qemu-system-x86_64) || die "there is no QEMU" "PATH" "apt-get install qemu-system-x86"
if ! has_race "$installed"; then
	echo "$installed"
	exit
fi
mkdir -p "$CPROV_CACHE"
exec {lock}>"$CPROV_CACHE/qemu.lock"
flock -n "$lock" || { log "waiting for another who fetches a QEMU"; flock "$lock"; }
# Not again on the day on which it failed.
if has_race "$dir/qemu-system-x86_64" && [[ -z $(find "$failed" -mmin -1440 2>/dev/null) ]]; then
	log "fetching a QEMU that has no race with patched code, from Debian's backports"
	rm -f "$failed"
	timeout 300 setpriv --pdeathsig TERM "$BASH" "$0" fetch >"$qemu_log" 2>&1 || : >"$failed"
fi
if ! has_race "$dir/qemu-system-x86_64"; then
	echo "$dir/qemu-system-x86_64"
else
	log "QEMU $(qemu_version "$installed") it is: guests that meet its race are run again ($qemu_log)"
	echo "$installed"
fi
