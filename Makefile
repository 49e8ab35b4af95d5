# make run    install what the server needs, and start it (PORT=7000, ARGS="--appendonly no")
# make cli    kedis-cli on it (PORT=7000, ARGS="GET key")
# make test   install what the tests need, and run them on all cores (WORKERS=1: one after another)
# make test-install   every command of the pages that installs Kedis, each in a fresh environment
# make test-restarts  kill -9 and restart under clients that never rest, ROUNDS=100 of each kind
# make test-fakeredis fakeredis's own tests (from PyPI) on real Redis, on Kedis, and through kedis.patch()
# make test-redis-acl Redis's own tests of access control (Debian's source package) on Kedis; needs apt-get and tclsh
# make test-bullmq    bullmq (npm) on a Kedis server; needs Node
# make test-pure  the same tests on the Python path, without the extensions of the native path (docs/understand/native-build.md)
# make check  style, types, import rules
# make docs   the pages in docs/ as a site in build/site; every link is checked
# make fuzz   differential fuzzing against real Redis until stopped
# make fuzz-native  a million random and mutated inputs through both paths, under AddressSanitizer (COUNT=1000000)
# make load   Locust: SCENARIO=mixed SHAPE=steps, reports in build/load/ (ARGS="--objective-p99-ms 20")
# make wheel  a wheel in dist/ for each of PYTHONS="python3.11 python3.12" (needs a C compiler; docs/understand/native-build.md)
# make test-wheels    the wheels in dist/, each in a fresh environment: server, redis-benchmark, a part of the tests
# make bench  every comparison with real Redis, written to ops/bench/results/ (ARGS=--quick: rough)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
STAMP := $(VENV)/.developing
PORT ?= 6379
ARGS ?=
SCENARIO ?= mixed
SHAPE ?= steps
# One for each core that may be used; whoever has done its share takes from the others.
WORKERS ?= logical
PARALLEL := -n $(WORKERS) --dist worksteal

.PHONY: run cli test test-pure test-restarts test-install test-bullmq test-fakeredis test-redis-acl wheel test-wheels check fuzz fuzz-native bench load tools clean help

help:
	@sed -n 's/^# //p' Makefile

