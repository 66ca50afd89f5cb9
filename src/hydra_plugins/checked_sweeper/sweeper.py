"""Hydra's basic sweeper without its own check of every job, which doubles the time to start."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore

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

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Leave the check to a launcher that composes all jobs of the sweep before it runs any.

        Hydra's own launcher composes a job just before it runs it, and any launcher gets only a
        part of the jobs at a time if `max_batch_size` is set.
        """
        if isinstance(self.launcher, SweepLauncher) and self.max_batch_size is None:
            return
        super().validate_batch_is_legal(batch)
