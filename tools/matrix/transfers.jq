# The runs of selftests/matrix -t, each with its transfers per read.
#
#   jq -L tools/coherence -n -c -f transfers.jq --argjson before N --slurpfile said LINES \
#	--slurpfile counted COUNTED
#
# N lines of the instrument are kept before these.
# The instrument has written a line for each CPU of a run, in the program's order. They
# add up within a run, so that the last is the run's.

include "flaw";

def transfers: [.vcpus[] | .read + .write + .upgrade] | add;

# Of this run, and not of another.
def flaw_in($run): flaw // if .runs != $run.cpus or .units != $run.reads then "is of another run" else null end;

[$said[] | select(has("submitter"))] as $runs
| [$counted[] | select(has("region"))] as $lines
| ($runs | map(.cpus) | add // 0) as $due
| if $due == 0 or $due != ($lines | length)
  then error("\($runs | length) runs are \($due) lines of the instrument, and it has \($lines | length)")
  else foreach $runs[] as $run (
	{ at: 0 };
	.at += $run.cpus | .run = $run | .line = $lines[.at - 1];
	(.line | flaw_in($run)) as $flaw
	| if $flaw then error("line \(.at) of the instrument \($flaw): \($run), \(.line | del(.pcs, .lines))") else . end
	| .run + { transfers: ((.line | transfers) / .line.units * 100 | round / 100), line: ($before + .at) }
  ) end
