# `make` lists the commands. The first of them creates .venv from the hash-locked requirements; nothing is written outside this folder.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(name) 2>/dev/null)))
LOCK := $(shell cat requirements-dev.txt pyproject.toml 2>/dev/null | cksum | cut -d' ' -f1)
READY := .venv/.ready-$(LOCK)
RUN := .venv/bin/python
CODE := domain clients erp activities workflows worker starters simulators bench tests

export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check lint up down bench prove-1 prove-2 prove-3 prove-4 prove-5 prove-6 clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: say make PYTHON=/path/to/python3"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(RUN) -m pip install --quiet --no-build-isolation --no-deps -e .
	@rm -f .venv/.ready-*
	@touch $@

demo: $(READY) ## the whole of it on this machine: a day of orders, picked, booked, invoiced, verified
	$(RUN) -m starters.demo

test: $(READY) ## all tests, three files at a time: most of them wait for something
	$(RUN) -m pytest -n 3 --dist loadfile

lint: $(READY)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy $(CODE)
	.venv/bin/lint-imports

check: lint test ## everything: format, lint, types, import rules, migrations against models, tests

up: $(READY) ## keep the embedded stack running, with a warehouse that works by itself (Ctrl-C stops it)
	.venv/bin/lagerbro up --auto-warehouse

down: $(READY) ## stop a stack that runs in the background
	.venv/bin/lagerbro down

bench: $(READY) ## measure: orders, ledger lines, time from pick to booked stock
	$(RUN) -m bench.cost

prove-1: $(READY) ## the promises of the sales order at full size, one line per point
	$(RUN) -m bench.prove_1

prove-2: $(READY) ## articles and orders in step, both ways: the promises at full size
	$(RUN) -m bench.prove_2

prove-3: $(READY) ## returns and credits: the promises at full size
	$(RUN) -m bench.prove_3

prove-4: $(READY) ## from purchase to stock value, to the öre: the promises at full size
	$(RUN) -m bench.prove_4

prove-5: $(READY) ## the daily reconciliation: the promises at full size
	$(RUN) -m bench.prove_5

prove-6: $(READY) ## what people see and do: the promises at full size
	$(RUN) -m bench.prove_6
