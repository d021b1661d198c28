# Two commands are enough: `make run` and `make test`. Everything they need they set up themselves.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install
export OMP_NUM_THREADS ?= 1
KIND ?= elasticsearch-9
PORT ?= 9200
ENGINE_HOME ?= reelrank-data/servers/$(KIND)
JOBS ?= 2
PYTEST := $(BIN)/pytest -q -n $(JOBS) --dist worksteal

# One line instead of pip's hundreds: a dot for each package. Errors are on standard error, as they are.
PIP_DOTS := '/^Collecting/ { printf "."; fflush() } /^Installing/ { printf " unpacking"; fflush() } END { print "" }'

SBOM_TOOL := cyclonedx-bom==7.5.0

.PHONY: help run test test-engines engines check lint generate bench sbom licences format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/run ## set up, fetch real data, index, train, serve; with CHECK=1 look at it once and end
	@$(BIN)/reelrank demo $(if $(CHECK),--check)

test: $(VENV)/dev ## set up and run every test that Python alone can run, JOBS=2 at a time
	@$(PYTEST) -m "not servers"
	@echo "Real Elasticsearch and OpenSearch servers are tested by: make test-engines"

test-engines: $(VENV)/dev ## the tests on real Elasticsearch and OpenSearch servers; needs Maven, Java 17 and 25
	@$(PYTEST) -m servers

engines: ## a real server to play with: make engines KIND=elasticsearch-9 PORT=9200
	@echo "$(KIND) will answer at http://127.0.0.1:$(PORT) until Ctrl-C; its data is in $(ENGINE_HOME)"
	@mkdir -p $(ENGINE_HOME) && rm -f $(ENGINE_HOME)/stdin && mkfifo $(ENGINE_HOME)/stdin
	@exec tests/servers/start $(KIND) $(ENGINE_HOME) $(PORT) discovery.type=single-node <> $(ENGINE_HOME)/stdin

# The folders are imported as reelrank.app and so on; mypy follows links, not the mapping of an editable install.
.types/reelrank:
	@mkdir -p $@
	@ln -sfn ../../app ../../loaders ../../ranking ../../index_mappings $@/

check: lint ## formatting, lint, types, import arrows and the fast tests
	@$(PYTEST) -m "not slow"

lint: $(VENV)/dev .types/reelrank ## formatting, lint, types and import arrows
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

generate: $(VENV)/dev ## render server mappings, Kibana imports and tables of the docs from the code
	@$(BIN)/python -m tests.consistency.generated_files

bench: $(VENV)/dev ## what it costs beside the bare libraries; SMALL=1 for a quick look
	@$(BIN)/python -m benchmarks all $(if $(SMALL),--small)

sbom: $(VENV)/run $(VENV)/sbom ## sbom.json: all that is installed here with its licences, as CycloneDX
	@$(VENV)/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible -o sbom.json $(BIN)/python
	@echo "sbom.json has $$($(BIN)/python -m deploy.licences sbom.json --count) packages"

licences: sbom ## the licences of all that is installed here
	@$(BIN)/python -m deploy.licences sbom.json

# In an environment of its own: its packages are no part of what it describes.
$(VENV)/sbom: $(VENV)/run
	@$(BIN)/python -m venv $@
	@$@/bin/python -m pip --disable-pip-version-check install --quiet $(SBOM_TOOL)

format: $(VENV)/dev ## put the code into its shape
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

$(VENV)/run: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "reelrank needs Python 3.11 to 3.13; none was found" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing what requirements.lock pins (about 40 s the first time)"
	@{ $(PIP) --no-color --require-hashes -r requirements.lock || touch $@.failed; } | awk $(PIP_DOTS)
	@! rm $@.failed 2>/dev/null  # a pipe has the status of its last command
	@$(PIP) --quiet --no-deps --editable .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements-dev.lock
	@$(PIP) --quiet --require-hashes -r requirements-dev.lock
	@touch $@

clean: ## remove the environment and the data made by `make run`
	rm -rf $(VENV) reelrank-data sbom.json
