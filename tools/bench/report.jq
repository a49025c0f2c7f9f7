# jq -L tools/common -s -f report.jq --argjson facts FACTS --argjson losses LOSSES --arg cases TEXT
#   GUEST...: the report, with the verdict on each workload: ours against the best that stock
#   has to offer for it; why we lose, where the list knows; and which of the file cases, if
#   there is a TEXT of it, are lacking.

include "reasons";

def name: "\(.workload)" + (if .phase != .workload then ", \(.phase)" else "" end)
  + (if .consumer == "near" then ", near" else "" end)
  + (if .threads > 1 then " x\(.threads)" else "" end);
def polls: .ring | test("^(iopoll|hybrid)\\b");
# Who burns a CPU while it waits, which no transfer shows.
def spins: polls or (.ring | startswith("sqpoll"));
def value($by): if $by | IN("ahead", "sleeps") then .[$by] else (.per_read // .times)[$by] end;
# Hosts are busy: what two runs of one kernel differ by is no difference.
def slack_of: {transfers: 2, ahead: 0.5, ipis: 0.05, sleeps: 0.05}[.] // 0;
def slack($by): ($by | slack_of) as $slack | if $slack > 0 then $slack else .median * 0.03 end;
def verdict($ours; $best; $by):
  if $ours.max < $best.min and $best.median - $ours.median > ($best | slack($by)) then "win"
  elif $ours.min > $best.max and $ours.median - $best.median > ($best | slack($by)) then "lose"
  else "tie" end;
# What hints make worse than the same kernel is without them, they have not won.
def helped($ours; $unhinted; $by):
  if . == "win" and $unhinted and verdict($ours; $unhinted; $by) == "lose" then "tie" else . end;
# How much of a loss is known: so many times as much as the best has, or so much more.
def known($best): .times | if startswith("+") then $best + (ltrimstr("+") | tonumber) else $best * tonumber end;
# The list knows peers by their ring.
def why:
  if .verdict != "lose" then . else
    . as $row
    | .why = reason_for([$losses[] | select($row.ours <= known($row.best) + ($row.by | slack_of)) | del(.times)];
        .peer |= split(",")[0])
  end;
def best($by): min_by(value($by).median);
# What there is while an urgent read is in flight, in the place of what there is of all.
def in_flight: map(select(.in_flight) | . + .in_flight);
# What least has to be done before an urgent read is taken is as near to the least time as
# counts come; one that nobody is ahead of may have come while others were looked at.
def most_prompt: if .[0].in_flight.per_read then min_by(.in_flight.per_read.instructions.median) else best("ahead") end // empty;
def setting: "\(.ring), rq_affinity \(.rq_affinity)";

# What the list of cases wants of a topology and its guests have not, in their words, if they
# had any for it.
def lacking($topology; $guests):
  $cases | split("\n")[] | select(test("^[^#]")) | split("\t+"; null) as [$topologies, $name, $rings, $modes]
  | select($topology | test("^(" + $topologies + ")$"))
  | ($rings | split("|"))[] as $ring
  | ($modes | split("|"))[] as $mode
  | select(any($guests[].cases[]; (name | test("^(" + $name + ")$")) and .ring == $ring and "\(.mode)/\(.rq_affinity)" == $mode
      and .repeats == $facts.repeats) | not)
  | ($mode | split("/")[0]) as $its
  | {$topology, workload: ($name | sub("\\(, near\\)\\?"; "")), $ring, mode: $its, rq_affinity: ($mode | split("/")[1] | tonumber),
     why: (first($guests[].missing[] | select(.ring == $ring and .mode == $its and (.workload | inside($name))) | .why)
       // "was not measured, or not \($facts.repeats) times")};

# A patched machine without hints is what comes closest to stock on itself; guests have both.
def baseline: if $facts.accelerator or any(.[]; .mode == "stock") then "stock" else "unhinted" end;
# What one side has and the other has not, and so has no row. A stock machine has one side.
def alone($topology; $cases):
  ($cases | baseline) as $baseline
  | $cases
  | select($facts.accelerator or any(.[]; .mode == "hinted"))
  | group_by([.workload, .phase, .consumer, .threads])[]
  | (first | name) as $workload
  | ($baseline, "hinted") as $mode
  | select(any(.[]; .mode == $mode) | not)
  | {$topology, $workload, ring: "any", $mode, rq_affinity: null, why: "nothing to compare with"};

# A drive that is polled interrupts nobody, so its guest cannot tell near from far: beside the
# others of the topology.
def polled_beside:
  ([.[].cases[] | select(polls | not) | .consumer] | if any(.[]; . == "far") then "far" else first end) as $consumer
  | if $consumer then (.[].cases[] | select(polls) | .consumer) = $consumer else . end;

# compare(TOPOLOGY; WORKLOAD; BY; CASES; CASES; CASES; CASE): a row; none where one side is
# not there.
def compare($topology; $workload; $by; $ours; $unhinted; $peers; $usual):
  ($ours | best($by)) as $mine | ($peers | best($by)) as $best
  | select($mine and $best)
  | ([$unhinted[] | select(setting == ($mine | setting)) | value($by)] | first) as $without
  | {$topology, $workload, mode: $mine.mode, $by,
     stock: ($usual | if . then value($by).median else null end),
     peer: ($best | setting),
     best: ($best | value($by).median),
     ring: ($mine | setting),
     ours: ($mine | value($by).median),
     unhinted: ($without | if . then .median else null end),
     remote_ratio: $mine.remote_ratio,
     instructions: (if $best.per_read then
       {best: $best.per_read.instructions.median, ours: $mine.per_read.instructions.median,
        ratio: ($mine.per_read.instructions.median / $best.per_read.instructions.median * 100 | round / 100)}
       else null end),
     verdict: (verdict($mine | value($by); $best | value($by); $by) | helped($mine | value($by); $without; $by))}
  | why;

# What it costs who gives no hints, or has no module.
def no_hints($topology; $workload; $by; $ours; $peers; $usual):
  compare($topology; $workload; $by; $ours; []; $peers; $usual);

[group_by(.topology)[] | polled_beside[]] as $guests
| $facts + {
    guests: $guests,
    lacking: [$guests | group_by(.topology)[] | lacking(first.topology; .), alone(first.topology; [.[].cases[]])],
    verdicts: [
      ($guests | group_by(.topology)[])
      | first.topology as $topology
      | [.[].cases[]] as $cases
      | ($cases | baseline) as $baseline
      | ($cases | map([.workload, .phase, .consumer, .threads]) | unique[]) as [$workload, $phase, $consumer, $threads]
      | [$cases[] | select(.workload == $workload and .phase == $phase and .consumer == $consumer and .threads == $threads)] as $here
      | ($here | first | name) as $name
      | [$here[] | select(.mode == $baseline)] as $stock
      | ([$stock[] | select(.ring == "default")] | map(select(.rq_affinity == 1)) + . | first) as $usual
      | [$here[] | select(.mode == "hinted")] as $hinted
      | [$here[] | select(.mode == "unhinted")] as $unhinted
      | [$stock[] | select(spins | not)] as $sleep
      | (if $here[0].per_read then "transfers" else "p50", "p99" end) as $by
      | compare($topology; $name; $by; $hinted | map(select(spins | not)); $unhinted; $sleep; $usual),
        # Who can spare a CPU may choose among all of ours.
        compare($topology; $name + ", spinning"; $by; $hinted; $unhinted; $stock | map(select(spins)); $usual),
        # What it takes in interrupts to have the fewest transfers; of mixed that is below.
        (select($by == "transfers" and $workload != "mixed")
         | [$hinted | map(select(spins | not)) | best($by) // empty] as $mine
         | [$sleep | best($by) // empty] as $its
         | compare($topology; $name; "ipis"; $mine; $unhinted; $its; $usual)),
        # The most prompt of ours is held against the most prompt of stock, and against the least
        # of each that stock has, which is of several.
        (select($workload == "mixed" and $by != "p99")
         | [$hinted | most_prompt] as $prompt
         | [$stock | most_prompt] as $its
         | (if $by == "transfers" then ["ipis", "instructions"] else [] end) as $counted
         | compare($topology; $name; "ahead", "sleeps", $counted[]; $prompt; $unhinted; $its; $usual),
           compare($topology; $name + ", least"; "ahead", "sleeps", $counted[]; $prompt; $unhinted; $stock; $usual),
           # What an urgent read has to wait through, of the same ones.
           ([$prompt, $unhinted, $its, $stock, [$usual]] | map(in_flight) | . as [$prompt, $unhinted, $its, $stock, [$usual]]
            | compare($topology; $name + ", in flight"; "sleeps", $counted[]; $prompt; $unhinted; $its; $usual),
              compare($topology; $name + ", in flight, least"; "sleeps", $counted[]; $prompt; $unhinted; $stock; $usual))),
        # Nobody waits for one read there: it is the work that counts, also of who gives no hints.
        (select($workload == "peak" and $by == "transfers")
         | compare($topology; $name; "instructions"; $hinted; $unhinted; $sleep; $usual),
           no_hints($topology; $name; "transfers", "instructions"; $unhinted | map(select(spins | not)); $sleep; $usual),
           no_hints($topology; $name + ", polled"; "transfers", "instructions"; $unhinted | map(select(polls)); $stock | map(select(polls)); $usual)),
        # On the same rings with the same rq_affinity, or stock's best would be of others. What
        # one read at a time executes here, more ticks on a slower host, is not what it costs:
        # that is in the cases of icount.
        ([$here[] | select(.mode == "patched")] as $patched
         | no_hints($topology; $name; "transfers", (select($workload == "peak") | "instructions"); $patched; $stock | map(select(setting | IN($patched[] | setting))); $usual))
    ]
  }
