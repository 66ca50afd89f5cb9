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
# Part of `make bench`: step, several, evaluation, alternatives or overhead; default: the first three
PART ?=

# What a command line may set. A name that was meant for one of these or for a key of conf/ is
# refused, since it would be ignored; others (V=1) do no harm.
VARIABLES := EXPERIMENT SEEDS DEPTHS ARGS LAUNCHER TORCH_INDEX PYTHON EACH COUNT ONLY PART
OTHERS := $(strip $(foreach name,$(filter-out $(VARIABLES) SHELL MAKEFLAGS -%,$(.VARIABLES)),\
	$(if $(filter command,$(firstword $(origin $(name)))),$(name))))
ifneq ($(OTHERS),)
MISTAKES := $(shell $(PYTHON) src/degradation/make_variables.py '$(VARIABLES)' \
	$(foreach name,$(OTHERS),'$(name)') 2> /dev/null || echo '$(OTHERS)')
ifneq ($(MISTAKES),)
$(error $(MISTAKES): no such variable; allowed: $(VARIABLES); a key of conf/ goes into \
	ARGS="key=value")
endif
endif

# A variable that some shell has exported selects runs as one that is typed does, so it is named
SELECTORS := EXPERIMENT SEEDS DEPTHS ARGS LAUNCHER
INHERITED := $(strip $(foreach name,$(SELECTORS),\
	$(if $(filter environment,$(firstword $(origin $(name)))),$(if $($(name)),$(name)="$($(name))"))))
READING := data reproduce explain status report open screenshots publish sync pull plan census bench
ifneq ($(and $(INHERITED),$(filter $(READING),$(MAKECMDGOALS))),)
$(warning from the environment: $(INHERITED))
endif

VENV := .venv
RUN := $(VENV)/bin/python
SELECTION = $(if $(SEEDS),seed=$(SEEDS)) $(if $(DEPTHS),model.depth=$(DEPTHS)) \
	$(if $(LAUNCHER),hydra/launcher=$(LAUNCHER)) $(ARGS)
OVERRIDES = experiment=$(EXPERIMENT) $(SELECTION)
# For `make bench` and `make pull`, which have networks of their own and read the whole project,
# unless EXPERIMENT is set by the user
CHOSEN = $(if $(filter-out file,$(origin EXPERIMENT)),experiment=$(EXPERIMENT)) $(SELECTION)
# All entries of the ledger are checked, unless EXPERIMENT is set by the user
ENTRY = $(if $(filter-out file,$(origin EXPERIMENT)),$(EXPERIMENT))
INSTALLED := $(VENV)/.installed
# Run scripts one after another. Exit status 3 means that a sweep ended with failed runs, and the
# others follow. Any other failure ends the command: a launch that fails before any run leaves the
# report as it was.
run_scripts = worst=0; $(foreach script,$(1),$(RUN) experiments/$(script).py $(OVERRIDES); \
	status=$$?; test $$status -le $$worst || worst=$$status; \
	test $$status -eq 0 || test $$status -eq 3 || exit $$status;) exit $$worst

# Why .venv cannot run this folder's code: it was interrupted, moved or copied. Asked again by every
# target that uses it. An error of the check itself is printed, and does not cause a rebuild.
CHECK_VENV := -I src/degradation/venv_check.py
NO_START := its Python does not start
# The faulty .venv, until the new one is complete
OLD := $(VENV)-old
PINS := pyproject.toml constraints.txt
GOALS := $(filter-out help clean,$(MAKECMDGOALS))
ifneq ($(GOALS),)
FAULT := $(shell test -e $(VENV) || test -L $(VENV) || exit 0; \
	if $(RUN) -I -c '' 2> /dev/null; then $(RUN) $(CHECK_VENV) $(VENV); else echo '$(NO_START)'; fi)
# Whether .venv-old is complete and works (again), and .venv is not: the rebuild failed
KEPT := $(shell test -e $(OLD)/.installed || exit 0; \
	$(if $(FAULT),true,! test -e $(INSTALLED)) || exit 0; \
	fault=$$($(OLD)/bin/python $(CHECK_VENV) $(OLD) 2> /dev/null) && test -z "$$fault" && echo yes)
endif
# A Python that comes from a module does not start in another shell, although jobs may run from .venv
ifeq ($(FAULT)$(KEPT)$(filter setup,$(GOALS)),$(NO_START))
HOME_OF_PYTHON := $(shell sed -n 's/^home = //p' $(VENV)/pyvenv.cfg 2> /dev/null)
$(error $(VENV): $(FAULT); load the module that provides \
	$(or $(HOME_OF_PYTHON),it), or run `make setup`, which rebuilds $(VENV))
endif
# The package index of torch, which a rebuilt .venv needs again
INDEX_FILE := $(VENV)/.torch-index
INDEX := $(or $(TORCH_INDEX),\
	$(shell cat $(INDEX_FILE) $(OLD)/.torch-index 2> /dev/null | head -n 1))
OTHER_TORCH := $(if $(TORCH_INDEX),$(filter setup,$(GOALS)))
# Whether .venv-old, once moved back, is all that is wanted
NEWER_PINS := $(if $(KEPT),$(shell find -L $(PINS) -newer $(OLD)/.installed))
UP_TO_DATE := $(if $(OTHER_TORCH)$(NEWER_PINS),,$(KEPT))
CHECK_TORCH := from degradation.cli import run_script; \
	from degradation.environment import check_installation; run_script(check_installation)

# .venv holds all packages; a folder of the shell's PYTHONPATH could hold other ones of their names.
unexport PYTHONPATH PYTHONHOME

