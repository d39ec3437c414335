# Bazanite: `make help` lists what there is.  Needs GNU make and Python 3.11 or newer, nothing else.
#
# Everything runs in .venv, made on first use.  Three stamps say what is installed there: .runtime
# (the package, and the original for torture --engine bazoola), .demo (Flask and gunicorn as well) and
# .dev (all that, and the tools); they depend on pyproject.toml alone, so a second `make test` with
# nothing changed installs nothing and needs no network.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
# The theme would advertise its successor on every build.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

TORTURE_ARGS ?=
EXPLORE_ARGS ?=
MODEL_ARGS ?=
DEMO_ARGS ?=
LOAD_ARGS ?=
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv torture explore demo demo-load model test lint format coverage docs serve-docs clean

help: ## this list
	@echo "usage: make TARGET [PYTHON=python3.12] [PYTEST_ARGS=...] [TORTURE_ARGS=...] [EXPLORE_ARGS=...] [MODEL_ARGS=...] [DEMO_ARGS=...] [LOAD_ARGS=...]"
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

torture: $(VENV)/.runtime ## kill writing processes at random moments, recover, judge what survived
	$(BIN)/bazanite torture $(TORTURE_ARGS)

explore: $(VENV)/.runtime ## cut the power at every point of a simulated machine: minutes, a million states
	$(BIN)/bazanite explore --profile ci $(EXPLORE_ARGS)

demo: $(VENV)/.demo ## a task manager, its workers on one directory, and a window on the engine
	$(BIN)/python -m bazanite_demo --engine-room $(DEMO_ARGS)

demo-load: $(VENV)/.demo ## people at work in the demo while its workers are killed; is anything lost?
	$(BIN)/python -m bazanite_demo.load $(LOAD_ARGS)

model: ## check the model of the commit protocol; minutes; needs spin and a C compiler
	$(PYTHON) docs/model/check.py $(MODEL_ARGS)

test: $(VENV)/.dev ## all tests, on all cores
	$(BIN)/python -m pytest -n auto $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff, formatting, and mypy --strict
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.dev ## sort imports and format the code in place; write the core's size into README.md
	$(BIN)/ruff check --fix --exit-zero --quiet
	$(BIN)/ruff format
	$(BIN)/python tools/count_lines.py

coverage: $(VENV)/.dev ## branch coverage of bazanite and bazanite_wal; fails under 95 %
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n auto $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

docs: $(VENV)/.dev ## the documentation as a site in site/, which needs no server
	$(MKDOCS) build --strict
	@echo "look at file://$(CURDIR)/site/index.html"

serve-docs: $(VENV)/.dev ## the same at http://127.0.0.1:8000, built anew whenever a page changes
	$(MKDOCS) serve

venv: $(VENV)/.dev ## only make .venv with all that development needs
	@:

clean: ## remove .venv, caches and build results
	rm -rf $(VENV) build dist htmlcov site .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f .coverage .coverage.*
	find engine wal stress tools demo tests -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Bazanite needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + \
	    ": try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) install --editable '.[bazoola]'
	@touch $@

$(VENV)/.demo: pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) install --editable '.[bazoola,demo]'
	@touch $(VENV)/.runtime $@

$(VENV)/.dev: pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) install --editable '.[dev]'
	@touch $(VENV)/.runtime $@
