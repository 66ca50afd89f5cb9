# Every command, for people and for CI. `make help` lists them.
EXPERIMENT ?= quick
# Narrow or widen the experiment: SEEDS=0,1 DEPTHS=20,56. Any other key of conf/:
# ARGS="optim.lr=0.02 device=cuda"
SEEDS ?=
DEPTHS ?=
ARGS ?=
# Where runs are trained: pool (this machine), slurm, ray
LAUNCHER ?=
# Another build of torch and torchvision: TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PYTHON ?= python3
# Number of faults of each kind in `make faults`
EACH ?= 20
# Number of mutants in `make mutants`, and the paths that they are drawn from: ONLY=analysis
COUNT ?= 300
ONLY ?=

VENV := .venv
RUN := $(VENV)/bin/python
OVERRIDES = experiment=$(EXPERIMENT) $(if $(SEEDS),seed=$(SEEDS)) \
	$(if $(DEPTHS),model.depth=$(DEPTHS)) $(if $(LAUNCHER),hydra/launcher=$(LAUNCHER)) $(ARGS)
# Only the runs of the experiment are pulled if EXPERIMENT is set by the user
GROUP = $(if $(filter-out file,$(origin EXPERIMENT)),--group $(EXPERIMENT))
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup other-torch reproduce explain status report sync pull plan census power
.PHONY: test test-slow test-cluster growth faults mutants check bench clean

help: ## List the targets
	@echo "make TARGET [EXPERIMENT=$(EXPERIMENT)] [SEEDS=0,1,2] [DEPTHS=20,56] [LAUNCHER=slurm]" \
		"[ARGS=\"key=value ...\"]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(if $(TORCH_INDEX),other-torch) $(INSTALLED) ## Create .venv with the pinned packages

other-torch:
	@test ! -x $(RUN) || $(RUN) -m pip uninstall --quiet --yes torch torchvision
	@rm -f $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "PYTHON: $(PYTHON) is not allowed; allowed: Python 3.11 to 3.13"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); torch is large, so this can take some minutes"
	@$(if $(TORCH_INDEX),$(RUN) -m pip install --quiet --index-url $(TORCH_INDEX) \
		-c constraints.txt torch torchvision)
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@$(RUN) -c 'from degradation.environment import check_installation; check_installation()'
	@touch $@

reproduce: $(INSTALLED) ## Train the unfinished runs, then write the report
	@$(RUN) experiments/train.py $(OVERRIDES); status=$$?; \
	if [ $$status -lt 128 ]; then $(RUN) experiments/report.py $(OVERRIDES) || exit 1; fi; \
	exit $$status

explain: $(INSTALLED) ## Train what is missing, run probes, and add "Why" to the report
	@$(RUN) experiments/status.py $(OVERRIDES) > /dev/null
	@worst=0; for script in train explain landscape report; do \
		$(RUN) experiments/$$script.py $(OVERRIDES); status=$$?; \
		if [ $$status -gt $$worst ]; then worst=$$status; fi; \
		if [ $$status -ge 128 ]; then break; fi; \
	done; exit $$worst

status: $(INSTALLED) ## Show the state of each run of the experiment
	@$(RUN) experiments/status.py $(OVERRIDES)

report: $(INSTALLED) ## Write verdicts, figures and report of the recorded runs
	@$(RUN) experiments/report.py $(OVERRIDES)

sync: $(INSTALLED) ## Send W&B what it lacks of the experiment's records (needs a key)
	@$(RUN) experiments/sync.py $(OVERRIDES)

pull: $(INSTALLED) ## Write the runs of a W&B project to pulled/ (ARGS="tracking.entity=me")
	@$(RUN) experiments/pull.py $(GROUP) $(ARGS)

plan: $(INSTALLED) ## Estimate the experiment's cost (ARGS="--device cuda --devices 8")
	@$(RUN) experiments/plan.py $(OVERRIDES)

census: $(INSTALLED) ## Print parameters, multiply-adds and activations of the networks
	@$(RUN) experiments/census.py $(OVERRIDES)

power: $(INSTALLED) ## Simulate the probability of each verdict, for docs/verdicts.md
	@$(RUN) experiments/power.py

test: $(INSTALLED) ## Run the fast tests (under 3 minutes)
	@$(RUN) -m pytest -q -n 4 --dist worksteal -m "not slow and not cluster"

test-slow: $(INSTALLED) ## Run the tests that train for minutes
	@$(RUN) -m pytest -q -n 2 --dist worksteal -m slow

test-cluster: $(INSTALLED) ## Run sweeps on a one-node SLURM and a two-node Ray cluster
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev,ray]' \
		|| echo "Ray cannot be installed; its tests are skipped"
	@$(RUN) -m pytest -q -m cluster

growth: $(INSTALLED) ## Time status, report and pull for 100, 1,000 and 10,000 generated runs
	@PYTHONPATH=. $(RUN) tests/growth

faults: $(INSTALLED) ## Compare a sweep disturbed by faults with an undisturbed one (EACH=20)
	@PYTHONPATH=. $(RUN) tests/faults --each $(EACH)

mutants: $(INSTALLED) ## Count the mutants that the tests detect (COUNT=20 ONLY=analysis)
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev,mutants]'
	@$(RUN) tests/mutants --count $(COUNT) --only "$(ONLY)"

check: $(INSTALLED) ## Check formatting, lint, types and the direction of imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

bench: $(INSTALLED) ## Compare the experiment's wall time with the bare training loop
	@$(RUN) experiments/bench.py $(OVERRIDES)

clean: ## Remove reports, logs and caches, but never the records in runs/
	@rm -rf reports multirun outputs build src/*.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find src analysis experiments tests -name __pycache__ -prune -exec rm -rf {} +
