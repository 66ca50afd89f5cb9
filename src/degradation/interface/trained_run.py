"""A run that has been trained, with its record."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from degradation.config import Config
from degradation.interface.errors import user_errors
from degradation.records.record import Record

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn


@dataclass(frozen=True)
class TrainedRun:
    """What `degradation.train` returns.

    Attributes:
        run_id: the run's id, which follows from its configuration.
        folder: its record.
        outcome: `done`, or `diverged` if the loss became infinite or NaN.
        config: its configuration.
    """

    run_id: str
    folder: Path
    outcome: str
    config: Config = field(repr=False)

    def curve(self) -> "pd.DataFrame":
        """Return one row per evaluation, with the columns of `degradation.load_curves`."""
        from analysis.tables import read_curve

        return read_curve(self.folder.parent, self.run_id)

    def network(self, iteration: int | None = None) -> "nn.Module":
        """Return the network with its trained weights, on the CPU and in eval mode.

        With `model.bn_statistics=exact`, training evaluates with other BN statistics than the
        moving averages that the network holds.

        Args:
            iteration: return the network after so many updates instead: one that
                `schedule.snapshots` lists, or 0. A constructed network has 0 only if it is listed.

        Raises:
            UserError: the record lacks these weights, or they cannot be used.
        """
        from degradation.data.datasets import find_image_shape
        from degradation.trained_network import load_network

        if iteration is None:
            iteration = self.config.schedule.iterations
        with user_errors():
            channels, _, classes = find_image_shape(self.config.data)
            record = Record(self.folder.parent, self.run_id)
            return load_network(iteration, self.config, record, channels, classes).eval()
