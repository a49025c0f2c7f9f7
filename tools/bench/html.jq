# jq -L tools/icount -r -f html.jq REPORT: the report as one page that needs nothing else.

include "rules";

def esc: tostring | gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;");
def colour: {stock: "#888", unhinted: "#58a", hinted: "#c62", patched: "#58a", module: "#58a",
  "opted-in": "#58a", latency: "#c62", step_critical: "#c62", receipts: "#c62"}[.] // "#444";

# A step of 1, 2 or 5 that gives at most 6 ticks.
def tick: (if . <= 0 then 1 else . end) / 6
  | (log10 | floor | exp10) as $base
  | . / $base | (if . <= 1 then 1 elif . <= 2 then 2 elif . <= 5 then 5 else 10 end) * $base;

# Bars: [{label, median, min, max, mode, note}], what they are of, and their unit.
def bars($unit):
  . as $rows
  | ([.[].max] | max) as $max
  | ($max | tick) as $tick
  | ((if $max > 0 then $max else 1 end) / 0.95) as $full
  | 260 as $left | 640 as $width | 18 as $row
  | ($rows | length * $row) as $height
  | def x: $left + . / $full * $width | . * 10 | round / 10;
    "<svg viewBox=\"0 0 \($left + $width + 190) \($height + 46)\" role=\"img\">",
    (range(0; $full / $tick | floor + 1) | . * $tick
     | "<line x1=\"\(x)\" y1=\"0\" x2=\"\(x)\" y2=\"\($height)\" stroke=\"#ddd\"/>"
       + "<text x=\"\(x)\" y=\"\($height + 16)\" text-anchor=\"middle\">\(. * 1000 | round / 1000)</text>"),
    "<text x=\"\($left + $width / 2)\" y=\"\($height + 38)\" text-anchor=\"middle\">\($unit | esc)</text>",
    ($rows | to_entries[] | (.key * $row) as $y | .value
     | "<text x=\"\($left - 6)\" y=\"\($y + 13)\" text-anchor=\"end\">\(.label | esc)</text>"
       + "<rect x=\"\($left)\" y=\"\($y + 3)\" width=\"\((.median | x) - $left)\" height=\"\($row - 6)\" fill=\"\(.mode | colour)\"/>"
       + "<line x1=\"\(.min | x)\" y1=\"\($y + $row / 2)\" x2=\"\(.max | x)\" y2=\"\($y + $row / 2)\" stroke=\"#000\" stroke-width=\"2\"/>"
       + "<text x=\"\((.max | x) + 5)\" y=\"\($y + 13)\">\(.median)\(.note // "")</text>"),
    "</svg>";

def figure($title; $of; rows; $unit):
  [rows] as $rows
  | if $rows == [] then empty else
    "<figure><figcaption><b>\($title | esc)</b><br>\($of | esc)</figcaption>",
    ($rows | bars($unit)), "</figure>" end;

