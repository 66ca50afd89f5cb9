"""What is still to be measured inside the networks of a done run. Free of torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from degradation.config import (
    Config,
    Landscape,
    is_applicable,
    later_probe_iterations,
)
from degradation.metrics import ITERATION
from degradation.records.record import Record
from degradation.records.schema import IMAGES, LANDSCAPE_DIR, PROBE, PROBES_FILE, RecordError, State
from degradation.registry import PROBES
from degradation.sweep.jobs import JobSpec, SweepRun, validate_job

EXPLAINED = "explained"


@dataclass(frozen=True)
class Point:
    """Of the loss around a network, in lengths of its weights along the two directions."""

    shape: str  # line or square
    x: float
    y: float


def list_pending_probes(config: Config, record: Record) -> list[tuple[str, int]]:
    """(probe, iteration) of all that can be taken of the record's snapshots and weights and has not been.

    A row of as many images as are asked for now counts; one of another number is of another sample. Raises RecordError.
    """
    moments = later_probe_iterations(config)
    names = dict.fromkeys([*config.probes.training, *config.probes.afterwards])
    rows = record.valid_rows(PROBES_FILE)
    asked = count_probe_images(config, record.read_metadata()["data"]) if rows else {}
    taken = {(row[PROBE], row[ITERATION]) for row in rows if row[IMAGES] == asked.get(row[PROBE])}
    wanted = {
        (name, iteration)
        for name in names
        if is_applicable(name, config.model.shortcut)
        for moment in PROBES.facts(name)["at"]
        for iteration in moments[moment]
    }
    return sorted(wanted - taken, key=lambda one: (one[1], list(names).index(one[0])))


def count_probe_images(config: Config, data: dict[str, Any]) -> dict[str, int]:
    """How many images each probe is to see: as many as its key says, and at most those that its split has.

    data: run.json's, with the number of images of each split. Those of a streamed training set that are measured are
    `stream.train_evaluated` at most.
    """
    stream = config.data.stream
    there = {"train": data["train"], "test": data["test"]}
    if stream is not None:
        there["train"] = min(there["train"], stream.train_evaluated)
    keys = {"train": config.probes.batch_size, "test": config.probes.test_pictures}
    asked = {
        split: there[split] if key is None else min(key, there[split])
        for split, key in keys.items()
    }
    return {name: asked[PROBES.facts(name)["split"]] for name in PROBES.names()}


def list_points(landscape: Landscape) -> list[Point]:
    """All points, those of the line first; the network itself is in the middle of both."""
    line, side = (_evenly(count, landscape.reach) for count in (landscape.line, landscape.square))
    return [
        *(Point("line", x, 0.0) for x in line),
        *(Point("square", x, y) for y in side for x in side),
    ]


def _evenly(count: int, reach: float) -> list[float]:
    middle = (count - 1) // 2
    return [reach * (index - middle) / middle for index in range(count)]


def list_pending_points(landscape: Landscape, record: Record) -> list[Point]:
    """Those of this part that no part has measured: every so-manieth, so that parts take equally long."""
    asked = describe_landscape(landscape)
    counts = {"line": landscape.line, "square": landscape.square}
    measured = {
        Point(row["shape"], row["x"], row["y"])
        for path in sorted(record.path(LANDSCAPE_DIR).glob("*.jsonl"))
        for row in record.valid_rows(f"{LANDSCAPE_DIR}/{path.name}")
        if asked.items() <= row.items() and row["points"] == counts[row["shape"]]
    }
    return [
        point
        for point in list_points(landscape)[landscape.part :: landscape.parts]
        if point not in measured
    ]


def describe_landscape(landscape: Landscape) -> dict[str, Any]:
    """What points must have in common to be of one landscape, beside their number; `pictures`: None for all."""
    return {"reach": landscape.reach, "pictures": landscape.pictures, "directions": landscape.seed}


def check_probe_job(cfg: DictConfig) -> JobSpec:
    """For explain.py; called by the launcher for each job. A run that is not done is told by the job itself."""
    run = validate_job(cfg)
    settled = _skip_reason(run, lambda: bool(list_pending_probes(run.config, run.record)))
    return JobSpec(run.run_id, float(run.config.model.depth), settled, run.record.is_locked)


def check_landscape_job(cfg: DictConfig) -> JobSpec:
    """For landscape.py."""
    run = validate_job(cfg)
    asked, work = run.config.landscape, float(run.config.model.depth)
    label = f"{run.run_id}-landscape-{asked.part + 1}-of-{asked.parts}"
    for key, value in (("depths", run.config.model.depth), ("seeds", run.config.seed)):
        among = getattr(asked, key)
        if among is not None and value not in among:
            return JobSpec(label, work, f"not among landscape.{key}")
    return JobSpec(
        label, work, _skip_reason(run, lambda: bool(list_pending_points(asked, run.record)))
    )


def _skip_reason(run: SweepRun, left: Callable[[], bool]) -> str | None:
    """What the launcher tells of a job that has nothing to do. A record that cannot be read is told by the job."""
    try:
        state = run.record.outcome()
        if state is State.DIVERGED:
            return str(state)
        return f"{EXPLAINED} before" if state is State.DONE and not left() else None
    except RecordError:
        return None
