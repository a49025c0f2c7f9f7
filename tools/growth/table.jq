# jq -r -f table.jq REPORT: the report for people.

def pad($n): tostring | " " * ([0, $n - length] | max) + .;
def tenth: . * 10 | round / 10;
def signed: tenth | if . > 0 then "+\(.)" else tostring end;
def costs: [.grown | to_entries[] | select(.value | fabs >= 1)]
  | sort_by(-(.value | fabs))[:4] | map("\(.key) \(.value | signed)") | join(", ");

"\(.kernel), \(.compiler); QEMU \(.accelerator.qemu | split(" ") | first), \(.accelerator.name), icount \(.accelerator.icount)",
"reads of 4 KiB, instructions per read; the module is loaded; a hint is step-critical, home is the submitter unless it says otherwise",
(.curves[]
 | "\n\(.name): \(.of), \(.device)",
   "        at   unhinted     hinted  difference      rise   may be  functions that the rise is of",
   (.points[]
    | "  " + (.at | pad(8)) + (.unhinted | tenth | pad(11)) + (.hinted | tenth | pad(11))
      + (.difference | signed | pad(12)) + (.rise | signed | pad(10)) + (.may_rise | tenth | pad(9))
      + "  " + costs))
