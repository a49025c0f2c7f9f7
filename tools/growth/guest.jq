# jq -n -f guest.jq --argjson cpus N --slurpfile said SAID --slurpfile counted
#   COUNTED --slurpfile names NAMES
#
# One guest: what was counted in each of its regions, per read.

def name: $names[0][.] // (if startswith("0xffffffff") then "?" else "(program)" end);
def round2: . * 100 | round / 100;

# Instructions of each function, of a read in a unit of the length that is reported.
def functions($depth):
  (.at_profiled * $depth) as $reads
  | reduce .pcs[] as [$pc, $n] ({}; .[$pc | name] += $n)
  | map_values(. / $reads | round2);

([$counted[] | select(has("region"))] | INDEX(.region)) as $regions
| [$said[] | select(has("region")) | . + {counts: ($regions["\(.region)"] // null)}] as $all
| {
    cpus: $cpus,
    machine: ($said | map(.machine // empty) | first),
    errors: [
      (if ([$all[] | select(.mode)] == []) then "\($cpus) CPUs: nothing was counted" else empty end),
      (if ($counted | last | .end and (.open | not) and .misplaced == 0 | not)
       then "\($cpus) CPUs: the guest ended within a region, or had markers that make no sense" else empty end),
      ($all[] | select(.counts == null) | "\($cpus) CPUs: region \(.region) was not counted")
    ],
    validation: [$all[] | select(has("rounds") and .counts != null)
      | {rounds, ticks, instructions: .counts.profiled}],
    regions: [
      $all[] | select(.mode and .counts != null)
      | .depth as $depth
      | {
          curve, at, mode, depth, queues, $cpus,
          instructions: (.counts.profiled / $depth | round2), median: (.counts.median / $depth | round2),
          min: (.counts.min / $depth | round2), max: (.counts.max / $depth | round2),
          units: .counts.units, same: .counts.at_profiled,
          functions: (.counts | functions($depth))
        }
    ]
  }
