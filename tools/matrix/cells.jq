# The lines of selftests/matrix, of one topology, to cells.
#
#   jq -n -f cells.jq --arg name TOPOLOGY --slurpfile transfers TRANSFERS LINES
#
# TRANSFERS is what transfers.jq makes, or empty if they were not counted.
#
# A cell has what its ways to complete came to: "0", "1" and "2" are without hints
# at that rq_affinity, "hinted" is with one, at the cell's. Repeats are summed up where
# that means something; of what varies with how the host schedules the guest's CPUs
# there are the median and both ends.

def spread: sort | { min: .[0], median: .[length / 2 | floor], max: .[-1] };

def way: [.submitter, .ring, .queues, .mode, .rq_affinity];

# Of a way to submit they are counted for some classes only.
def counted_as: [.submitter, .mode, .rq_affinity];

# How many per read, of all repeats of one way to complete.
def transfers: way as $way | [$transfers[] | select(way == $way)]
	| if . == [] then null
	  else { repeats: length, reads: (map(.reads) | add) } + (map(.transfers) | spread) end;

def sums: {
	repeats: length,
	reads: (map(.reads) | add),
	requests: (map(.requests) | add),
	early: (map(.early) | add),
	remote: (map(.remote) | add),
	far: (map(.far) | add),
	below: (map(.below) | add),
	ipis: (map(.ipis_call + .ipis_reschedule) | spread),
	wakeups: (map(.wakeups) | spread),
	events: (map(.ipis_call + .ipis_reschedule + .wakeups) | spread),
	switches: (map(.switches) | spread),
	transfers: (first | transfers),
	completions_per_cpu: (map(.per_cpu) | transpose | map(add)),
	errors: ([(.[] | select(if .submitter == "readahead" then .requests < .reads / 8 or .requests > .reads / 2
				else .requests != .reads end)
			| "\(.requests) requests for \(.reads) reads"),
		(first | counted_as as $of
			| select(any($transfers[]; counted_as == $of) and transfers == null) | "no transfers were counted")] | unique)
} | .remote_ratio = .remote / ([.requests - .early, 1] | max);

{
	name: $name,
	cells: ([inputs] | group_by([.submitter, .ring, .queues]) | map(
		group_by(way) | map((.[0] | { submitter, ring, queues, class: .mode, rq_affinity }) + { hinted: sums })
		| (map(select(.class == "stock") | { key: "\(.rq_affinity)", value: .hinted }) | from_entries) as $stock
		| .[] | select(.class != "stock") | . + { $stock }
	))
}
