# One environment, one way in. `make mine` and `make test` work on a fresh machine with python3 (3.11 to 3.13) and make.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install mine test lint unit test-system bench bench-peers ui clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED)  ## build .venv with the locked dependencies

$(INSTALLED): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
		|| { echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13; name one with make PYTHON=python3.12"; exit 1; }
	@echo "installing into .venv (once; a minute or two)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[dev]'
	@touch $@

mine: install  ## mine on the embedded market: 500 stocks × 1,260 days, 500 candidates, genetic (options: make mine ARGS='--seed 3')
	@$(BIN)/alpha-pipeline mine $(ARGS)

test: lint unit  ## everything a change must pass

lint: install  ## style, types, import layers, SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --dialect duckdb --disable-progress-bar dbt_like_sql

unit: install  ## the tests with coverage, without those that start servers
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term --cov-fail-under=80 $(ARGS)

test-system: install  ## tests with real servers
	$(BIN)/pytest -m system -n0 alpha_pipeline_tests/system $(ARGS)

bench: install  ## the figures of docs/performance.md, measured again
	$(BIN)/python -m benchmarks $(ARGS)

bench-peers: install  ## the same beside other engines, which it installs first (KunQuant, py-alpha-lib, polars_ta)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[peers]'
	$(BIN)/python -m benchmarks $(ARGS)

ui: install  ## the Dagster UI on http://localhost:3000
	@$(BIN)/alpha-pipeline ui $(ARGS)

clean:  ## remove .venv and caches; state in .alpha stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info .coverage*
