# make run    set everything up and start the server (PORT=7000, ARGS="--appendonly no")
# make test   set everything up and run the tests
# make check  style, types, import rules
# make fuzz   differential fuzzing against real Redis until stopped
# make load   Locust: SCENARIO=mixed SHAPE=steps, reports in build/load/ (ARGS="--objective-p99-ms 20")
# make bench  every comparison with real Redis, written to ops/bench/results/ (ARGS=--quick: rough)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 6379
ARGS ?=
SCENARIO ?= mixed
SHAPE ?= steps

.PHONY: run test check fuzz bench load tools clean help

help:
	@sed -n 's/^# //p' Makefile

$(STAMP): pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(STAMP)
	@exec $(BIN)/kedis-server --port $(PORT) $(ARGS)

# Real Redis is the oracle of the differential tests; Prometheus and the exporter for Redis check the metrics, and
# docker-compose the compose file.
# Where they cannot be installed the tests that need them are skipped and say so.
TOOLS := redis-server redis-cli prometheus promtool prometheus-redis-exporter docker-compose
tools:
	@for tool in $(TOOLS); do command -v $$tool >/dev/null 2>&1 || missing=1; done; [ -z "$$missing" ] || \
	  { command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-tools \
	      prometheus prometheus-redis-exporter docker-compose >/dev/null; } || \
	  echo "note: not all of $(TOOLS) are installed; the tests that need them will be skipped"

test: $(STAMP) tools
	@$(BIN)/python -m pytest

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_imports.py

fuzz: $(STAMP) tools
	@$(BIN)/python -m tests.differential.fuzz

bench: $(STAMP) tools
	@$(BIN)/python ops/bench/all.py $(ARGS)

load: $(STAMP)
	@$(BIN)/python ops/bench/load.py $(SCENARIO) $(SHAPE) $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
