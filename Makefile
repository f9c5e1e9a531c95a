# What people type here is what CI runs.
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo up test lint audit format lock bench machines chaos fuzz clean

help: ## Show this list.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

install: $(INSTALLED) ## Make .venv with gendan in it.

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Gendan needs Python 3.11, 3.12 or 3.13; none was found. Name one: make PYTHON=/path/to/python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --disable-pip-version-check >/dev/null || $(BIN)/python -m pip check
	@touch $@

demo: $(INSTALLED) ## Play a season of sample orders in three to five minutes; EXIT=1 stops by itself.
	@$(BIN)/gendan demo $(if $(EXIT),--exit)

up: $(INSTALLED) ## Run Gendan for real work; PORT=4210 chooses the port.
	@$(BIN)/gendan up $(if $(PORT),--port $(PORT))

test: $(INSTALLED) ## Run all tests.
	@$(BIN)/python -m pytest $(ARGS)

lint: $(INSTALLED) ## Check style, form and types.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

audit: $(INSTALLED) ## Ask for known weaknesses of what the lock file names.
	@$(BIN)/python .ci/audit.py $(ARGS)

format: $(INSTALLED) ## Bring the code into form.
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

lock: ## Pin the newest versions that fit (needs uv).
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-annotate --no-header --group dev --extra machines --upgrade pyproject.toml -o requirements.lock

bench: $(INSTALLED) ## Measure, side by side with plain Prefect.
	@$(BIN)/python -m bench $(ARGS)

machines: $(INSTALLED) ## Play a season on two servers and two workers; kill one of each. Needs nginx and redis-server.
	@$(BIN)/python -m tests.machines $(ARGS)

chaos: $(INSTALLED) ## Play a season while everything fails in turn, and compare it with the core alone; ARGS=--short.
	@$(BIN)/python -m tests.chaos $(ARGS)

fuzz: $(INSTALLED) ## Give every parser and form 100,000 inputs each; ARGS="--inputs 1000" is quicker.
	@$(BIN)/python -m tests.fuzz $(ARGS)

clean: ## Remove the environment that was made here.
	rm -rf .venv
