# shellcheck shell=bash
# Sourced after lib.sh by what has a list of known exceptions, each with its reason.

# read_reasons LIST DOCUMENT FIELD...: LIST as JSON. A line that is no comment has the
# fields, which have no blanks, and then, as .reason, a title in DOCUMENT.
read_reasons()
{
	local list=$1 document=$2 json reason
	shift 2

	# shellcheck disable=SC2016 # the variables are jq's
	json=$(grep -v '^#' "$list" | jq -R -n '$ARGS.positional as $names
		| [inputs | split("\\s+"; null) as $words
		   | ([$names, $words[:$names | length]] | transpose | map({key: .[0], value: .[1]}) | from_entries)
		     + {reason: ($words[$names | length:] | join(" "))}]' --args "$@")
	while read -r reason; do
		grep -qx "$reason" "$document" ||
			die "without an explanation: $reason" "$list" "explain it in $document"
	done < <(jq -r '.[].reason' <<<"$json")
	printf '%s\n' "$json"
}
