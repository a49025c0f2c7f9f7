# jq -s -f report.jq --argjson facts FACTS GUEST...: the report: what each case costs
# more than the same read on the stock kernel, and which functions cost it.

def key: "\(.device)/\(.ring)/\(.mode)";

# What they take depends on which tag a request happens to get, on how full a counter
# of this CPU is, on when the entropy pool was last stirred, on whether an interrupt
# finds its completion taken already, on when the device's node was last read, and on what
# the scheduler's averages are at that moment: a few instructions that no change of ours
# moves.
def unsteady: ["sbitmap_find_bit", "_find_next_zero_bit", "mod_node_page_state", "atime_needs_update",
  "add_interrupt_randomness", "note_interrupt", "enqueue_task_fair", "dequeue_task_fair",
  "dequeue_entities", "enqueue_entity", "dequeue_entity", "place_entity", "set_next_entity", "put_prev_entity",
  "pick_eevdf", "pick_task_fair", "pick_next_task_fair", "update_curr", "update_entity_lag",
  "update_load_avg", "__update_load_avg_se", "__update_load_avg_cfs_rq", "avg_vruntime"];
def round2: . * 100 | round / 100;
def steady: .instructions - ([.functions[unsteady[]] // 0] | add);

[.[].cases[]] as $cases
| ([$cases[] | select(.mode == "stock")] | INDEX("\(.device)/\(.ring)")) as $stock
| $facts + {
    kernels: (map(select(.variant != "rounds") | {key: .variant, value: .machine}) | from_entries),
    errors: [
      .[].errors[],
      # Two repetitions of one case are to be one number.
      ($cases[] | select((.repeats | last) - (.repeats | first) > .instructions / 1000)
       | "\(key): not repeatable to 0.1 %: \(.repeats)"),
      ($cases[] | select($stock["\(.device)/\(.ring)"] == null)
       | "\(key): there is no case of the stock kernel to compare with")
    ],
    validation: (map({key: .variant, value: .validation}) | from_entries),
    cases: [
      $cases[]
      | . as $case
      | ($stock["\(.device)/\(.ring)"] // empty) as $base
      | ($base.functions) as $before
      | . + {
          over_stock: (.instructions - $base.instructions | round2),
          over_stock_steady: (steady - ($base | steady) | round2),
          over_stock_percent: ((.instructions - $base.instructions) / $base.instructions * 100 | round2),
          grown: ([(.functions + $before | keys[]) as $f
              | {key: $f, value: (($case.functions[$f] // 0) - ($before[$f] // 0) | round2)}
              | select(.value != 0)] | sort_by(-.value) | from_entries),
          new: [.functions | keys[] | select($before[.] == null)]
        }
    ]
  }
