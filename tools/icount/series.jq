# jq -s -r -f series.jq REPORT...: instructions per read over the stock kernel's, a line
# for each report, which is of the first .n patches, and in parentheses what came with
# the last of them.

def columns: ["null_blk/default", "null_blk/defer", "nvme/default", "nvme/defer"];
def over: [.cases[] | select(.mode == "patched")] | INDEX("\(.device)/\(.ring)") | [.[columns[]].over_stock_steady];
def signed: if . > 0 then "+\(.)" else tostring end;
def pad($n): tostring | " " * ([$n - length, 0] | max) + .;

[.[].errors[]] as $errors
| if $errors != [] then ($errors | join("\n") + "\n" | halt_error(1)) else
    ("patches" + (columns | map(pad(22)) | add)),
    ([{over: [0, 0, 0, 0]}] + map({n, over: over})
     | range(1; length) as $i | . as $rows
     | ($rows[$i].n | pad(7))
       + ([range(4) as $c | "\($rows[$i].over[$c] | signed) (\($rows[$i].over[$c] - $rows[$i - 1].over[$c] | signed))" | pad(22)] | add))
  end
