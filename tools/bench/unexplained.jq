# jq -r -f unexplained.jq REPORT: the rows that are lost for no known reason, which no
# report may have. Fails if there are any.

[.verdicts[] | select(.verdict == "lose" and .why == null)
 | "\(.topology) \(.workload), \(.mode), by \(.by): \(.ours), stock \(.best) (\(.peer))"]
| if . == [] then empty else (join("\n") + "\n" | halt_error(1)) end
