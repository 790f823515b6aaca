# The only task runner. `make` alone prints this help.
.DEFAULT_GOAL := help
.PHONY: help run test test-clients test-frameworks test-emitters test-compose test-engines test-pictures images sbom check proto proto-check proto-clients fmt lint types types-code types-sdk imports docs licences audit secrets bench chaos fuzz fuzz-properties lock clean
SHELL := /bin/bash
.PHONY: docs-site proto-breaking release release-prepare

COMPILED := $(wildcard analytics/*.pyx codec/*.pyx codec/*.pxd sdk/setup.py sdk/llm_observe/_compiled/*.pyx)
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
CODE := telemetry storage analytics codec worker server streamlit_app stack benchmarks tests sdk/llm_observe
# Two halves of a minute at the same time: the bytecode of what was installed and of ours, and our compiled modules.
COMPILE := { $(BIN)/python -m compileall -q .venv/lib $(CODE) >/dev/null 2>&1 & \
	$(PIP) --no-deps --no-build-isolation -e sdk -e . && wait; }

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.done ## Install what is needed and run the whole product
	@$(BIN)/llm-observe up

# A machine of stores for each process; PYTEST_ARGS="tests/unit -x" runs some tests in this one.
PYTEST_ARGS ?= -n auto --dist loadfile --no-loadscope-reorder
test: .venv/dev.done ## Install what is needed and run every test
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

# An engine is half a gigabyte beyond .venv, so it is put beside it, in a folder of its own. Spark needs Java 17.
ENGINES ?= clickhouse
test-engines: $(ENGINES:%=.venv-engines/%.done) ## Run the reports on other engines (ENGINES="clickhouse spark")
	@set -e; for engine in $(ENGINES); do PYTHONPATH=.venv-engines/$$engine \
	$(BIN)/python -m pytest -m $$engine tests/engines/test_$$engine.py; done

test-pictures: .venv/dev.done ## Compare the pages with their pictures (UPDATE_PICTURES=1 takes them again: look at them)
	@$(BIN)/python -m pytest -m pictures tests/ui

test-clients: .venv/dev.done ## Run the clients in Go, Java, C++ and Ruby against real servers
	@$(BIN)/python -m pytest -m clients -s tests/clients

test-frameworks: .venv/dev.done ## Install frameworks, each in an environment of its own, and record their calls (FRAMEWORKS_DIR keeps them)
	@FRAMEWORKS_DIR=$(FRAMEWORKS_DIR) $(BIN)/python -m pytest -m frameworks -s tests/frameworks

test-emitters: .venv/dev.done ## Install emitters of OpenTelemetry, each in an environment of its own, and store their calls (EMITTERS_DIR keeps them)
	@EMITTERS_DIR=$(EMITTERS_DIR) $(BIN)/python -m pytest -m emitters -s tests/emitters

test-compose: .venv/dev.done ## Build the images and run the deployment for real (COMPOSE_VERIFY=path of compose_verify.sh)
	@COMPOSE_VERIFY=$(COMPOSE_VERIFY) $(BIN)/python -m pytest -s tests/compose

images: ## Build both images, with version and revision in their labels
	@for name in server app; do docker build --target $$name --build-arg REVISION=$$(git rev-parse HEAD) \
	--tag llm-observe-$$name:local . || exit 1; done

sbom: ## Write a CycloneDX bill of materials of each image to build/
	@mkdir -p build && for name in server app; do docker run --rm --entrypoint cat llm-observe-$$name:local \
	/usr/share/llm-observe/sbom.cdx.json > build/llm-observe-$$name.cdx.json || exit 1; done

CHECKS := lint types imports proto-check proto-breaking
check: .venv/dev.done .venv-proto/done ## Everything but the tests: lint, types, floors, protos
	@$(MAKE) --no-print-directory --jobs=2 $(CHECKS)

fmt: .venv/dev.done ## Format code and protos
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format . && $(BIN)/buf format -w

lint: .venv/dev.done ## Lint code, protos and the Dockerfile
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/buf lint && $(BIN)/buf format -d --exit-code \
	&& $(BIN)/hadolint Dockerfile

types: types-code types-sdk ## Check types, strictly

types-code: .venv/dev.done
	@$(BIN)/mypy $(CODE)

types-sdk: .venv/dev.done
	@cd sdk/tests && ../../$(BIN)/mypy --config-file ../../pyproject.toml --allow-untyped-defs \
	--allow-incomplete-defs --allow-untyped-calls .

imports: .venv/dev.done ## Check that imports go down, never up
	@$(BIN)/lint-imports

proto: .venv-proto/done ## Generate the Python of every proto into the SDK
	@scripts/generate_proto.sh sdk && echo "generated sdk/llm_observe/v1"

proto-check: .venv-proto/done ## Prove that the generated Python is fresh
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && scripts/generate_proto.sh "$$fresh" && \
	diff -r -x __pycache__ "$$fresh/llm_observe/v1" sdk/llm_observe/v1 && echo "generated code is fresh" || \
	{ echo "generated code is stale: run 'make proto'"; exit 1; }

proto-breaking: .venv/dev.done ## Prove that the protos break nothing that was released (docs/decisions/0030-contract.md)
	@$(BIN)/buf breaking --against proto/released.binpb

CLIENT ?= node
proto-clients: .venv/dev.done ## Generate the code of a client: CLIENT="node go java cpp ruby"
	@[ -d clients/node/node_modules ] || (cd clients/node && npm ci --no-audit --no-fund)
	@scripts/generate_clients.sh $(CLIENT) && echo "generated clients/*/gen"

docs: .venv/dev.done ## Make the pages and diagrams of docs/ that are made of code
	@$(BIN)/python -m analytics.lake > docs/parquet-schema.md
	@$(BIN)/python -m analytics.reports.document
	@$(BIN)/python -m stack.cli.document
	@$(BIN)/python -m analytics.engines
	@$(BIN)/python -m telemetry > docs/metrics.md
	@$(BIN)/python scripts/api_reference.py docs/api
	@$(BIN)/python scripts/draw_diagrams.py docs/images

licences: .venv/dev.done ## Make docs/licences.md from the locks, and refuse what is not allowed
	@$(BIN)/python scripts/licences.py > docs/licences.md

AUDITED ?= run dev server app image
audit: .venv/dev.done ## Compare the locks with known vulnerabilities; needs a network that reaches the advisories
	@for lock in $(AUDITED); do $(BIN)/python -m uv tool run --quiet --from pip-audit==2.10.1 pip-audit --strict \
	--disable-pip --require-hashes --progress-spinner off -r requirements/$$lock.lock || exit 1; done

secrets: .venv/dev.done ## Look for credentials in the tree and in the whole history
	@$(BIN)/python scripts/find_secrets.py && $(BIN)/python scripts/find_secrets.py --history

bench: .venv/dev.done ## Measure ingest and durable writes beside their bare baselines
	@$(BIN)/python -m benchmarks.ingest && $(BIN)/python -m benchmarks.durable

SEED ?= 1
chaos: .venv/dev.done ## Send 20,000 logs, and as many spans, while everything is killed at random (SEED=1); account for each
	@$(BIN)/python -m tests.chaos.storm --logs 20000 --seed $(SEED)
	@$(BIN)/python -m tests.chaos.span_storm --spans 20000 --seed $(SEED)

fuzz: .venv/dev.done ## Send 100,000 random requests to every method (SEED=1)
	@$(BIN)/python -m tests.chaos.fuzz --seed $(SEED)

fuzz-properties: .venv/dev.done ## Run the property tests on ten times as many, random examples
	@$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=random $(PYTEST_ARGS)

lock: .venv/dev.done ## Resolve requirements/*.in again
	@scripts/lock.sh

docs-site: .venv-docs/done ## Build the documentation site, with search: build/site/index.html
	@.venv-docs/bin/python scripts/build_site.py .venv-docs/bin/zensical

release-prepare: .venv/dev.done ## Write VERSION=0.3.0 to all its places, the changelog and the contract; commit after
	@$(BIN)/python scripts/release.py prepare "$(VERSION)"

release: .venv/dev.done ## Build VERSION=0.3.0 into dist/ from the commit: wheels, sdists, locks, checksums
	@$(BIN)/python scripts/release.py build "$(VERSION)"

clean: ## Remove environments and caches; the data folder stays
	rm -rf .venv .venv-docs .venv-proto .venv-engines build sdk/build *.egg-info sdk/*.egg-info .pytest_cache .mypy_cache .ruff_cache

.venv/python.done:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@echo "making the environment in .venv"
	@$(PYTHON) -m venv .venv || { echo "no venv module: on Debian, apt-get install python3-venv"; exit 1; }
	@touch $@

.venv/run.done: .venv/python.done requirements/run.lock pyproject.toml sdk/pyproject.toml $(COMPILED)
	@if [ ! -e .venv/dev.done ] || [ requirements/dev.lock -nt .venv/dev.done ]; then \
	echo "installing what is needed (once, about a minute)"; \
	$(PIP) --no-compile --require-hashes -r requirements/run.lock; fi
	@$(COMPILE)
	@touch $@

.venv/dev.done: .venv/python.done requirements/dev.lock pyproject.toml sdk/pyproject.toml $(COMPILED)
	@echo "installing what is needed, tools included (once, about a minute)"
	@$(PIP) --no-compile --require-hashes -r requirements/dev.lock
	@$(COMPILE)
	@touch $@

.venv-proto/done: requirements/proto.lock
	@echo "making the generator's environment in .venv-proto (once)"
	@$(PYTHON) -m venv .venv-proto && .venv-proto/bin/python -m pip --disable-pip-version-check install --quiet \
	--require-hashes -r requirements/proto.lock
	@touch $@

.venv-docs/done: requirements/docs.lock
	@echo "making the site generator's environment in .venv-docs (once)"
	@$(PYTHON) -m venv .venv-docs && .venv-docs/bin/python -m pip --disable-pip-version-check install --quiet \
	--require-hashes -r requirements/docs.lock
	@touch $@

.venv-engines/%.done: requirements/%.lock | .venv/dev.done
	@echo "installing $* in .venv-engines (once, half a gigabyte)"
	@rm -rf .venv-engines/$*
	@$(PIP) --require-hashes --no-deps --no-build-isolation --target .venv-engines/$* -r requirements/$*.lock
	@touch $@
