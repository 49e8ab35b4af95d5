# make run    install what the server needs, and start it (PORT=7000, ARGS="--appendonly no")
# make cli    kedis-cli on it (PORT=7000, ARGS="GET key")
# make test   install what the tests need, and run them on all cores (WORKERS=1: one after another)
# make test-install   every command of the pages that installs Kedis, each in a fresh environment
# make test-restarts  kill -9 and restart under clients that never rest, ROUNDS=100 of each kind
# make test-linearizability   histories of OPERATIONS=100000, over KILLS=50 too, checked as a whole
# make soak   everything at once for MINUTES=60, then counts, digests and growth compared
# make test-fakeredis fakeredis's own tests (from PyPI) on real Redis, on Kedis, and through kedis.patch()
# make test-redis-replication  those of them about replication, as a master and as a replica; about 20 minutes (ARGS=--write: the page)
# make test-sentinel  ten failovers by Redis's Sentinel under clients that never rest (ROUNDS=5 of each kind)
# make test-redis    Redis's own tests (Debian's source package) on Kedis and on Redis, UNITS="unit/acl unit/type/list" JOBS=3; needs apt-get, tclsh
# make test-router    all of the router's tests, the long ones too, with EXAMPLES=2000 scripts of the differential suite
# make test-bullmq    bullmq (npm) on a Kedis server; needs Node
# make test-clients   a small program each of ioredis, iovalkey, node-redis, hiredis, php-redis, ruby-redis; what is installed
# make test-dashboards rq-dashboard, flower, a Celery exporter, redis-commander on Redis and on Kedis, pages compared; needs Node
# make suites         the test suites of programs that live on Redis, on Redis and on Kedis; SUITES="rq huey", needs unshare
# make test-pure  the same tests on the Python path, without the extensions of the native path (docs/understand/native-build.md)
# make test-random    the tests of each module in another order, SEED=1: none may need those before it
# make check  style, types, import rules
# make docs   the pages in docs/ as a site in build/site; every link is checked
# make fuzz   coverage-guided fuzzing of all that reads bytes of strangers, SECONDS=60 in all (TARGETS="parser rdb")
# make fuzz-redis     random commands against real Redis until stopped
# make fuzz-native  a million random and mutated inputs through both paths, under AddressSanitizer (COUNT=1000000)
# make load   Locust: SCENARIO=mixed SHAPE=steps, reports in build/load/ (ARGS="--objective-p99-ms 20")
# make lock   renew what the images are made of, to the digests of the files (ops/container/locked-*.txt), by uv
# make sbom   what the server's image is made of, as CycloneDX, in build/sbom.json
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
# One more than the cores that may be used, for many tests wait; whoever has done its share takes from the others.
CORES = $(shell $(PYTHON) -c 'import os; print(len(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count()))(0)))')
WORKERS ?= $(shell echo $$(($(CORES) + 1)))
PARALLEL := -n $(WORKERS) --dist worksteal

# Where bytecode is not kept, each start of Kedis compiles its 300 modules anew: 100 ms, a thousand times in the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run cli test test-pure test-random test-restarts test-install test-bullmq test-fakeredis test-redis wheel test-wheels check fuzz fuzz-native bench load tools clean help test-sentinel fuzz-redis test-linearizability soak test-clients suites test-redis-replication

help:
	@sed -n 's/^# \(make \)/\1/p' Makefile

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
	@$(BIN)/python -m tests.run $(PARALLEL)

# The Python path is the reference, and what runs where nothing could be built: the whole suite has to pass on it, but for
# what is the same program on both paths: kedis-cli, kedis-benchmark, the load test, the image. PATHLESS= runs those, too.
PATHLESS := cli benchmark load operations
test-pure: $(STAMP) tools
	@KEDIS_PURE=1 $(BIN)/python -m tests.run $(PARALLEL) $(PATHLESS:%=--ignore=tests/%)

# xdist gives the tail of a module to another worker, so that CI runs other orders, too.
test-random: SEED = 1
test-random: $(STAMP) tools
	@$(BIN)/python -m pytest $(PARALLEL) --tb=native \
	  --random-order-bucket=module --random-order --random-order-seed=$(SEED)

# Each of PYTHONS that runs; the wheels are repaired by auditwheel.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14
wheel:
	@$(PYTHON) .ci/wheels.py build $(PYTHONS)

test-wheels: tools
	@$(PYTHON) .ci/wheels.py test $(PYTHONS)

