# A report as text: a line for each cell, and what it loses.

def pad($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def rpad($n): tostring | . + (" " * ([$n - length, 0] | max));
def ratio: . * 100 | round / 100 | pad(6);
def three($key): [.stock[] | .[$key].median | pad(5)] | join("") ;
def short: if . == null then "-" elif . < 100 then . * 10 | round / 10 else round end | pad(6);
def transfers: [.stock[], .hinted | .transfers.median? | short] | join("");
def per_cpu: .completions_per_cpu | join("/") | rpad(18);

.topologies[]
| "",
  "\(.name): reads per run: \([.cells[] | .hinted.reads / .hinted.repeats] | unique | join(" or ")), medians of \(.cells[0].hinted.repeats)"
    + (.cells[0].hinted.transfers // {} | if .repeats then "; transfers per read: medians of \(.repeats), of \(.reads / .repeats) reads" else "" end),
  ("submitter" | rpad(10)) + ("ring" | rpad(9)) + ("queues" | rpad(9)) + ("class" | rpad(14)) + "at "
	+ "remote ratio            wakeups + IPIs        context switches     transfers per read        completions per CPU                   loses",
  ("" | rpad(45)) + "stock 0    1     2  hint  stock 0  1    2 hint  stock 0  1    2 hint  stock 0     1     2  hint  stock 1           hint",
  (.cells[]
   | (.submitter | rpad(10)) + (.ring | rpad(9)) + (.queues | rpad(9)) + (.class | rpad(14)) + (.rq_affinity | pad(2)) + " "
     + ([.stock[], .hinted | .remote_ratio | ratio] | join(""))
     + "  " + three("events") + (.hinted.events.median | pad(5))
     + "  " + three("switches") + (.hinted.switches.median | pad(5))
     + "  " + transfers
     + "  " + (.stock["1"] | per_cpu) + (.hinted | per_cpu)
     + "  " + (.losses | map("\(.metric): \(.reason // "NOT LISTED")") | join(", ")))
