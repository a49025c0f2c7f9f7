# jq -n -f baseline.jq --slurpfile report REPORT --slurpfile structs STRUCTS
#   --slurpfile coherence REPORT: what the gate compares, each thing by its name.

$report[0] as $r
| {
    schema: 1,
    kernel: $r.kernels.stock.kernel,
    compiler: $r.compiler,
    # By how much a figure may rise before the gate closes: instructions per read by
    # the same compiler and by another, transfers per read where the interrupt is and elsewhere,
    # bytes.
    tolerance: {instructions: 6, instructions_other_compiler: 25, transfers: 3, transfers_away: 8, bytes: 0},
    cases: ([$r.cases[]
      | select(.mode != "stock")
      | {key: "\(.device)/\(.ring)/\(.mode)",
         value: {instructions, over_stock: .over_stock_steady, grown: (.grown | with_entries(select(.value | fabs >= 2)))}}]
      | from_entries),
    structs: $structs[0],
    transfers: (
      [$coherence[0].guests[] | . as $guest | .cases[]
       | select(.device == "nvme" and .rq_affinity == 1)
       | {topology: $guest.topology, mode, consumer, transfers: .per_io.transfers.median}]
      | ([.[] | select(.mode == "stock")] | INDEX("\(.topology)/\(.consumer)")) as $stock
      | [.[] | select(.mode != "stock")
         | {key: "\(.topology)/\(.consumer)/\(.mode)",
            value: {transfers, over_stock: (.transfers - $stock["\(.topology)/\(.consumer)"].transfers
              | . * 100 | round / 100)}}]
      | from_entries)
  }
