# jq -r -f limits.jq --arg rule NAME REPORT: what a case may cost more than on the
# stock kernel, less what varies by itself. Fails with the cases that cost more, and
# the functions that do. A share is of a read from a drive: a read from null_blk is half
# of one.

{
  # Tracepoints that are built in and off are a branch each.
  patched: {modes: ["patched"], instructions: 50},
  module: {modes: ["module"], instructions: 50},
  hinted: {modes: ["latency", "step_critical"], devices: ["nvme"], percent: 3}
}[$rule] as $limit
| def limit: if $limit.percent then "\($limit.percent) %" else "\($limit.instructions) instructions" end;
  def signed: if . > 0 then "+\(.)" else tostring end;
  [.cases[] | select(.mode | IN($limit.modes[]))
    | select($limit.devices == null or (.device | IN($limit.devices[])))] as $cases
| [$cases[] | select(if $limit.percent then .over_stock_percent > $limit.percent
    else .over_stock_steady > $limit.instructions end)] as $beyond
| if $cases == [] then ("no case was counted\n" | halt_error(1))
  elif $beyond == [] then
    $cases[] | "\(.device)/\(.ring)/\(.mode): \(.over_stock_steady | signed) (\(.over_stock_percent | signed) %), at most \(limit)"
  else
    ([$beyond[]
      | "\(.device)/\(.ring)/\(.mode): \(.over_stock_steady | signed) instructions per read (\(.over_stock_percent | signed) %), the limit is \(limit)",
        (.new as $new | [.grown | to_entries[] | select(.value >= 2)][:12][]
         | "    \(.value | signed) \(.key)" + (if .key | IN($new[]) then " (new)" else "" end))]
     | join("\n") + "\n" | halt_error(1))
  end
