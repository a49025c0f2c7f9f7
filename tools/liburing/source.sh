#!/bin/bash
# source.sh DIR: liburing's source, as Debian packages it, in the version of the
# installed liburing-dev, to DIR/liburing. Needs the network once: what was
# fetched stays in the cache.
set -euo pipefail
# shellcheck source=tools/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

version=$(dpkg-query -W -f '${source:Version}' liburing-dev) ||
	die "liburing-dev is not installed" "dpkg" "make deps"
cache=$CPROV_CACHE/source/liburing-$version

# An apt of our own: the machine's may have no source packages, and its lists
# are root's.
fetch()
{
	local apt=$1
	local -a options=(
		-o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=-
		-o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache"
		-o APT::Sandbox::User= -o APT::Get::List-Cleanup=0
	)

	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/source"
	# Wherever binary packages of this distribution come from.
	# shellcheck disable=SC2016 # apt's, not the shell's
	apt-get indextargets --format '$(ORIGIN) deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
		sed -n 's/^Debian //p' | sort -ru >"$apt/sources.list"
	apt-get "${options[@]}" update
	cd "$apt/source"
	apt-get "${options[@]}" source --download-only "liburing=$version"
}

if [[ ! -e $cache ]]; then
	scratch=
	scratch_dir scratch
	(fetch "$scratch") >"$scratch/log" 2>&1 ||
		die "liburing's source cannot be fetched: $(grep -m1 "^[EW]:" "$scratch/log")" \
			"liburing $version" "look at the network, and at /etc/apt"
	mkdir -p "$(dirname "$cache")"
	cp -a "$scratch/source" "$cache.$$"
	mv -T "$cache.$$" "$cache"
fi

rm -rf "$1/liburing"
mkdir -p "$1"
dpkg-source --no-check -x "$cache"/*.dsc "$1/liburing" >&2
