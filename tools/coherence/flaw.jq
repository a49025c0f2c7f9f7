# Whether a region of the instrument is all that it should be. Included with
# jq -L tools/coherence.

# What is wrong with a region: null if nothing is. Null for a region is one that the
# instrument has not written.
def flaw:
  if . == null then "was not counted"
  elif .open then "was not ended"
  elif .units == 0 then "has no units"
  elif .misplaced > 0 then "has markers where they make no sense: \(.misplaced)"
  elif any(.vcpus[]; .untracked > 0) then "has accesses that were not tracked: \([.vcpus[].untracked] | add)"
  else null end;
