# A region with names, for people.

def transfers: .read + .write + .upgrade;
def short: if . >= 100 then round elif . >= 10 then . * 10 | round / 10 else . * 100 | round / 100 end;
def pad($n): tostring | " " * ([0, $n - length] | max) + .;
def rpad($n): tostring | . + " " * ([0, $n - length] | max);
def total($what): [.vcpus[][$what]] | add;
# The offset into the line that an address is at, in hexadecimal.
def offset:
  (.[-2:] | explode | map(if . < 58 then . - 48 else . - 87 end)) as [$high, $low]
  | "+0x\($high % 4 | if . > 0 then tostring else "" end)\("0123456789abcdef"[$low:$low + 1])";
def where: if .place then "\(.place) \(.function)" else "\(.symbol // .pc) (\(.kind))" end;

(.units | if . == 0 then 1 else . end) as $units
| def per: . / $units | short;
def paid: (transfers | per | pad(8)) + (.read | per | pad(7)) + (.write | per | pad(7)) + (.upgrade | per | pad(8));
"region \(.region): \(.units) units in \(.runs) run(s)"
  + (if .open then ", not ended" else "" end)
  + (if .units == 0 then "; all numbers are totals" else "; all numbers are per unit" end)
  + "\nCPU      total   read  write upgrade instructions    MMIO    IPIs",
(.vcpus | to_entries[] | .key as $cpu | .value
  | "\($cpu | pad(3))   " + paid + (.instructions | per | pad(13))
    + (.mmio_reads + .mmio_writes | per | pad(8)) + (.ipis | per | pad(8))),
"",
"instructions that pay (\(.pcs | length) of \(.nr_pcs)):",
"      total   read  write upgrade",
(.pcs[] | "   " + paid + "  " + where,
  (if .source // "" != "" then " " * 35 + .source else empty end)),
"",
"lines that move (\(.lines | length) of \(.nr_lines)), and who moves them:",
(.lines[]
  | "   " + paid + "  \(.vaddr) "
    + (if .symbols != [] then .symbols | join(", ") else .kind end),
    (.pcs[:8][] | " " * 8 + (transfers | per | pad(8)) + "  \(.vaddr | offset | rpad(5)) " + where
      + (if .source // "" != "" then ": " + .source else "" end)),
    (if (.pcs | length) > 8 then " " * 18 + "and \((.pcs | length) - 8) more" else empty end))
