# What list a row is excused by: see reasons.sh. Included with jq -L tools/common.

# The reason of the first entry whose fields, each a pattern, fit the whole of the row's
# of the same names; null if there is none.
def reason_for($list; $row):
	[$list[] | select(del(.reason) | to_entries
		| all(.value as $pattern | $row[.key] | tostring | test("^(" + $pattern + ")$"))) | .reason] | first;
