#!/bin/bash
# report.sh [OPTION...] FILE: who paid for the transfers that the coherence
# instrument counted, by name (Documentation/coherence.rst).
#
#   --region N        default: the one with the most transfers per unit
#   --kernel KDIR     whose vmlinux names the guest's addresses; default: the
#                     kernel of $VARIANT and $DEBUG
#   --module KO:BASE  a module, and where its .text was in the guest; repeatable
#   --top N           instructions and lines to show; default 20, 0 for all
#   --json            the region, with names, instead of a text
#
# Exit status: 0; 2 the host is at fault.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"

region='' kernel='' top=20 json='' file='' tmp=''
modules=()

while (($#)); do
	case $1 in
	--json) json=1; shift; continue ;;
	--help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit ;;
	-*) (($# >= 2)) || die "option $1 lacks its value, or is unknown" "report.sh" ;;
	*) file=$1; shift; continue ;;
	esac
	case $1 in
	--region) region=$2 ;;
	--kernel) kernel=$2 ;;
	--module) modules+=("$2") ;;
	--top) top=$2 ;;
	*) die "unknown option $1" "report.sh" "tools/coherence/report.sh --help" ;;
	esac
	shift 2
done
[[ -n $file ]] || die "no file to report" "report.sh" "tools/coherence/report.sh --help"
[[ -r $file ]] || die "cannot read what was counted" "$file"
[[ -n $kernel ]] || kernel=$("$tools/vm/kernel.sh" path) || die "no kernel" "report.sh" "name one with --kernel"
[[ -r $kernel/vmlinux ]] || die "no kernel with names" "$kernel/vmlinux" "make kernels"

# A region that ran more than once was written each time, and the last has all.
pick_region()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -s -e --arg region "$region" --argjson top "$top" '
		def transfers: .read + .write + .upgrade;
		def cut: if $top > 0 then .[:$top] else . end;
		[group_by(.region)[] | last | select(.region != null)]
		| if $region != "" then map(select(.region == ($region | tonumber)))
		  else sort_by(([.vcpus[] | transfers] | add) / ([.units, 1] | max)) end
		| last // empty
		| .pcs |= cut | .lines |= cut' "$file" ||
		die "there is no such region" "$file" "it has: $(jq -r '.region // empty' "$file" | sort -nu | xargs)"
}

# Names for addresses: those of symbols and those that are asked for, sorted
# together; each of the latter follows its symbol.
#
# name_addresses SYMBOLS <ADDRESSES: address, tab, symbol and offset
name_addresses()
{
	{ sed 's/$/ 0/' "$1"; sed 's/^0x//; s/$/ ~ 1/'; } | LC_ALL=C sort -k 1,1 -k 3,3 |
		LC_ALL=C awk '
		function low(hex, i, n) {
			for (i = length(hex) - 7; i <= length(hex); i++)
				n = n * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
			return n
		}
		$3 == 0 { at = $1; name = $2 }
		$3 == 1 && name != "" { printf "0x%s\t%s+0x%x\n", $1, name, low($1) - low(at) }'
}

# "address name", of the kernel and of the modules.
symbols()
{
	local module ko base addr name

	nm "$kernel/vmlinux" | awk '$1 ~ /^ffffffff[8-9a-f]/ && $2 ~ /^[tTdDbBrRwWvV]$/ { print $1, $3 }'
	for module in "${modules[@]}"; do
		ko=${module%:*} base=${module##*:}
		# What follows a module is not its own.
		printf '%016x %s\n' $((base + $(text_size "$ko"))) '?'
		while read -r addr name; do
			printf '%016x %s\n' $((base + 16#$addr)) "$name"
		done < <(objdump -t "$ko" | awk '/ F \.text\t/ { print $1, $NF }')
	done
}

text_size()
{
	size -A "$1" | awk '$1 == ".text" { print $2 }'
}

# places PROGRAM: address, tab, function, tab, file and line, tab, that line. Of a
# chain of inlined functions the innermost that is not of a header.
places()
{
	addr2line -a -f -i -e "$@" | sed -E 's/ \(discriminator [0-9]+\)$//' | awk '
		function flush() {
			if (address != "")
				printf "%s\t%s\t%s\n", address, best, place
		}
		/^0x/ { flush(); address = $1; settled = 0; nth = 0; next }
		nth++ % 2 == 0 { name = $0; next }
		nth == 2 || !settled { best = name; place = $0; settled = !/(^|\/)include\// }
		END { flush() }'
}

# The build tree moves when it is done, and its objects may be ccache's of another.
add_source()
{
	local address function place path line

	while IFS=$'\t' read -r address function place; do
		path=${place%:*} line=${place##*:}
		while [[ $path == */* && ! -e $kernel/$path && ! -e $CPROV_TOP/$path ]]; do
			path=${path#*/}
		done
		path=${path#./}
		for place in "$kernel/$path" "$CPROV_TOP/$path"; do
			[[ ! -f $place ]] || break
		done
		printf '%s\t%s\t%s\t%s\n' "$address" "$function" "$path:$line" \
			"$(sed -n "${line}{s/^[[:space:]]*//;s/[[:space:]]\+/ /g;p;q}" "$place" 2>/dev/null || true)"
	done
}

# Of the addresses in $tmp/pcs, those of one program each.
all_places()
{
	local module ko base pc end

	grep -E '^0xffffffff[89]' "$tmp/pcs" >"$tmp/kernel.pcs" || true
	places "$kernel/vmlinux" <"$tmp/kernel.pcs"
	for module in "${modules[@]}"; do
		ko=${module%:*} base=${module##*:}
		end=$((base + $(text_size "$ko")))
		while read -r pc; do
			((pc >= base && pc < end)) || continue
			places "$ko" -j .text < <(printf '0x%x\n' $((pc - base))) |
				sed "s/^0x[0-9a-f]*/$pc/"
		done < <(grep -E '^0xffffffff[a-f]' "$tmp/pcs" || true)
	done
}

tsv_object()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -R -n '[inputs | split("\t") | {key: .[0], value: .[1:]}] | from_entries'
}

scratch_dir tmp
pick_region >"$tmp/region"
jq -r '.pcs[].pc, .lines[].pcs[].pc' "$tmp/region" | sort -u >"$tmp/pcs"
symbols | sort -u >"$tmp/symbols"
# Addresses below the kernel's have no symbol.
grep -hE '^0xffffffff' "$tmp/pcs" <(jq -r '.lines[] | .vaddr, .pcs[].vaddr' "$tmp/region") | sort -u |
	name_addresses "$tmp/symbols" | { grep -v '	?' || true; } | tsv_object >"$tmp/names"
all_places | add_source | tsv_object >"$tmp/places"
# shellcheck disable=SC2016 # the variables are jq's
jq --slurpfile names "$tmp/names" --slurpfile places "$tmp/places" -f "$tools/coherence/report-names.jq" \
	"$tmp/region" >"$tmp/named"
if [[ -n $json ]]; then
	cat "$tmp/named"
else
	jq -r -f "$tools/coherence/report-text.jq" "$tmp/named"
fi
