# `make test` does all that a fresh machine with Python and Rust needs: virtual environment, build, tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SOURCES := pyproject.toml Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

.PHONY: test lint bench bench-smoke dist clean

test: $(INSTALLED)
	cargo test --locked --package yoloxfast-core
	$(BIN)/python -m pytest

lint: $(INSTALLED)
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest yoloxfast._core

bench: $(INSTALLED)
	$(BIN)/python -m pytest benches --benchmark-enable --benchmark-group-by=group \
		--benchmark-columns=median,iqr,rounds --benchmark-sort=name --benchmark-max-time=0.5

# Each benchmark checks its result and is timed a few rounds: whether they run, not how fast.
bench-smoke: $(INSTALLED)
	$(BIN)/python -m pytest benches --benchmark-enable --benchmark-max-time=0.01 --benchmark-min-rounds=1 --quiet

# A source distribution, and from that an abi3 wheel.
dist: $(INSTALLED)
	rm -rf dist
	$(BIN)/maturin sdist --out dist
	CARGO_TARGET_DIR=target $(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist dist/yoloxfast-*.tar.gz
	ls dist/yoloxfast-*-cp310-abi3-*.whl

$(INSTALLED): $(SOURCES)
	@echo "Installing yoloxfast and its tools into $(VENV): a minute or two."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) dist target
