# Two commands do everything on a fresh machine with git, make and Python 3.11 or newer:
#   make demo    see it work            make test    all that must hold before a change lands
# Each makes .venv by itself when it is missing or out of date.

BIN := .venv/bin
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1)
# One more than there are cores: many a test waits for a clock or for another process.
TESTERS = $(shell expr $(CORES) + 1)
CHECKED := src tests $(wildcard benchmarks)
PYTEST := $(BIN)/python -m pytest -q
ARGS ?=
export PYTHON
# Set on many a build machine; each of thousands of commands would compile its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help test demo core dev tools lint types contract unit bench faults powercut soak docs screenshots format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: core ## a coordinated landing on a scratch repository, start to end
	@$(BIN)/conductor-git demo $(ARGS)

test: dev tools lint types contract unit ## all checks and tests
	@echo "✓ all checks and tests passed"

lint: dev ## ruff: rules and format
	@echo "▸ lint: ruff check, ruff format --check"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check . || { echo "  ↳ make format" >&2; exit 1; }

types: dev ## mypy, strict
	@echo "▸ types: mypy --strict $(CHECKED)"
	@$(BIN)/mypy --no-error-summary $(CHECKED)

contract: dev ## imports go down the floors only
	@echo "▸ contract: lint-imports"
	@$(BIN)/lint-imports --no-logo >.venv/contract.log || { cat .venv/contract.log; exit 1; }

unit: dev tools ## tests of modules, commands and documentation; ARGS="-k name" for some
	@echo "▸ tests: pytest on $(CORES) cores"
	@$(PYTEST) --numprocesses $(TESTERS) --dist worksteal $(ARGS)

bench: dev ## the table of ratios to their yardsticks
	@$(BIN)/python -m benchmarks $(ARGS)

faults: dev tools ## kills and failing disks at every system call; an hour on two cores
	@$(PYTEST) --numprocesses $(CORES) --timeout 1800 -m faults tests $(ARGS)

powercut: dev tools ## power cuts of a disk in a file, as root; minutes long
	@$(PYTEST) --numprocesses $(CORES) --timeout 1800 -m powercut tests/powercut $(ARGS)

soak: dev tools ## ten minutes of writers, followers, rotation and kills, ten of people who all ask at once; plans in chaos
	@$(PYTEST) --timeout 0 -m soak tests $(ARGS)

docs: dev ## write the console blocks and tables of the docs anew
	@UPDATE_DOCS=1 $(PYTEST) tests/docs $(ARGS)

screenshots: dev tools ## the pictures of the pages in docs/images, made anew
	@$(BIN)/python -m tests.browser.screenshots

format: dev ## let ruff rewrite what it can
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

clean: ## remove .venv (if made here), caches and builds
	@if [ -f .venv/made-by-scripts-bootstrap ]; then rm -rf .venv; fi
	@rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .benchmarks
	@find src tests $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

core:
	@scripts/bootstrap core

dev:
	@scripts/bootstrap dev

tools:
	@scripts/test-tools
