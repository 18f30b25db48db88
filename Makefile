# Everything lives in .venv; every target sets up what it needs by itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
# Set-up talks to stderr and never reads stdin, so that questions can be piped into `make chat`.
QUIET := </dev/null 1>&2
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode

.PHONY: help chat dev test test-long test-lakebase mutants bench drill notebooks bundle lint types lock clean

help:  ## Explain every target
	@awk -F ':.*##' '/^[a-z-]+:.*##/ { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

chat: .venv/.chat  ## Chat with the sample lakehouse; nothing else is needed
	@$(BIN)/mooring chat $(ARGS)

dev: .venv/.dev  ## Set up everything that tests and checks need

test: .venv/.dev  ## Run the tests
	@$(BIN)/python -m pytest -n 3 --dist loadfile $(ARGS)

test-long: .venv/.dev  ## Run the tests that take minutes: whole evaluations, and the release before this one
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m long $(ARGS)

LAKEBASE = tests/chaos tests/conformance tests/differential tests/integration tests/security
test-lakebase: .venv/.dev  ## Run the checkpointer's tests over the stand-in of Lakebase, by both identities
	@for identity in broker login; do echo "As $$identity:"; \
	  MOORING_TEST_LAKEBASE=$$identity $(BIN)/python -m pytest -n 2 --dist loadfile $(LAKEBASE) $(ARGS) || exit 1; done

bench: .venv/.dev  ## Compare with LangGraph's own savers; fails when a target is missed (ARGS="--json FILE --only A")
	@$(BIN)/python -m tests.benchmarks $(ARGS)

mutants: .venv/.dev  ## Take away each protection in turn; its tests have to fail
	@$(BIN)/python -m tests.mutants $(ARGS)

drill: .venv/.dev  ## Roll to this release from the one before while people chat; fails on any loss (ARGS="--previous REF")
	@$(BIN)/python -m tests.drill $(ARGS)

notebooks: .venv/.dev  ## Run the notebooks from their sources, and keep the outputs (ARGS="04_evaluate")
	@$(BIN)/python -m tests.notebooks.building $(ARGS)

bundle: .venv/.dev  ## Hold databricks.yml against our code and Databricks' classes; needs no workspace
	@$(BIN)/python -m tests.bundle

lint: .venv/.dev  ## Check style and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/.dev  ## Check types, strictly, tests included
	@$(BIN)/mypy

# Extras stay in it: with hashes, older pips look for a bare name again when a package asks for it with an extra.
lock: .venv/.uv  ## Resolve requirements/*.lock anew from pyproject.toml
	@compile="$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --no-strip-extras pyproject.toml"; \
	$$compile --extra chat --output-file requirements/chat.lock && \
	$$compile --extra serving --extra databricks --extra encryption --constraint requirements/chat.lock --output-file requirements/databricks.lock && \
	$$compile --extra chat --extra databricks --extra encryption --group dev --constraint requirements/databricks.lock \
	  --output-file requirements/dev.lock

clean:  ## Remove the environment and caches; sessions stay where they are
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' $(QUIET) || \
	  { echo "mooring needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up .venv (once) ..." >&2
	@$(PYTHON) -m venv --clear .venv $(QUIET) && $(BIN)/pip install --quiet uv==$(UV_VERSION) $(QUIET)
	@touch $@

# The tests' environment has all of the chat's, so whoever has it need not install again.
.venv/.chat: .venv/.uv requirements/chat.lock pyproject.toml
	@if [ ! -e .venv/.dev ] || [ requirements/chat.lock -nt .venv/.dev ] || [ pyproject.toml -nt .venv/.dev ]; then \
	  $(INSTALL) --require-hashes -r requirements/chat.lock $(QUIET) && $(INSTALL) --no-deps -e . $(QUIET); fi
	@touch $@

.venv/.dev: .venv/.uv requirements/dev.lock pyproject.toml
	@$(INSTALL) --require-hashes -r requirements/dev.lock $(QUIET)
	@$(INSTALL) --no-deps -e . $(QUIET)
	@touch $@
