"""Hydra's own check of every job is skipped only if the launcher checks them itself."""

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.errors import CompactHydraException

from hydra_plugins.checked_sweeper.sweeper import CheckedSweeper
from hydra_plugins.sweep_launcher import SweepLauncher


class OwnLauncher(SweepLauncher):
    """One that only has the type of this project's launchers."""

    def __init__(self):
        pass

    def find_capacity(self, _jobs):
        raise NotImplementedError

    def run(self, _jobs, _display):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("launcher", "is_checked"), [(OwnLauncher(), False), (BasicLauncher(), True)]
)
def test_jobs_are_checked_before_the_first_one_runs(monkeypatch, launcher, is_checked):
    checked = []
    # Hydra may have executed the module of its sweeper again, which then defines another class
    (basic_sweeper,) = CheckedSweeper.__bases__
    monkeypatch.setattr(
        basic_sweeper, "validate_batch_is_legal", lambda _self, batch: checked.append(batch)
    )
    sweeper = CheckedSweeper.__new__(CheckedSweeper)
    sweeper.launcher = launcher
    sweeper.validate_batch_is_legal([["seed=0"]])
    assert bool(checked) == is_checked


def test_batches_are_refused():
    sweeper = CheckedSweeper.__new__(CheckedSweeper)
    sweeper.max_batch_size = 2
    line = r"^hydra\.sweeper\.max_batch_size: 2 is not allowed, since .*; allowed: null$"
    with pytest.raises(CompactHydraException, match=line):
        sweeper.sweep(["seed=0,1"])
