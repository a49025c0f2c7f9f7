# jq -n -f guest.jq --arg variant NAME --slurpfile said SAID --slurpfile counted
#   COUNTED --slurpfile names NAMES
#
# One guest: its cases, each with its repetitions and its functions.

def name: $names[0][.] // (if startswith("0xffffffff") then "?" else "(program)" end);

# Instructions of each function in a read of median length.
def functions:
  .at_profiled as $units
  | reduce .pcs[] as [$pc, $n] ({}; .[$pc | name] += $n)
  | map_values(. / $units * 100 | round / 100);

([$counted[] | select(has("region"))] | INDEX(.region)) as $regions
| [$said[] | select(has("region")) | . + {counts: ($regions["\(.region)"] // null)}] as $all
| {
    variant: $variant,
    machine: ($said | map(.machine // empty) | first),
    errors: [
      (if ([$all[] | select(.mode)] == []) then "\($variant): nothing was counted" else empty end),
      (if ($counted | last | .end and (.open | not) and .misplaced == 0 | not)
       then "\($variant): the guest ended within a region, or had markers that make no sense" else empty end),
      ($all[] | select(.counts == null) | "\($variant): region \(.region) was not counted")
    ],
    validation: [$all[] | select(has("rounds") and .counts != null)
      | {rounds, ticks, instructions: .counts.median}],
    cases: [
      $all | map(select(.mode and .counts != null))
      | group_by([.device, .ring, .mode])[]
      | (map(.counts.median) | sort) as $medians
      | sort_by(.counts.median)[(length - 1) / 2 | floor]
      | {
          device, ring, mode,
          instructions: .counts.median,
          medians: $medians,
          min: .counts.min, p25: .counts.p25, p75: .counts.p75, max: .counts.max,
          mean: (.counts.sum / .counts.units * 10 | round / 10),
          units: .counts.units, at_median: .counts.at_profiled,
          functions: (.counts | functions)
        }
    ]
  }
