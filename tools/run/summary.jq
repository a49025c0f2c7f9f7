# A report in one table, as the README and the cover letter have it.

def pad($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def rpad($n): tostring | . + (" " * ([$n - length, 0] | max));
def ratio: . * 1000 | round / 1000 | pad(9);

("topology" | rpad(14)) + "   reads" + ([("stock", "unhinted", "hinted") | pad(9)] | join(""))
	+ "   IPIs:" + ([("stock", "unhinted", "hinted") | pad(9)] | join("")),
(.scenarios[]
 | (.name | rpad(14)) + (.stock.ios | pad(8))
   + ([.stock, .unhinted, .hinted | .remote_ratio | ratio] | join(""))
   + "        " + ([.stock, .unhinted, .hinted | .ipis | pad(9)] | join("")))
