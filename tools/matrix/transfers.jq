# The runs of selftests/matrix -t, each with its transfers per read.
#
#   jq -n -c -f transfers.jq --slurpfile said LINES --slurpfile counted COUNTED
#
# The instrument has written a line for each CPU of a run, in the program's order. They
# add up within a run, so that the last is the run's.

def transfers: [.vcpus[] | .read + .write + .upgrade] | add;

def is_whole($run): .open == false and .misplaced == 0 and .runs == $run.cpus and .units == $run.reads
	and all(.vcpus[]; .untracked == 0);

[$said[] | select(has("submitter"))] as $runs
| [$counted[] | select(has("region"))] as $lines
| ($runs | map(.cpus) | add // 0) as $due
| if $due == 0 or $due != ($lines | length)
  then error("\($runs | length) runs are \($due) lines of the instrument, and it has \($lines | length)")
  else foreach $runs[] as $run (
	{ at: 0 };
	.at += $run.cpus | .run = $run | .line = $lines[.at - 1];
	if .line | is_whole($run) then .
	else error("line \(.at) of the instrument is not whole, or not of this run: \($run), \(.line)") end
	| .run + { transfers: ((.line | transfers) / .line.units * 100 | round / 100), line: .at }
  ) end
