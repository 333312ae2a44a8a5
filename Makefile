# Self-documenting: `make` or `make help` lists the targets. Everything is set up in .venv; nothing else is touched,
# but for packages of the distribution that are missing (the lab needs Docker Engine, mmdebstrap, …).
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv with everything that is needed to run and test

$(STAMP): pyproject.toml tools/setup
	@tools/setup $(VENV)
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Three throwaway hosts, from bare Debian to Docker verified, before your eyes
	@$(BIN)/python -m tests.demo

.PHONY: demo-down
demo-down: $(STAMP) ## Remove the demo's hosts, the lab's engine and its network
	@$(BIN)/python -m tests.lab down --all

STAGES := lint types docs unit oracle agent e2e verify molecule
BY_FILE := -n 3 --dist loadfile --no-loadscope-reorder # each file has a lab of its own; hosts wait more than they work
FROM_OUTSIDE := tests/e2e/test_verify.py tests/e2e/test_mutations.py
SCENARIOS := default legacy drift

.PHONY: test
test: $(STAMP) ## All tests, real hosts included, with the time of each stage
	@for stage in $(STAGES); do \
	    started=$$SECONDS; \
	    $(MAKE) --no-print-directory $$stage || exit 1; \
	    echo "== $$stage took $$((SECONDS - started)) s"; \
	done

.PHONY: lint
lint: $(STAMP) ## Style, and the agent's syntax against Python 3.6
	@echo "== lint"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/vermin -q -t=3.6- --eval-annotations --violations --no-tips provision/agent

.PHONY: types
types: $(STAMP) ## Static types
	@echo "== types"
	@$(BIN)/mypy

.PHONY: docs
docs: $(BIN)/mkdocs ## The documents as a site, in build/site; a dead link is an error
	@echo "== docs"
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

$(BIN)/mkdocs: $(STAMP)
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[docs]'
	@touch -c $@

.PHONY: unit
unit: $(STAMP) ## Tests that need no host (some: make unit ARGS='tests/unit/test_cli.py -k name')
	@echo "== unit"
	@$(PYTEST) -q -n 2 $(if $(findstring tests/,$(ARGS)),,tests/unit) $(ARGS)

.PHONY: agent
agent: $(STAMP) ## The agent's tests, on each Python from 3.6 on that is here; ARGS='-k name' too
	@tests/agent/on-each-python -- $(ARGS)

.PHONY: e2e
e2e: $(STAMP) ## Tests on real hosts of the lab (root, a few minutes)
	@echo "== e2e"
	@$(PYTEST) -q $(BY_FILE) tests/e2e $(FROM_OUTSIDE:%=--ignore=%)

.PHONY: verify
verify: $(STAMP) ## The verb verify on real hosts, and the table of lies that it and check must catch
	@echo "== verify"
	@$(PYTEST) -q $(BY_FILE) $(FROM_OUTSIDE)

# Not one of the stages: what it stands on changes from day to day.
.PHONY: newer
newer: $(STAMP) ## Tests on a host of the next Debian, which is not released yet (root; skipped while none can be made)
	@echo "== newer"
	@$(PYTEST) -q -rs tests/newer

.PHONY: oracle
oracle: $(BIN)/molecule ## Random inventories and patterns beside ansible-core (ORACLE_ROUNDS=500, ORACLE_SEED=…)
	@echo "== oracle"
	@$(PYTEST) -q tests/unit/inventory/test_oracle.py

# A clone has its own folder: molecule's default is named after the folder `tests` alone, and it empties it.
.PHONY: molecule
molecule: $(STAMP) ## Molecule's scenarios on real hosts: converge, idempotence, verify
	@$(BIN)/python -m tests.lab possible; status=$$?; \
	[ $$status = 3 ] && { echo "== molecule SKIPPED"; exit 0; }; [ $$status = 0 ] || exit $$status; \
	$(MAKE) --no-print-directory $(BIN)/molecule || exit 1; \
	for scenario in $(SCENARIOS); do \
	    echo "== molecule $$scenario"; \
	    (cd tests && PATH="$(CURDIR)/$(BIN):$$PATH" MOLECULE_EPHEMERAL_DIRECTORY="$(CURDIR)/.lab/molecule/$$scenario" \
	        molecule test --scenario-name $$scenario) || exit 1; \
	done

$(BIN)/molecule: $(STAMP)
	@$(BIN)/pip install -q --disable-pip-version-check -e '.[dev,molecule]'
	@touch -c $@

.PHONY: bench
bench: $(STAMP) ## Measure a no-change run on ten hosts beside ten parallel `ssh HOST true`
	@$(BIN)/python -m bench.no_change

.PHONY: bench-inventory
bench-inventory: $(STAMP) ## 10,000 hosts read beside ansible-inventory, into docs/bench.md (needs ansible-core on PATH)
	@$(BIN)/python -m bench.inventory

.PHONY: bench-peers
bench-peers: $(STAMP) ## This tool beside pyinfra, Ansible and Mitogen, into docs/bench.* (root; on an idle machine)
	@$(BIN)/python -m bench.peers $(PEERS)

.PHONY: format
format: $(STAMP) ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: lab
lab: $(STAMP) ## Three hosts to play with: see `python3 -m tests.lab --help`
	@$(BIN)/python -m tests.lab up play --hosts bookworm bookworm trixie --directory .lab

.PHONY: clean
clean: ## Remove .venv and caches
	@rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: findings
findings: ## What other tools do that surprised us: each script shows one behaviour, and fails when that changes
	@for script in findings/*.sh; do echo "== $$script"; "$$script" || exit 1; done
