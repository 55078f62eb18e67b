VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet pyproject.toml --all-extras --group build

.PHONY: demo test faults lint bench lock clean

demo: $(VENV)/.runtime
	@$(BIN)/touchstream demo $(ARGS)

test: $(VENV)/.dev
	$(BIN)/pytest -n 2 --dist loadfile $(ARGS)

faults: $(VENV)/.dev
	$(BIN)/pytest -m long tests/faults tests/integration
	$(BIN)/python -m tests.faults.run $(or $(ARGS),--events 100000 --kills 20)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/touchstream bench $(ARGS)

lock: $(VENV)/.dev
	$(BIN)/uv pip compile $(LOCK) -o requirements.lock
	$(BIN)/uv pip compile $(subst --all-extras,--extra serve --extra arrow,$(LOCK)) -c requirements.lock -o requirements-server.lock
	$(BIN)/uv pip compile $(LOCK) --group dev -c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile $(filter-out pyproject.toml --all-extras --group build,$(LOCK)) tests/bench/requirements-peers.in -o tests/bench/requirements-peers.lock
	$(BIN)/uv pip compile $(filter-out pyproject.toml --all-extras --group build,$(LOCK)) tests/hostile/requirements-fuzz.in -o tests/hostile/requirements-fuzz.lock

clean:
	rm -rf $(VENV) .venv-bench .touchstream-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "touchstream needs Python 3.11, 3.12 or 3.13; none was found (set PYTHON=/path/to/python)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing touchstream into $(VENV) (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime | $(BIN)/python
	@echo "installing the development tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
