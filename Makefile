# make demo: set everything up and show the main job.   make test: set everything up and run the tests.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: demo test slow lint install clean

demo: $(VENV)/.installed
	$(RUN)/videosynth demo --out demo

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(RUN)/python -m pytest

slow: $(VENV)/.installed
	$(RUN)/python -m pytest -m slow

lint: $(VENV)/.installed
	$(RUN)/ruff check videosynth tests benchmarks
	$(RUN)/ruff format --check videosynth tests benchmarks
	$(RUN)/pyright

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .ruff_cache
