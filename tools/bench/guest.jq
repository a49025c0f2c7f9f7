# jq -L tools/coherence -n -f guest.jq --arg topology NAME --slurpfile said SAID --slurpfile counted
#   COUNTED: one guest, a case for each workload, ring, mode and rq_affinity. Where
#   nothing was counted, as on a machine that is no guest, a case has times instead.

include "flaw";

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def rounded: if . < 1 then . * 1000 | round / 1000 else . * 100 | round / 100 end;
def spread: {median: (median | rounded), min: min, max: max};
def total($what): [.vcpus[][$what]] | add;

# What the consumer waits for: what several reads make up, or the first flow's reads.
def waits: (.tensor // .query // .sample).complete_ns // .flows[0].latency_ns;
# In the order in which they were measured, by numbers that come round: see guest.sh.
[$counted[] | select(has("region"))] as $regions
| def counted($nth; $region):
    if $regions == [] then null
    else $regions[$nth]
      | (flaw // if .region != $region then "is not the region \($region)" else null end) as $flaw
      | if $flaw then error("\($topology): run \($nth) \($flaw)") else . end
    end;
  {
    topology: $topology,
    machine: ($said | map(.machine // empty) | first),
    missing: ([$said[] | select(.missing) | {workload, ring, mode, why: .missing}] | unique),
    cases: [
      [$said[] | select(.result)
       | . as $run
       | (.result.phases | to_entries[]) as {key: $n, value: $phase}
       | {mode, rq_affinity, consumer, workload: .result.workload, phase: $phase.name, ring,
          threads: .result.threads,
          counts: counted($run.region + $n; $run.region % 60 + $n),
          flows: $phase.flows, waits: ($phase | waits), sleeps: $phase.sleeps,
          wrong: ([$phase.flows[].wrong] | add)}]
      | group_by([.workload, .phase, .consumer, .threads, .ring, .mode, .rq_affinity])[]
      | . as $repeats
      | def per_read(f): [$repeats[] | .counts | f / .units | rounded] | spread;
        def times(f): [$repeats[] | f] | spread;
      first
      | {workload, phase, consumer, threads, ring, mode, rq_affinity,
         repeats: ($repeats | length),
         reads: (.counts.units // ([.flows[].ios] | add)),
         wrong: ([$repeats[].wrong] | add),
         remote_ratio: ([[$repeats[].flows[] | .receipts] | add, ([$repeats[].flows[] | .remote] | add)]
           | if .[0] > 0 then .[1] / .[0] * 1000 | round / 1000 else null end),
         flows: [.flows[] | {name, class, ios, reasons}],
         # Of the urgent flow, which is the first, in mixed: reads of the others that each was found
         # behind. Of all: how often the consumer slept.
         ahead: (if .sleeps then [$repeats[] | .flows[0] | .ahead / .ios | rounded] | spread else null end),
         sleeps: (if .sleeps then [$repeats[] | .sleeps / ([.flows[].ios] | add) | rounded] | spread else null end),
         per_read: (if .counts then {
           transfers: per_read(total("read") + total("write") + total("upgrade")),
           instructions: per_read(total("instructions")),
           ipis: per_read(total("ipis"))
         } else null end),
         times: (if .counts then null else {
           p50: times(.waits.p50), p99: times(.waits.p99), "p99.9": times(.waits."p99.9"),
           iops: times([.flows[].iops] | add), gb_per_s: times([.flows[].gb_per_s] | add)
         } end)}
    ]
  }
