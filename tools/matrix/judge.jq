# Adds to each cell of a topology where it loses, and to which entry of the list
# of known losses that belongs; null if to none.
#
#   jq -L tools/common --slurpfile losses LOSSES -f judge.jq TOPOLOGY
#
# With a hint nothing is to complete elsewhere than its CQE is made, nor what loop has below. Wakeups and
# interrupts between CPUs together, and context switches, are not to be more than
# at the rq_affinity at which there are least. More is what is more in every repeat
# than it is in any without a hint, by one for every other read: a guest on a busy
# host has many ticks to a read, and each may have the scheduler kick an idle CPU. So
# it is with transfers per read, where they were counted: more in every repeat, and by
# the medians by more than 2 and 15 %, which is what the guest's ticks come to; of
# reads of the page cache by more than the lines of a page, which are copied from wherever the
# instrument last saw them.
#
# The least of one count and the least of another may be at different settings of rq_affinity,
# so one may be lost for another. Where all are counted, no setting is to have less of one and
# more of none: then somebody would be better off there whatever he values.

include "reasons";

# What counts requests that complete elsewhere: these, of them those in another cache, and of
# what loop's worker submitted.
def places: IN("remote", "far", "below");

def more($hinted; $stock; $reads): $hinted.min > $stock.max + $reads / 2;

def more_transfers($hinted; $stock; $slack): $hinted.min > $stock.max
	and $hinted.median - $stock.median > ([$slack, $stock.median * 0.15] | max);

def slack: if .submitter | IN("cached", "worker-cached", "readahead") then 64 else 2 end;

def least($key): [.stock[]] | min_by(.[$key].median) | .[$key];

# Whether $one costs more than $other of anything. What moves completions about is a means.
def costs_more($one; $other; $reads; $slack):
	any("events", "switches"; more($one[.]; $other[.]; $reads))
	or more_transfers($one.transfers; $other.transfers; $slack);

# The settings of rq_affinity at which it costs less without a hint, and nothing more.
def outdone_at($reads):
	.hinted as $hinted | slack as $slack
	| [.stock | to_entries[] | select(.value as $stock
		| costs_more($hinted; $stock; $reads; $slack) and (costs_more($stock; $hinted; $reads; $slack) | not))
		| .key];

def loss($metric; $hinted; $stock): { metric: $metric, hinted: $hinted, stock: $stock };

def losses_of:
	(.hinted.reads / .hinted.repeats) as $reads
	| [
		(("remote", "far", "below") as $key
		 | select(.hinted[$key] > 0)
		 | loss($key; .hinted[$key]; [.stock[][$key]] | min)),
		(("events", "switches") as $key
		 | least($key) as $stock
		 | select(more(.hinted[$key]; $stock; $reads))
		 | loss($key; .hinted[$key].median; $stock.median)),
		(select(.hinted.transfers) | least("transfers") as $stock
		 | select(more_transfers(.hinted.transfers; $stock; slack))
		 | loss("transfers"; .hinted.transfers.median; $stock.median)),
		(select(.hinted.transfers) | outdone_at($reads)
		 | select(. != [])
		 | loss("outdone"; null; .))
	];

# Whether it is what it is without a hint at the same rq_affinity. Workers may be on any CPU,
# with null_blk where the request completes: of those that are remote a quarter is noise.
def same($cell): .metric as $key | $cell.hinted as $hinted
	| $cell.stock["\($cell.rq_affinity)"] as $stock
	| if $key | places then $hinted[$key] <= $stock[$key] + ($hinted | .requests - .early) / 4
	  elif $key == "outdone" then .stock | index("\($cell.rq_affinity)") | not
	  elif $key == "transfers" then more_transfers($hinted.transfers; $stock.transfers; $cell | slack) | not
	  else more($hinted[$key]; $stock[$key]; $hinted.reads / $hinted.repeats) | not end;

# What is lost for a known reason, but more than is known, has none. To be outdone is no more or less.
def within($most; $cell):
	if $most == "same" then same($cell)
	elif .metric == "outdone" then false
	elif .metric | places then .hinted <= ($most | tonumber) * ($cell.hinted | .requests - .early)
	else .hinted <= ($most | tonumber) * .stock end;

def bounded($cell): . as $loss
	| [$losses[0][] | .most as $most | select($loss | within($most; $cell)) | del(.most)];

.cells |= map(. as $cell | .losses = (losses_of | map(.reason = reason_for(bounded($cell); $cell + .))))
