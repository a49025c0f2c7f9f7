# jq -n -r -f gate.jq --arg what NAME --slurpfile was BASELINE --slurpfile now NOW:
# fails with what rose, or went missing, since the baseline.

def signed: if . > 0 then "+\(. * 100 | round / 100)" else "\(. * 100 | round / 100)" end;

$was[0] as $was | $now[0] as $now
| $was.tolerance as $may
| (if $was.compiler == $now.compiler then $may.instructions else $may.instructions_other_compiler end) as $instructions
| def measure: if $what == "structs" then .patched - .stock else .over_stock end;
  # Of a figure, by its name.
  def tolerance: {cases: $instructions, structs: $may.bytes,
    transfers: (if test("/home/") then $may.transfers else $may.transfers_away end)}[$what];
  ({cases: "instructions per read", structs: "bytes", transfers: "transfers per read"}[$what]) as $unit
| def functions($old; $new):
    [($old + $new | keys[]) as $f
     | {f: $f, rise: (($new[$f] // 0) - ($old[$f] // 0)), new: ($old[$f] == null)}
     | select(.rise >= 2)] | sort_by(-.rise)[:10][]
    | "    \(.rise | signed) \(.f)";
[($now[$what] | keys - ($was[$what] | keys))[]
 | {bad: true, text: "\(.): the baseline does not have it: make icount UPDATE=1"}] as $unknown
| [$was[$what] | to_entries[]
 | .key as $key | .value as $old | $now[$what][$key] as $new
 | if $new == null then {bad: true, text: "\($key): not counted any more"}
   else (($new | measure) - ($old | measure) | . * 100 | round / 100) as $rise
   | ($key | tolerance) as $tolerance
   | {bad: ($rise > $tolerance),
      text: ("\($key): \($old | measure | signed) \($unit) over stock then, \($new | measure | signed) now"
        + if $rise > $tolerance then ": rose by more than \($tolerance)" else "" end),
      more: (if $rise > $tolerance and $what == "cases" then [functions($old.grown; $new.grown)] else [] end)}
   end]
| [$unknown[], (.[] | select(.bad))] as $bad
| if $was[$what] == {} then ("the baseline has none\n" | halt_error(1))
  elif $bad == [] then .[].text
  else ([$bad[] | .text, .more[]?] | join("\n") + "\n" | halt_error(1))
  end
