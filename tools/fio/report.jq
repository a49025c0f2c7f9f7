# The lines that the guests wrote, to the report.
#
#   jq -n -f report.jq --slurpfile modes MODES --slurpfile exceptions EXCEPTIONS
#     --argjson run RUN_FACTS --arg qemu ... LINES

# Where the completions of a run were: at home, where the interrupt was, and on the
# other CPUs. Numbers of CPUs differ from one boot to the next.
def places: . as $run
	| { home: .completions[.home], irq: .completions[.irq],
	    other: ([.completions | to_entries[]
		| select(.key != $run.home and .key != $run.irq) | .value] | add) };

def run: . + { places: places, completed: (.completions | add) }
	| .remote = .completed - .places.home
	| del(.way, .mode, .pass);

# Both passes of a mode in one way.
def way: {
	passes: (map({ key: .pass, value: run }) | from_entries)
} | [.passes[]] as $runs | .completed = ([$runs[].completed] | add)
	| .remote = ([$runs[].remote] | add)
	| .remote_ratio = (if .completed > 0 then .remote / .completed else null end)
	| .ipis = ([$runs[].ipis] | add)
	| .switches = ([$runs[].switches // 0] | add);

def ways: group_by(.way) | map({ key: .[0].way, value: way }) | from_entries;

[inputs] as $lines
| [$lines[] | select(.mode)] as $runs
| [$lines[].machine // empty] as $machines
| { schema: 1, command: "make fio" } + $run + {
	$qemu, $accelerator, $topology, $package,
	ios: ($machines | first.ios),
	kernels: ($machines | map({ key: .way, value: .kernel }) | from_entries),
	modes: [$modes[0][] | . as $mode | . + { ways: [$runs[] | select(.mode == $mode.mode)] | ways }],
	spoiled: ([$runs[] | select(.mode == "spoiled")] | ways),
	killed: [$lines[] | select(.killed) | { mode: .killed, at, completions, counters, unloaded, inflight }],
	exceptions: $exceptions[0]
}
