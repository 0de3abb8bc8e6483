# make demo: the shipped scene from video to report, by both methods or by METHOD=osn, hexplane, ...  make test: the whole test suite.
# make test-slurm: two scenes on a SLURM that it starts (root, Debian or Ubuntu).  Each sets itself up first.
PYTHON ?= python3
CORES ?= all
METHOD ?= [osn,semantic_flow]
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed-from-lock
APT := apt-get -qq -y --no-install-recommends -o Acquire::Retries=1 -o Acquire::http::Timeout=20
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: setup demo test test-slurm slurm browser lock format config

# The environment alone, for a video of one's own.
setup: $(INSTALLED)

demo: $(INSTALLED)
	snakemake --cores $(CORES) --config 'method=$(METHOD)'
	@echo "The report: results/demo/report.html"

test: $(INSTALLED) browser
	pytest -n 2 --dist loadfile

test-slurm: $(INSTALLED) slurm
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-slurm.lock
	pytest -m slurm -v -rs tests/workflow/test_slurm.py

# SLURM, of which the tests start two nodes on the loopback. Without it they are skipped and say so.
slurm:
	@if command -v slurmctld && command -v slurmd && command -v munged; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get; then \
	  echo "No SLURM here, and only root can install it with apt-get: its tests will be skipped" >&2; \
	else \
	  echo "Installing SLURM for its tests" >&2; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { $(APT) update && $(APT) install slurm-wlm munge; } \
	    || echo "SLURM could not be installed: its tests will be skipped" >&2; \
	fi > /dev/null

# Chromium, which one test clicks in. Without it that test is skipped and says so, nothing else changes.
browser:
	@if command -v chromium && command -v chromedriver; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get; then \
	  echo "No chromium and chromedriver here: the test of the prompt picker's page will be skipped" >&2; \
	else \
	  echo "Installing Chromium for the test of the prompt picker's page" >&2; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { $(APT) update && $(APT) install chromium chromium-driver; } \
	    || echo "Chromium could not be installed: the test of the prompt picker's page will be skipped" >&2; \
	fi > /dev/null

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
	.venv-lock/bin/pip install --quiet --disable-pip-version-check --requirement requirements.lock.partial \
	  $$(.venv-lock/bin/python workflow/lock.py ranges slurm)
	.venv-lock/bin/pip freeze | $(PYTHON) workflow/lock.py pins requirements.lock.partial > requirements-slurm.lock.partial
	mv requirements-slurm.lock.partial requirements-slurm.lock
	mv requirements.lock.partial requirements.lock
	rm -rf .venv-lock

format: $(INSTALLED)
	ruff check --fix .
	ruff format .
	snakefmt workflow

# What config.yaml shows, and docs/SETTINGS.md, from pipeline/config.py; the table of packages in docs/ARCHITECTURE.md.
config: $(INSTALLED)
	python -m workflow.reference
	python -m workflow.package_map