# What the server and kedis-cli need, at first, which builds the native path, too; later that alone where its sources are
# what has changed. Without a compiler, or where it fails, Kedis is there all the same, in Python, and this says why.
NATIVE := setup.py $(wildcard $(addprefix kedis/native/*.,pyx pxd pxi h))
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
CAN_BUILD = $(BIN)/python -c 'import Cython, setuptools' 2>/dev/null
COMPILER := $(shell command -v $${CC:-cc} 2>/dev/null)
$(INSTALLED): pyproject.toml $(NATIVE)
	@test -d $(VENV) || { echo "making the environment $(VENV)/ for $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	@if $(if $(filter-out $(NATIVE),$?),false,$(CAN_BUILD)); then \
	  echo "building the native path anew: its sources have changed"; \
	  $(BIN)/python setup.py --quiet build_ext --inplace; \
	else \
	  echo "installing Kedis and what it needs into $(VENV)/, once: $(if $(COMPILER),about a minute with the native path,about 20 seconds)"; \
	  $(PIP) --editable '.[cli]'; \
	fi
	@touch $@
	@echo "Kedis runs on the $$($(BIN)/python -m kedis.native)"

# What developing needs beside it: the dependency group dev, which older versions of pip do not know.
$(STAMP): pyproject.toml | $(INSTALLED)
	@echo "installing what tests and checks need into $(VENV)/, once: about a minute"
	@$(PIP) --upgrade 'pip>=25.1'
	@$(PIP) --group dev
	@touch $@

run: $(INSTALLED)
	@exec $(BIN)/kedis-server --port $(PORT) $(ARGS)

cli: $(INSTALLED)
	@exec $(BIN)/kedis-cli -p $(PORT) $(ARGS)

# Real Redis is the oracle of the differential tests; Prometheus and the exporter for Redis check the metrics,
# docker-compose the compose file, the shells the completion scripts, logrotate that the log follows it, a browser the live page.
# Where they cannot be installed the tests that need them are skipped and say so.
TOOLS := redis-server redis-cli prometheus promtool prometheus-redis-exporter docker-compose fish zsh logrotate chromium
tools:
	@for tool in $(TOOLS); do command -v $$tool >/dev/null 2>&1 || missing=1; done; [ -z "$$missing" ] || \
	  { command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server redis-tools \
	      prometheus prometheus-redis-exporter docker-compose fish zsh logrotate chromium >/dev/null; } || \
	  echo "note: not all of $(TOOLS) are installed; the tests that need them will be skipped"

test: $(STAMP) tools
	@echo "running the tests, about 15 minutes on two cores; a part of them: $(BIN)/python -m pytest tests/commands"
	@$(BIN)/python -m pytest $(PARALLEL)

# The Python path is the reference, and what runs where nothing could be built: the whole suite has to pass on it, but for
# what is the same program on both paths: kedis-cli, kedis-benchmark, the load test, the image. PATHLESS= runs those, too.
PATHLESS := cli benchmark load operations
test-pure: $(STAMP) tools
	@KEDIS_PURE=1 $(BIN)/python -m pytest $(PARALLEL) $(PATHLESS:%=--ignore=tests/%)

# Each of PYTHONS that runs; the wheels are repaired by auditwheel.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
wheel:
	@$(PYTHON) .ci/wheels.py build $(PYTHONS)

test-wheels: tools
	@$(PYTHON) .ci/wheels.py test $(PYTHONS)

ROUNDS ?= 100
test-restarts: $(STAMP)
	@KEDIS_RESTART_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -s --timeout 3600 tests/crash/test_restart.py

BULLMQ := bullmq@6.7.0 ioredis@5
test-bullmq: $(STAMP)
	@command -v npm >/dev/null || { echo "bullmq needs Node (apt-get install nodejs npm)"; exit 1; }
	@npm install --silent --no-audit --no-fund --prefix build/node $(BULLMQ)
	@$(BIN)/python -m tests.applications.bullmq build/node

# Its source distribution is fetched from PyPI into build/; nothing of it is kept in the repository, nor run by CI.
test-fakeredis: $(STAMP) tools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'fakeredis>=2.30,<3' pytest-mock valkey
	@$(BIN)/python -m tests.applications.fakeredis_suite $(ARGS)

# Its tests are fetched into build/; nothing of them is kept in the repository, nor run by CI.
test-redis-acl: $(STAMP)
	@command -v tclsh >/dev/null || { echo "Redis's tests need Tcl (apt-get install tcl)"; exit 1; }
	@$(BIN)/python -m tests.applications.redis_suite

test-install:
	@$(PYTHON) .ci/install.py $(ARGS)

check: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m ops.package_table --check
	@$(BIN)/python -m pytest -q tests/test_imports.py

# Without --quiet, under which --strict counts no warning.
SITE_STAMP := $(VENV)/.site
$(SITE_STAMP): ops/site/requirements.txt | $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.PHONY: docs
docs: $(SITE_STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

fuzz: $(STAMP) tools
	@$(BIN)/python -m tests.differential.fuzz

# The extensions, built for AddressSanitizer in a folder of their own, see tests/native/fuzz.py.
COUNT ?= 1000000
SEED ?= 1
ASAN := build/asan
ASAN_STAMP := $(ASAN)/.built
$(ASAN_STAMP): setup.py $(wildcard kedis/native/*) $(shell find kedis -name '*.py') | $(STAMP)
	@rm -rf $(ASAN)
	@CFLAGS="-fsanitize=address --param asan-stack=0 -fno-omit-frame-pointer -g -O1" LDFLAGS=-fsanitize=address \
	  $(BIN)/python setup.py --quiet build --build-base $(ASAN) --build-lib $(ASAN)/lib
	@touch $@

UNDER_ASAN := PYTHONPATH=$(ASAN)/lib:. PYTHONSAFEPATH=1 PYTHONMALLOC=malloc \
  ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=32 \
  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so.6)"
fuzz-native: $(ASAN_STAMP)
	@$(UNDER_ASAN) $(BIN)/python -m pytest -q -p no:cacheprovider tests/native/test_path.py tests/native/test_loop.py
	@$(UNDER_ASAN) $(BIN)/python -m tests.wire.fuzz --count $(COUNT) --seed $(SEED)
	@$(UNDER_ASAN) $(BIN)/python -m tests.native.fuzz --count $(COUNT) --seed $(SEED)

bench: $(STAMP) tools
	@$(BIN)/python ops/bench/all.py $(ARGS)

load: $(STAMP)
	@$(BIN)/python ops/bench/load.py $(SCENARIO) $(SHAPE) $(ARGS)

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
