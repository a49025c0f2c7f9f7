# jq -L tools/coherence -n -f io.jq --arg topology NAME --arg variant NAME --slurpfile said SAID
#   --slurpfile counted COUNTED
#
# One guest of the report: a case is what was counted in all its repetitions. The
# median of a few is that of the run, its spread is beside it.

include "flaw";

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def spread: {median: median, min: min, max: max};
def round3: . * 1000 | round / 1000;
def total($what): [.vcpus[][$what]] | add;

[$said[] | select(has("region"))] as $places
| ([$counted[] | select(has("region"))] | INDEX(.region)) as $regions
| [$places[] | . + {counts: ($regions["\(.region)"] // null)}] as $all
| {
    topology: $topology,
    variant: $variant,
    machine: ($said | map(.machine // empty) | first),
    module: ($said | map(.module // empty) | first),
    errors: [
      (if $places == [] then "\($topology), \($variant): nothing was counted" else empty end),
      ($all[] | .region as $region | .counts | flaw // empty
       | "\($topology), \($variant): region \($region) \(.)")
    ],
    cases: [
      $all | map(select(.counts != null and .counts.units > 0))
      | group_by([.device, .mode, .rq_affinity, .consumer])[]
      | . as $repeats
      | def per_io(f): [$repeats[].counts | f / .units | round3] | spread;
      first | {device, mode, rq_affinity, consumer, cpu, irq_cpu, ios: .counts.units}
      + {
          regions: [$repeats[].region],
          per_io: {
            transfers: per_io(total("read") + total("write") + total("upgrade")),
            reads: per_io(total("read")),
            writes: per_io(total("write") + total("upgrade")),
            upgrades: per_io(total("upgrade")),
            instructions: per_io(total("instructions")),
            accesses: per_io(total("reads") + total("writes")),
            mmio: per_io(total("mmio_reads") + total("mmio_writes")),
            ipis: per_io(total("ipis"))
          }
        }
    ]
  }
