# A report as text: a line for each mode, both passes together.

def pad($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def rpad($n): tostring | . + (" " * ([$n - length, 0] | max));
def ratio: if . == null then "-" else . * 1000 | round / 1000 end;
def three(f): [.ways | .stock, .unhinted, .hinted | f // "-" | pad(9)] | join("");
def three_ratios: [.ways | .stock, .unhinted, .hinted | .remote_ratio | ratio | pad(9)] | join("");

"\(.package), \(.kernels | [.stock, .hinted] | join(" and ")), \(.topology), QEMU \(.qemu), \(.accelerator)",
"\(.ios) writes, which are read back, then \(.ios) reads, in each way and mode",
"",
("mode" | rpad(15)) + ("device" | rpad(8)) + "remote: stock unhinted   hinted   IPIs:"
	+ ([("stock", "unhinted", "hinted") | pad(9)] | join("")) + "  switches:"
	+ ([("stock", "unhinted", "hinted") | pad(9)] | join("")),
(.modes[]
 | (.mode | rpad(15)) + (.device | rpad(8)) + "    " + three_ratios
   + "        " + three(.ipis) + "           " + three(.switches)),
"",
"plain, other ways: " + ([.modes[] | select(.mode == "plain") | .ways | to_entries[]
	| select(.key as $way | ["stock", "unhinted", "hinted"] | index($way) | not)
	| "\(.key) \(.value.remote_ratio | ratio)"] | join(", ")),
"killed: \(.killed | length) times, after " + (.killed | map(.completions | add) | "\(min // "-") to \(max // "-")") + " completions"
