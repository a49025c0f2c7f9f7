# jq -s -r -f test.jq --argjson hints BOOL RESULT...: what is not as it must be.

def ordered: [.min, .p50, .p90, .p99, ."p99.9", .max];
# What has no completion to steer takes no hints, whatever the kernel does.
def takes_hints: IN("default", "coop", "defer", "sqpoll", "passthrough");
[.[]
 | . as $r
 | "\(.label) \(.workload) \(.ring)" as $name
 | (.phases[] | .flows[]
    | (select(.ios == 0) | "\($name), \(.name): no reads"),
      (select(.latency_ns.n != .ios) | "\($name), \(.name): \(.latency_ns.n) times of \(.ios) reads"),
      (select(.latency_ns | ordered | . != sort) | "\($name), \(.name): percentiles are not in order"),
      (select(.receipts > 0 and (.reasons | add) != .receipts) | "\($name), \(.name): reasons do not add up"),
      (select($r.hints and .receipts == 0) | "\($name), \(.name): no receipts"),
      (select($r.ring == "passthrough" and .done_to_ready_ns) | "\($name), \(.name): a command's result was taken for a time"),
      (select(.wrong > 0 and $r.label != "broken") | "\($name), \(.name): \(.wrong) blocks are wrong")),
   (select(.label == "broken" and ([.phases[].flows[].wrong] | add) == 0) | "wrong data were not noticed"),
   (select(.label | IN("auto", "polled"))
    | select(.hints != ($hints and (.ring | takes_hints))) | "\($name): hints are \(.hints)"),
   (select(.label == "off" and .hints) | "\($name): hints were not off")]
+ ([.[] | select(.ring != "hybrid")]
   | if length == 83 then [] else ["\(length) results, not 83"] end)
| if . == [] then "right" else (join("\n") + "\n" | halt_error(1)) end
