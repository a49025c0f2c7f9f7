# jq -L tools/coherence -n -f guest.jq --arg topology NAME --slurpfile said SAID
#   --slurpfile counted COUNTED --argjson counting BOOL: one guest, a case for each workload,
#   ring, mode and rq_affinity. Where nothing is counted, on a machine that is no guest, a
#   case has times instead.

include "flaw";

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def rounded: if . < 1 then . * 1000 | round / 1000 else . * 100 | round / 100 end;
def spread: {median: (median | rounded), min: min, max: max};
def total($what): [.vcpus[][$what]] | add;
# Of histograms, of which those of nothing are null.
def percentiles:
  [.[] | values] as $hists
  | if $hists == [] then null
    else reduce ("p50", "p99", "p99.9") as $p ({}; .[$p] = ([$hists[][$p]] | spread)) end;

# What the consumer waits for: what several reads make up, or the first flow's reads.
def waits: (.tensor // .query // .sample).complete_ns // .flows[0].latency_ns;
# In the order in which they were measured, by numbers that come round: see guest.sh.
[$counted[] | select(has("region"))] as $regions
| def counted($nth; $region; $name):
    if $counting | not then null
    else $regions[$nth]
      | (flaw // if .region != $region then "is not the region \($region)" else null end) as $flaw
      | if $flaw then error("\($topology): run \($nth), \($name), \($flaw)") else . end
    end;
  def phases:
    (.result.phases | to_entries[]) as {key: $n, value: $phase}
    | {mode, rq_affinity, consumer, workload: .result.workload, phase: $phase.name, ring,
       threads: .result.threads, nth: ((.region // 0) + $n), region: ((.region // 0) % 60 + $n), seen: $phase};
  def name: "\(.workload) by \(.ring), \(.mode)";
  def case: [.workload, .phase, .consumer, .threads, .ring, .mode, .rq_affinity];
  # What each asked for receipts in a run that is not counted.
  ([$said[] | select(.result and .region == null) | phases] | INDEX(case | tojson)) as $asked
| {
    topology: $topology,
    machine: ($said | map(.machine // empty) | first),
    missing: ([$said[] | select(.missing) | {workload, ring, mode, why: .missing}] | unique),
    cases: [
      [$said[] | select(.result and .region != null) | phases
       | .counts = counted(.nth; .region; name)
       | if .workload == "mixed" then .urgent = counted(.nth + 1; .region + 1; name + ", while an urgent read is in flight") else . end]
      | group_by(case)[]
      | . as $repeats
      | ($asked[first | case | tojson].seen) as $receipts
      | def per_unit(counts):
          def of(f): [$repeats[] | counts | f / .units | rounded] | spread;
          {transfers: of(total("read") + total("write") + total("upgrade")), instructions: of(total("instructions")), ipis: of(total("ipis"))};
        def times(f): [$repeats[] | f] | spread;
      first
      | .counts as $counts
      | {workload, phase, consumer, threads, ring, mode, rq_affinity,
         repeats: ($repeats | length),
         reads: (.counts.units // ([.seen.flows[].ios] | add)),
         wrong: ([($repeats[].seen, $receipts // empty) | .flows[].wrong] | add),
         remote_ratio: ([$receipts // empty | .flows[]] | [(map(.receipts) | add), (map(.remote) | add)]
           | if .[0] // 0 > 0 then .[1] / .[0] * 1000 | round / 1000 else null end),
         # A guest's clock tells nothing.
         flows: [.seen.flows | keys[] as $i | .[$i]
           | {name, class, ios, reasons: ($receipts | if . then .flows[$i].reasons else null end)}
             + if $counts then {latency_ns: null, done_to_ready_ns: null} else
                 {latency_ns: ([$repeats[].seen.flows[$i].latency_ns] | percentiles),
                  done_to_ready_ns: ([$receipts // empty | .flows[$i].done_to_ready_ns] | percentiles)} end],
         submit_ns: (if $counts then null else [$repeats[].seen.tensor | values | .submit_ns] | percentiles end),
         # Of the urgent flow, which is the first, in mixed: reads of the others that each was found
         # behind. Of all: how often the consumer slept.
         ahead: (if .seen.sleeps then [$repeats[].seen | .flows[0] | .ahead / .ios | rounded] | spread else null end),
         sleeps: (if .seen.sleeps then [$repeats[].seen | .sleeps / ([.flows[].ios] | add) | rounded] | spread else null end),
         per_read: (if $counts then per_unit(.counts) else null end),
         # The same while an urgent read is in flight, from its submission until it is taken, by
         # the number of these.
         in_flight: (if .seen.sleeps then {
           sleeps: ([$repeats[].seen | .urgent_sleeps / .flows[0].ios | rounded] | spread),
           per_read: (if $counts then per_unit(.urgent) else null end)
         } else null end),
         times: (if $counts then null else {
           p50: times(.seen | waits.p50), p99: times(.seen | waits.p99), "p99.9": times(.seen | waits."p99.9"),
           iops: times([.seen.flows[].iops] | add), gb_per_s: times([.seen.flows[].gb_per_s] | add)
         } end)}
    ]
  }
