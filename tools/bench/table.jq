# jq -r -f table.jq REPORT: where we win, tie and lose, for people; and, of a machine that
# is no guest, the times.

def pad($n): tostring | " " * ([0, $n - length] | max) + .;
def rpad($n): tostring | . + " " * ([0, $n - length] | max);
def microseconds: . / 100 | round / 10;
def value($by): if . == null then "-" elif $by | startswith("p") then microseconds elif $by == "instructions" then round else . end;

(.guests[] | select(.cases[0].times)
 | "medians of the repetitions; of swap, hops, database and loader the microseconds are those of a tensor, a query or a file",
   ("workload" | rpad(28)) + ("consumer" | rpad(10)) + ("mode" | rpad(10)) + ("ring" | rpad(13)) + ("rq_affinity" | rpad(12))
     + ("p50 us" | pad(10)) + ("p99 us" | pad(10)) + ("p99.9 us" | pad(10)) + ("reads/s" | pad(10)) + ("GB/s" | pad(9)),
   (.cases[]
    | ((if .phase == .workload then .workload else "\(.workload), \(.phase)" end) + (if .threads > 1 then " x\(.threads)" else "" end) | rpad(28))
      + (.consumer | rpad(10)) + (.mode | rpad(10)) + (.ring | rpad(13)) + (.rq_affinity // "-" | rpad(12))
      + (.times.p50.median | microseconds | pad(10)) + (.times.p99.median | microseconds | pad(10))
      + (.times."p99.9".median | microseconds | pad(10)) + (.times.iops.median | round | pad(10))
      + (.times.gb_per_s.median | . * 1000 | round / 1000 | pad(9))),
   ""),
(.structs // empty
 | "bytes of struct, \(.stock) and \(.patched), \(.config): " + ([.bytes | to_entries[] | "\(.key) \(.value.stock) \(.value.patched)"] | join(", ")), ""),
(select(.verdicts != [])
 | "ours against the best of stock, over its rings and rq_affinity; per read, in flight per urgent read, or microseconds; medians; instructions: ours to its",
   ("topology" | rpad(16)) + ("workload" | rpad(33)) + ("ours" | rpad(9)) + ("by" | rpad(13)) + ("stock" | pad(9)) + ("best" | pad(9)) + "  "
     + ("which is" | rpad(27)) + ("unhinted" | pad(9)) + ("ours" | pad(9)) + "  " + ("which is" | rpad(27)) + ("instr." | pad(7)) + "  verdict"),
(.verdicts[] | . as $v
 | (.topology | rpad(16)) + (.workload | rpad(33)) + (.mode | rpad(9)) + (.by | rpad(13)) + (.stock | value($v.by) | pad(9)) + (.best | value($v.by) | pad(9)) + "  "
   + (.peer | rpad(27)) + (.unhinted | value($v.by) | pad(9)) + (.ours | value($v.by) | pad(9)) + "  " + (.ring | rpad(27)) + (.instructions.ratio // "-" | pad(7)) + "  " + .verdict),
([.verdicts[] | select(.verdict == "lose")] | select(. != [])
 | "", "where we lose, and why (Documentation/bench.rst)",
   (group_by(.why)[]
    | (.[0].why // "not known") + ": "
      + (map("\(.topology) \(.workload)\(if .mode == "hinted" then "" else ", \(.mode)" end), \(.by)") | join("; ")))),
([.guests[].missing[], .lacking[]] | group_by([.ring, .why])[]
 | "\(.[0].ring): \(.[0].why) (\([.[].workload] | unique | join(", ")))")
