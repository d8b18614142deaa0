# Every target makes .venv when it is missing, and brings it up to date when what it is made from has changed.
# A second call finds its stamp file and starts at once.

PYTHON ?= python3
JOBS ?= 2

BIN := .venv/bin
RUNTIME := .venv/.runtime
DEVELOPMENT := .venv/.development
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help setup demo test check bench docs

help:
	@echo "make setup   install subarch and its development tools into .venv"
	@echo "make demo    the main job, on text that this machine already has (ARGS=... for options)"
	@echo "make test    the tests, except those marked slow or gpu (JOBS=$(JOBS) processes, ARGS=... for pytest)"
	@echo "make check   ruff, pyright and the import layers"
	@echo "make docs    the documentation as pages that open from the disk: build/site/index.html"
	@echo "make bench   list the benchmarks; make bench NAME=... runs one (ARGS=... for its options)"

setup: $(DEVELOPMENT)

# torch is pinned by the constraints, so that a CPU build of that version is taken wherever pip can find one.
$(RUNTIME): pyproject.toml constraints.txt
	@echo "Installing subarch into .venv: a few minutes the first time."
	$(PYTHON) -m venv .venv
	$(PIP) install "pip>=25.1"
	$(PIP) install --constraint constraints.txt torch
	$(PIP) install --constraint constraints.txt --editable ".[onnx]"
	@$(PIP) install --constraint constraints.txt --only-binary :all: openvino nncf 2>/dev/null \
	  || echo "OpenVINO has no wheel for this machine: exports do without it."
	@touch $@

$(DEVELOPMENT): $(RUNTIME)
	$(PIP) install --constraint constraints.txt --group dev
	@touch $@

demo: $(RUNTIME)
	$(BIN)/subarch demo $(ARGS)

# A file stays on one worker, so that what it trains once is not trained twice.
test: $(DEVELOPMENT)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --max-worker-restart 0 -m "not slow and not gpu" $(ARGS)

check: $(DEVELOPMENT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(DEVELOPMENT)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "build/site/index.html"

bench: $(DEVELOPMENT)
ifdef NAME
	$(BIN)/python benchmarks/$(NAME).py $(ARGS)
else
	@sed -n 's/^- //p' benchmarks/README.md
endif
