# jq -L tools/icount -r -f limits.jq --arg rule NAME REPORT: what a case may cost more than on the
# stock kernel, less what varies by itself. Fails with the cases that cost more, and
# the functions that do. With --arg more N each costs N more than it may, whatever was
# counted, and with --arg more gone none was.

include "rules";

rules[$rule] as $limit
| def limit: if $limit.percent then "\($limit.percent) %" else "\($limit.instructions) instructions" end;
  def signed: if . > 0 then "+\(.)" else tostring end;
  def percent: .over_stock_steady / (.instructions - .over_stock) * 10000 | round / 100;
  # In place of what was counted.
  def tried($more): .errors = []
    | if $more == "gone" then .cases = [] else .cases[] |= (.over_stock_steady = may + ($more | tonumber)) end;
  if $ARGS.named.more then tried($ARGS.named.more) else . end
| [.cases[] | select(. as $case | $limit | is_for($case))] as $cases
| if .errors != [] then (.errors | join("\n") + "\n" | halt_error(1)) else . end
| [$cases[] | select(if $limit.percent then percent > $limit.percent
    else .over_stock_steady > $limit.instructions end)] as $beyond
| if $cases == [] then ("no case was counted\n" | halt_error(1))
  elif $beyond == [] then
    $cases[] | "\(.device)/\(.ring)/\(.mode): \(.over_stock_steady | signed) (\(percent | signed) %), at most \(limit)"
  else
    ([$beyond[]
      | "\(.device)/\(.ring)/\(.mode): \(.over_stock_steady | signed) instructions per read (\(percent | signed) %), the limit is \(limit)",
        (.new as $new | [.grown | to_entries[] | select(.value >= 2)][:12][]
         | "    \(.value | signed) \(.key)" + (if .key | IN($new[]) then " (new)" else "" end))]
     | join("\n") + "\n" | halt_error(1))
  end
