# jq -r -f io-table.jq report.json: the report for people. Medians; of the
# transfers also the least and the most.

def pad($n): tostring | " " * ([0, $n - length] | max) + .;
def rpad($n): tostring | . + " " * ([0, $n - length] | max);
def short: if . >= 100 then round elif . >= 10 then . * 10 | round / 10 else . * 100 | round / 100 end;
def where: {home: "on the interrupt's CPU", near: "shares its cache", far: "in another cache"}[.];

.accelerator as $accel
| .guests | group_by(.topology)[]
| (first | "\n\(.topology): \(.machine.cpus) CPUs, \(.machine.queues) queue(s), \(.machine.nodes) node(s), scheduler \(.machine.scheduler); "
    + "QEMU \($accel.qemu | split(" ") | first), \($accel.name), \($accel.threads)-threaded"),
  "  4 KiB reads at depth 1, per read:",
  "    device  consumer               kernel             mode      rq_affinity  transfers    (least-most)    read   write  instructions  MMIO   IPIs",
  ( [.[] | .machine.kernel as $kernel | .cases[] + {$kernel}]
    | sort_by([{nvme: 0, loop: 1}[.device], {home: 0, near: 1, far: 2}[.consumer], {stock: 0, patched: 1, unhinted: 2, hinted: 3}[.mode], .rq_affinity])[]
    | "    \(.device | rpad(7)) \(.consumer | where | rpad(22)) \(.kernel | rpad(18)) \(.mode | rpad(9)) "
      + (.rq_affinity | pad(11))
      + (.per_io.transfers.median | short | pad(11))
      + ("\(.per_io.transfers.min | short)-\(.per_io.transfers.max | short)" | pad(16))
      + (.per_io.reads.median | short | pad(8)) + (.per_io.writes.median | short | pad(8))
      + (.per_io.instructions.median | round | pad(14))
      + (.per_io.mmio.median | short | pad(6)) + (.per_io.ipis.median | short | pad(7))
  )
