# Antiphon. `make` alone says what there is.
#
# Everything lands in this checkout: the environment in .venv, downloads in .cache. A first `make`
# of anything needs Python 3.11 or newer with venv, and the network; later ones need neither.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
ROOTS := protocol history controller replica client proof

export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where it is set, each of some hundred processes that the tests start would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

NAME ?=
ARGS ?=
SEEDS ?= 50
# More than the two cores: some tests wait for most of their time.
JOBS ?= 3

.PHONY: help
help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

# --- setting up -----------------------------------------------------------------------------------

.PHONY: setup
setup: $(VENV)/.installed ## the environment, in .venv, from requirements.lock

$(VENV)/.locked: requirements.lock
	@set -e; \
	python=; \
	for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "setup: needs Python 3.11 or newer with venv; say which: make setup PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	if [ ! -x $(BIN)/python ]; then echo "setup: $$($$python -VV | head -1)"; $$python -m venv $(VENV); fi
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@touch $@

# Editable, so that what is edited is what runs; no isolation, so that the build needs no network.
$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: lock
lock: $(VENV)/.installed ## requirements.lock from pyproject.toml (ARGS=--upgrade: all anew; fetches uv)
	@$(BIN)/python -m pip install --quiet 'uv>=0.9,<1'
	@UV_CACHE_DIR=$(CURDIR)/.cache/uv $(BIN)/uv pip compile pyproject.toml --quiet $(ARGS) \
	    --extra demo --group dev --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command 'make lock' --output-file requirements.lock

# --- using it -------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## live views over a year of flights, a replica killed on stage (ARGS="--rows 40000")
	@$(BIN)/antiphon demo $(ARGS)

.PHONY: simulate
simulate: setup ## controller, replicas and clients under faults, in virtual time (SEEDS=50)
	@$(BIN)/python -m antiphon.proof.simulation --seeds $(SEEDS) $(ARGS)

.PHONY: bench
bench: setup ## ratios against goals and peers (NAME=engine|controller|history|tpch|worst or one name, ARGS=--json)
	@$(BIN)/python -m tests.performance $(NAME) $(ARGS)

# --- proving it -----------------------------------------------------------------------------------

# What is pure and fast runs under two hash seeds: an order that came out of a set would differ
# between them. The second time fewer examples do. Temporary files go with the tests that made them.
.PHONY: test
test: setup ## all tests
	@set -e; TMPDIR=$$(mktemp -d "$${TMPDIR:-/tmp}/ap.XXXXXX"); export TMPDIR; \
	trap 'rm -rf "$$TMPDIR"' EXIT; trap 'exit 1' INT TERM; set -x; \
	PYTHONHASHSEED=0 $(BIN)/python -m pytest -q -n $(JOBS) -m 'not end_to_end' $(ARGS); \
	PYTHONHASHSEED=1 HYPOTHESIS_PROFILE=quick \
	    $(BIN)/python -m pytest -q -n $(JOBS) -m 'not end_to_end and not slow' $(ARGS); \
	$(BIN)/python -m pytest -q -n 0 -m end_to_end $(ARGS)

.PHONY: check
check: setup ## format, lint, types, import contracts, wire rules, tidiness
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -p no:xdist tests/test_tidy.py tests/test_wire.py tests/test_documents.py
	@if command -v buf >/dev/null; then cd proto && buf lint && buf breaking --against '../.git#subdir=proto'; fi

.PHONY: proto
proto: setup ## regenerate antiphon.v1 and docs/protocol.md, and record the wire's shape
	$(BIN)/python proto/generate.py
	$(BIN)/python proto/document.py
	$(BIN)/python -m tests.wire.record $(ARGS)

.PHONY: clean
clean: ## remove what was made, the environment too
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find $(ROOTS) tests -name __pycache__ -type d -prune -exec rm -rf {} +
