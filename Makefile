# make demo: the shipped scene from video to report.  make test: the whole test suite.  Each sets itself up first.
PYTHON ?= python3
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed-from-lock
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: demo test lock format config

demo: $(INSTALLED)
	snakemake --cores $(CORES)
	@echo "The report: results/demo/report.html"

test: $(INSTALLED)
	pytest

# The environment is remade when the lock changes.
$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2> /dev/null \
	  || { echo "Python's venv module is missing; install your system's python3-venv package"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@touch $@

# New versions into the lock: a fresh environment from pyproject.toml's ranges, as exact versions, without addresses.
lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet --disable-pip-version-check $$(.venv-lock/bin/python workflow/lock.py ranges)
	.venv-lock/bin/pip freeze | $(PYTHON) workflow/lock.py pins > requirements.lock.partial
	mv requirements.lock.partial requirements.lock
	rm -rf .venv-lock

format: $(INSTALLED)
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

# The stage sections of config.yaml, from pipeline/config.py.
config: $(INSTALLED)
	python -m workflow.reference
