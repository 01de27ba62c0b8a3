# make study: set up and run the default study. make test: set up and pass the tests.

PYTHON ?= python3.11
CORES ?= $(shell nproc 2>/dev/null || echo 2)
MOUSE ?= data/mouse
BIN := .venv/bin
STUDY_REPORT := results/phantom/report.html

.PHONY: study report test mouse lint format docs clean

study: report
	@echo "The report is in $(CURDIR)/$(STUDY_REPORT)"

report: .venv/ready
	$(BIN)/snakemake --cores $(CORES)
	$(BIN)/snakemake --report $(STUDY_REPORT)

test: .venv/ready
	$(BIN)/pytest

# The mouse ears are not part of this repository: MOUSE says where they lie.
mouse: .venv/ready
	$(BIN)/snakemake --cores $(CORES) --configfile config/mouse.yaml --config 'data={"folder": "$(MOUSE)"}'
	$(BIN)/snakemake --configfile config/mouse.yaml --config 'data={"folder": "$(MOUSE)"}' --report results/mouse/report.html
	@echo "The report is in $(CURDIR)/results/mouse/report.html"

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

# Pages and diagrams that are generated from the code; a test fails when they drift.
docs: .venv/ready
	$(BIN)/python -m otosynth.documentation

.venv/ready: envs/requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement envs/requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf .venv .snakemake
