# What a report fails on, one line each; nothing if it is good.

.topologies[] | .name as $name
| if .cells == [] then "\($name): nothing was measured"
  else
    .cells[]
    | "\($name), \(.submitter), \(.ring) ring, \(.queues) queues, \(.class) at rq_affinity \(.rq_affinity)" as $where
    | (.losses[] | select(.reason == null)
       | "\($where): \(.metric) is \(.hinted), without a hint \(.stock)"),
      ((.stock[], .hinted) | .errors[] | "\($where): \(.)")
  end
