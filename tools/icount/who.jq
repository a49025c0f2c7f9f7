# jq -n -r -f who.jq --slurpfile was REGION --slurpfile now REGION: of two regions of
# coherence/report.sh --json, the functions that pay for more transfers per read in the
# second, most first.

def per_read: .units as $units
  | reduce .pcs[] as $pc ({}; .[$pc.symbol // $pc.function // "?" | sub("\\+0x[0-9a-f]+$"; "")]
      += ($pc | .read + .write + .upgrade) / $units);

($was[0] | per_read) as $old | ($now[0] | per_read) as $new
| [$new | to_entries[] | {key, rise: (.value - ($old[.key] // 0))} | select(.rise >= 0.1)]
| sort_by(-.rise)[:10][]
| "    +\(.rise * 100 | round / 100) \(.key)"
