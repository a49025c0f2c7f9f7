# jq -n -r -f validate.jq --arg case NAME --slurpfile due DUE --slurpfile counted COUNTED
#
# One line for each number of a case: what was due, and what was counted. Fails
# if any is not right. Lines are matched exactly: nothing but the case touches
# them. A line that no one paid for is not in the list, which has them all.

def region($n): [$counted[] | select(.region == $n)] | last;

def lines($c):
  region($c.region) as $r
  | $c.due[] as $due
  | ([$r.lines[] | select(.vaddr == $due.vaddr)] | first) as $line
  | ("read", "write", "upgrade") as $what
  | { name: "line \($due.vaddr) \($what)", counted: ($line[$what] // 0),
      least: $due[$what], most: $due[$what] };

# Bounds, which say by themselves how tight they are.
def counts($c):
  { name: $c.count,
    counted: ([range($c.nr_regions) | [region($c.region + .).vcpus[][$c.count]] | add] | min),
    least: $c.least, most: $c.most };

[$due[] | select(.case == $case)] | first
| if . == null then error("the guest did not run \($case)") else . end
| . as $c
| region($c.region) as $r
| if $r == null then error("the region \($c.region) was not counted")
  elif $r.open or $r.misplaced > 0 or ($c.rounds and $r.units != $c.rounds)
    or ([$r.vcpus[].untracked] | add) > 0
  then error("the region is not whole: \($r | del(.pcs, .lines))")
  else . end
| [if .due then lines(.) else counts(.) end]
| (.[] | "\(.name): \(.counted), due \(if .least == .most then .least else "\(.least) to \(.most)" end)"),
  (map(select(.counted < .least or .counted > .most)) | length
   | if . > 0 then error("\(.) of the numbers above are wrong") else empty end)
