# SPDX-License-Identifier: GPL-2.0-only
#
# People's targets; Kbuild has what the kernel's build system reads.

# Settings that the scripts understand, from the command line or environment.
export LINE ?= 6.12
export DEBUG TOPOLOGY KSRC VARIANT UPDATE QUICK HOST
export BENCH_TARGET BENCH_PREPARE BENCH_CPUS BENCH_SECONDS BENCH_REPEATS BENCH_READS BENCH_STOCK

vm := tools/vm

.DEFAULT_GOAL := help
.PHONY: help run test check coherence bench icount growth matrix liburing fio mutants bisect nightly shell module cprovctl kernels clean distclean deps

help: ## list the targets
	@echo 'make TARGET [SETTING=...]'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14
	@echo
	@echo 'Settings: DEBUG=kasan|kcsan    TESTS="carry steer" (test)'
	@echo '          TOPOLOGIES="..." (test, matrix, bench), TOPOLOGY=... (shell), of$(shell awk '/^[a-z]/ { printf " " $$1 }' $(vm)/topologies)'
	@echo '          KSRC=kernel tree    LINE=6.12    KDIR=kernel build tree    VARIANT=stock|patched'

run: deps ## read a file with and without hints, and show where completions ran
	@tools/run.sh

test: deps ## run the selftests in every topology (DEBUG=)
	@tools/test.sh

check: deps ## checkpatch, sparse, W=1, kernel-doc, shellcheck and the like
	@tools/check.sh

coherence: deps ## validate the coherence instrument, count line transfers per read
	@tools/coherence.sh

icount: deps ## count instructions per read, and hold them to their limits (UPDATE=)
	@tools/icount.sh $(if $(UPDATE),count gate,)

growth: deps ## how a hint's cost grows with flows, slots, depth, CPUs and queues
	@tools/growth.sh

# What a machine is measured with needs no guest, nor what makes one.
bench: $(if $(HOST),,deps) ## what hints are worth in each workload, against stock: a page (QUICK=1, HOST=1)
	@tools/bench.sh

matrix: deps ## what each way to submit costs, with hints and without
	@tools/matrix.sh

liburing: deps ## run liburing's own tests on stock, patched and hinted, and compare
	@tools/liburing.sh

fio: deps ## run Debian's fio as it is on stock, patched and hinted, and see it verify
	@tools/fio.sh

mutants: deps ## break the code in small ways, and see a test turn red for each
	@tools/mutants.sh

bisect: deps ## build and boot every patch of the series
	@tools/bisect.sh

nightly: deps ## everything: all tests, all debug kernels, every patch
	@tools/nightly.sh

shell: deps ## open a guest on the patched kernel (VARIANT=, TOPOLOGY=, DEBUG=)
	@kernel=$$($(vm)/kernel.sh build --variant $(or $(VARIANT),patched)) && \
	$(vm)/boot.sh --shell --name shell --kernel "$$kernel" --drive serial=nvme,size=256M

# Against the running kernel's headers, unless told otherwise.
module: KDIR ?= /lib/modules/$(shell uname -r)/build
module: ## build completion_provenance.ko for a patched kernel (KDIR=)
	@for dir in $(KDIR) $(KDIR)/source; do \
		[ ! -e $$dir/include/linux/completion_provenance.h ] || exit 0; \
	done; \
	echo '$(KDIR) is no kernel with completion provenance: `make kernels` builds one,' \
		'and `make module KDIR=$$(tools/vm/kernel.sh path --variant patched)` uses it.' >&2; \
	exit 1
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

cprovctl: ## build the administrator's tool into build/
	@$(MAKE) -s -C tools/cprovctl OUT=$(CURDIR)/build

kernels: deps ## build the stock and the patched kernel (DEBUG=, KSRC=, LINE=)
	@$(vm)/kernel.sh build --variant stock
	@$(vm)/kernel.sh build --variant patched

clean: ## remove what was built here; kernels stay in the cache
	@rm -rf build
	@find module -name '*.o' -delete -o -name '*.ko' -delete -o -name '*.mod' -delete \
		-o -name '*.mod.c' -delete -o -name '.*.cmd' -delete 2>/dev/null || true
	@rm -f Module.symvers modules.order .Module.symvers.cmd .modules.order.cmd .module-common.o

distclean: clean ## clean, and remove the cached kernels and sources too
	@$(vm)/kernel.sh purge

deps:
	@$(vm)/deps.sh
