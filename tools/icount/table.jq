# jq -L tools/icount -r -f table.jq REPORT: the report for people.

include "rules";

def pad($n): tostring | " " * ([0, $n - length] | max) + .;
def rpad($n): tostring | . + " " * ([0, $n - length] | max);
def signed: if . > 0 then "+\(.)" else tostring end;
def order: . as $case | ["stock", "patched", "module", "bystander", "bystander-all", "opted-in", "latency",
  "step_critical", "receipts", "urgent", "urgent-batch", "mixed", "mixed-slots"] | index($case.mode);
def costs: [.grown | to_entries[] | select(.value >= 4) | "\(.key) \(.value | signed)"][:4] | join(", ");

"\(.kernels.stock.kernel) and \(.kernels.patched.kernel), \(.compiler); \(.topology), \(.kernels.patched.cpus) CPUs; QEMU \(.accelerator.qemu | split(" ") | first), \(.accelerator.name), icount \(.accelerator.icount)",
(.cases | group_by([.device, .ring])[]
 | (first | "\n\(.device), ring \(.ring): \(if .ring == "write" then "writes" else "reads" end) of 4 KiB \(if .depth == 1 then "at depth 1" else "in rounds of \(.depth)" end), instructions each"),
   "  mode           instructions  over stock         %  judged  may be       alike   mean  what grew most",
   (sort_by(order)[]
    | "  \(.mode | rpad(14))" + (.instructions | pad(13)) + (.over_stock | signed | pad(12))
      + (.over_stock_percent | signed | pad(10)) + (.over_stock_steady | signed | pad(8))
      + (may | if . then floor else "-" end | pad(8)) + ("\(.alike)/\(.units)" | pad(12))
      + (.mean | round | pad(7)) + "  " + costs))
