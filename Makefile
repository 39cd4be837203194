# Two commands set a fresh machine up: make demo, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: help demo test coverage golden golden-write install lint type bench performance results reference package clean

help:  ## say what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 10

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(BIN)/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

install: $(INSTALLED)  ## create .venv and install metagan into it

demo: $(INSTALLED)  ## adapt the shipped model to examples/ and write out.png
	$(BIN)/metagan adapt examples
	$(BIN)/metagan sample -n 64 -o out.png --with-support
	@echo "look at $(CURDIR)/out.png"

test: lint type  ## everything that must hold: ruff, mypy, pytest
	$(BIN)/python -m pytest

coverage: $(INSTALLED_DEV)  ## the same tests, and which lines they run, in forked commands as well
	$(BIN)/python -m pytest --cov=metagan_cli

golden-write: $(INSTALLED_DEV)  # before a change that should change no result
	$(BIN)/python tests/golden.py write runs/golden.json

golden: $(INSTALLED_DEV)  ## are results still those that make golden-write saw, byte for byte?
	$(BIN)/python tests/golden.py check runs/golden.json

lint: $(INSTALLED_DEV)  ## ruff
	$(BIN)/ruff check metagan_cli tests benchmarks recipes
	$(BIN)/ruff format --check metagan_cli tests benchmarks recipes

type: $(INSTALLED_DEV)  ## mypy, strict
	$(BIN)/mypy

bench: $(INSTALLED_DEV)  ## time the commands as whole processes, and meta-training; on an idle machine
	$(BIN)/python -m benchmarks.commands
	$(BIN)/python -m benchmarks.training

performance: bench  ## the same, two ranks, and the tables of docs/performance.md
	$(BIN)/python -m benchmarks.ranks
	$(BIN)/python -m benchmarks.performance_page

results: $(INSTALLED)  ## measure glyph and rewrite its table in docs/results.md (needs data/omniglot_105.npz)
	$(BIN)/python -m benchmarks.results --report report.html

reference: $(INSTALLED)  ## docs/cli.md, made from the help of all commands
	$(BIN)/python -m metagan_cli.cli.reference > docs/cli.md

package: $(INSTALLED_DEV)  ## wheel and sdist in dist/
	$(BIN)/python -m hatchling build -d dist

clean:  ## remove what the other targets made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache dist out.png adapted.safetensors