ROUNDS ?= 100
test-restarts: $(STAMP)
	@KEDIS_RESTART_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -s --timeout 3600 tests/crash/test_restart.py

# Three Sentinels, a master and two replicas: ROUNDS failovers by kill -9, and as many asked for.
test-sentinel: ROUNDS = 5
test-sentinel: $(STAMP) tools
	@$(BIN)/python -m tests.replication.sentinel_failovers $(ROUNDS)

OPERATIONS ?= 100000
KILLS ?= 50
test-linearizability: $(STAMP)
	@$(BIN)/python -m tests.linearizability.run --operations $(OPERATIONS) --kills $(KILLS)

MINUTES ?= 60
soak: $(STAMP)
	@$(BIN)/python -m tests.soak.run --minutes $(MINUTES)

EXAMPLES ?= 2000
.PHONY: test-router
test-router: $(STAMP) tools
	@KEDIS_ROUTER_LONG=1 KEDIS_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --timeout 600 tests/router

BULLMQ := bullmq@6.7.0 ioredis@5
test-bullmq: $(STAMP)
	@command -v npm >/dev/null || { echo "bullmq needs Node (apt-get install nodejs npm)"; exit 1; }
	@npm install --silent --no-audit --no-fund --prefix build/node $(BULLMQ)
	@$(BIN)/python -m tests.applications.bullmq build/node

CLIENTS := ioredis@5.8.2 redis@5.10.0 iovalkey@0.3.3
test-clients: $(STAMP) tools
	@! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix build/clients $(CLIENTS)
	@mkdir -p build/clients
	@$(BIN)/python -m tests.applications.client_programs build/clients

DASHBOARDS := rq-dashboard==0.8.6 rq flower==2.2.0 celery[redis]==5.7.0 celery-prometheus-exporter==1.7.0
.PHONY: test-dashboards
test-dashboards: $(STAMP) tools
	@mkdir -p build/dashboards
	@test -d build/dashboards/env || { $(PYTHON) -m venv build/dashboards/env && \
	  build/dashboards/env/bin/pip install --quiet --disable-pip-version-check $(DASHBOARDS); }
	@! command -v npm >/dev/null || \
	  npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/dashboards redis-commander@0.9
	@$(BIN)/python -m tests.applications.dashboards build/dashboards

# Their environments are made in build/suites; nothing of them is kept in the repository, nor run by CI.
SUITES ?=
suites: $(STAMP) tools
	@$(BIN)/python -m tests.applications.suites $(SUITES) $(ARGS)

# Its source distribution is fetched from PyPI into build/; nothing of it is kept in the repository, nor run by CI.
test-fakeredis: $(STAMP) tools
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'fakeredis>=2.30,<3' pytest-mock valkey
	@$(BIN)/python -m tests.applications.fakeredis_suite $(ARGS)

# Its tests are fetched into build/; nothing of them is kept in the repository, nor run by CI.
UNITS ?=
JOBS ?= 1
test-redis: $(STAMP) tools
	@command -v tclsh >/dev/null || { echo "Redis's tests need Tcl (apt-get install tcl)"; exit 1; }
	@$(BIN)/python -m tests.applications.redis_suite $(UNITS) --jobs $(JOBS) $(ARGS)

test-redis-replication: PAGE := docs/reference/redis-replication-suite.md
test-redis-replication: UNITS = $$($(BIN)/python -c 'from tests.applications.redis_units import *; print(*REPLICATION_UNITS)')
test-redis-replication: $(STAMP) tools
	@$(BIN)/python -m tests.applications.redis_suite $(UNITS) --page $(PAGE) $(ARGS)

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

.PHONY: lock sbom
lock: $(STAMP)
	@$(BIN)/python -m venv build/uv
	@build/uv/bin/pip install --quiet --disable-pip-version-check uv
	@sh ops/lock.sh build/uv/bin/uv

sbom: $(STAMP)
	@$(BIN)/python -m ops.sbom build/sbom.json

.PHONY: docs
docs: $(SITE_STAMP)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# atheris has wheels for few versions of Python, so that nothing else asks for it.
FUZZ_STAMP := $(VENV)/.fuzzing
$(FUZZ_STAMP): pyproject.toml | $(STAMP)
	@$(PIP) --group fuzz
	@touch $@

SECONDS ?= 60
TARGETS ?=
fuzz: $(FUZZ_STAMP) tools
	@$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) $(TARGETS)

fuzz-redis: $(STAMP) tools
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
