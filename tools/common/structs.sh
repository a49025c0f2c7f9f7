# shellcheck shell=bash
# Sourced by what tells how large a struct is, as the debug information has it.

# struct_size NAME OBJECT: bytes and cache lines; nothing, if it has no such struct.
struct_size()
{
	pahole -C "$1" "$2" 2>/dev/null | sed -n 's/.*size: \([0-9]*\), cachelines: \([0-9]*\).*/\1 \2/p' | head -n 1
}

# struct_sizes STOCK PATCHED: the bytes of those that each request has, on two kernels, as
# an object by name.
struct_sizes()
{
	local name before after

	for name in kiocb io_kiocb bio request; do
		before=$(struct_size "$name" "$1")
		after=$(struct_size "$name" "$2")
		[[ -n $before && -n $after ]] || { echo "no struct $name: $1, $2" >&2; return 1; }
		printf '%s %d %d\n' "$name" "${before% *}" "${after% *}"
	done | jq -R -n '[inputs | split(" ") | {key: .[0], value: {
		stock: (.[1] | tonumber), patched: (.[2] | tonumber)}}] | from_entries'
}
