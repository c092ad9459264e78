# `make help` lists what there is. Everything lives in $(VENV) and target/: nothing global.
SHELL := /bin/bash
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# maturin builds libopus with cmake and does not see build requirements: the wheel's cmake comes first.
export PATH := $(abspath $(BIN)):$(PATH)
RUST_VERSION := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock pyproject.toml
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint types layers test-rust test-python coverage fuzz simulate simulate-nightly soak interop bench wheel sdist clean toolchain

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

toolchain:
	@command -v cargo >/dev/null || { echo "trivox needs a Rust toolchain, version $(RUST_VERSION) or newer: see https://rustup.rs"; exit 1; }
	@have=$$(rustc --version | cut -d' ' -f2); \
	  printf '%s\n%s\n' "$(RUST_VERSION)" "$$have" | sort -V -C || \
	  { echo "trivox needs Rust $(RUST_VERSION) or newer, and this is Rust $$have: run 'rustup update stable'."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "trivox needs Python 3.11 or newer: name one with 'make PYTHON=python3.11'."; exit 1; }

$(BIN)/.installed: requirements/dev.txt | toolchain
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(BIN)/.built: $(RUST_SOURCES) $(BIN)/.installed | toolchain
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --profile wheel --locked
	@touch $@

setup: $(BIN)/.built ## make the environment and build the extension

demo: setup ## run the main job: two clients call each other and the recordings are judged
	$(BIN)/trivox demo $(DEMO)

test: setup test-python ## set up and run every test that needs no outside program

test-python: setup
	$(PYTEST) -m "not interop and not simulation"

test-rust: toolchain $(BIN)/.installed ## the Rust tests
	cargo test --release --locked --workspace

format: setup ## format everything
	$(BIN)/ruff format . && $(BIN)/ruff check --fix . && cargo fmt

lint: setup ## formatting and lint, both languages
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	cargo fmt --check
	cargo clippy --release --locked --workspace --all-targets --quiet -- -D warnings

types: setup ## mypy --strict, and the extension against its stub
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/usage.py
	$(BIN)/python -m mypy.stubtest trivox._native

layers: setup ## imports point down only
	$(BIN)/lint-imports

coverage: setup ## branch coverage of the sans-I/O SIP side: 100 %
	$(BIN)/coverage run -m pytest -q tests/sip && $(BIN)/coverage report

check: lint types layers test-rust test-python coverage ## all of the above and the tests

fuzz: toolchain $(BIN)/.installed ## libFuzzer over every target, FUZZ_SECONDS each (600)
	SECONDS_EACH=$(or $(FUZZ_SECONDS),600) rust/fuzz/guided/run.sh $(FUZZ)

simulate: setup ## ten thousand simulated calls in all weathers, fresh seeds
	$(PYTEST) -q -rs -s -m simulation tests/simulation

simulate-nightly: setup ## a million of them
	$(BIN)/python -m tests.simulation --worlds 1000 --calls 1000

soak: toolchain $(BIN)/.installed ## an hour of 22 calls in virtual time: no glitch, memory flat, nothing left (SOAK_SECONDS)
	SOAK_SECONDS=$(or $(SOAK_SECONDS),3600) cargo test --release --locked -p trivox-media --test soak -- --nocapture

interop: setup ## far ends nobody here wrote: sipp, sipsak, sipvicious, baresip, Kamailio, Chromium with JsSIP and SIP.js
	$(PYTEST) -m interop

bench: setup ## run benches/scenarios and print a table
	$(BIN)/python -m benches

wheel: setup ## the abi3 wheel, into dist/
	$(BIN)/maturin build --profile wheel --locked --out dist

sdist: setup ## the source distribution, into dist/
	$(BIN)/maturin sdist --out dist

clean: ## remove what was built
	rm -rf $(VENV) target dist