# Lines: [{at, unhinted, hinted, difference, median, range}], the points at equal distances,
# and what at is of. A range goes on beyond the top where the longest unit is far longer than
# the others, which an interrupt makes it.
def lines($of; $unit):
  . as $points
  | ([.[] | .unhinted, .hinted, .median[]] | max) as $most
  | ([$most, (.[].range[][] | select(. < $most * 1.25))] | max) as $max
  | ($max | tick) as $tick
  | ([$max, 1] | max / 0.95) as $full
  | 70 as $left | 640 as $width | 220 as $height
  | ($width / ([length - 1, 1] | max)) as $step
  | def x: $left + . * $step | . * 10 | round / 10;
    def y: $height - ([., $full] | min) / $full * $height | . * 10 | round / 10;
    # Beside each other, or the one would hide the other.
    def spread($what; $colour; $aside):
      $points | to_entries[]
      | ((.key | x) + $aside) as $x | .value.range[$what] as [$min, $max] | .value.median[$what] as $median
      | "<line x1=\"\($x)\" y1=\"\($min | y)\" x2=\"\($x)\" y2=\"\($max | y)\" stroke=\"\($colour)\" stroke-width=\"2\"/>"
        + (if $max > $full then "<path d=\"M\($x - 4) 0h8l-4 -7z\" fill=\"\($colour)\"><title>\($what) at \(.value.at): up to \($max)</title></path>" else "" end)
        + "<path d=\"M\($x - 4) \($median | y)h8\" stroke=\"#000\" stroke-width=\"2\"><title>\($what) at \(.value.at): median \($median), \($min) to \($max)</title></path>";
    def line($what; $colour):
      ([$points | to_entries[] | "\(.key | x),\(.value[$what] | y)"] | join(" ")) as $path
      | "<polyline points=\"\($path)\" fill=\"none\" stroke=\"\($colour)\" stroke-width=\"2\"/>",
        ($points | to_entries[]
         | "<circle cx=\"\(.key | x)\" cy=\"\(.value[$what] | y)\" r=\"3\" fill=\"\($colour)\"><title>\($what) at \(.value.at): \(.value[$what])</title></circle>"),
        "<text x=\"\($left + $width + 10)\" y=\"\(($points[-1][$what] | y) + (if $what == "unhinted" then 12 else -2 end))\" fill=\"\($colour)\">\($what) \($points[-1][$what])</text>";
    "<svg viewBox=\"0 -8 \($left + $width + 150) \($height + 54)\" role=\"img\">",
    (range(0; $full / $tick | floor + 1) | . * $tick
     | "<line x1=\"\($left)\" y1=\"\(y)\" x2=\"\($left + $width)\" y2=\"\(y)\" stroke=\"#ddd\"/>"
       + "<text x=\"\($left - 10)\" y=\"\(y + 4)\" text-anchor=\"end\">\(. * 1000 | round / 1000)</text>"),
    ($points | to_entries[]
     | "<text x=\"\(.key | x)\" y=\"\($height + 16)\" text-anchor=\"middle\">\(.value.at)</text>"),
    "<text x=\"\($left + $width / 2)\" y=\"\($height + 38)\" text-anchor=\"middle\">\($of | esc)</text>",
    "<text transform=\"translate(14 \($height / 2)) rotate(-90)\" text-anchor=\"middle\">\($unit | esc)</text>",
    line("unhinted"; "unhinted" | colour), line("hinted"; "hinted" | colour), line("difference"; "#444"),
    spread("unhinted"; "unhinted" | colour; -5), spread("hinted"; "hinted" | colour; 5),
    "</svg>";

# The cases of a guest, or of all guests of a topology, by what is done.
def workloads: [.[].cases[]] | group_by([.workload, .phase, .consumer, .threads])[];
def title: "\(.workload)\(if .phase != .workload then ", \(.phase)" else "" end)\(if .consumer == "near" then ", near the interrupt" else "" end)\(if .threads > 1 then ", \(.threads) threads" else "" end)";
def called: "\(.mode), \(.ring)\(if .rq_affinity then ", rq_affinity \(.rq_affinity)" else "" end)";
# Times are kept in nanoseconds.
def dash: if . == null then "–" else . end;
def value($by): if . == null then dash elif $by | startswith("p") then "\(. / 100 | round / 10) µs" else . end;
def scaled($by): map_values(. / $by * 10 | round / 10);

