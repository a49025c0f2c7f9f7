# shellcheck shell=bash
# shellcheck disable=SC2154 # $dir, $tools and $stock are icount.sh's
# Sourced by icount.sh: what each patch of the series costs who uses none of it, as
# its message says. A kernel is built for each.

# Numbers of patches, all of them by default.
read -ra series_patches <<<"${ICOUNT_PATCHES:-}"
((${#series_patches[@]})) ||
	mapfile -t series_patches < <(VARIANT=patched "$tools/vm/source.sh" series | cat -n | awk '{ print $1 }')
# shellcheck disable=SC2034 # icount.sh's
series_steps=$((${#series_patches[@]} + 3))

series_patch()
{
	local n=$1 kdir

	kdir=$("$tools/vm/kernel.sh" build --variant patched --upto "$n")
	count_guest "upto-$n" "$kdir" patched
	count_names "upto-$n" "$kdir"
	series_case "upto-$n"
}

series_case()
{
	jq -n -f "$tools/icount/guest.jq" --arg variant "$1" \
		--slurpfile said "$dir/$1.said" --slurpfile counted "$dir/$1.counted" \
		--slurpfile names "$dir/$1.names" >"$dir/$1.cases"
	jq -e '.errors == []' "$dir/$1.cases" >/dev/null || {
		jq -r '.errors[]' "$dir/$1.cases"
		return 1
	}
}

series_stock()
{
	count_guest stock "$stock" stock
	count_names stock "$stock"
	series_case stock
}

# What all patches until each cost, and what it alone does, over the last counted one.
series_table()
{
	local n

	for n in "${series_patches[@]}"; do
		jq -s --argjson facts "{\"n\":$n}" -f "$tools/icount/report.jq" "$dir/stock.cases" "$dir/upto-$n.cases"
	done | jq -s -r -f "$tools/icount/series.jq" >"$dir/series.txt"
}

series()
{
	mkdir -p "$dir"
	rm -f "$dir"/upto-*
	step build make -s -C "$tools/icount" OUT="$dir"
	step series-stock series_stock
	for n in "${series_patches[@]}"; do
		step "series-$n" series_patch "$n"
	done
	step series-table series_table
	[[ ! -s $dir/series.txt ]] || cat "$dir/series.txt"
}
