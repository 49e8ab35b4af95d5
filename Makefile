# make run    set everything up and start the server (PORT=7000, ARGS="--appendonly no")
# make test   set everything up and run the tests
# make check  style, types, import rules
# make fuzz   differential fuzzing against real Redis until stopped
# make bench  ratios to real Redis

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PORT ?= 6379
ARGS ?=

.PHONY: run test check fuzz bench tools clean help

help:
	@sed -n 's/^# //p' Makefile

$(STAMP): pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

run: $(STAMP)
	@exec $(BIN)/kedis-server --port $(PORT) $(ARGS)

# Real Redis is the oracle of the differential tests. Where it cannot be installed they are skipped and say so.
tools:
	@command -v redis-server >/dev/null 2>&1 && command -v redis-cli >/dev/null 2>&1 || \
	  { command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server redis-tools >/dev/null; } || \
	  echo "note: redis-server is not installed; the tests that compare with it will be skipped"

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
	@$(BIN)/python ops/bench/against_redis.py
	@$(BIN)/python ops/bench/aof.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
