# `make up` and `make test` do all their own set-up; both are safe to repeat.
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready-$(shell cat requirements/dev.txt pyproject.toml hatch_build.py tools/setup.sh $$(find src -name '*.proto' | sort) 2>/dev/null | cksum | cut -d' ' -f1)
PYTEST_WORKERS ?= 2

.PHONY: compiled up down test unit coverage check bench setup web web-check web-test drill-long format

# Only the environment is stamped: what the machine still lacks is looked for again the next time.
setup: web
	@sh tools/setup-machine.sh $(VENV)

$(STAMP):
	@sh tools/setup.sh $(VENV)
	@rm -f $(VENV)/.ready-*
	@touch $@

# The Console's pages: built again only when their sources have changed.
web: $(STAMP)
	@sh tools/setup-web.sh $(VENV)

web-check: $(STAMP)
	@sh tools/setup-web.sh $(VENV) node
	$(BIN)/python tools/web.py run check:form

web-test: $(STAMP)
	@sh tools/setup-web.sh $(VENV) node
	$(BIN)/python tools/web.py run test

# Byte code of the sources as they are now, even where the environment tells Python to write none: without it each
# start compiles everything anew.
compiled: $(STAMP)
	@$(BIN)/python -m compileall -q src/homeostat

up: setup compiled
	@$(BIN)/python -m tools.first_drill

down:
	@if [ -x $(BIN)/homeostat ]; then $(BIN)/homeostat down; fi

# A file runs on one worker: its stories may share a cluster.
test: check web-test
	@sh tools/setup-tests.sh $(VENV)
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile

# The tests that boot nothing: in process, most of them on virtual time.
unit: web-test
	$(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not real"

# How much of each room those tests run through, and for etcd's store those with a real etcd; writes docs/coverage.md
# and fails where a room has too little.
coverage: $(STAMP)
	@rm -rf .coverage && mkdir .coverage
	$(BIN)/coverage run -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m "not real"
	$(BIN)/coverage run -m pytest -n $(PYTEST_WORKERS) --dist loadfile -m real tests/store
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage json -q -o .coverage/report.json
	@$(BIN)/python tools/coverage_page.py .coverage/report.json

check: web-check
	$(BIN)/ruff format --check src tests bench tools hatch_build.py
	$(BIN)/ruff check src tests bench tools hatch_build.py
	$(BIN)/python tools/sizes.py
	$(BIN)/python tools/doors.py
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format src tests bench tools hatch_build.py
	$(BIN)/ruff check --fix src tests bench tools hatch_build.py

bench: setup compiled
	$(BIN)/python -m bench

# Eight minutes of real time with Kubernetes' own timings: a node is cut off until its pods are replaced. Where nodes can
# be hosts the guide is followed word for word, elsewhere a drill does the same to processes.
drill-long: setup compiled
	@$(BIN)/python tools/drill_long.py
