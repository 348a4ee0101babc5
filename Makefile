# Every target makes its own virtual environment; a stamp file records what is installed there.
PYTHON   ?= python3
VENV     ?= .venv
VERSIONS := 3.11 3.12 3.13
FAST     := tests/ir tests/autodiff tests/ops/test_functions.py tests/test_optim.py tests/show \
            tests/project/test_architecture.py tests/project/test_classes.py \
            tests/project/test_glossary.py tests/project/test_paths.py
CORPUS   := tests/whole/test_corpus.py
JAX      := tests/whole/test_kernels_jax.py tests/whole/test_fuzz_jax.py
REST     := tests gradcompile $(addprefix --ignore=tests/, batch benchmarks roll compiler emit jit ops passes verify whole)
# cyipopt is built from source, where IPOPT is.
IPOPT    := $(if $(shell pkg-config --exists ipopt blas lapack 2>/dev/null && echo yes),ipopt)
SHELL    := bash
BIN      := $(VENV)/bin
PIP      := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo fast test test-all pythons lint docs peers bench-calls bench-rolling bench-derivatives bench-peers clean
.NOTPARALLEL:

# Many tests start a process, and each would compile all sources again.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.with-base ## install, then compile, verify and draw a neuron
	$(BIN)/gradcompile demo neuron

fast: $(VENV)/.with-test ## run the tests that take half a minute
	$(BIN)/python -m pytest $(FAST)

test: $(VENV)/.with-test ## run the tests
	$(BIN)/python -m pytest

test-all: ## run the tests on each supported Python that is installed
	@tested=; failed=; \
	while read -r v python; do \
	  echo "== Python $$v"; \
	  if $(MAKE) --no-print-directory test PYTHON="$$python" VENV=.venv-$$v </dev/null; \
	  then tested="$$tested $$v"; else failed="$$failed $$v"; fi; \
	done <<< "$$($(MAKE) --no-print-directory pythons)"; \
	echo "test-all: supported: $(VERSIONS); passed:$${tested:- none}; failed:$${failed:- none}"; \
	[ -z "$$failed" ] && [ -n "$$tested" ]

pythons: ## list the supported Pythons that are installed
	@# Where pyenv provides the interpreters, only one that PYENV_VERSION names can be found.
	@for v in $(VERSIONS); do \
	  python=$$(PYENV_VERSION=$$v python$$v -c 'import sys; print(sys.executable)' 2>/dev/null || \
	    python$$v -c 'import sys; print(sys.executable)' 2>/dev/null) && echo "$$v $$python" || true; \
	done

lint: $(VENV)/.with-dev ## check style, format and types
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy --strict

docs: $(VENV)/.with-docs ## execute and build the documentation
	$(BIN)/python -m sphinx -b html -E -W --keep-going -q docs docs/_build/html
	@echo "see docs/_build/html/index.html"

peers: $(VENV)/.with-test $(VENV)/.with-peers $(IPOPT:%=$(VENV)/.with-%) ## run the slow tests and those that need torch, jax, micrograd, ...
	$(BIN)/python -c "import jax, micrograd, torch"
	@# Numba frees little of what it compiles: each part has a process, which stays below 2 GB.
	@for part in tests/batch tests/roll tests/compiler "tests/emit tests/jit" \
	    "tests/ops tests/passes" tests/verify "tests/whole $(addprefix --ignore=,$(CORPUS) $(JAX))" $(CORPUS) "$(JAX)" \
	    tests/benchmarks "$(REST)"; do \
	  $(BIN)/python -m pytest -n 0 --benchmark-enable -m "peers or slow" \
	    --allowed-skips tests/allowed-skips.txt --most-memory 2 $$part || exit 1; \
	done

bench-calls: $(VENV)/.with-test $(VENV)/.with-peers ## print what a call costs, and its bars; OUT=docs/calls-benchmarks.md to keep the page
	$(BIN)/python -m tests.benchmarks.calls $(if $(OUT),--out $(OUT))

bench-rolling: $(VENV)/.with-test $(VENV)/.with-peers ## print what rolling achieves, its bars and its peers; OUT=FILE.md to keep it
	$(BIN)/python -m tests.benchmarks.rolling $(if $(OUT),--out $(OUT))

bench-derivatives: $(VENV)/.with-test $(VENV)/.with-peers ## time Jacobians and Hessians by peers, and print the bars; OUT=FILE.md to keep it
	$(BIN)/python -m tests.benchmarks.derivatives $(if $(OUT),--out $(OUT))

bench-peers: $(VENV)/.with-test $(VENV)/.with-peers ## time the same works by peers; OUT=docs/benchmarks.md to keep page and plot
	$(BIN)/python -m tests.benchmarks.peers $(if $(OUT),--out $(OUT))

clean: ## remove environments, caches and everything built
	rm -rf .venv .venv-* build dist docs/_build
	rm -rf .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  version=$$($(PYTHON) -c 'import platform; print(platform.python_version())' 2>/dev/null); \
	  echo "gradcompile needs Python 3.11 or newer, but $(PYTHON) is $${version:-missing}:" \
	    "name another one with 'make PYTHON=...'" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.with-base: pyproject.toml $(VENV)/.created
	$(PIP) -e .
	@touch $@

$(VENV)/.with-%: pyproject.toml $(VENV)/.created
	$(PIP) -e ".[$*]"
	@touch $@
