# Whether patched without hints is like stock: the same completions on each CPU
# for each submitting CPU, and as many IPIs as two runs of one kernel may differ.
# How completions bunch, hence how many share an IPI, is up to the host's
# scheduler; per read the difference is far below one. A guest that runs on one thread,
# as the other was lost, bunches them otherwise, and is not to be compared with one that does not.

def comparable: .stock.one_thread == .unhinted.one_thread;
def ipis_alike: (comparable | not) or ((.stock.ipis - .unhinted.ipis) | fabs) <= .stock.ios / 16;

if [.scenarios[].stock.ios] | length == 0 or any(. == null or . == 0) then
  ("nothing was read" | stderr | empty), false
else
[.scenarios[]
 | .name as $name
 | (select(.stock.map != .unhinted.map)
    | "\($name): completions per CPU differ: \(.stock.map) and \(.unhinted.map)"),
   (select(ipis_alike | not)
    | "\($name): IPIs differ: \(.stock.ipis) and \(.unhinted.ipis) for \(.stock.ios) reads"),
   (select(([.unhinted.decisions | .. | numbers] | add // 0) > 0)
    | "\($name): the policy was asked about reads without a hint: \(.unhinted.decisions)")]
| if . == [] then "unhinted is stock" else (.[] | stderr | empty), false end
end
