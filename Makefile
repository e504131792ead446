# Two commands matter: `make live` sets up and runs the app, `make test` sets up and runs every check.
# Options go through ARGS: make live ARGS="--source 1 --mirror"

VENV ?= .venv
PYTHON ?=
ARGS ?=
WORKERS ?= auto
PY := $(VENV)/bin/python
OLD := import sys; sys.exit("Python 3.11 or newer is needed, $(VENV) has %d.%d: remove it and run make again" \
  % sys.version_info[:2] if sys.version_info < (3, 11) else 0)
PIP := $(PY) -m pip --disable-pip-version-check -qq
# Targets that run side by side keep their lines together, where make knows how to.
SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# Tests start a hundred processes: none of them should compile again what another one has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: live setup test setup-test lint format types imports pytest bench export wheel clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

live: setup ## set up and run the live app (no torch)
	@if $(PY) -c 'from realtime_vibe.outputs.view.screen import require_display as ask; ask()' 2>/dev/null; \
	then exec $(PY) run_live.py $(ARGS); \
	else echo "no display here: running without windows (--view files)"; \
	  exec $(PY) run_live.py --view files $(ARGS); fi

test: $(VENV)/.test ## set up and run every check; pytest comes last
	@$(MAKE) --no-print-directory -j $(SYNC) lint types imports $(VENV)/.bundle
	@$(MAKE) --no-print-directory pytest

setup: $(VENV)/.live ## install what the live app needs
setup-test: $(VENV)/.test $(VENV)/.bundle ## install what every check needs

$(VENV)/bin/python:
	@sh scripts/make_venv.sh $(VENV) $(PYTHON)

$(VENV)/.live: pyproject.toml | $(VENV)/bin/python
	@$(PY) -c '$(OLD)'
	@sh scripts/system_packages.sh
	@echo "installing the live app into $(VENV)"
	@$(PIP) install -e '.[cpu,viewer]'
	@touch $@

# torch by itself first: where pip knows a CPU build of that release, it is taken, not the CUDA one.
# A third of the packages' 15,000 files is ever imported, and compiled then: pip takes a minute for all.
$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	@$(PY) -c '$(OLD)'
	@sh scripts/system_packages.sh test
	@echo "installing everything the checks need into $(VENV); this takes minutes"
	@$(PIP) install --no-compile 'torch==2.13.0'
	@$(PIP) install --no-compile -e '.[all]'
	@touch $@ $(VENV)/.live

$(VENV)/.bundle: $(VENV)/.test
	@{ $(PY) -m export.blazepose --task && $(PY) -m export.blazepose --model lite --task; } >/dev/null \
	  || echo "MediaPipe's bundle was not built: comparisons with MediaPipe are skipped"
	@touch $@

lint: $(VENV)/.test ## style and names
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

format: $(VENV)/.test ## let ruff rewrite the files
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

types: $(VENV)/.test ## mypy, strict
	$(VENV)/bin/mypy

imports: $(VENV)/.test ## the architecture
	$(VENV)/bin/lint-imports

# A worker takes up to 2 GB, torch and three inference engines in it: eight at most.
pytest: setup-test ## the tests alone, on every core; WORKERS=0 in one process
	$(VENV)/bin/pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal --durations 25 --durations-min 3 $(ARGS)

bench: setup-test ## every benchmark, short, and the report of it
	$(PY) -m benchmarks report --out out/report

export: setup-test ## rebuild the tracker's graphs and the body
	$(PY) -m export.blazepose
	$(PY) -m export.blazepose --model lite
	$(PY) -m export.body

wheel: $(VENV)/bin/python ## build dist/*.whl, engines included
	$(PIP) wheel --no-deps --wheel-dir dist .

clean: ## remove the environment and all caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
