# Every way to build, check and run supportops. `make help` explains each target; CI calls the same ones.
# Needed beforehand: Python >= 3.11, make, git. uv is fetched into .tools, everything else into .venv.

PYTHON ?= python3
UV := .tools/bin/uv
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
MEMBERS := shared services/ingest services/csat services/sfdc-sync services/notifier sandbox
PACKAGES := supportops supportops-ingest supportops-csat supportops-sfdc-sync supportops-notifier supportops-sandbox
SOURCES := shared services sandbox tests bench deploy
BANDIT := shared/src $(wildcard services/*/src) sandbox/src bench deploy
LOCK := requirements.lock
TOOLS_LOCK := build-tools.lock
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"
COMPILE_ALL := $(COMPILE) --all-extras --group dev pyproject.toml $(PACKAGES:%=--no-emit-package %)
COMPILE_TOOLS := $(COMPILE) --python-version 3.11 --group pyproject.toml:build
# The longest first, for they share two cores.
CHECKS := architecture types security lint contracts generated lock-check
ARGS ?=
# More than cores: most tests wait for a server, a process or a moment.
WORKERS ?= 6

# Compiled once, by whoever comes first: without it each start of a service and each worker of the tests compiles anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo demo-check check architecture format lint security types contracts lock lock-check generated generate test compose-test \
	env-example screenshots chaos bench clean

help: ## Show what each target does
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Extra arguments go through ARGS, for example: make test ARGS='tests/unit -k version'"

# --- set-up ----------------------------------------------------------------------------------------------------------

$(UV): $(TOOLS_LOCK)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "supportops needs Python 3.11 or newer; name it: make PYTHON=/path/to/python3 ..."; exit 1; }
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(TOOLS_LOCK)
	@touch $@

$(READY): $(LOCK) $(TOOLS_LOCK) pyproject.toml .python-version $(MEMBERS:%=%/pyproject.toml) | $(UV)
	@test -x $(BIN)/python || $(UV) venv --quiet $(VENV) || $(UV) venv --quiet --python '>=3.12' $(VENV)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r $(LOCK)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --build-constraint $(TOOLS_LOCK) $(MEMBERS:%=-e ./%)
	@touch $@

install: $(READY) ## Fetch uv, the locked packages and our six members into this folder

# --- run it ----------------------------------------------------------------------------------------------------------

demo: $(READY) ## A whole support day on this laptop: broker, sandbox, four services; stays up until Ctrl-C
	@$(BIN)/python -m sandbox.demo run $(ARGS)

demo-check: $(READY) ## The same day, every effect verified exactly once; non-zero when one is missing or doubled
	@$(BIN)/python -m sandbox.demo check $(ARGS)

compose-test: $(READY) ## Build the images, play the support day against docker compose, scale, take each dependency away (ARGS=day or outages: a part)
	@$(BIN)/python -m tests.compose.run $(ARGS)

# --- the gate --------------------------------------------------------------------------------------------------------

check: $(READY) ## Format, lint, security, types, import contracts, generated files, sizes, settings, lock: two at a time
	@$(MAKE) --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(CHECKS)

architecture: $(READY)
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/architecture

lint: $(READY)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)

security: $(READY)
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(BANDIT) 2>$(VENV)/bandit.log || { cat $(VENV)/bandit.log; exit 1; }

types: $(READY)
	@$(BIN)/mypy

contracts: $(READY)
	@$(BIN)/lint-imports

format: $(READY) ## Format the code and apply safe lint fixes
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

generate: $(READY) ## Write docs/asyncapi.yaml, docs/schemas, docs/events.md, docs/metrics.md and the tables of csat.md and rules.md from the code
	@$(BIN)/python -m supportops.contracts.generate
	@$(BIN)/python -m supportops.observability.metrics > docs/metrics.md
	@$(BIN)/python -m tests.support.rules_table
	@$(BIN)/python -m tests.support.feeds_table

generated: $(READY)
	@$(BIN)/python -m supportops.contracts.generate --check

lock: $(UV) ## Compile requirements.lock from the pyproject files (versions move only where they must)
	@$(COMPILE_ALL) -o $(LOCK)
	@$(COMPILE_TOOLS) -o $(TOOLS_LOCK)

lock-check: $(UV)
	@cp $(LOCK) $(LOCK).now && cp $(TOOLS_LOCK) $(TOOLS_LOCK).now && \
		$(COMPILE_ALL) -o $(LOCK).now && $(COMPILE_TOOLS) -o $(TOOLS_LOCK).now ; status=$$?; \
		for lock in $(LOCK) $(TOOLS_LOCK); do \
		if [ $$status -eq 0 ]; then cmp -s $$lock $$lock.now || \
		{ echo "$$lock is stale: run make lock"; diff $$lock $$lock.now | grep '==' ; status=1; }; fi; \
		done; rm -f $(LOCK).now $(TOOLS_LOCK).now; exit $$status

env-example: $(READY) ## Write .env.example from the settings classes
	@$(BIN)/python -m tests.support.env_example

test: $(READY) ## Every test but tests/architecture (make check) and the long chaos runs; finds or makes its own servers
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder --durations 10 --ignore tests/architecture $(ARGS)

screenshots: $(READY) ## Take the pictures of pages anew (needs Chromium) and renew those that docs/images holds
	@PICTURES=all $(BIN)/python -m pytest -q -m browser $(addprefix tests/integration/,csat notifier sfdc_sync) $(ARGS)
	@for image in docs/images/*.png; do cp "test-output/screenshots/$${image##*/}" docs/images/ || exit 1; done

chaos: $(READY) ## Bad days one by one, 10,000 webhooks while everything is killed, interrupted runs, all examples of properties; prints a table
	@$(BIN)/python -m pytest -m long -o addopts= --import-mode=importlib -s tests/chaos tests/e2e $(ARGS)
	@$(BIN)/python -m pytest -o addopts= --import-mode=importlib -v --no-header $(addprefix tests/integration/engine/test_,\
		consumer_bad_topics.py restored_database.py publishing_on_kafka.py forbidden_topic.py)
	@EXAMPLES=long $(BIN)/python -m pytest -q -n $(WORKERS) tests/unit $(addprefix tests/,contract/csat \
		integration/csat/test_csat_tally.py integration/csat/test_csat_histories.py integration/engine/test_delivery_properties.py)

bench: $(READY) ## Figures beside their floors, measured in the same run (docs/performance.md)
	@$(BIN)/python -m bench $(ARGS)

clean: ## Remove what running and testing left behind (not the environment)
	rm -rf .demo .cache .pytest_cache .mypy_cache .ruff_cache test-output
