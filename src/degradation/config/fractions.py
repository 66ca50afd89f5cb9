"""Iterations that are typed as fractions of the schedule: `0.5` is half of `schedule.iterations`.

A number between 0 and 1 is a fraction where the classes below say so, and a whole number is an
iteration. Fractions are resolved when a configuration is composed, so everything downstream, the
run id and run.json included, sees whole numbers only. A product is rounded to the nearest whole
number, and up if it is halfway between two.
"""

from dataclasses import dataclass, fields
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from omegaconf import MISSING

from degradation.config.errors import ConfigError, quote
from degradation.config.schema import KEYS, Config, Probes, Schedule, Warmup


@dataclass
class TypedWarmup(Warmup):
    """A warm-up as it is typed."""

    max_iterations: Any = MISSING


@dataclass
class TypedSchedule(Schedule):
    """A schedule as it is typed."""

    milestones: list[Any] = MISSING
    evaluate_every: Any = MISSING
    augmented_every: Any = MISSING
    snapshots: list[Any] = MISSING
    linear_warmup: Any = MISSING
    warmup: TypedWarmup | None = MISSING


@dataclass
class TypedProbes(Probes):
    """The probes as they are typed."""

    early: Any = MISSING


@dataclass
class TypedConfig(Config):
    """A run as it is typed: the schema that Hydra composes."""

    schedule: TypedSchedule = MISSING
    probes: TypedProbes = MISSING


def resolve_fractions(typed: Config) -> Config:
    """Return the configuration with whole numbers in place of fractions. Raises ConfigError."""
    iterations = typed.schedule.iterations
    schedule = _copy_fields(Schedule, typed.schedule)
    last = iterations - 1
    schedule["milestones"] = _resolve_list(typed, "milestones", first=1, last=last)
    schedule["snapshots"] = _resolve_list(typed, "snapshots", first=0, last=last)
    schedule["evaluate_every"] = _resolve_interval(
        typed.schedule.evaluate_every, iterations, "schedule.evaluate_every"
    )
    if typed.schedule.augmented_every is not None:
        schedule["augmented_every"] = _resolve_interval(
            typed.schedule.augmented_every, iterations, "schedule.augmented_every"
        )
    schedule["linear_warmup"] = _resolve_interval(
        typed.schedule.linear_warmup, iterations, "schedule.linear_warmup"
    )
    if typed.schedule.warmup is not None:
        warmup = _copy_fields(Warmup, typed.schedule.warmup)
        if warmup["max_iterations"] is not None:
            warmup["max_iterations"] = _resolve_interval(
                warmup["max_iterations"], iterations, "schedule.warmup.max_iterations"
            )
        schedule["warmup"] = Warmup(**warmup)
    probes = _copy_fields(Probes, typed.probes)
    probes["early"] = _resolve_interval(typed.probes.early, iterations, "probes.early")
    sections = {"schedule": Schedule(**schedule), "probes": Probes(**probes)}
    return Config(**(_copy_fields(Config, typed) | sections))


def _copy_fields(kind: type, section: Any) -> dict[str, Any]:
    return {field.name: getattr(section, field.name) for field in fields(kind)}


def _resolve_list(typed: Config, name: str, first: int, last: int) -> list[int]:
    """Return the iterations of a list; values given as iterations are unchanged.

    In a schedule of a few iterations, several fractions can be the same iteration, which is then
    listed once, and a fraction can be outside of `first` to `last`, which is then dropped.
    """
    resolved: list[int] = []
    for value in getattr(typed.schedule, name):
        iteration = _read_iteration(value, f"schedule.{name}")
        if isinstance(iteration, Decimal):
            iteration = _round(iteration * typed.schedule.iterations)
            if iteration in resolved or not first <= iteration <= last:
                continue
        resolved.append(iteration)
    return resolved


def _resolve_interval(value: Any, iterations: int, name: str) -> int:
    """Return a number of iterations; a fraction is at least one iteration."""
    interval = _read_iteration(value, name)
    if isinstance(interval, Decimal):
        interval = max(1, _round(interval * iterations))
    return interval


def _read_iteration(value: Any, name: str) -> int | Decimal:
    """Return a typed value as an iteration, or as a fraction if it is between 0 and 1.

    The value of an environment variable is text.
    """
    try:
        if type(value) in (int, str):
            return int(value)
    except ValueError:
        pass
    try:
        if type(value) in (float, str):
            fraction = Decimal(str(value))  # exactly as it was typed
            if 0 < fraction < 1:
                return fraction
    except ArithmeticError:
        pass
    raise ConfigError(f"{name}: {quote(value)} is not allowed; allowed: {KEYS[name].allowed}")


def _round(iterations: Decimal) -> int:
    return int(iterations.to_integral_value(ROUND_HALF_UP))
