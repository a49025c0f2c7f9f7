# jq -f validate.jq REPORT: loops of known length must have been counted exactly,
# by the plugin and by the guest's own clock.

[.validation | to_entries[] | .key as $kernel | .value
 | (if length < 3 then "\($kernel): \(length) loops were counted" else empty end),
   (first as $base | .[1:][]
    | (2 * (.rounds - $base.rounds)) as $due
    | ("instructions", "ticks") as $what
    | (.[$what] - $base[$what]) as $got
    | select($got != $due)
    | "\($kernel): \(.rounds) rounds are \($got) \($what) more than \($base.rounds), and should be \($due)")]
| if . == [] then "exact" else (join("\n") + "\n" | halt_error(1)) end
