"""The typed schema of a run and its invariants: a value that makes no sense is refused with its key named.

Values live in conf/; nothing here states a default.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.errors import CompactHydraException
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

CONF = Path(__file__).resolve().parents[2] / "conf"
CHANNELS_LAST, FP32, BF16 = "channels_last", "fp32", "bf16"

# key -> the values it may have
CHOICES: dict[str, tuple[str, ...]] = {
    "data.name": ("digits", "cifar10", "image_folder"),
    "data.normalisation": ("channel", "pixel"),
    "model.shortcut": ("none", "A", "B", "C"),
    "model.block": ("basic", "bottleneck"),
    "precision.dtype": (FP32, BF16),
    "tracking.mode": ("offline", "online", "auto", "disabled"),
    "device": ("auto", "cpu", "cuda", "mps"),
}
# keys, the words for what is allowed, the test
RANGES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("model.width optim.batch_size threads", "1 or more", lambda value: value >= 1),
    ("schedule.iterations schedule.evaluate_every", "1 or more", lambda value: value >= 1),
    ("data.pad data.margin optim.weight_decay", "0 or more", lambda value: 0 <= value < math.inf),
    ("optim.lr schedule.factor tracking.init_timeout", "a positive number", lambda value: 0 < value < math.inf),
    ("optim.momentum", "from 0 up to, but not, 1", lambda value: 0 <= value < 1),
    ("seed", "0 to 2**63 - 1", lambda value: 0 <= value < 2**63),
    ("data.size", "null, or 1 or more", lambda value: value is None or value >= 1),
    (
        "name tracking.project",
        "a name without / \\ :",
        lambda value: value.strip(" .") and not set(value) & set("/\\:"),
    ),
)
LAYERS_PER_STAGE_UNIT = {"basic": 6, "bottleneck": 9}
STAGES = 3


Refuse = Callable[[str, str], None]  # key, what is allowed


class ConfigError(CompactHydraException):
    """A value that is not allowed: one line that names the key, what was wrong and what is allowed."""


@dataclass
class Data:
    name: str = MISSING
    root: str | None = MISSING  # folder of the files; None where they ship with a package
    size: int | None = MISSING  # image_folder: side to resize to; None: the pictures have one size already
    pad: int = MISSING  # zero padding on each side before the random crop; 0: no crop
    flip: bool = MISSING  # random horizontal flip
    normalisation: str = MISSING  # channel: mean and standard deviation a channel; pixel: per-pixel mean only
    margin: float = MISSING  # points of clean training error that a claim's bound must clear


@dataclass
class Model:
    shortcut: str = MISSING
    block: str = MISSING
    depth: int = MISSING  # layers with weights on the longest path: 6n+2 (basic) or 9n+2 (bottleneck)
    width: int = MISSING  # filters of the first stage; the second and third have 2 and 4 times as many


@dataclass
class Optim:
    lr: float = MISSING
    momentum: float = MISSING
    weight_decay: float = MISSING
    batch_size: int = MISSING


@dataclass
class Warmup:
    """A lower learning rate until the network has begun to learn (He et al. 2015, 4.2, for 110 layers)."""

    lr: float = MISSING
    below: float = MISSING  # percent: ends when the mean running error over `window` iterations is below
    window: int = MISSING
    max_iterations: int = MISSING  # ends here at the latest
    from_depth: int = MISSING  # shallower networks have no warm-up


@dataclass
class Schedule:
    iterations: int = MISSING
    milestones: list[int] = MISSING
    factor: float = MISSING
    evaluate_every: int = MISSING
    snapshots: list[int] = MISSING
    warmup: Warmup | None = MISSING


@dataclass
class Precision:
    dtype: str = MISSING
    channels_last: bool = MISSING


@dataclass
class Tracking:
    mode: str = MISSING
    project: str = MISSING
    entity: str | None = MISSING
    init_timeout: float = MISSING
    system_metrics: bool = MISSING


@dataclass
class Config:
    """One run."""

    name: str = MISSING
    seed: int = MISSING
    device: str = MISSING
    threads: int = MISSING
    allow_device_change: bool = MISSING
    record_root: str = MISSING
    data: Data = MISSING
    model: Model = MISSING
    optim: Optim = MISSING
    schedule: Schedule = MISSING
    precision: Precision = MISSING
    tracking: Tracking = MISSING


def register() -> None:
    """Put the schema where Hydra finds it; called before any composition."""
    ConfigStore.instance().store(name="schema", node=Config)


def family(model: Model) -> str:
    """The word for a network's kind in run ids, tables and figures."""
    return "plain" if model.shortcut == "none" else "residual"


def warmup_of(config: Config) -> Warmup | None:
    """The warm-up that this run has; None for networks shallower than `schedule.warmup.from_depth`."""
    warmup = config.schedule.warmup
    return warmup if warmup is not None and config.model.depth >= warmup.from_depth else None


def read(cfg: DictConfig) -> Config:
    """The composed configuration as a checked `Config`. Raises ConfigError."""
    try:
        config = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from None
    if not isinstance(config, Config):
        raise ConfigError("the configuration lacks `- schema` at the head of its defaults list")
    check(config)
    return config


def select(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def check(config: Config) -> None:
    """Refuse a configuration that makes no sense. Raises ConfigError."""

    def refuse(key: str, allowed: str) -> None:
        raise ConfigError(f"{key}: {select(config, key)!r} is not allowed; allowed: {allowed}")

    _check_values(config, refuse)
    _check_depth(config, refuse)
    _check_schedule(config, refuse)


def _check_values(config: Config, refuse: Refuse) -> None:
    for key, choices in CHOICES.items():
        if select(config, key) not in choices:
            refuse(key, ", ".join(choices))
    for keys, allowed, holds in RANGES:
        for key in keys.split():
            if not holds(select(config, key)):
                refuse(key, allowed)


def _check_depth(config: Config, refuse: Refuse) -> None:
    unit = LAYERS_PER_STAGE_UNIT[config.model.block]
    if config.model.depth < unit + 2 or (config.model.depth - 2) % unit:
        examples = ", ".join(str(unit * n + 2) for n in (1, 3, 5, 7, 9))
        refuse("model.depth", f"{unit}n+2 with {config.model.block} blocks, such as {examples}")


def _check_schedule(config: Config, refuse: Refuse) -> None:
    schedule = config.schedule
    end = schedule.iterations
    milestones = schedule.milestones
    if milestones != sorted(set(milestones)) or any(not 0 < m < end for m in milestones):
        refuse("schedule.milestones", f"rising iterations inside the schedule, 1 to {end - 1}")
    if schedule.snapshots != sorted(set(schedule.snapshots)) or any(not 0 <= s < end for s in schedule.snapshots):
        refuse("schedule.snapshots", f"rising iterations before the last, 0 to {end - 1} (the final weights are kept)")
    if schedule.warmup is None:
        return
    for key in ("lr", "window", "max_iterations", "below"):
        if not 0 < getattr(schedule.warmup, key) < math.inf:
            refuse(f"schedule.warmup.{key}", "a positive number")
    first_drop = min([*milestones, end])
    if schedule.warmup.max_iterations > first_drop:
        refuse("schedule.warmup.max_iterations", f"at most {first_drop}, where the schedule's first part ends")
