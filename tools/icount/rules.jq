# include "rules": what a case may cost more than on the stock kernel, by the rule's name. A rule
# is of modes, if there are rings of these alone, and of "instructions" or a "percent" of stock's.

def rules: {
  # With the tracepoints of the series built in: where nobody gives hints, none is
  # executed.
  patched: {modes: ["patched"], instructions: 25},
  module: {modes: ["module"], instructions: 50},
  # The same, where others give hints.
  bystander: {modes: ["bystander"], instructions: 50},
  # And use all that a ring can opt in to: more than it should be (icount.rst), but no more.
  "bystander-all": {modes: ["bystander-all"], instructions: 100},
  # The bulk reads of a ring on which others have hints.
  beside: {modes: ["opted-in"], percent: 2},
  hinted: {modes: ["latency", "step_critical"], rings: ["default", "defer"], percent: 3},
  # A read is shorter there, and the hint is not: more than it should be, but no more.
  "hinted-rounds": {modes: ["latency"], rings: ["rounds"], percent: 4},
  # Rounds of which one is urgent, and need not wait for the others.
  mixed: {modes: ["urgent", "urgent-batch"], percent: 2}
};

# Whether a rule is for a case.
def is_for($case): (.modes | index($case.mode)) and (.rings == null or (.rings | index($case.ring)));

# Of a case: how many instructions more that is; null of one that no rule is for.
def may:
  . as $case
  | first(rules[] | select(is_for($case))) // null
  | if . == null then null
    elif .percent then .percent / 100 * ($case.instructions - $case.over_stock)
    else .instructions end;
