# Two commands set a fresh machine up: make demo, make test.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev

.PHONY: help demo test coverage golden golden-write install lint type bench performance faults fuzz soak kills reliability results reference package clean

help:  ## say what each target does
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/' | expand -t 13

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
	$(BIN)/ruff check metagan_cli tests benchmarks recipes reliability
	$(BIN)/ruff format --check metagan_cli tests benchmarks recipes reliability

type: $(INSTALLED_DEV)  ## mypy, strict
	$(BIN)/mypy

bench: $(INSTALLED_DEV)  ## time the commands as whole processes, and meta-training; on an idle machine
	$(BIN)/python -m benchmarks.commands
	$(BIN)/python -m benchmarks.training

performance: bench  ## the same, stages, two ranks, and the tables of docs/performance.md
	$(BIN)/python -m benchmarks.stages
	$(BIN)/python -m benchmarks.ranks
	$(BIN)/python -m benchmarks.performance_page

faults: $(INSTALLED_DEV)  ## the table of faults, and how each row went, in runs/reliability.jsonl
	$(BIN)/python -m reliability.faults

fuzz: $(INSTALLED_DEV)  ## tens of thousands of damaged files; what they find is kept in runs/finds/
	$(BIN)/python -m reliability.fuzz --cases 60000 --seed $$(date +%Y%m%d)

soak: $(INSTALLED_DEV)  ## rounds in one process, and ten commands at once: does anything grow or collide?
	$(BIN)/python -m reliability.soak
	$(BIN)/python -m reliability.soak --together 10

kills: $(INSTALLED_DEV)  ## kill commands at random moments, go on, compare with unkilled runs
	$(BIN)/python -m reliability.kills

reliability: faults fuzz soak kills  ## all that tries to break the program, then docs/reliability.md
	$(BIN)/python -m reliability.report

results: $(INSTALLED)  ## measure glyph and rewrite its table in docs/results.md (needs data/omniglot_105.npz)
	$(BIN)/python -m benchmarks.results --report report.html

reference: $(INSTALLED)  ## docs/cli.md, made from the help of all commands
	$(BIN)/python -m metagan_cli.cli.reference > docs/cli.md

package: $(INSTALLED_DEV)  ## wheel and sdist in dist/
	$(BIN)/python -m hatchling build -d dist

clean:  ## remove what the other targets made
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache dist out.png adapted.safetensors
