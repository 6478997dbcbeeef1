# Everything that a newcomer runs. `make` alone says what there is.
# Each target makes the environment (.venv) first where there is none; all else that is made lies in .local/.
.DEFAULT_GOAL := help
.PHONY: help demo up down psql test lint faults bench pictures clean setup setup-dev
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

python := .venv/bin/python
export PYTHONPATH := plugins$(if $(PYTHONPATH),:$(PYTHONPATH))
# Tests of `make test`; `make test TESTS=tests/unit/test_local.py` runs fewer.
TESTS ?=
# Processes that share the tests.
WORKERS ?= 2

help:
	@echo 'The Explorer for Institutions: research outputs, authors and departments, with their attention.'
	@echo
	@echo '  make demo          see it work: three invented institutions, imported through Airflow; Ctrl-C ends it'
	@echo '  make demo EXIT=1   the same, ended after the table; status 0 if all imports succeeded'
	@echo '  make demo ALL=1    the same with every kind of source'
	@echo '  make up            run your own institutions (include/institutions/*.yaml) in Airflow; Ctrl-C ends it'
	@echo '  make down          end what demo or up has left running'
	@echo '  make psql          look into the warehouse of demo and up'
	@echo
	@echo '  make test          all tests, linters and the type checker;  TESTS=tests/unit  for some of them'
	@echo '  make lint          linters and the type checker alone'
	@echo '  make faults        the slow tests that break things on purpose'
	@echo '  make bench         measure'
	@echo '  make pictures      take the pictures of docs/runbook.md anew (needs chromium)'
	@echo '  make clean         remove .local/ (with the warehouse in it) and caches;  ALL=1  removes .venv too'
	@echo
	@echo '  bin/explorer --help   the command line: check, import, status, rejects, export, …'

demo: setup
	@$(python) -m explorer.demo demo $(if $(EXIT),--exit) $(if $(ALL),--all)

up: setup
	@$(python) -m explorer.demo up

# Without an environment nothing of ours can run, so these two make none.
down:
	@if [ -x $(python) ]; then $(python) -m explorer.demo down; else echo 'Nothing runs: there is no .venv.'; fi

clean: down
	rm -rf .local .pytest_cache .mypy_cache .ruff_cache .hypothesis $(if $(ALL),.venv)
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +

psql: setup
	@$(python) -m explorer.local psql

lint: setup-dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	MYPYPATH=plugins $(python) -m mypy

test: lint
	$(python) -m pytest -n $(WORKERS) --dist loadfile --ignore=tests/faults $(TESTS)

faults: setup-dev
	$(python) -m pytest tests/faults
	EXPLORER_EVERY_RETRY=1 $(python) -m pytest --timeout 3600 tests/warehouse/test_kill.py
	$(python) -m pytest --timeout 3600 -m hypothesis --hypothesis-profile random tests/unit tests/contract tests/warehouse

bench: setup-dev
	$(python) -m benchmarks

# What the runbook shows of Airflow's pages; Chromium is a package of the system.
pictures: setup-dev
	$(python) -m docs.pictures

setup:
	@bin/setup

setup-dev:
	@bin/setup dev
