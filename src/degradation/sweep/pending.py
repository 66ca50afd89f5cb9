"""What remains to be measured inside the network of a finished run: probes and loss landscapes.

Does not import torch.
"""

from dataclasses import dataclass
from typing import Any

from degradation.config import (
    Config,
    Landscape,
    is_applicable,
    later_probe_iterations,
)
from degradation.metrics import ITERATION
from degradation.records.record import Record
from degradation.records.schema import IMAGES, PROBE, PROBES_FILE
from degradation.registry import PROBES


@dataclass(frozen=True)
class Point:
    """A point of the loss around a network.

    Coordinates are along the two directions, in units of the norm of the weights.
    """

    shape: str  # line or square
    x: float
    y: float


def list_pending_probes(config: Config, record: Record) -> list[tuple[str, int]]:
    """Return (probe, iteration) of each probe that the record's weights allow and its rows lack.

    Rows that were measured on a different number of images do not count: their sample differs.
    Sorted by iteration, then in the order of the configuration. Raises RecordError.
    """
    names = list(dict.fromkeys([*config.probes.training, *config.probes.afterwards]))
    requested = _list_requested_probes(config, names)
    measured = _list_measured_probes(config, record)
    pending = [probe for probe in requested if probe not in measured]
    return sorted(pending, key=lambda probe: (probe[1], names.index(probe[0])))


def _list_requested_probes(config: Config, names: list[str]) -> list[tuple[str, int]]:
    """Return (probe, iteration) of everything that the configuration requests."""
    iterations = later_probe_iterations(config)
    requested: dict[tuple[str, int], None] = {}  # a set that keeps its order
    for name in names:
        if not is_applicable(name, config.model):
            continue
        for phase in PROBES.facts(name)["at"]:
            for iteration in iterations[phase]:
                requested[name, iteration] = None
    return list(requested)


def _list_measured_probes(config: Config, record: Record) -> set[tuple[str, int]]:
    """Return (probe, iteration) of the record's rows with the configured number of images."""
    rows = record.valid_rows(PROBES_FILE)
    if not rows:
        return set()
    sample_sizes = probe_sample_sizes(config, record.read_metadata()["data"])
    return {
        (row[PROBE], row[ITERATION]) for row in rows if row[IMAGES] == sample_sizes.get(row[PROBE])
    }


def probe_sample_sizes(config: Config, data: dict[str, Any]) -> dict[str, int]:
    """Return how many images each probe sees: the number in its key, limited by its split.

    Args:
        data: the entry of run.json that holds the number of images in each split
    """
    available = {"train": data["train"], "test": data["test"]}
    if config.data.stream is not None:
        available["train"] = min(available["train"], config.data.stream.train_evaluated)
    limits = {"train": config.probes.batch_size, "test": config.probes.test_pictures}
    sizes = {}
    for name in PROBES.names():
        split = PROBES.facts(name)["split"]
        limit = limits[split]
        split_size = available[split]
        sizes[name] = split_size if limit is None else min(limit, split_size)
    return sizes


def list_points(landscape: Landscape) -> list[Point]:
    """Return all points, those of the line first; the trained network is in the middle of both."""
    line = _space_evenly(landscape.line, landscape.reach)
    side = _space_evenly(landscape.square, landscape.reach)
    points = [Point("line", x, 0.0) for x in line]
    for y in side:
        points += [Point("square", x, y) for x in side]
    return points


def _space_evenly(count: int, reach: float) -> list[float]:
    """Return `count` numbers (odd) from -reach to reach, with an exact 0 in the middle."""
    middle = (count - 1) // 2
    return [reach * (index - middle) / middle for index in range(count)]


def list_pending_points(landscape: Landscape, record: Record) -> list[Point]:
    """Return the points of this job's part that no job has measured yet.

    A job takes every n-th point, so that all jobs cost the same. Raises RecordError.
    """
    settings = describe_landscape(landscape)
    counts = {"line": landscape.line, "square": landscape.square}
    measured = set()
    for name in record.list_landscape_files():
        for row in record.valid_rows(name):
            is_same = settings.items() <= row.items() and row["points"] == counts[row["shape"]]
            if is_same:
                measured.add(Point(row["shape"], row["x"], row["y"]))
    points = list_points(landscape)[landscape.part :: landscape.parts]
    return [point for point in points if point not in measured]


def describe_landscape(landscape: Landscape) -> dict[str, Any]:
    """Return what all rows of one landscape share; `pictures` is None if it is of all images."""
    return {"reach": landscape.reach, "pictures": landscape.pictures, "directions": landscape.seed}
