"""Hydra's basic sweeper without its own check of every job, which doubles the time to start."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore


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
    second for each, and then composes it again to run it. Here
    `degradation.sweep.expand.check_command_line` has already checked every job before Hydra starts.
    """

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing; the launcher composes each job before it runs any."""
