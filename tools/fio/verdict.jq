# What a report fails on, one line each; nothing if it is good.
#
#   jq -r --arg what MODE|spoiled|killed -f verdict.jq REPORT
#
# What need not be so is in the file exceptions, by the name of the check.

def hinted_ways($mode): ["hinted"] + (if $mode == "plain" then ["home-cpu", "follow-task", "rule"] else [] end);
def ways_of($mode): ["stock", "unhinted"] + hinted_ways($mode);

def total: [.. | numbers] | add // 0;
# What the policy did with requests that had fio's hint, and were brought home.
def brought_home: .complete.step_critical // {} | [.steered, .at_home] | map(. // 0) | add;
# What it left to who polls: a drive's queue asks of each, null_blk's of none.
def left_polled: .complete.step_critical.polled // 0;

def wrong_data: select(.status != 0 or .error != 0)
	| "fio ended with status \(.status), error \(.error)";

# All that fio did was counted, once.
def wrong_counts($pass; $ios):
	(if $pass == "write" then $ios else 0 end) as $writes
	| (select(.reads != $ios or .writes != $writes)
	   | "fio wrote \(.writes) blocks and read \(.reads), instead of \($writes) and \($ios)"),
	  (select(.completed != $ios + $writes)
	   | "\(.completed) requests completed, not \($ios + $writes)");

. as $report
| def excepted($check; $mode): any($report.exceptions[]; .check == $check and .mode == $mode);

def wrong_run($mode; $device; $way; $pass):
	wrong_data, wrong_counts($pass; $report.ios),
	(if hinted_ways($mode) | index($way) then
		(select(.remote > 0 and (excepted("home"; $mode) | not))
		 | "\(.remote) of \(.completed) completions were on another CPU than home"),
		(select((.counters | brought_home) != .completed and (excepted("used"; $mode) | not))
		 | "the policy brought \(.counters | brought_home) of \(.completed) requests home: \(.counters)"),
		(select($device == "polled" and (.counters | left_polled) != .completed)
		 | "the policy left \(.counters | left_polled) of \(.completed) polled requests where they were: \(.counters)")
	 else
		(select((.counters | total) > 0) | "the policy was asked, without a hint: \(.counters)")
	 end);

def wrong_mode:
	.mode as $mode | .device as $device | .ways as $ways
	| (ways_of($mode)[] as $way | ("write", "read") as $pass
	   | $ways[$way].passes[$pass]
	   | (if . == null then "not run" else wrong_run($mode; $device; $way; $pass) end)
	   | "\($mode), \($way), \($pass): \(.)"),
	  (select(excepted("same"; $mode) | not)
	   | ("write", "read") as $pass
	   | [$ways.stock, $ways.unhinted | .passes[$pass].places]
	   | select(.[0] != .[1])
	   | "\($mode), \($pass): unhinted completes elsewhere than stock: \(.[1]) and \(.[0])"),
	  (select((excepted("steer"; $mode) | not) and ($ways.stock.remote // 0) == 0)
	   | "\($mode): on stock nothing is remote, so hinted proves nothing");

# fio has to see a block that is not what was written. (84 is EILSEQ.)
def wrong_spoiled:
	("stock", "unhinted", "hinted") as $way
	| .[$way].passes as $passes
	| ($passes.write | if . == null then "not run" else wrong_data end | "spoiled, \($way), write: \(.)"),
	  ($passes.read | select(.status == 0 or .error != 84)
	   | "spoiled, \($way), read: fio read a wrong block, and ended with status \(.status), error \(.error)");

def wrong_killed:
	.killed as $killed
	| ($report.modes[] | select(.mode as $mode | any($killed[]; .mode == $mode) or excepted("kill"; $mode) | not)
	   | "killed, \(.mode): not run"),
	  ($killed[] | "killed, \(.mode), after \(.completions | add) completions: " as $where
	   | (select((.counters | brought_home) == 0 and (excepted("used"; .mode) | not))
	      | "\($where)the policy had brought none home"),
	     (select(.unloaded != 0) | "\($where)the module did not unload"),
	     (select(.inflight != 0) | "\($where)\(.inflight) requests are still in flight")),
	  (.modes[] | select(.mode == "plain") | .ways.killed.passes as $passes
	   | ("write", "read") as $pass | $passes[$pass]
	   | (if . == null then "not run" else wrong_data, wrong_counts($pass; $report.ios),
		(select(.remote > 0) | "\(.remote) completions were on another CPU than home") end)
	   | "killed, afterwards, \($pass): \(.)");

if $what == "spoiled" then .spoiled | wrong_spoiled
elif $what == "killed" then wrong_killed
else [.modes[] | select(.mode == $what)] | if . == [] then "\($what): no such mode" else .[] | wrong_mode end
end
