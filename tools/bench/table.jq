# jq -r -f table.jq REPORT: where we win, tie and lose, for people.

def pad($n): tostring | " " * ([0, $n - length] | max) + .;
def rpad($n): tostring | . + " " * ([0, $n - length] | max);

"line transfers between CPUs per read; medians; the best of stock is over its rings and rq_affinity",
("topology" | rpad(16)) + ("workload" | rpad(20)) + ("stock" | pad(8)) + ("best" | pad(8)) + "  "
  + ("which is" | rpad(24)) + ("hinted" | pad(8)) + "  " + ("ring" | rpad(8)) + "  verdict",
(.verdicts[]
 | (.topology | rpad(16)) + (.workload | rpad(20)) + (.stock | pad(8)) + (.best | pad(8)) + "  "
   + (.peer | rpad(24)) + (.hinted | pad(8)) + "  " + (.ring | rpad(8)) + "  " + .verdict)
