#!/bin/bash
# nightly.sh: everything, however long it takes.
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/vm/lib.sh
. "$tools/vm/lib.sh"
# shellcheck source=tools/steps.sh
. "$tools/steps.sh"
die_with_parent "$@"
cd "$CPROV_TOP"

steps_begin nightly 13
CPROV_RELOADS=1000 CPROV_KILLS=21 step test "$tools/test.sh"
step check "$tools/check.sh"
step structs "$tools/structs.sh"
step matrix "$tools/matrix.sh"
step mutants "$tools/mutants.sh"
step coherence "$tools/coherence.sh"
step icount "$tools/icount.sh"
step liburing "$tools/liburing.sh"
FIO_ROUNDS=3 step fio "$tools/fio.sh"
# It has growth as well.
step bench "$tools/bench.sh"
step bisect "$tools/bisect.sh"
DEBUG=kasan step test-kasan "$tools/test.sh"
DEBUG=kcsan step test-kcsan "$tools/test.sh"
steps_end || exit 1
