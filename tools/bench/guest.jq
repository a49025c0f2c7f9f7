# jq -n -f guest.jq --arg topology NAME --slurpfile said SAID --slurpfile counted
#   COUNTED: one guest, a case for each workload, ring, mode and rq_affinity.

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def spread: {median: (median | . * 100 | round / 100), min: min, max: max};
def total($what): [.vcpus[][$what]] | add;

([$counted[] | select(has("region"))] | INDEX(.region)) as $regions
| {
    topology: $topology,
    machine: ($said | map(.machine // empty) | first),
    cases: [
      [$said[] | select(.result)
       | . as $run
       | (.result.phases | to_entries[]) as {key: $n, value: $phase}
       | {mode, rq_affinity, consumer, workload: .result.workload, phase: $phase.name, ring: .result.ring,
          counts: $regions["\($run.region + $n)"],
          flows: $phase.flows,
          wrong: ([$phase.flows[].wrong] | add)}]
      | group_by([.workload, .phase, .consumer, .ring, .mode, .rq_affinity])[]
      | . as $repeats
      | def per_read(f): [$repeats[] | .counts | f / .units | . * 100 | round / 100] | spread;
      first
      | {workload, phase, consumer, ring, mode, rq_affinity,
         repeats: ($repeats | length),
         reads: .counts.units,
         wrong: ([$repeats[].wrong] | add),
         remote_ratio: ([[$repeats[].flows[] | .receipts] | add, ([$repeats[].flows[] | .remote] | add)]
           | if .[0] > 0 then .[1] / .[0] * 1000 | round / 1000 else null end),
         flows: [.flows[] | {name, class, ios, reasons}],
         per_read: {
           transfers: per_read(total("read") + total("write") + total("upgrade")),
           instructions: per_read(total("instructions")),
           ipis: per_read(total("ipis"))
         }}
    ]
  }
