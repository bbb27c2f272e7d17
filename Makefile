# Two commands for people: `make lab` and `make test`. Everything lives in .venv; nothing needs root.
#
# Each installation leaves a stamp in .venv, so that a second run is quick. A change of pyproject.toml or of
# the kernelspec makes them stale.

# any Python from 3.11 on; `make lab PYTHON=/path/to/python` chooses one
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
VENV   := .venv
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input install --progress-bar off
QUIETLY = $(BIN)/python .ci/quietly.py
# Jupyter refuses to run as root unless told so; in a container there is often nobody else
AS_ROOT := $(if $(filter 0,$(shell id -u 2>/dev/null)),--allow-root)
CHROMIUM := $(firstword $(foreach name,chromium chromium-browser google-chrome google-chrome-stable,\
	$(shell command -v $(name) 2>/dev/null)))

FIRST := notebooks/01_first_spell.ipynb
METADATA := pyproject.toml $(wildcard kernelspec/*)

# $(call need,STEP,WHAT,STAMP): announce a step, and take it unless its stamp is fresh
need = @if $(MAKE) --question --silent $(3) 2>/dev/null; then echo "[$(1)] $(2): ready"; \
	else echo "[$(1)] $(2)"; $(MAKE) --silent --no-print-directory $(3); fi

.PHONY: help lab test check bench clean lint lint-format lint-ruff lint-types lint-imports lint-lua
.DEFAULT_GOAL := help

help:
	@echo "make lab     open JupyterLab on the first tutorial, with a model that runs on this machine"
	@echo "             (LAB_FLAGS=\"--no-browser --port 9000\" are passed on to JupyterLab)"
	@echo "make test    run all tests (TESTS=\"tests/engine -k codec\" for some of them)"
	@echo "make check   formatting, lint, types, import contracts"
	@echo "make bench   compare with ipykernel's Python kernel and with plain lupa"
	@echo "make clean   remove .venv and everything else that was made here"

# ── for people ────────────────────────────────────────────────────────────────────────────────────

lab:
	$(call need,1/5,making a Python environment in $(VENV),$(VENV)/.made)
	$(call need,2/5,installing the kernel and JupyterLab,$(VENV)/.lab)
	@echo "[3/5] fetching the local model (about 90 MB, once)"
	@$(BIN)/llmspell models pull || echo "      no local model; the kernel works without it: llmspell doctor"
	@echo "[4/5] looking whether everything works"
	@$(BIN)/llmspell doctor > $(VENV)/doctor.txt || { cat $(VENV)/doctor.txt; exit 1; }
	@tail -n 1 $(VENV)/doctor.txt | sed 's/^/      /'
	@echo "[5/5] opening JupyterLab on $(FIRST) (Ctrl-C twice ends it)"
	@exec $(BIN)/jupyter lab $(AS_ROOT) $(LAB_FLAGS) $(FIRST)

test:
	$(call need,1/4,making a Python environment in $(VENV),$(VENV)/.made)
	$(call need,2/4,installing the kernel and what its tests need,$(VENV)/.test)
	@echo "[3/4] fetching the local models (about 180 MB, once)"
	@$(BIN)/llmspell models pull
	@$(BIN)/llmspell models pull all-MiniLM-L6-v2
	@echo "[4/4] running the tests"
	@$(if $(CHROMIUM),,echo "      no Chromium here, so the browser tests are left out; to have them:"; \
		echo "      sudo apt-get install chromium (or $(BIN)/playwright install chromium)")
	@$(BIN)/python -m pytest --cov --cov-report=term $(TESTS)

check:
	$(call need,1/2,making a Python environment in $(VENV),$(VENV)/.made)
	$(call need,2/2,installing the linters,$(VENV)/.dev)
	@$(MAKE) --silent --no-print-directory --keep-going lint

# what `make check` does once everything is installed: all of them, even if one fails
lint: lint-format lint-ruff lint-types lint-imports lint-lua

lint-format:
	@echo "formatting"
	@$(BIN)/ruff format --check --quiet . || { echo "to put it right: $(BIN)/ruff format ."; exit 1; }

lint-ruff:
	@echo "lint"
	@$(BIN)/ruff check --quiet .

lint-types:
	@echo "types"
	@$(BIN)/pyright --pythonpath $(BIN)/python

lint-imports:
	@echo "import contracts"
	@$(BIN)/lint-imports > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

lint-lua:
	@echo "Lua"
	@if command -v luacheck > /dev/null; then luacheck --quiet --codes llmspell_kernel; \
		else echo "      left out: no luacheck (apt-get install lua-check, or luarocks install luacheck)"; fi

bench: $(VENV)/.test
	@$(BIN)/python benchmarks/kernel.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ── installations ─────────────────────────────────────────────────────────────────────────────────

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: https://www.python.org/downloads/"; exit 1; }
	@"$(PYTHON)" -c 'import sys; print("      with Python", sys.version.split()[0], "at", sys.executable)'
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "this Python cannot make environments; on Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@# an older pip installs as well, but tells less of how far it is
	@$(PIP) --quiet --upgrade pip || echo "      pip stays as it is"
	@touch $@

$(VENV)/.lab: $(VENV)/.made $(METADATA)
	@$(QUIETLY) "kernel and JupyterLab" $(PIP) --editable ".[lab,local]"
	@# nobody asked for the news dialog that JupyterLab opens the first time
	@$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" > $(VENV)/announcements.txt 2>&1
	@touch $@

$(VENV)/.test: $(VENV)/.made $(METADATA)
	@$(QUIETLY) "kernel and tests" $(PIP) --editable ".[test]"
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(METADATA)
	@$(QUIETLY) "kernel and linters" $(PIP) --editable ".[dev]"
	@touch $@
