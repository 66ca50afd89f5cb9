# Every command, for people and for CI. `make help` lists them.
EXPERIMENT ?= quick
# Narrow or widen the experiment: SEEDS=0,1 DEPTHS=20,56; any other key of conf/ by
# ARGS="optim.lr=0.02 device=cuda".
SEEDS ?=
DEPTHS ?=
ARGS ?=
# Where runs are trained: pool (this machine), slurm, ray
LAUNCHER ?=
# Another build of torch and torchvision: TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
PYTHON ?= python3
# Faults of each kind in `make faults`
EACH ?= 20
# Mutants in `make mutants`, and the paths that they are drawn from: ONLY=analysis
COUNT ?= 300
ONLY ?=

VENV := .venv
RUN := $(VENV)/bin/python
OVERRIDES = experiment=$(EXPERIMENT) $(if $(SEEDS),seed=$(SEEDS)) $(if $(DEPTHS),model.depth=$(DEPTHS)) \
	$(if $(LAUNCHER),hydra/launcher=$(LAUNCHER)) $(ARGS)
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup other-torch reproduce explain status report sync pull plan census power test test-slow test-cluster growth faults mutants check bench clean

help: ## List the targets
	@echo "make TARGET [EXPERIMENT=$(EXPERIMENT)] [SEEDS=0,1,2] [DEPTHS=20,56] [LAUNCHER=slurm] [ARGS=\"key=value ...\"]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(if $(TORCH_INDEX),other-torch) $(INSTALLED) ## Create .venv with the pinned packages (TORCH_INDEX= selects a CPU or CUDA build of torch)

other-torch:
	@test ! -x $(RUN) || $(RUN) -m pip uninstall --quiet --yes torch torchvision
	@rm -f $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "$(PYTHON) is not Python 3.11 to 3.13; set PYTHON, such as PYTHON=python3.12"; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); torch is large, so this can take some minutes"
	@$(if $(TORCH_INDEX),$(RUN) -m pip install --quiet --index-url $(TORCH_INDEX) -c constraints.txt torch torchvision)
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@$(RUN) -c 'from degradation.environment import check_installation; check_installation()'
	@touch $@

reproduce: $(INSTALLED) ## Train the unfinished runs of the experiment, then write verdicts, figures and report
	@$(RUN) experiments/train.py $(OVERRIDES); status=$$?; \
	if [ $$status -lt 128 ]; then $(RUN) experiments/report.py $(OVERRIDES) || exit 1; fi; exit $$status

explain: $(INSTALLED) ## Train what is missing, probe the networks, measure loss landscapes, and add "Why" to the report
	@$(RUN) experiments/status.py $(OVERRIDES) > /dev/null
	@worst=0; for script in train explain landscape report; do \
		$(RUN) experiments/$$script.py $(OVERRIDES); status=$$?; \
		if [ $$status -gt $$worst ]; then worst=$$status; fi; \
		if [ $$status -ge 128 ]; then break; fi; \
	done; exit $$worst

status: $(INSTALLED) ## Show the state of each run of the experiment
	@$(RUN) experiments/status.py $(OVERRIDES)

report: $(INSTALLED) ## Write verdicts, figures and report of the runs that exist
	@$(RUN) experiments/report.py $(OVERRIDES)

sync: $(INSTALLED) ## Send to W&B what it lacks of the experiment's records (needs a key)
	@$(RUN) experiments/sync.py $(OVERRIDES)

pull: $(INSTALLED) ## Write the runs of a W&B project to records under pulled/ (ARGS="tracking.entity=me"; EXPERIMENT= for its runs only)
	@$(RUN) experiments/pull.py $(if $(filter-out file,$(origin EXPERIMENT)),--group $(EXPERIMENT)) $(ARGS)

plan: $(INSTALLED) ## Show what the experiment costs before it starts (ARGS="--device cuda --devices 8")
	@$(RUN) experiments/plan.py $(OVERRIDES)

census: $(INSTALLED) ## Show parameters, multiply-adds and activations of the experiment's networks
	@$(RUN) experiments/census.py $(OVERRIDES)

power: $(INSTALLED) ## Simulate how probable each verdict on the claims is, for docs/verdicts.md (minutes)
	@$(RUN) experiments/power.py

test: $(INSTALLED) ## Run the fast tests (under 3 minutes)
	@$(RUN) -m pytest -q -n 4 --dist worksteal -m "not slow and not cluster"

test-slow: $(INSTALLED) ## Run the tests that train for minutes
	@$(RUN) -m pytest -q -n 2 --dist worksteal -m slow

test-cluster: $(INSTALLED) ## Run sweeps on a one-node SLURM and a two-node Ray cluster, installing Ray if possible
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev,ray]' || echo "Ray cannot be installed; its tests are skipped"
	@$(RUN) -m pytest -q -m cluster

growth: $(INSTALLED) ## Time status, report and pull for 100, 1,000 and 10,000 generated runs
	@PYTHONPATH=. $(RUN) tests/growth

faults: $(INSTALLED) ## Inject 20 faults of each kind into a small sweep and compare it with an undisturbed one (EACH=20)
	@PYTHONPATH=. $(RUN) tests/faults --each $(EACH)

mutants: $(INSTALLED) ## Count how many of 300 mutants of the numerical code the tests detect (COUNT=20 ONLY=analysis)
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev,mutants]'
	@$(RUN) tests/mutants --count $(COUNT) --only "$(ONLY)"

check: $(INSTALLED) ## Check formatting, lint, types and the direction of imports
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

bench: $(INSTALLED) ## Time the experiment's runs against the bare training loop
	@$(RUN) experiments/bench.py $(OVERRIDES)

clean: ## Remove reports, logs and caches, but never the records in runs/
	@rm -rf reports multirun outputs build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache src/*.egg-info
	@find src analysis experiments tests -name __pycache__ -prune -exec rm -rf {} +
