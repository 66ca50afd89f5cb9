"""Hydra's basic sweeper without its own check of every job, which doubles the time to start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException

from hydra_plugins.sweep_launcher import SweepLauncher


@dataclass
class CheckedSweeperConfig(BasicSweeperConf):
    """The keys of the basic sweeper."""

    _target_: str = "hydra_plugins.checked_sweeper.sweeper.CheckedSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper", name="checked", node=CheckedSweeperConfig, provider="checked_sweeper"
)


class CheckedSweeper(BasicSweeper):
    """Sweeps over the product of all values, as the basic sweeper does.

    Hydra composes each job of a sweep only to see whether it can be composed, about a fifth of a
    second for each, and then composes it again to run it.
    """

    def sweep(self, arguments: list[str]) -> Any:
        """Run all jobs of a sweep at once: the launcher limits how many run at the same time."""
        if self.max_batch_size is not None:
            raise CompactHydraException(
                f"hydra.sweeper.max_batch_size: {self.max_batch_size} is not allowed, since a"
                " failed run would cancel all later batches; allowed: null"
            )
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Leave the check to a launcher that composes all jobs of the sweep before it runs any.

        Hydra's own launcher composes a job just before it runs it.
        """
        if isinstance(self.launcher, SweepLauncher):
            return
        super().validate_batch_is_legal(batch)
