#!/bin/bash
# options-test.sh CPROVBENCH: what the command line cannot mean is refused, with status
# 2 and a message that says what it is about.
set -euo pipefail

program=$1
# Where the build is O_DIRECT works; not so on every /tmp.
scratch=$(mktemp -d -p "$(dirname "$program")")
trap 'rm -rf "$scratch"' EXIT
failed=0

# refused MESSAGE ARGUMENT...
refused()
{
	local message=$1 said status=0
	shift

	said=$("$program" "$@" 2>&1) || status=$?
	[[ $status == 2 && $said == *"$message"* ]] && return
	printf 'cprovbench %s: status %d, and said: %s; expected: %s\n' "$*" "$status" "$said" "$message"
	failed=1
}

file=$scratch/file directory=$scratch/directory
truncate -s 1M "$file"
truncate -s 64K "$scratch/small"
mkdir "$directory"

refused 'are needed' chase
refused "workload 'query' is not known" query "$file"
refused '--beam 0: not a number from 1 to 64' --beam 0 hops "$file"
refused '--workers 65: not a number' --workers 65 database "$file"
refused '--total 4K: not a number' --prepare --total 4K loader "$directory"
refused '--beam is for hops' --beam 4 chase "$file"
refused '--hops is for hops' --hops 4 database "$file"
refused '--workers is for database' --workers 1 hops "$file"
refused '--home is for the --workers of database' --home backend database "$file"
refused "home 'mine' is not known" --workers 1 --home mine database "$file"
refused '--wait is for mixed' --wait 2 peak "$file"
refused '--wait is for rings' --wait 2 --ring libaio mixed "$file"
refused '--wait 14: not a number from 1 to 13' --wait 14 mixed "$file"
refused '--fixed is for peak' --fixed chase "$file"
refused '--fixed is for rings that read' --fixed --ring passthrough peak "$file"
refused '--fixed is for rings that read' --fixed --ring libaio peak "$file"
refused '--total is for --prepare of loader' --total 1M loader "$directory"
refused '--total is for --prepare of loader' --prepare --total 1M chase "$file"
refused '--threads is for' --threads 2 mixed "$file"
refused '--threads is for' --threads 2 handoff "$file"
for workload in swap mixed handoff migrate hops database loader; do
	refused 'pread is for chase' --ring pread "$workload" "$file"
done
refused 'is of one thread' --ring defer --cpus 0,1 handoff "$file"
for workload in handoff migrate; do
	refused 'there is one only' --cpus 0 "$workload" "$file"
done
refused 'no multiple of --block' --tensor 1M --block 384K swap "$file"
refused 'no multiple of 4096' --block 5000 hops "$file"
refused 'is a directory: loader reads those' hops "$directory"
refused 'Not a directory: loader reads the files of a directory' loader "$file"
refused 'No such file or directory' loader "$scratch/none"
refused 'has no files of cprovbench: --prepare writes them' loader "$directory"
refused 'is smaller than what is to be read at once' database "$scratch/small"
refused 'is smaller than what is to be read at once' mixed "$scratch/small"
refused '--prepare writes it' hops "$file"

# helps WORKLOAD WITH WITHOUT [ARGUMENT...]: help tells of one option, and not of another.
helps()
{
	local workload=$1 with=$2 without=$3 said status=0
	shift 3

	said=$("$program" "$@" --help ${workload:+"$workload"} 2>&1) || status=$?
	[[ $status == 0 && $said == *" --$with "* && $said != *" --$without "* &&
		$said == *"cprovbench [OPTION...] ${workload:-WORKLOAD} "* ]] && return
	printf 'help of %s: status %d, and said: %s; expected: %s, not %s\n' \
		"${workload:-all}" "$status" "$said" "$with" "$without"
	failed=1
}

helps '' beam bogus
helps chase threads beam
helps peak fixed threads
helps swap tensor depth
helps mixed wait workers
helps handoff depth threads
helps migrate threads depth
helps hops beam fixed
helps database home beam --json
helps loader total tensor
refused "workload 'query' is not known" --help query

# Examples of the help are of options that there are.
for workload in chase peak swap mixed handoff migrate hops database loader; do
	example=$("$program" "$workload" --help | sed -n 's/^  cprovbench //p')
	[[ " $example " == *" $workload "* ]] || { echo "no example of $workload"; failed=1; }
	case $workload in loader) of=$directory ;; *) of=$file ;; esac
	# shellcheck disable=SC2086 # words
	refused "workload '$workload-not' is not known" ${example% "$workload" *} "$workload-not" "$of"
done

# A set that is not whole, or was written to, is not read.
"$program" --json --output /dev/null --prepare --total 2M --ios 1 loader "$directory"
printf x >>"$directory/cprovbench-000000"
refused 'cprovbench-000000 has' loader "$directory"
rm "$directory/cprovbench-000000"
refused 'cprovbench-000000: ' loader "$directory"
exit "$failed"
