# make run    set everything up and start the server (PORT=7000, ARGS="--appendonly no")
# make test   set everything up and run the tests, on all cores (WORKERS=1: one after another)
# make test-install   every command of the README that installs Kedis, each in a fresh environment
# make test-restarts  kill -9 and restart under clients that never rest, ROUNDS=100 of each kind
# make test-bullmq    bullmq (npm) on a Kedis server; needs Node
# make test-compiled  the tests of what clients see, on the compiled build (docs/compiled.md)
# make check  style, types, import rules
# make fuzz   differential fuzzing against real Redis until stopped
# make load   Locust: SCENARIO=mixed SHAPE=steps, reports in build/load/ (ARGS="--objective-p99-ms 20")
# make wheel  a wheel for this machine in dist/, the path of a command compiled (needs a C compiler; docs/compiled.md)
# make bench  every comparison with real Redis, written to ops/bench/results/ (ARGS=--quick: rough)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 6379
ARGS ?=
SCENARIO ?= mixed
SHAPE ?= steps
# One for each core that may be used; whoever has done its share takes from the others.
WORKERS ?= logical
PARALLEL := -n $(WORKERS) --dist worksteal

.PHONY: run test test-restarts test-install test-bullmq test-compiled compiled wheel check fuzz bench load tools clean help

help:
	@sed -n 's/^# //p' Makefile

$(STAMP): pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(STAMP)
	@exec $(BIN)/kedis-server --port $(PORT) $(ARGS)

# Real Redis is the oracle of the differential tests; Prometheus and the exporter for Redis check the metrics,
# docker-compose the compose file, and the shells the completion scripts.
# Where they cannot be installed the tests that need them are skipped and say so.
TOOLS := redis-server redis-cli prometheus promtool prometheus-redis-exporter docker-compose fish zsh
tools:
	@for tool in $(TOOLS); do command -v $$tool >/dev/null 2>&1 || missing=1; done; [ -z "$$missing" ] || \
	  { command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-tools \
	      prometheus prometheus-redis-exporter docker-compose fish zsh >/dev/null; } || \
	  echo "note: not all of $(TOOLS) are installed; the tests that need them will be skipped"

test: $(STAMP) tools
	@$(BIN)/python -m pytest $(PARALLEL)

# Kedis with the path of a command compiled, in a folder beside the sources: the environment COMPILED runs it.
COMPILED := PYTHONPATH=build/compiled PYTHONSAFEPATH=1
COMPILED_STAMP := build/compiled/.built
CAN_COMPILE := $(shell command -v $${CC:-cc})
compiled: $(COMPILED_STAMP)
$(COMPILED_STAMP): setup.py $(shell find kedis -name '*.py') | $(STAMP)
	@[ -n "$(CAN_COMPILE)" ] || { echo "the compiled build needs a C compiler (apt-get install gcc libc6-dev)"; exit 1; }
	@rm -rf build/compiled; mkdir -p build
	@KEDIS_COMPILE=1 $(BIN)/python setup.py --quiet build --build-base build/mypyc --build-lib build/compiled \
	  >build/compiled.log 2>&1 || { tail -n 20 build/compiled.log; exit 1; }
	@touch $@

wheel: $(STAMP)
	@KEDIS_COMPILE=1 $(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl

# What clients see of it, tested on the compiled server (COMPILED_TESTS=tests: everything).
COMPILED_TESTS ?= tests/test_compiled.py tests/resp tests/wire tests/differential tests/rdb tests/server
test-compiled: $(COMPILED_STAMP) tools
	@$(COMPILED) $(BIN)/python -m pytest $(PARALLEL) -o "pythonpath=build/compiled ." $(COMPILED_TESTS)

ROUNDS ?= 100
test-restarts: $(STAMP)
	@KEDIS_RESTART_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -s --timeout 3600 tests/crash/test_restart.py

BULLMQ := bullmq@6.7.0 ioredis@5
test-bullmq: $(STAMP)
	@command -v npm >/dev/null || { echo "bullmq needs Node (apt-get install nodejs npm)"; exit 1; }
	@npm install --silent --no-audit --no-fund --prefix build/node $(BULLMQ)
	@$(BIN)/python -m tests.applications.bullmq build/node

test-install:
	@$(PYTHON) .ci/install.py $(ARGS)

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m ops.package_table --check
	@$(BIN)/python -m pytest -q tests/test_imports.py

fuzz: $(STAMP) tools
	@$(BIN)/python -m tests.differential.fuzz

bench: $(STAMP) $(if $(CAN_COMPILE),$(COMPILED_STAMP)) tools
	@$(BIN)/python ops/bench/all.py $(ARGS)

load: $(STAMP)
	@$(BIN)/python ops/bench/load.py $(SCENARIO) $(SHAPE) $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
