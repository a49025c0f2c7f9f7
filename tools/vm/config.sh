#!/bin/bash
# config.sh merge FRAGMENT...        print the options of the fragments, reasons
#                                    stripped, the last mention of each winning
# config.sh apply TREE FRAGMENT...   make TREE/.config of them, on top of
#                                    allnoconfig, and verify that all survived
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Reasons are for people: a reworded one must not rebuild a kernel.
merge()
{
	awk '
		{ sub(/[ \t]*#.*/, "") }
		!NF { next }
		!/^CONFIG_[A-Za-z0-9_]+=/ {
			printf "%s:%d: not an option: %s\n", FILENAME, FNR, $0 >"/dev/stderr"
			exit 1
		}
		{
			name = $0
			sub(/=.*/, "", name)
			if (!(name in value))
				order[++n] = name
			value[name] = $0
		}
		END { for (i = 1; i <= n; i++) print value[order[i]] }' "$@"
}

# Kconfig drops what depends on something absent without a word.
verify()
{
	local config=$1 wanted option lost=()
	shift

	while read -r wanted; do
		option=${wanted%%=*}
		if [[ $wanted == *=n ]]; then
			! grep -q "^$option=" "$config" || lost+=("$option")
		else
			grep -qxF "$wanted" "$config" || lost+=("$option")
		fi
	done < <(merge "$@")
	((${#lost[@]})) || return 0
	for option in "${lost[@]}"; do
		log "  wanted: $(grep -hE "^$option=" "$@" | tail -n 1)"
		log "  got:    $(grep -E "^(# )?${option}[ =]" "$config" ||
			echo "nothing: no such option, or a dependency is off")"
	done
	die "options lost while configuring the kernel: ${lost[*]}" \
		"$config" "name what they depend on in $*, or correct the name"
}

apply()
{
	local tree=$1 all
	shift

	all=$(mktemp "$tree/.cprov-config.XXXXXX")
	merge "$@" >"$all"
	# KCONFIG_ALLCONFIG is relative to the tree.
	if ! make -C "$tree" -s KCONFIG_ALLCONFIG="${all##*/}" allnoconfig >"$tree/.cprov-kconfig.log" 2>&1; then
		tail -n 20 "$tree/.cprov-kconfig.log" >&2
		die "configuring the kernel failed" "$tree/.cprov-kconfig.log"
	fi
	rm -f "$all"
	verify "$tree/.config" "$@"
}

case ${1:-} in
merge) shift; merge "$@" ;;
apply) shift; apply "$@" ;;
*) die "usage: config.sh merge FRAGMENT... | apply TREE FRAGMENT..." ;;
esac
