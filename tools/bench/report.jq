# jq -s -f report.jq --argjson facts FACTS GUEST...: the report, with the verdict on
# each workload: hinted against the best that stock has to offer for it.

def name: "\(.workload)" + (if .phase != .workload then ", \(.phase)" else "" end)
  + (if .consumer == "near" then ", near" else "" end);
# Hosts are busy: what two runs of one kernel differ by is no difference.
def verdict($hinted; $best):
  if $hinted.max < $best.min and $best.median - $hinted.median > 2 then "win"
  elif $hinted.min > $best.max and $hinted.median - $best.median > 2 then "lose"
  else "tie" end;

. as $guests
| $facts + {
    guests: $guests,
    verdicts: [
      ($guests | group_by(.topology)[])
      | first.topology as $topology
      | [.[].cases[]] as $cases
      | ($cases | map([.workload, .phase, .consumer]) | unique[]) as [$workload, $phase, $consumer]
      | [$cases[] | select(.workload == $workload and .phase == $phase and .consumer == $consumer)] as $here
      | ([$here[] | select(.mode == "stock")] | min_by(.per_read.transfers.median)) as $best
      | ([$here[] | select(.mode == "stock" and .ring == "default" and .rq_affinity == 1)] | first) as $usual
      | ([$here[] | select(.mode == "hinted")] | min_by(.per_read.transfers.median)) as $hinted
      | select($best and $hinted)
      | {$topology, workload: ($hinted | name),
         stock: ($usual.per_read.transfers.median),
         peer: "\($best.ring), rq_affinity \($best.rq_affinity)",
         best: $best.per_read.transfers.median,
         ring: $hinted.ring,
         hinted: $hinted.per_read.transfers.median,
         remote_ratio: $hinted.remote_ratio,
         verdict: verdict($hinted.per_read.transfers; $best.per_read.transfers)}
    ]
  }
