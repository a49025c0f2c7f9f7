# The lines of selftests/matrix, of one topology, to cells.
#
#   jq -n -f cells.jq --arg name TOPOLOGY --slurpfile transfers TRANSFERS LINES
#
# TRANSFERS is what transfers.jq makes, or empty if they were not counted.
#
# A cell has what its ways to complete came to: "0", "1" and "2" are without hints
# at that rq_affinity, "hinted" is with one. Repeats are summed up where that means
# something; of what varies with how the host schedules the guest's CPUs there are
# the median and both ends.

def spread: sort | { min: .[0], median: .[length / 2 | floor], max: .[-1] };

def way: [.submitter, .ring, .queues, .mode];

# How many per read, of all repeats of one way to complete.
def transfers: way as $way | [$transfers[] | select(way == $way)]
	| if . == [] then null
	  else { repeats: length, reads: (map(.reads) | add) } + (map(.transfers) | spread) end;

def sums: {
	repeats: length,
	reads: (map(.reads) | add),
	early: (map(.early) | add),
	remote: (map(.remote) | add),
	far: (map(.far) | add),
	ipis: (map(.ipis_call + .ipis_reschedule) | spread),
	wakeups: (map(.wakeups) | spread),
	events: (map(.ipis_call + .ipis_reschedule + .wakeups) | spread),
	switches: (map(.switches) | spread),
	transfers: (first | transfers),
	completions_per_cpu: (map(.per_cpu) | transpose | map(add)),
	errors: ([(.[] | select(.requests != .reads) | "\(.requests) requests for \(.reads) reads"),
		(first | select($transfers != [] and transfers == null) | "no transfers were counted")] | unique)
} | .remote_ratio = .remote / (.reads - .early);

{
	name: $name,
	cells: ([inputs] | group_by([.submitter, .ring, .queues]) | map(
		. as $lines
		| (group_by(.mode) | map({ key: .[0].mode, value: sums }) | from_entries) as $modes
		| $modes | to_entries[] | select(.key | startswith("stock") | not)
		| ($lines[0] | { submitter, ring, queues }) + {
			class: .key,
			stock: { "0": $modes.stock0, "1": $modes.stock1, "2": $modes.stock2 },
			hinted: .value
		}
	))
}
