# The lines that the guests wrote, and how each guest ended, to the report.
#
#   jq -n -f report.jq --slurpfile facts FACTS guests...
#
# Each input is {scenario, variant, status, one_thread, files, lines}: see run.sh.  Counts
# of the raw device and of ext4 are added up; what they are of stays in "parts".

def add_arrays: transpose | map(add);
def add_objects: map(to_entries) | add // [] | group_by(.key)
	| map({ key: .[0].key, value: (map(.value) | add) }) | from_entries;

# Decisions: {complete: {steered: n, ...}, queue: {...}, deferred: {...}}.
def add_points: . as $all | map(keys) | add // [] | unique
	| map(. as $point | { key: $point, value: [$all[][$point] // {}] | add_objects })
	| from_entries;

def sum_of($key): map(.[$key]) | add;

def status_text: {
	"2": "the host is at fault", "3": "the guest was lost", "4": "the kernel log has a splat"
}[tostring] // "the harness ended with status \(.)";

# One of stock, unhinted and hinted; null where no guest was to run it.
def mode($name; $variant; $guests):
	([$guests[] | select(.variant == $variant)] | first) as $guest
	| if $guest == null then null else
	[$guest.lines[] | select(.label? // "" | startswith($name + " "))] as $reads
	| ["raw", "ext4"] as $parts
	| ($parts - [$reads[].label | split(" ")[1]]) as $missing
	| ($guest.lines | map(.machine? // empty) | first // {}) as $machine
	| {
		kernel: $machine.kernel,
		ios: ($reads | sum_of("ios") // 0),
		remote: ($reads | sum_of("remote") // 0),
		declined: ($reads | map(.declined) | add_objects),
		ipis: ($reads | sum_of("ipis") // 0),
		ipis_call: ($reads | sum_of("ipis_call") // 0),
		ipis_reschedule: ($reads | sum_of("ipis_reschedule") // 0),
		wakeups: ($reads | sum_of("wakeups") // 0),
		context_switches: ($reads | sum_of("context_switches") // 0),
		data_ok: (($missing | length) == 0 and all($reads[]; .data_ok)),
		hint: ($reads | map(.hint) | first),
		completions_per_cpu: ($reads | map(.completions_per_cpu) | add_arrays),
		map: ($reads | map(.map) | transpose | map(add_arrays)),
		decisions: ($reads | map(.decisions) | add_points),
		errors: ([$reads[] | (.label | split(" ")[1]) as $part | .errors[] | "\($part): \(.)"]
			+ (if $missing == [] then [] else ["no result for \($missing | join(", "))"] end)
			+ (if $guest.status > 1 then [$guest.status | status_text] else [] end)),
		one_thread: $guest.one_thread,
		files: $guest.files,
		parts: ($reads | map({ key: (.label | split(" ")[1]), value: del(.label) })
			| from_entries)
	}
	# Unloading the module may fail after all reads went well.
	| .errors |= (if . == [] and $guest.status != 0 then ["the script in the guest failed"] else . end)
	| .remote_ratio = (if .ios > 0 then .remote / .ios else null end)
	end;

# A guest's own view of its machine, so that a wrong topology shows.
def machine($guests): [$guests[].lines[].machine? // empty] | first // {}
	| del(.kernel);

[inputs] as $guests
| $facts[0] + {
	scenarios: [ $facts[0].scenarios[] as $name
		| [$guests[] | select(.scenario == $name)] as $here
		| { name: $name }
		+ machine($here)
		+ { stock: mode("stock"; "stock"; $here),
		    unhinted: mode("unhinted"; "patched"; $here),
		    hinted: mode("hinted"; "patched"; $here) }
	]
}
