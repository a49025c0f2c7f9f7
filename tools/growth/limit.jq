# jq -r -f limit.jq --arg curve NAME REPORT: fails if a point of the curve is above one
# before it by more than it may be, and names the functions that grew.

def signed: if . > 0 then "+\(. * 100 | round / 100)" else "\(. * 100 | round / 100)" end;

([.curves[] | select(.name == $curve)] | first) as $c
| ($c.points // []) as $points
| [$points[] | select(.rise > .may_rise)] as $beyond
| if ($points | length) < 2 then ("\($curve): fewer than two points were counted\n" | halt_error(1))
  elif $beyond == [] then
    $points[] | "\($curve): \(.difference | signed) instructions at \(.at), rises by \(.rise), and may by \(.may_rise)"
  else
    ([$beyond[]
      | "\($curve): \(.difference | signed) instructions at \(.at): more than at \(.over) by \(.rise), and may be by \(.may_rise)",
        ([.grown | to_entries[] | select(.value >= 1)] | sort_by(-.value)[:12][]
         | "    \(.value | signed) \(.key)")]
     | join("\n") + "\n" | halt_error(1))
  end
