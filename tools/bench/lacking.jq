# jq -r -f lacking.jq REPORT: what each topology must have, by the list of cases or to compare
# it, and has not. Fails if there is any.

[.lacking[] | "\(.topology): \(.workload), \(.ring), \(.mode), rq_affinity \(.rq_affinity // "any"): \(.why)"]
| if . == [] then empty else (join("\n") + "\n" | halt_error(1)) end
