#!/bin/bash
# accel.sh KERNEL: print the accelerator to boot KERNEL with, a tab, and why.
#
# /dev/kvm may open, make a machine, and then never run it (nested, filtered or
# half-emulated virtualisation), so the only valid probe is the real kernel
# reaching user space.  The verdict holds until the host reboots.
# CPROV_ACCEL=tcg or kvm overrides.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/lib.sh"

kernel=${1:?usage: accel.sh KERNEL}
deadline=20

answer()
{
	printf '%s\t%s\n' "$1" "$2"
}

probe()
{
	local rc=0

	log "probing KVM: booting the kernel under it, $deadline s at most"
	CPROV_ACCEL=kvm "$here/boot.sh" --kernel "$kernel" --name kvm-probe \
		--topology one-queue --timeout "$deadline" -- true >/dev/null 2>&1 || rc=$?
	case $rc in
	0) answer kvm "the kernel booted under it" ;;
	3) answer tcg "KVM probe: no sign of a running guest in $deadline s" ;;
	*) answer tcg "KVM probe: the guest failed, see build/vm/kvm-probe" ;;
	esac
}

case ${CPROV_ACCEL:-} in
tcg | kvm) answer "$CPROV_ACCEL" "CPROV_ACCEL says so"; exit ;;
'') ;;
*) die "unknown CPROV_ACCEL '$CPROV_ACCEL'" "environment" "use tcg or kvm" ;;
esac
if [[ ! -e /dev/kvm ]]; then
	answer tcg "there is no /dev/kvm"
	exit
fi
if ! { : <>/dev/kvm; } 2>/dev/null; then
	answer tcg "/dev/kvm cannot be opened"
	exit
fi

mkdir -p "$CPROV_CACHE"
verdict=$CPROV_CACHE/accel-$(cat /proc/sys/kernel/random/boot_id)
exec {lock}>"$CPROV_CACHE/accel.lock"
flock "$lock"
if [[ ! -s $verdict ]]; then
	rm -f "$CPROV_CACHE"/accel-*
	probe >"$verdict"
fi
cat "$verdict"
