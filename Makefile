# Two commands on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test firmware-test lint docs notebooks clean

demo: $(VENV)/.installed
	$(BIN)/hypertinypw demo --out=build/demo

test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses=4 --dist=loadfile --durations=30

# What runs on an emulated Cortex-M4; a part of `make test`. With TFLM_LIB= and
# TFLM_INCLUDE= also whole models, those of MODEL= or the examples: see
# tflm_ops/README.md.
firmware-test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/firmware
	$(if $(TFLM_LIB)$(TFLM_INCLUDE),\
	  $(BIN)/python benchmarks/board_interpreter.py $(MODEL))

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy keras_hypertinypw
	$(BIN)/clang-format --dry-run --Werror $$(git ls-files '*.h' '*.cc')

# The site, for a browser: build/site/index.html. It needs no network.
docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Runs the notebooks again, and keeps their outputs.
notebooks: $(VENV)/.installed-dev
	$(BIN)/python notebooks/execute.py

# A stamp newer than setup.cfg means that what it asks for is installed.
$(VENV)/.installed: setup.cfg pyproject.toml
	@echo "Installing TensorFlow and the rest into $(VENV): minutes, and 2.5 GB."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.installed-dev: setup.cfg pyproject.toml
	@echo "Installing TensorFlow and the rest into $(VENV): minutes, and 2.5 GB."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) build *.egg-info
