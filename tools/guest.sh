# shellcheck shell=bash
# Sourced after lib.sh by what runs tests in guests: builds the module, the
# selftests and cprovctl for a kernel, and runs some of the tests in a guest.

# Of each script its own, as a mutant's module is nothing for others.
guest_dir=$CPROV_TOP/build/guest/$(basename "$0" .sh)

# guest_build KDIR: what the guests of this kernel need. $guest_module is another
# source of the module, $guest_tools one of cprovctl.
guest_build()
{
	local kdir=$1 program

	mkdir -p "$guest_dir"
	module_build "$kdir" "$guest_dir" "${guest_module:-}" >"$guest_dir/module.log" 2>&1 ||
		die "the module does not build" "$guest_dir/module.log" "tail $guest_dir/module.log"
	# One whose source is gone would go on being run.
	for program in "$guest_dir"/selftests/*; do
		[[ ! -f $program || ! -x $program || -e $CPROV_TOP/selftests/${program##*/}.c ]] || rm "$program"
	done
	make -s -j"$(nproc)" -C "$CPROV_TOP/selftests" KDIR="$kdir" KSRC="$kdir" OUTPUT="$guest_dir/selftests" \
		>"$guest_dir/selftests.log" 2>&1 ||
		die "the selftests do not build" "$guest_dir/selftests.log" "tail $guest_dir/selftests.log"
	cp "$CPROV_TOP/selftests/run_all.sh" "$guest_dir/selftests/"
	# Its objects may be of the other source, and no older than this one.
	rm -rf "$guest_dir/cprovctl" "$guest_dir/cprovctl.obj"
	make -s -C "${guest_tools:-$CPROV_TOP/tools}/cprovctl" OUT="$guest_dir" >"$guest_dir/cprovctl.log" 2>&1 ||
		die "cprovctl does not build" "$guest_dir/cprovctl.log" "tail $guest_dir/cprovctl.log"
}

# guest_selftests NAME KDIR TOPOLOGY [BOOT-OPTION...] -- [TEST...]: the status of
# the guest; its KTAP on stdout; PASSED FAILED SKIPPED in $STEPS_DIR/guest.totals.
guest_selftests()
{
	local name=$1 kdir=$2 topology=$3 status=0 log=$CPROV_TOP/build/vm/$1/log said=$CPROV_TOP/build/vm/$1/said
	local -a options=() in_guest=()
	shift 3

	while [[ $1 != -- ]]; do options+=("$1"); shift; done
	shift
	# A drive with two paths makes the kernel take all drives for such ones.
	if [[ " $* " == *' carry_multipath '* ]]; then
		options+=(--drive 'serial=cprov-multipath,size=64M,paths=2')
		in_guest=(CPROV_MULTIPATH_DEV=/dev/disk/by-serial/cprov-multipath)
	fi
	# What patches code under load would mostly be run again.
	[[ " $*" != *' reload'* ]] || ! "$CPROV_TOP/tools/vm/qemu.sh" races || options+=(--one-thread)
	# Devices and traces come and go for each test, and waited for a grace period most
	# of the time; not so on a kernel that is slow by itself.
	debug_kernel "$kdir" || options+=(--append rcupdate.rcu_expedited=1)
	mkdir -p "${said%/*}"
	"$CPROV_TOP/tools/vm/boot.sh" --name "$name" --kernel "$kdir" --topology "$topology" \
		--drive serial=cprov-test,size=256M --drive serial=cprov-scratch,size=256M \
		--add "$guest_dir/selftests:/selftests" \
		--add "$guest_dir/completion_provenance.ko:/lib/cprov/completion_provenance.ko" \
		--bin "$guest_dir/cprovctl" --bin jq --bin mkfs.xfs \
		--timeout "${GUEST_TIMEOUT:-900}" "${options[@]}" -- \
		env CPROV_DEV=/dev/disk/by-serial/cprov-test \
		CPROV_SCRATCH_DEV=/dev/disk/by-serial/cprov-scratch \
		CPROV_KO=/lib/cprov/completion_provenance.ko "${in_guest[@]}" \
		CPROV_RELOADS="${CPROV_RELOADS:-50}" CPROV_TRIALS="${CPROV_TRIALS:-10000}" \
		CPROV_KILLS="${CPROV_KILLS:-9}" CPROV_SECONDS="${CPROV_SECONDS:-}" \
		/selftests/run_all.sh "$@" 2>"$said" || status=$?
	# The verdict last: of a failure only the end may be shown. What hung explains it.
	cat "$log" "$said"
	((status == 0)) || grep -a -A 15 '^# .* has said nothing for' "$log" | tail -n 20 || true
	# The last totals line is run_all.sh's own.
	sed -nE 's/^# Totals: pass:([0-9]+) fail:([0-9]+) xfail:([0-9]+) xpass:[0-9]+ skip:([0-9]+) error:([0-9]+).*/\1 \2 \4/p' \
		"$log" | tail -n 1 >"${STEPS_DIR:-/tmp}/guest.totals"
	return $status
}
