# `make test` does all that a fresh machine with Python and Rust needs: virtual environment, build, tests, wheel.

PYTHON ?= python3
VENV ?= .venv
WHEEL_VENV := $(VENV)-wheel
TRAINING_VENV := $(VENV)-training
PYCUDA := $(VENV)-pycuda
export YOLOXFAST_PYCUDA := $(abspath $(PYCUDA))
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SOURCES := pyproject.toml Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

FUZZ := --manifest-path rust/fuzz/Cargo.toml
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= letterbox nms postprocess
FUZZ_FLAGS := --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
	-Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
	-Cllvm-args=-sanitizer-coverage-pc-table
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
ARM := aarch64-unknown-linux-gnu
in_variable = $(shell echo $(1) | tr a-z- A-Z_)

# Cuts a command off the network, where the system lets anyone do that.
OFFLINE := $(shell unshare --map-root-user --net true 2>&- && echo unshare --map-root-user --net)

.PHONY: test test-core test-python test-wheel lint bench bench-core bench-smoke dist notices deny advisories \
	demo-network fuzz memcheck test-arm clean

test: test-core test-python test-wheel

test-core:
	cargo test --locked --package yoloxfast-core

test-python: $(INSTALLED)
	$(BIN)/python -m pytest

# Some tests run pycuda over a driver of their own.
ifeq ($(shell uname -s),Linux)
test-python: $(PYCUDA)/.built
endif

# What users get: the wheel, at most 4 MB, in an environment of its own. Its demo asks nothing of the network.
test-wheel: dist
	test -z "$$(find dist -name '*.whl' -size +3900k)"
	rm -rf $(WHEEL_VENV)
	$(PYTHON) -m venv $(WHEEL_VENV)
	$(WHEEL_VENV)/bin/python -m pip install --quiet "$$(ls dist/*.whl)[cpu,headless]"
	test -s $(WHEEL_VENV)/lib/python*/site-packages/yoloxfast-*.dist-info/licenses/THIRD-PARTY-NOTICES.txt
	cd $(WHEEL_VENV) && $(OFFLINE) bin/yoloxfast demo --output demo.png | tee demo.txt
	grep --quiet "correctly labelled" $(WHEEL_VENV)/demo.txt
	test -s $(WHEEL_VENV)/demo.png

lint: $(INSTALLED)
	cargo fmt --check
	cargo fmt $(FUZZ) --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	cargo clippy --quiet $(FUZZ) --target-dir target/fuzz -- --deny warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest yoloxfast._core
	$(BIN)/python -m pytest --quiet tests/api/test_dependencies.py

BENCH_TURNS ?= 7

# Writes benches/results and the table of README. Torch and torchvision, the extra `torch`, take part if installed.
bench: $(INSTALLED)
	BENCH_TURNS=$(BENCH_TURNS) $(BIN)/python -m pytest benches --benchmark-enable --benchmark-quiet --quiet \
		--benchmark-json=target/bench.json --benchmark-max-time=0.1 --benchmark-min-rounds=1
	$(BIN)/python benches/report.py target/bench.json

# The core by level.
bench-core:
	cargo bench --locked --package yoloxfast-core

# Searches for inputs on which the core and its naive twin differ, with the stable compiler (so without a sanitizer).
fuzz:
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build $(FUZZ) --target-dir target/fuzz --release --target $(HOST)
	for target in $(FUZZ_TARGETS); do \
		mkdir -p rust/fuzz/corpus/$$target rust/fuzz/artifacts && target/fuzz/$(HOST)/release/$$target \
			-max_total_time=$(FUZZ_SECONDS) -max_len=512 -timeout=20 -print_final_stats=1 \
			-artifact_prefix=rust/fuzz/artifacts/ rust/fuzz/corpus/$$target || exit 1; \
	done

# The core's tests, with fewer cases, under valgrind, which knows no AVX-512.
memcheck:
	CARGO_TARGET_$(call in_variable,$(HOST))_RUNNER="valgrind --quiet --error-exitcode=9" PROPTEST_CASES=4 \
		cargo test --locked --package yoloxfast-core

# The core's tests in NEON, on other CPUs: `rustup target add $(ARM)` and Debian's gcc-aarch64-linux-gnu and qemu-user.
test-arm:
	CARGO_TARGET_$(call in_variable,$(ARM))_LINKER=aarch64-linux-gnu-gcc \
	CARGO_TARGET_$(call in_variable,$(ARM))_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu" \
		cargo test --locked --package yoloxfast-core --target $(ARM)

# Each benchmark checks its result and is timed a few rounds: whether they run, not how fast.
bench-smoke: $(INSTALLED)
	$(BIN)/python -m pytest benches --benchmark-enable --benchmark-max-time=0.01 --benchmark-min-rounds=1 --quiet

# A source distribution, and from that an abi3 wheel.
dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/maturin sdist --out dist
	CARGO_TARGET_DIR=target $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist dist/yoloxfast-*.tar.gz
	ls dist/yoloxfast-*-cp310-abi3-*.whl

# Writes the notices of the crates in the wheel; needs `cargo install --locked --features cli cargo-about`, some minutes.
notices:
	cargo about generate --locked --config notices/about.toml --manifest-path rust/python/Cargo.toml \
		--output-file THIRD-PARTY-NOTICES.txt notices/template.hbs

# Licences, sources and duplicates of all crates; needs `cargo install --locked cargo-deny`, some minutes, so that `make
# lint` has a test of its own for the crates in the wheel.
deny:
	cargo deny --locked check bans licenses sources

# Known faults of the crates in Cargo.lock, by cargo-deny, which downloads RustSec's database of them.
advisories:
	cargo deny --locked check advisories

$(INSTALLED): $(SOURCES)
	@echo "Installing yoloxfast and its tools into $(VENV): a minute or two."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

$(PYCUDA)/.built: tests/support/build_pycuda.py $(INSTALLED)
	$(BIN)/python $< $(PYCUDA)

# Trains the demo network, which takes two cores just under an hour, and stores what the specification finds.
demo-network: $(INSTALLED)
	test -x $(TRAINING_VENV)/bin/python || $(PYTHON) -m venv $(TRAINING_VENV)
	$(TRAINING_VENV)/bin/python -m pip install --quiet --requirement training/requirements.txt .
	$(TRAINING_VENV)/bin/python training/train.py
	$(BIN)/python tests/support/store_golden.py

clean:
	rm -rf $(VENV) $(WHEEL_VENV) $(TRAINING_VENV) $(PYCUDA)* dist target
