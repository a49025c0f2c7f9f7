# jq -s -r -f test.jq --argjson hints BOOL RESULT...: what is not as it must be.

def ordered: [.min, .p50, .p90, .p99, ."p99.9", .max];
# What has no completion to steer takes no hints, whatever the kernel does.
def takes_hints: IN("default", "coop", "defer", "sqpoll", "passthrough");
[.[]
 | . as $r
 | "\(.label) \(.workload) \(.phases[0].name) \(.ring)" as $name
 | ($hints and .label == "auto" and .ring == "default" and (.workload | IN("hops", "database", "loader"))) as $homes
 | (.phases[] | .flows[]
    | (select(.ios == 0) | "\($name), \(.name): no reads"),
      (select(.latency_ns.n != .ios) | "\($name), \(.name): \(.latency_ns.n) times of \(.ios) reads"),
      (select(.latency_ns | ordered | . != sort) | "\($name), \(.name): percentiles are not in order"),
      (select(.receipts > 0 and (.reasons | add) != .receipts) | "\($name), \(.name): reasons do not add up"),
      (select($r.ring == "passthrough" and .done_to_ready_ns) | "\($name), \(.name): a command's result was taken for a time"),
      # What a file system has done before the submitter is through has no receipt.
      (select($r.hints and $r.workload != "loader" and .receipts == 0) | "\($name), \(.name): no receipts"),
      (select($homes and $r.workload != "loader" and .receipts != .ios) | "\($name), \(.name): \(.receipts) receipts of \(.ios) reads"),
      (select($homes and .class == "step_critical" and (.reasons | (.steered // 0) + (.at_home // 0)) != .receipts)
       | "\($name), \(.name): did not all come home: \(.reasons)"),
      # The home of an I/O worker is its own, wherever that is.
      (select($homes and .class == "step_critical" and $r.phases[0].name != "workers"
        and ((.reasons.steered // 0) == 0 or .remote > 0))
       | "\($name), \(.name): did not all come home: \(.remote) elsewhere, \(.reasons)"),
      (select($homes and .class != "step_critical" and .reasons.steered)
       | "\($name), \(.name): steered, and nobody waits"),
      (select(.wrong > 0 and $r.label != "broken") | "\($name), \(.name): \(.wrong) blocks are wrong")),
   (select(.label == "broken" and ([.phases[].flows[].wrong] | add) == 0) | "\($name): wrong data were not noticed"),
   # Which of a loader's reads are ahead is not for a test to say.
   (select(.label == "broken" and .workload != "loader") | .phases[].flows[]
    | select(.wrong == 0) | "\($name), \(.name): wrong data were not noticed"),
   (.phases[]
    | (select(([.classes[].ios] | add) != ([.flows[].ios] | add)), (.classes[] | select(.latency_ns.n != .ios))
       | "\($name): classes are not the sum of the flows"),
      (.tensor, .hop, .query, .sample | values | .complete_ns
       | select(. == null or (ordered | . != sort)) | "\($name): what the reads make up is not told"),
      (.query, .sample | values
       | select($r.label != "broken" and .complete_ns.n != 40) | "\($name): \(.complete_ns.n) queries or samples, not 40")),
   (select(.label | IN("auto", "polled"))
    | select(.hints != ($hints and (.ring | takes_hints))) | "\($name): hints are \(.hints)"),
   # Who waits for 8 finds 8, unless one that is urgent may end the wait.
   (select(.wait == 8 and ((.hints and .ring == "defer") | not)) | .phases[0]
    | select(.fewest < 8) | "\($name): waited for 8 and went on with \(.fewest)"),
   # What is urgent is completed by the interrupt, and what is not after it, which a drive
   # that is faster than the consumer makes seen. An SQ thread that spins takes all as it
   # comes, without interrupt.
   (select(.emulated and .wait == 8 and ((.hints and .ring == "sqpoll") | not)) | .phases[0]
    | [.flows[:2][] | .ahead / .ios] as [$urgent, $bulk]
    | select(($urgent < $bulk * 3 / 4) != $r.hints) | "\($name): found behind \($urgent) others, bulk reads behind \($bulk)"),
   (select(.workload == "mixed") | .phases[]
    | select(.urgent_sleeps == null or .urgent_sleeps > .sleeps)
    | "\($name): slept \(.sleeps) times, and \(.urgent_sleeps) with an urgent read in flight"),
   (select(.workload != "mixed") | select(.phases[] | .sleeps or .urgent_sleeps or (.flows[] | .ahead or .behind)) | "\($name): has what is mixed\u0027s"),
   (select(.label == "off" and .hints) | "\($name): hints were not off")]
# Who has much to do with what it reads may do without, but not each time.
+ (if [.[] | select(.workload == "mixed") | .phases[].urgent_sleeps] | add > 0 then [] else ["mixed never slept"] end)
+ ([.[] | select(.ring != "hybrid")]
   | if length == 168 then [] else ["\(length) results, not 168"] end)
| if . == [] then "right" else (join("\n") + "\n" | halt_error(1)) end