# What the machine is that the times are of.
def machine: "\(.kernel), \(.cpu // "unknown CPU")\(if .virtual then " (a virtual machine's)" else "" end), \(.cpus) CPUs, consumers on \(.consumers); "
  + "\(.target), \(.bytes / 1048576 | floor) MiB\(if .filesystem then " on \(.filesystem)" else "" end), device \(.device // "unknown")\(if .model then " (\(.model))" else "" end), "
  + "\(.queues // "?") queue(s), scheduler \(.scheduler // "?")\(if .verified then "" else "; data not verified" end)";

def mode_order: . as $mode | ["stock", "patched", "module", "bystander", "bystander-all", "opted-in", "latency",
  "step_critical", "receipts", "urgent", "urgent-batch", "mixed", "mixed-slots", "unhinted", "hinted"] | index($mode);

. as $r
| "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Completion provenance: what hints are worth</title>",
  "<style>body{font:15px/1.4 sans-serif;max-width:64em;margin:2em auto;padding:0 1em}svg{width:100%;font:12px sans-serif}"
  + "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}"
  + ".win{background:#dfd}.lose{background:#fdd}figure{margin:2em 0}</style>",
  "<h1>Completion provenance: what hints are worth</h1>",
  "<p>\(.command | esc), \(.date), commit \(.commit | esc), host \(.host | esc). "
  + if .accelerator then "Everything ran in emulation, on QEMU \(.accelerator.qemu | esc), so there are no times here: counts only. "
      + "Bars are medians, black lines reach from the least to the most of \(.repeats) repetitions of \(.reads) reads. How each count is made: Documentation/icount.rst and coherence.rst.</p>"
    else "In no guest: times are this machine's, and nothing counted transfers. "
      + "Bars are medians, black lines reach from the least to the most of \(.repeats) repetitions of \(.seconds) s.</p>" end,
  (.icount // empty
   | . as $i | "<h2>Instructions</h2><p>Bars are lower quartiles here. Behind those that have a limit is what they cost more than stock, without the few functions whose count differs from build to build, and what that may be (Documentation/icount.rst).</p>",
   ($i.cases | group_by([.device, .ring])[]
   | first as $f
   | figure("\($f.device), ring \($f.ring)";
       "\($i.kernels.stock.kernel) and \($i.kernels.patched.kernel), \($i.compiler); \($i.topology); tcg, one thread, icount \($i.accelerator.icount); \($i.command)";
       (sort_by(.mode | mode_order)[] | . as $c
        | {label: .mode, mode, median: .instructions, min: .repeats[0], max: .repeats[-1],
           note: (may | if . then " · +\($c.over_stock_steady) of \(floor)" else "" end)});
       "instructions per \(if $f.ring == "write" then "write" else "read" end) of 4 KiB, \(if $f.depth == 1 then "at depth 1" else "in rounds of \($f.depth)" end)"))),
  (.structs // empty
   | "<h2>Bytes of what each request has</h2>",
     "<table><tr><th>struct<th>\(.stock | esc)<th>\(.patched | esc)</tr>",
     (.bytes | to_entries[] | "<tr><td>\(.key)<td>\(.value.stock)<td>\(.value.patched)</tr>"), "</table>",
     "<p>Configuration: \(.config | esc), by pahole. tools/structs.sh has Debian's as well.</p>"),
  (.growth // empty
   | . as $g
   | "<h2>How the cost grows</h2>",
     "<p>Instructions per read as one thing grows; the points are at equal distances, the axis is not to scale. "
     + "Lines are of the unit at the lower quartile, which is what is judged, as an interrupt of the timer only ever makes a unit longer; "
     + "beside each point what all its units were, from the shortest to the longest, with their median in black. An arrow leads to one beyond the top. "
     + "By how much the difference may rise is said with each. Documentation/growth.rst.</p>",
     ($g.curves[] | select(.points | length > 1)
      | "<figure><figcaption><b>\(.name | esc) on \(.device | esc)</b><br>\($g.kernel | esc), \($g.compiler | esc); CPUs: \([.points[].cpus] | unique | join(", ")); tcg, one thread, icount \($g.accelerator.icount | esc); \($g.command | esc), \($g.date | esc), commit \($g.commit | esc); may rise by \(.tolerance.instructions) instructions or \(.tolerance.percent) %, whichever is more</figcaption>",
        (.of as $of | .points | lines($of; "instructions per read, lower quartile")), "</figure>")),
  (select(.accelerator) | "<h2>Line transfers and interrupts between CPUs</h2>",
   "<p>Behind each bar of transfers its instructions per read: of all CPUs, so also of one that spins while it waits, as an SQ thread or who polls does. "
   + "How long that is depends on the drive, and the emulator's is like no other. "
   + "What it takes to submit a tensor and to have it, and GB/s, sequential against overlapped, are times, which are not given in emulation: <code>make bench HOST=1</code> has them.</p>"),
  (.guests | map(select(.cases[0].per_read)) | group_by(.topology)[]
   | . as $g | first as $f
   | "\([$g[].machine.kernel] | unique | join(" and ")); \($f.machine.cpus) CPUs, \($f.machine.queues) queue(s), consumers on CPUs \($f.machine.consumers); tcg, a thread for each CPU; \($r.command)" as $of
   | workloads
   | sort_by([.ring, (.mode | mode_order), .rq_affinity])
   | first as $c
   | "\($c | title) in \($f.topology)" as $title
   | figure($title; $of;
       (.[] | {label: called, mode, note: " · \(.per_read.instructions.median | round) instr."} + .per_read.transfers);
       "line transfers per read"),
     figure("\($title): interrupts between CPUs"; $of;
       (.[] | {label: called, mode} + .per_read.ipis);
       "interrupts between CPUs (IPIs) per read"),
     (select($c.ahead)
      | figure("\($title): how prompt"; $of;
          (.[] | {label: called, mode, note: " · \(.sleeps.median) sleeps"} + .ahead);
          "completions ahead of an urgent read's"),
        figure("\($title): while an urgent read is in flight"; $of;
          (.[] | {label: called, mode, note: " · \(.in_flight.sleeps.median) sleeps"} + .in_flight.per_read.ipis);
          "interrupts between CPUs (IPIs) per urgent read, from its submission until it is taken"))),
  (.guests[] | select(.cases[0].times)
   | .machine as $m
   | "<h2>Times</h2>", "<p>\($m | machine | esc).</p>",
     "<table><tr><th>workload<th>consumer<th>mode<th>ring<th>rq_affinity<th>p50 µs<th>p99 µs<th>p99.9 µs<th>reads/s<th>GB/s</tr>",
     (.cases[] | .times as $t
      | "<tr><td>\(title)<td>\(.consumer)<td>\(.mode)<td>\(.ring)<td>\(.rq_affinity // "?")"
        + "<td>\($t.p50.median / 100 | round / 10)<td>\($t.p99.median / 100 | round / 10)<td>\($t."p99.9".median / 100 | round / 10)"
        + "<td>\($t.iops.median | round)<td>\($t.gb_per_s.median * 1000 | round / 1000)</tr>"),
     "</table>",
     (.cases | map(select(.workload == "swap")) | select(. != []) | sort_by([.ring, (.mode | mode_order), .rq_affinity, .phase != "sequential"])
      | def tensors($what; of; $unit):
          figure("swap, \($what)"; "\($m | machine); \($r.command), \($r.date)"; (.[] | {label: "\(.phase), \(called)", mode} + of); $unit);
        "<h3>Tensors, sequential against overlapped submission</h3>",
        (("p50", "p99") as $p
         | tensors("submission, \($p)"; .submit_ns[$p] | scaled(1000); "microseconds until a tensor is submitted"),
           tensors("completion, \($p)"; .times[$p] | scaled(1000); "microseconds from the begin of that until all of a tensor is there")),
        tensors("throughput"; .times.gb_per_s | map_values(. * 1000 | round / 1000); "GB/s")),
     ([.] | workloads
      | first as $c
      | select($c.workload != "swap")
      | ("p50", "p99") as $what
      | figure("\($c | title), \($what)"; "\($m | machine); \($r.command), \($r.date)";
          (sort_by([.ring, (.mode | mode_order), .rq_affinity])[] | {label: called, mode} + (.times[$what] | scaled(1000)));
          "microseconds until \({hops: "a query", database: "a query", loader: "a file"}[$c.workload] // "a read") is there"))),
  ([(.guests[] | .topology as $topology | .missing[] + {$topology}), .lacking[]] | select(. != [])
   | "<h2>What there is not</h2><ul>",
     (group_by([.ring, .why])[] | "<li>\(.[0].ring | esc): \(.[0].why | esc) (\([.[].workload] | unique | join(", ")); \([.[].topology] | unique | join(", ")))"), "</ul>"),
  (if .verdicts == [] then "<p>This kernel takes no hints: there is nothing to compare.</p>" else
  "<h2>Where we win, where we tie, where we lose</h2>",
  "<p>Against the best that the stock kernel has to offer for the workload, over its rings and rq_affinity: of those that sleep while they wait, and, as \"spinning\", of those that burn a CPU. "
  + "A tie is where the repetitions overlap, or the medians differ by no more than 2 transfers, 0.5 reads ahead, 0.05 sleeps or interrupts, or else by 3 %. What a result costs is in the column of instructions, ours as a multiple of those of stock's best; a hint by itself always costs some: see above. "
  + "Beside ours is what the patched kernel has without hints, on the same ring with the same rq_affinity: where hints make that worse, there is no win.</p>",
  "<table><tr><th>topology<th>workload<th>ours<th>by<th>stock, default<th>best of stock<th>which is<th>the same, unhinted<th>ours<th>which is<th>completed elsewhere<th>instructions<th>verdict</tr>",
  (.verdicts | sort_by({win: 0, tie: 1, lose: 2}[.verdict])[] | . as $v
   | "<tr class=\"\(.verdict)\"><td>\(.topology)<td>\(.workload)<td>\(.mode)<td>\(.by)<td>\(.stock | value($v.by))<td>\(.best | value($v.by))<td>\(.peer)<td>\(.unhinted | value($v.by))<td>\(.ours | value($v.by))<td>\(.ring)<td>\(.remote_ratio | dash)"
     + "<td>\(if .instructions then "×\(.instructions.ratio)" else "" end)<td>\(.verdict)\(if .verdict == "lose" then ": \(.why // "not known" | esc)" else "" end)</tr>"),
  "</table>" end),
  "</html>"
