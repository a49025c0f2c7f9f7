# One scenario of a report as text, with the modes that have run.

def pad($n): tostring | (" " * ([$n - length, 0] | max)) + .;
def rpad($n): tostring | . + (" " * ([$n - length, 0] | max));
def ratio: if . == null then "-" else . * 1000 | round | . / 1000 end;
def fields($widths): [., $widths] | transpose | map(.[0] as $v | .[1] as $w | $v | pad($w))
	| join("");

def widths: [8, 8, 7, 8, 9, 10, 6];
def head: "  " + ("" | rpad(10)) + ("kernel" | rpad(20))
	+ (["reads", "remote", "ratio", "IPIs", "wakeups", "switches", "data"] | fields(widths))
	+ "  completions on CPU 0, 1, ...";
def row($name): "  " + ($name | rpad(10)) + (.kernel // "-" | rpad(20))
	+ ([.ios, .remote, (.remote_ratio | ratio), .ipis, .wakeups, .context_switches,
	    (if .data_ok then "ok" else "BAD" end)] | fields(widths))
	+ "  " + (.completions_per_cpu | map(tostring) | join(" "));

# A dot for nothing makes the shape visible.
def cells: map(if . == 0 then "." else . end | pad(6)) | join("");
def map_rows: .map // [] | to_entries | map((.key | pad(4)) + " |" + (.value | cells));
def maps($before; $after):
	($before | map_rows) as $b | ($after // {} | map_rows) as $a
	| ($b | map(length) | max // 0) as $w
	| "  submit CPU (down) by completion CPU (across):",
	  ("  " + ("     stock" | rpad($w))
	   + (if $a != [] then "         hinted" else "" end)),
	  ([$b, $a] | transpose[] | "  " + (.[0] // "" | rpad($w))
	   + (if .[1] then "    " + .[1] else "" end));

def more($what; $hinted; $stock): select($hinted > $stock)
	| "  hinted has more \($what) than stock: \($hinted) against \($stock)";

def decisions: to_entries | map(.key + ": " + (.value | to_entries
	| map(select(.value > 0) | "\(.key) \(.value)") | join(", ")
	| if . == "" then "none" else . end));

"",
"\(.name): \(.cpus // "?") CPUs, caches shared by \(.caches // "?" | gsub(" "; " | ")), \(.nodes // "?") node\(
	if .nodes == 1 then "" else "s" end), \(.queues // "?") queue\(
	if .queues == 1 then "" else "s" end)",
head,
(to_entries[] | select(.key == ("stock", "unhinted", "hinted") and .value != null)
 | .key as $k | .value | row($k)),
maps(.stock // {}; .hinted),
(select(.hinted != null and .stock != null)
 | .hinted as $h | .stock as $s
 | more("IPIs"; $h.ipis; $s.ipis),
   more("wakeups"; $h.wakeups; $s.wakeups),
   more("context switches"; $h.context_switches; $s.context_switches)),
(select(.unhinted != null and .stock != null
	and .unhinted.completions_per_cpu != .stock.completions_per_cpu)
 | "  unhinted completes on other CPUs than stock"),
(.hinted // empty | .decisions | decisions[] | "  policy, \(.)")
