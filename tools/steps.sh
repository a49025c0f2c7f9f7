# shellcheck shell=bash
# Sourced after lib.sh by scripts that are a list of steps: runs each, keeps its
# output, prints a KTAP line, and counts.

# steps_begin NAME TOTAL [QUICK]: output goes to build/NAME/STEP.log, of one run at a time.
# The last QUICK steps take no time: they look at what those before them did.
steps_begin()
{
	STEPS_NAME=$1 STEPS_LONG=$(($2 - ${3:-0})) STEPS_BEGIN=$SECONDS
	STEPS_DIR=$CPROV_TOP/build/$1
	STEPS_PASSED=0 STEPS_FAILED=0 STEPS_SKIPPED=0 STEPS_DONE=0
	mkdir -p "$STEPS_DIR"
	exec {STEPS_LOCK}>"$STEPS_DIR/lock"
	flock -n "$STEPS_LOCK" || die "make $1 is running in this tree" "$STEPS_DIR/lock" "wait for it"
	rm -f "$STEPS_DIR"/*.log "$STEPS_DIR/totals" "$STEPS_DIR/remarks"
	printf 'TAP version 13\n1..%d\n' "$2"
}

# What the steps that are over took tells when the rest will be.
steps_left()
{
	local elapsed=$((SECONDS - STEPS_BEGIN))

	((STEPS_DONE && STEPS_DONE < STEPS_LONG)) || return 0
	printf ', about %s left' "$(duration $((elapsed * (STEPS_LONG - STEPS_DONE) / STEPS_DONE)))"
}

# step NAME COMMAND...: status 77 of the command means skipped, and the last line
# that it printed says why. (kselftest's 4 is boot.sh's for a splat.)
step()
{
	local name=$1 status=0 begin=$SECONDS logfile trap
	shift

	logfile=$STEPS_DIR/${name//[^A-Za-z0-9_.-]/-}.log
	log "# $name$(steps_left)"
	# A subshell of its own, so that set -e holds inside and not outside.
	trap=$(trap -p ERR)
	trap - ERR
	set +e
	(
		eval "$trap"
		set -e
		"$@"
	) >"$logfile" 2>&1 </dev/null
	status=$?
	set -e
	eval "$trap"
	STEPS_DONE=$((STEPS_DONE + 1))
	case $status in
	0)
		STEPS_PASSED=$((STEPS_PASSED + 1))
		printf 'ok %d - %s # %ds\n' "$STEPS_DONE" "$name" $((SECONDS - begin))
		;;
	77)
		STEPS_SKIPPED=$((STEPS_SKIPPED + 1))
		printf 'ok %d - %s # SKIP %s\n' "$STEPS_DONE" "$name" "$(tail -n 1 "$logfile")"
		;;
	*)
		STEPS_FAILED=$((STEPS_FAILED + 1))
		printf 'not ok %d - %s # status %d, %s\n' "$STEPS_DONE" "$name" "$status" "$logfile"
		tail -n "${STEPS_TAIL:-25}" "$logfile" | sed 's/^/#   /'
		steps_remark "$name has failed" "$logfile"
		;;
	esac
}

# steps_remark WHAT LOG: keep WHAT, and what LOG says of it, in build/NAME/remarks, for who
# has only the end of a long output.
steps_remark()
{
	{
		printf '# make %s: %s\n' "$STEPS_NAME" "$1"
		{
			grep -aE '^(kernel splat|command failed|guest .* lost|  first: )' "$2" | tail -n 4 || true
			tail -n 8 "$2"
		} | sed 's/^/#   /'
	} >>"$STEPS_DIR/remarks"
}

# steps_count PASSED FAILED SKIPPED: add what a step counted inside itself.
steps_count()
{
	STEPS_PASSED=$((STEPS_PASSED + $1))
	STEPS_FAILED=$((STEPS_FAILED + $2))
	STEPS_SKIPPED=$((STEPS_SKIPPED + $3))
}

# Prints and keeps the totals; the status says whether all is well.
steps_end()
{
	printf '%d %d %d\n' "$STEPS_PASSED" "$STEPS_FAILED" "$STEPS_SKIPPED" >"$STEPS_DIR/totals"
	printf '# %s: %d passed, %d failed, %d skipped in %s\n' "$STEPS_NAME" "$STEPS_PASSED" \
		"$STEPS_FAILED" "$STEPS_SKIPPED" "$(duration $((SECONDS - STEPS_BEGIN)))"
	((STEPS_FAILED == 0 && STEPS_PASSED > 0))
}