# Also with -j: a report that is made together with runs follows them.
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup always data reproduce explain status report open index screenshots publish sync pull
.PHONY: plan check-gpu notebook ledger check-ledger census power test test-slow test-cluster growth faults mutants check bench clean

help: ## List the targets
	@echo "make TARGET [EXPERIMENT=$(EXPERIMENT)] [SEEDS=0,1,2] [DEPTHS=20,56] [LAUNCHER=slurm]" \
		"[ARGS=\"key=value ...\"]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Create .venv with the pinned packages

always:

$(INSTALLED): $(PINS) $(if $(FAULT)$(OTHER_TORCH),always)
	@$(if $(KEPT),echo '$(VENV): $(subst ','\'',$(or $(FAULT),it is incomplete)); \
		$(OLD) works and is moved back' && rm -rf $(VENV) && mv $(OLD) $(VENV))
ifeq ($(UP_TO_DATE),)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "PYTHON: $(PYTHON) is not allowed; allowed: Python 3.11 to 3.13"; exit 1; }
	@$(if $(KEPT),,$(if $(FAULT),echo '$(VENV): $(subst ','\'',$(FAULT)); it is rebuilt' && \
		if test -e $@ || ! { test -e $(OLD) || test -L $(OLD); }; \
		then rm -rf $(OLD) && mv $(VENV) $(OLD); else rm -rf $(VENV); fi))
	@$(if $(OTHER_TORCH),rm -f $@; \
		test ! -x $(RUN) || $(RUN) -m pip uninstall --quiet --yes torch torchvision)
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); torch is large, so this can take some minutes"
	@$(if $(INDEX),echo "$(INDEX)" > $(INDEX_FILE); $(RUN) -m pip install --quiet \
		--index-url $(INDEX) -c constraints.txt torch torchvision)
	@$(RUN) -m pip install --quiet -c constraints.txt -e '.[dev]'
	@$(RUN) -c '$(CHECK_TORCH)'
	@touch $@
	@rm -rf $(OLD)
endif

reproduce: $(INSTALLED) ## Train the unfinished runs, then write the report
	@$(call run_scripts,train report)

data: $(INSTALLED) ## Download and verify the experiment's data, for nodes without a network
	@$(RUN) experiments/data.py $(OVERRIDES)

explain: $(INSTALLED) ## Train what is missing, run probes, and add "Why" to the report
	@$(call run_scripts,train explain landscape report)

status: $(INSTALLED) ## Show the state of each run of the experiment
	@$(RUN) experiments/status.py $(OVERRIDES)

report: $(INSTALLED) ## Write verdicts, figures and report of the recorded runs
	@$(RUN) experiments/report.py $(OVERRIDES)

open: $(INSTALLED) ## Open the experiment's report in a browser, or the index of all reports
	@$(RUN) experiments/open_report.py $(OVERRIDES)

index: $(INSTALLED) ## Write reports/index.html again, which lists all reports
	@$(RUN) experiments/report.py --index

screenshots: $(INSTALLED) ## Take pictures of the experiment's report in a browser, for docs/
	@PYTHONPATH=. $(RUN) tests/screenshots $(OVERRIDES)

publish: $(INSTALLED) ## Write the experiment's records to its ledger entry, without weights
	@$(RUN) experiments/publish.py $(OVERRIDES)

ledger: $(INSTALLED) ## Draw the ledger's figures and tables again from its published records
	@$(RUN) experiments/check_ledger.py $(ENTRY) --write $(ARGS)

check-ledger: $(INSTALLED) ## Name the files of the ledger that differ from its published records
	@$(RUN) experiments/check_ledger.py $(ENTRY) $(ARGS)

sync: $(INSTALLED) ## Send W&B what it lacks of the experiment's records (needs a key)
	@$(RUN) experiments/sync.py $(OVERRIDES)

pull: $(INSTALLED) ## Write the runs of a W&B project to pulled/ (ARGS="tracking.entity=me")
	@$(RUN) experiments/pull.py $(CHOSEN)

plan: $(INSTALLED) ## Estimate cost and seeds (ARGS="--device cuda --devices 8 --spread 3 --effect 5")
	@$(RUN) experiments/plan.py $(OVERRIDES)

census: $(INSTALLED) ## Print parameters, multiply-adds and activations of the networks
	@$(RUN) experiments/census.py $(OVERRIDES)

check-gpu: $(INSTALLED) ## Check in about a minute that captured steps equal eager ones on this GPU
	@$(RUN) experiments/check_gpu.py $(ARGS)

notebook: $(INSTALLED) ## Execute the lecture's notebook and write its outputs into it
	@$(RUN) notebooks/execute.py

power: $(INSTALLED) ## Simulate the probability of each verdict, for docs/verdicts.md
	@$(RUN) experiments/power.py

test: $(INSTALLED) ## Run the fast tests (under 3 minutes)
	@$(RUN) -m pytest -q -n 2 --dist worksteal --durations=25 -m "not slow and not cluster"

test-slow: $(INSTALLED) ## Run the tests that train for minutes
	@$(RUN) -m pytest -q -n 2 --dist worksteal --durations=25 -m slow

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

bench: $(INSTALLED) ## Time the suite against the plain PyTorch recipe (PART=step)
	@$(RUN) experiments/bench.py $(if $(PART),--part=$(PART)) $(CHOSEN)

clean: ## Remove reports, logs and caches, but never the records in runs/
	@rm -rf reports multirun outputs build src/*.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	@find src analysis benchmarks experiments notebooks tests -name __pycache__ -prune -exec rm -rf {} +
