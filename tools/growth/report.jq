# jq -s -f report.jq --argjson facts FACTS --argjson ios N GUEST...: the report: what
# hints cost at each point of each curve, and by which functions that differs from
# the first point.

# By how much a curve may rise: the difference of a point over the least of those
# before it, in instructions or in percent of that, whichever is more. How many reads
# of a batch an interrupt of the emulated drive ends is for the host to decide.
def tolerance($curve): {instructions: (if $curve == "depth-nvme" then 30 else 20 end), percent: 10};

def round2: . * 100 | round / 100;
def what: {
  flows: {of: "different flows, each of which has passed before", device: "null_blk"},
  slots: {of: "slots of the ring's table, of which the last 16 are used", device: "null_blk"},
  depth: {of: "reads submitted and waited for together", device: "null_blk"},
  "depth-nvme": {of: "reads submitted and waited for together", device: "NVMe"},
  cpus: {of: "CPUs online, a hardware queue for each", device: "null_blk"},
  "cpus-elsewhere": {of: "CPUs online, a hardware queue for each; home is the last of them", device: "null_blk"},
  bystander: {of: "CPUs online; reads without hints, before anybody gave some and after", device: "null_blk"},
  queues: {of: "hardware queues; beyond the CPUs, queues for polling", device: "null_blk"},
  "queues-nvme": {of: "hardware queues, one for each CPU", device: "NVMe"},
  shared: {of: "hardware queue for all CPUs, not judged", device: "null_blk"},
  "shared-nvme": {of: "hardware queue for all CPUs, not judged", device: "NVMe"}
}[.];
# What hints add, by function.
def added($without; $with):
  [($without + $with | keys[]) as $f | {key: $f, value: (($with[$f] // 0) - ($without[$f] // 0) | round2)}
   | select(.value != 0)] | from_entries;
def grown($first; $now): added($first; $now) | to_entries | sort_by(-.value) | from_entries;

. as $guests
| $facts + {
    command: "make growth", $ios,
    kernel: (first.machine.kernel),
    errors: [.[].errors[]],
    validation: (map({key: "\(.cpus) CPUs", value: .validation}) | from_entries),
    curves: [
      [.[].regions[]] | group_by(.curve)[]
      | first.curve as $name
      | [group_by(.at)[]
         | (.[] | select(.mode == "unhinted")) as $without
         | (.[] | select(.mode == "hinted")) as $with
         | {at: $with.at, cpus: $with.cpus, queues: $with.queues, depth: $with.depth,
            unhinted: $without.instructions, hinted: $with.instructions,
            difference: ($with.instructions - $without.instructions | round2),
            units: $with.units, same: {unhinted: $without.same, hinted: $with.same},
            median: {unhinted: $without.median, hinted: $with.median},
            range: {unhinted: [$without.min, $without.max], hinted: [$with.min, $with.max]},
            added: added($without.functions; $with.functions)}]
      | . as $points
      | tolerance($name) as $tolerance
      | {$name, $tolerance} + ($name | what) + {
          points: [to_entries[] | .value + (
            ($points[:.key + 1] | min_by(.difference)) as $least
            | {over: $least.at, rise: (.value.difference - $least.difference | round2),
               may_rise: ([$tolerance.instructions, $least.difference * $tolerance.percent / 100] | max | round2),
               grown: grown($least.added; .value.added)})]
        }
    ]
  }
| del(.topology, .repeats)
