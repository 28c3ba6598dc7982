# `make run` and `make test` are all a newcomer needs. Both install what they need into .venv first:
# what runs is in requirements.lock, what only tests and checks need in requirements-dev.lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
MANAGE := $(BIN)/python manage.py
RANDOM := $(BIN)/python -c 'import secrets; print(secrets.token_hex(32))'
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install develop run test image-test check lint types layers packages migrate matrix bench attack axe gazetteer clients lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(RUNTIME) ## make .venv and install what it takes to run

$(RUNTIME): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vibe needs Python 3.11 or newer. Try: make PYTHON=python3.12")'
	@test "$$(id -u)" != 0 || runuser -u nobody -- "$$($(PYTHON) -c 'import sys; print(sys.executable)')" -c "" 2>/dev/null || \
		echo "Only root may run this Python. For a service of another user: make PYTHON=/usr/bin/python3 install"
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes -r requirements.lock
	@touch $@

develop: $(DEVELOPMENT) ## install what tests and checks need on top

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	$(PIP) --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

run: install ## start everything: database, sample, worker, http://127.0.0.1:8000/
	@$(MANAGE) run

migrate: install ## apply the migrations
	$(MANAGE) migrate

test: develop ## run the test suite
	$(BIN)/python -m pytest -n $(JOBS)

image-test: develop ## build the image with podman, without a daemon, and try what runs in it
	VIBE_IMAGE=1 $(BIN)/python -m pytest tests/test_image.py -n 0 -s -p no:randomly

check: develop lint types layers packages ## everything CI checks
	$(MANAGE) makemigrations --check --dry-run
	$(MANAGE) check_migrations
	DEBUG=off ALLOWED_HOSTS=vibe.example SECRET_KEY=$$($(RANDOM)) ENCRYPTION_KEY=$$($(RANDOM)) \
		AUDIT_SIGNING_KEY=$$($(RANDOM)) $(MANAGE) check --deploy --fail-level WARNING
	$(MAKE) test

lint: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml vibe accounts memories stories audit

packages: develop
	$(BIN)/python .ci/audit-packages

types: develop
	$(BIN)/mypy .

layers: develop
	$(BIN)/lint-imports

matrix: develop ## the test suite on each version of PostgreSQL that is found, a line of each
	$(BIN)/python -m tests.matrix -n $(JOBS)

bench: develop ## the measurements; each prints JSON with its ratios
	$(BIN)/python -m benchmarks

attack: develop ## the whole corpus of attacks, one line each
	VIBE_ATTACK=full $(BIN)/python -m pytest tests/attacks tests/api/test_description.py -n $(JOBS) -q --no-header

axe: develop ## every page in each role, both themes, wide and narrow, as axe-core sees it
	VIBE_AXE=full $(BIN)/python -m pytest tests/browser/test_accessibility.py -n $(JOBS) -q --no-header

gazetteer: develop ## make the list of places anew from GeoNames
	$(BIN)/python -m scripts.make_gazetteer

clients: develop ## make the clients' operations anew, and build their packages into clients/*/dist
	$(BIN)/python -m scripts.make_clients
	$(PIP) uv
	$(BIN)/uv build --quiet clients/python --out-dir clients/python/dist
	cd clients/typescript && npm install --silent --no-package-lock && npm run --silent build

lock: ## resolve pyproject.toml anew into both lock files
	$(PIP) uv
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) --group dev --constraints requirements.lock -o requirements-dev.lock

clean: ## remove what was installed and made (not the state folder)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
