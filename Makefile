# Every target makes and uses .venv by itself. Needed on the machine: make, and Python >= 3.11 with venv and pip.
# `make help` lists the targets.

PORT ?= 9116
SCENARIO ?=
PUSH ?=
SEED ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
MUTANTS_ARGS ?=
PREVIEW_ARGS ?=
UPGRADE ?=
PYTHON ?=
SOAK_MINUTES ?= 5
WORKERS ?= 4

SHELL := /bin/sh
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header $(UPGRADE) pyproject.toml
TEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal
CODE := exporter tests rules dashboards helm tools

# The tests start hundreds of processes, and without bytecode each compiles all that it imports: three times the CPU.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test coverage lint bytecode format tools bench soak rules dashboards dashboards-preview mutants chart-mutants scorecard chart docs image
.PHONY: pod-smoke sbom release lock venv clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: venv  ## a simulated AWS and the exporter against it, on PORT=9116; also SEED=, SCENARIO= and PUSH=1
	$(BIN)/storage-exporter demo --port $(PORT) $(if $(SEED),--seed $(SEED)) $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(PUSH),--push)

# The tests use Debian's prometheus, promtool, alertmanager and amtool, and Grafana's grammar of LogQL (node, npm). Without
# them a developer's run skips those tests and says so; under CI=true that is an error.
# Four at a time on two cores, for much of a test is waiting; and without coverage, which takes as much again as the
# tests themselves.
test: venv  ## lint, then every test; PYTEST_ARGS='-k word' for some, WORKERS=0 for one after another
	@$(MAKE) --no-print-directory --jobs 2 lint bytecode
	@tools/debian_tools.sh || test -z "$$CI"
	@tools/logql_tools.sh || test -z "$$CI"
	$(TEST) $(PYTEST_ARGS)

coverage: venv  ## every test, with coverage of lines and branches: at least 85 %
	$(TEST) --cov $(PYTEST_ARGS)

lint: venv  ## ruff, formatting, mypy --strict, the floors of the architecture
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet . || { echo "Not formatted: 'make format' does it." >&2; exit 1; }
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# What is not well there, the tests themselves say.
bytecode: venv
	@$(BIN)/python -m pytest --collect-only --quiet >/dev/null 2>&1 || true

format: venv  ## apply the formatter and ruff's safe fixes
	$(BIN)/ruff check --quiet --fix-only .
	$(BIN)/ruff format .

tools:  ## fetch prometheus, promtool, alertmanager, amtool (Debian packages, no root) and Grafana's LogQL grammar into .tools/
	tools/debian_tools.sh
	tools/logql_tools.sh

bench: venv  ## about 100,000 series: what a sweep costs, into tests/bench/RESULTS.md; BENCH_ARGS='--series 1000000'
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

soak: venv  ## every fault in turn for SOAK_MINUTES=5, then what must still be true; also SEED=
	$(BIN)/python -m tests.soak --minutes $(SOAK_MINUTES) $(if $(SEED),--seed $(SEED))

dashboards: venv  ## write dashboards/*.json anew from dashboards/build
	$(BIN)/python -m dashboards.build

dashboards-preview: venv tools  ## draw them from a simulated hour into build/dashboards-preview; pictures where Chromium is
	$(BIN)/python -m tests.dashboards.preview $(PREVIEW_ARGS)

rules: venv  ## write rules/mimir, rules/thresholds.yaml and rules/tests anew from rules/build
	$(BIN)/python -m rules.build

chart: venv  ## write the chart's values.schema.json, README.md and files/sources.yaml anew, and the golden renders
	$(BIN)/python -m helm.build
	$(BIN)/python -m tests.chart.golden

chart-mutants: venv tools  ## break the chart's templates a line at a time: how many the tests catch; MUTANTS_ARGS='--sample 50'
	$(BIN)/python -m tests.chart.mutants $(MUTANTS_ARGS)

image: venv  ## the image for amd64 and arm64 (docker buildx, podman or buildah); PUSH=1, IMAGE=, BASE_DIGEST=
	tools/image/build.sh

pod-smoke: venv  ## the rendered pod without an engine (as root): probes, rights, writes, scrape and push, SIGTERM
	$(BIN)/python -m tests.image

sbom: venv  ## what the image's environment holds, CycloneDX, into build/sbom.cdx.json
	tools/image/sbom.sh

release: venv  ## audit, image, SBOM, signatures, chart: in CI, from a tag
	tools/image/release.sh

mutants: venv tools  ## one change at a time in every rule: how many the tests catch; MUTANTS_ARGS='efs --only Credits'
	$(BIN)/python -m tests.rules.mutants $(MUTANTS_ARGS)
	$(BIN)/python -m tests.rules.mutants_logql

scorecard: venv tools  ## minutes from cause to page, scenario by scenario, into tests/rules/RESULTS.md
	$(BIN)/python -m tests.rules.scorecard

docs: venv  ## write exporter/METRICS.md anew from the tables in the code
	$(BIN)/storage-exporter metrics --markdown > .METRICS.md.new || { rm -f .METRICS.md.new; exit 1; }
	mv .METRICS.md.new exporter/METRICS.md

# The pins that are there stay unless pyproject.toml asks for others. The development lock is held to the runtime lock,
# so the tests run what is shipped. The locks name no index: where packages come from is the machine's own setting.
lock: venv  ## resolve both locks; UPGRADE=--upgrade for the newest versions, UPGRADE='-P name' for one
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --group dev --constraints requirements.lock --output-file requirements-dev.lock

clean:  ## remove .venv, .tools and every cache
	rm -rf .venv .tools build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

venv: .venv/.project  ## only make the environment

# uv, itself by pip and by its hash, installs the rest in a third of pip's time; where its index cannot be reached, pip does.
# One environment for everything: `make run` takes the development set too, which saves a second environment.
# An environment whose interpreter went away is made anew; a changed lock is installed over what is there.
.venv/.locked: requirements-dev.lock
	@if ! $(BIN)/python -c '' 2>/dev/null; then \
	  python=$$(tools/find_python.sh $(PYTHON)) && echo "Making .venv with $$python" && rm -rf .venv && "$$python" -m venv .venv; fi
	@echo "Installing requirements-dev.lock"
	@$(BIN)/python -m tools.image.locks requirements-dev.lock uv > .venv/uv.lock
	@$(INSTALL) --require-hashes -r .venv/uv.lock
	@$(UV_INSTALL) --require-hashes -r requirements-dev.lock || $(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

.venv/.project: .venv/.locked pyproject.toml
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@
