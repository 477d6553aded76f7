# `make demo` and `make test` need only Python 3.11+ and make: they create one environment
# in .venv, reuse it, and rebuild it when the pinned requirements change.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tests beside the science: what stands in extra/, the documents, drawings, and what only real data need:
# readers of files that few have, studies, many labels, absent steps.
BESIDE := tests/extra tests/docs tests/course tests/playground tests/real tests/studies \
	tests/experiments/test_tables123.py tests/probes/test_many_labels.py tests/comm/test_absent.py \
	tests/cli/test_cli_benchmark.py tests/test_plots.py tests/test_sheets.py tests/test_pair_sheet.py
DOCS_READY := $(VENV)/.docs-ready

.PHONY: demo docs test test-extra test-processes test-slow check lint format clean

demo: $(READY)
	$(BIN)/comm-probe demo

# Everything anew: Sphinx warns of a page only when it reads it, and every warning is an error. The
# commands that pages quote are carried out beside it, on the second core.
docs: $(DOCS_READY)
	rm -rf build/guide
	@$(BIN)/python docs/guide/run_commands.py & commands=$$!; \
	$(BIN)/python -m sphinx -q -E -W --keep-going -c docs/guide docs build/guide; guide=$$?; \
	wait $$commands && exit $$guide
	@echo "the guide: build/guide/index.html"

# Without pytest's rewriting of assertions, which compiles every test in every process (four of ninety
# seconds); what failed runs again with it, for its explanation.
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(BESIDE:%=--ignore %) \
		--assert=plain || { $(BIN)/python -m pytest --last-failed --last-failed-no-failures none; exit 1; }

# What the science does not need (extra/): compiled steps, several processes, clusters, benchmarks,
# fine-tuning; the guide, the course, the playground, drawings, and the examples of docstrings; readers
# of real data, on miniature files. Continuous integration runs it too.
test-extra: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(BESIDE)
	$(BIN)/python -m pytest --doctest-modules trifeature

# What starts processes of its own: too slow for every change, not for every submission.
test-processes: $(READY)
	$(BIN)/python -m pytest -m processes

test-slow: $(READY)
	$(BIN)/python -m pytest -m 'slow or processes'

check: lint test test-extra

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found: install one, or say make PYTHON=/path/to/python3" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(DOCS_READY): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
