"""The events that training yields. The trainer creates them; a record or a test consumes them."""

from dataclasses import dataclass

from torch import Tensor

from degradation.probes.table import Table

MetricsRow = dict[str, int | float | None]  # keys and units: degradation.metrics


@dataclass(frozen=True)
class Metrics:
    """The network has been evaluated."""

    row: MetricsRow


@dataclass(frozen=True)
class Snapshot:
    """The weights, on the CPU, after an iteration listed in `schedule.snapshots`."""

    iteration: int
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class ProbeResult:
    """A probe has measured the network after this iteration."""

    iteration: int
    probe: str
    images: int  # number of images that the probe has seen
    table: Table


@dataclass(frozen=True)
class Progress:
    """An iteration is complete, and so is the trainer's state."""

    iteration: int


@dataclass(frozen=True)
class Divergence:
    """The training loss was NaN or infinite in this iteration. No event follows."""

    iteration: int


Event = Metrics | Snapshot | ProbeResult | Progress | Divergence
