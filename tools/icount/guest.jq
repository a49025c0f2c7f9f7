# jq -n -f guest.jq --arg variant NAME --slurpfile said SAID --slurpfile counted
#   COUNTED --slurpfile names NAMES
#
# One guest: its cases, each with its repetitions and its functions.

def name: $names[0][.] // (if startswith("0xffffffff") then "?" else "(program)" end);

def round2: . * 100 | round / 100;

# Instructions of each function in a read of the length that is reported, or in such a
# unit of reads.
def functions($unit):
  (.at_profiled * $unit) as $units
  | reduce .pcs[] as [$pc, $n] ({}; .[$pc | name] += $n)
  | map_values(. / $units | round2);

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
      | {rounds, ticks, instructions: .counts.profiled}],
    cases: [
      $all | map(select(.mode and .counts != null))
      | group_by([.device, .ring, .mode])[]
      | first.unit as $unit
      | def per_read: . / $unit | round2;
      # The length that most units have, or the lower quartile if they differ, as in rounds
      # on a drive: about one in two of these met an interrupt that came apart in two.
      (map(.counts.profiled | per_read) | sort) as $repeats
      | sort_by(.counts.profiled)[(length - 1) / 2 | floor]
      | {
          device, ring, mode, depth,
          instructions: (.counts.profiled | per_read),
          repeats: $repeats,
          min: (.counts.min | per_read), median: (.counts.median | per_read),
          p75: (.counts.p75 | per_read), max: (.counts.max | per_read),
          mean: (.counts.sum / .counts.units / $unit * 10 | round / 10),
          units: .counts.units, alike: .counts.at_profiled,
          functions: (.counts | functions($unit))
        }
    ]
  }
