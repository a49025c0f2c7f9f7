# What a report fails on, one line each; nothing if it is good.

.topologies[] | .name as $name
| if .cells == [] then "\($name): nothing was measured"
  else
    .cells[]
    | "\($name), \(.submitter), \(.ring) ring, \(.queues) queues, \(.class) at rq_affinity \(.rq_affinity)" as $where
    | (.losses[] | select(.reason == null)
       | "\($where): " + if .metric == "outdone" then "no hint at rq_affinity \(.stock | join(" and ")) costs less, and nothing more"
			      else "\(.metric) is \(.hinted), without a hint \(.stock)" end),
      ((.stock[], .hinted) | .errors[] | "\($where): \(.)")
  end
