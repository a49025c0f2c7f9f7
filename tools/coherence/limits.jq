# jq -r -f limits.jq --arg rule NAME report.json: what transfers per read must be. Fails
# with the cases that are beyond it, or if there is none.
#
#   nothing  who gives no hints, and who does where each CPU has a queue: no more than on
#            stock, where the interrupt is. Two runs of a kernel differ by less than half a
#            line there.
#   near     hinted, where the consumer shares the interrupt's cache: half of stock's
#   loop     hinted, through a loop device whose worker comes home: 20, where who gives no
#            hints has more

def cases($device): [.guests[] | .topology as $topology | .cases[] + {$topology}
  | select(.device == $device and .rq_affinity == 1)
  | . + .per_io.transfers];
def beside_stock(consumers; modes; may):
  ([.[] | select(.mode == "stock")] | INDEX("\(.topology)/\(.consumer)")) as $stock
  | [.[] | select((.consumer | consumers) and (.mode | modes))
     | . + {stock: $stock["\(.topology)/\(.consumer)"]} | select(.stock) | . + may];

if $rule == "nothing" then
  cases("nvme")
  | map(select(.mode != "hinted" or .topology == "queue-per-cpu"))
  | beside_stock(. == "home"; . != "stock";
      {is: .min, may: (.stock.max + 0.5)})
elif $rule == "near" then
  cases("nvme") | beside_stock(. == "near"; . == "hinted"; {is: .median, may: (.stock.median / 2)})
elif $rule == "loop" then
  cases("loop") | map(select(.topology == "queue-per-cpu"))
  | beside_stock(true; . != "stock"; {is: .median, may: 20, lose: (.mode != "hinted")})
else error("no such rule") end
| if length == 0 then "no case was counted\n" | halt_error(1) else . end
| map(.text = "\(.topology), \(.device), \(.consumer), \(.mode): \(.is) per read, stock \(.stock.median), "
    + if .lose then "and with hints may be \(.may)" else "may be \(.may)" end)
| if all((.is <= .may) == (.lose | not)) then .[].text
  else (map(.text) | join("\n") + "\n" | halt_error(1)) end
