"""One part of `make bench`: its loops are timed in turns, after an estimate of the duration."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.loop_processes import started_teams
from benchmarks.loops import AS_IT_IS, LoopKind, LoopSpec
from benchmarks.machine import describe_device
from benchmarks.rounds import (
    TimedStretch,
    estimate_sample,
    plan_stretch,
    sample,
    time_rounds,
)
from degradation.config import Config, family
from degradation.counting import format_count
from degradation.data.datasets import find_image_shape
from degradation.models.complexity import measure_complexity
from degradation.training.device import choose_device
from hydra_plugins.sweep_launcher import format_duration

Row = dict[str, Any]
Results = list[list[TimedStretch]]  # one list per contender, one stretch per round
PAPER_WIDTHS = {"cifar": 16, "imagenet": 64}  # filters of the first stage, by layout


@dataclass(frozen=True)
class Timing:
    """How a part is timed.

    Attributes:
        rounds: how often each loop is timed.
        seconds: length of each stretch, about.
    """

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Contender:
    """One row to be measured: equal loops that run at once, each in its own process."""

    kind: LoopKind
    config: Config
    threads: int
    runs: int = 1
    alternative: str = AS_IT_IS  # as in LoopSpec

    @property
    def specs(self) -> list[LoopSpec]:
        spec = LoopSpec(self.kind, self.config, self.threads, self.alternative)
        return [spec] * self.runs


@dataclass(frozen=True)
class Part:
    """One part: which loops it times for a network, and the rows that follow from their times."""

    name: str
    list_contenders: Callable[[list[Config]], list[Contender]]
    build_rows: Callable[[list[Contender], Results], list[Row]]


def run_part(part: Part, networks: Sequence[list[Config]], timing: Timing) -> list[Row]:
    """Print how long a part takes, time its loops, and return its rows. Raises LoopFailed."""
    groups = [part.list_contenders(configs) for configs in networks]
    print(f"{part.name}: a few iterations of each loop first, to estimate the duration", flush=True)
    rows: list[Row] = []
    for number, contenders in enumerate(groups):
        start = time.perf_counter()
        with started_teams([contender.specs for contender in contenders]) as teams:
            startup_seconds = time.perf_counter() - start
            seconds = [sample(team) for team in teams]
            if number == 0:
                works = [count_multiply_adds(configs[0]) for configs in networks]
                estimate = estimate_seconds(seconds, startup_seconds, works, timing)
                print(describe_part(part.name, groups, timing, estimate), flush=True)
            stretches = [plan_stretch(each, timing.seconds) for each in seconds]
            results = time_rounds(teams, stretches, timing.rounds)
        rows += part.build_rows(contenders, results)
    return rows


def estimate_seconds(
    seconds: Sequence[float], startup_seconds: float, works: Sequence[int], timing: Timing
) -> float:
    """Return how long a part still takes once the first network has been sampled.

    Args:
        seconds: those of an iteration of each loop of the first network.
        startup_seconds: how long its processes took to start.
        works: multiply-adds of each network, to which the time of its iterations is proportional.
    """
    estimate = 0.0
    for number, work in enumerate(works):
        scaled = [each * work / works[0] for each in seconds]
        for each in scaled:
            stretch = plan_stretch(each, timing.seconds)
            estimate += timing.rounds * stretch.estimate_seconds(each)
        if number > 0:
            estimate += startup_seconds + sum(estimate_sample(each) for each in scaled)
    return estimate


def count_multiply_adds(config: Config) -> int:
    """Return the multiply-adds of the forward pass of one image."""
    return measure_complexity(config.model, *find_image_shape(config.data)).multiply_adds


def describe_part(
    name: str, groups: Sequence[Sequence[Contender]], timing: Timing, estimate: float
) -> str:
    """Return the line that is printed before a part is timed."""
    first = groups[0][0].config
    networks = dict.fromkeys(name_network(group[0].config) for group in groups)
    device = describe_device(choose_device(first.device))
    loops = format_count(len(groups[0]), "loop")
    return (
        f"{name}: {', '.join(networks)} on {device}; {loops}"
        f" in {format_count(timing.rounds, 'round')}: about {format_duration(estimate)}"
    )


def name_network(config: Config) -> str:
    """Return the family and the depth, with what is not as in the CIFAR-10 networks of 2015.

    Layout, width, block, shortcut and optimiser are named; networks that differ in another key only
    share a row of a table.
    """
    model = config.model
    differences = []
    if model.layout != "cifar":
        differences.append(f"{model.layout} layout")
    if model.width != PAPER_WIDTHS.get(model.layout):
        differences.append(f"width {model.width}")
    if model.block != "basic":
        differences.append(f"{model.block} blocks")
    if model.shortcut not in ("none", "A"):
        differences.append(f"shortcut {model.shortcut}")
    if config.optim.name != "sgd":
        differences.append(config.optim.name)
    details = f" ({', '.join(differences)})" if differences else ""
    return f"{family(model)}-{model.depth}{details}"


def name_precision(config: Config) -> str:
    """Return the precision, and whether cuDNN chooses its algorithms by their speed."""
    precision = config.precision
    return precision.dtype if precision.deterministic else f"{precision.dtype}, not deterministic"


def name_images(config: Config) -> str:
    """Return the shape of the images, for example 3x32x32."""
    channels, side, _ = find_image_shape(config.data)
    return f"{channels}x{side}x{side}"
