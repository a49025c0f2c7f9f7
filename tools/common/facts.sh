# shellcheck shell=bash
# Sourced after lib.sh by what writes a report: what two runs may differ by, whatever
# they measure.

# As an object: when, of which commit, on which host.
run_facts()
{
	# shellcheck disable=SC2016 # the variables are jq's
	jq -n --arg date "$(date -u +%FT%TZ)" \
		--arg commit "$(git -C "$CPROV_TOP" describe --always --dirty 2>/dev/null || echo unknown)" \
		--arg host "$(uname -sr), $(nproc) CPUs" '{$date, $commit, $host}'
}

qemu_facts()
{
	"${CPROV_QEMU:-qemu-system-x86_64}" --version | sed -n '1s/.*version //p'
}
