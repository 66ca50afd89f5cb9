"""What the value of each key may be, whatever the others are."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from degradation.config.errors import is_single_line
from degradation.config.schema import BF16, FP32, Config
from degradation.registry import PROBES as PROBE_REGISTRY

# key -> the values it may have
CHOICES: dict[str, tuple[str, ...]] = {
    "data.name": ("digits", "cifar10", "cifar100", "fashion_mnist", "image_folder", "imagenet"),
    "data.normalisation": ("channel", "pixel"),
    "data.normalise": ("before_padding", "after_padding"),
    "model.layout": ("cifar", "imagenet"),
    "model.shortcut": ("none", "A", "B", "C"),
    "model.order": ("post", "pre"),
    "model.block": ("basic", "bottleneck"),
    "model.new_channels": ("after", "either_side"),
    "model.bottleneck_stride": ("3x3", "1x1"),
    "model.initialisation": ("fan_out", "fan_in"),
    "model.bn_statistics": ("moving", "exact"),
    "optim.momentum_form": ("pytorch", "caffe"),
    "optim.decay": ("all", "weights"),
    "precision.dtype": (FP32, BF16),
    "tracking.mode": ("offline", "online", "auto", "disabled"),
    "training_error": ("clean", "augmented", "running"),
    "device": ("auto", "cpu", "cuda", "mps"),
}
PATH_PARTS = 255  # bytes of a name, on every common file system
LONGEST_NAME = 100  # characters; W&B takes 128, and a name becomes part of others


@dataclass(frozen=True)
class Rule:
    allowed: str  # in words
    holds: Callable[[Any], bool]

    def or_null(self) -> "Rule":
        return Rule(f"null, or {self.allowed}", lambda value: value is None or self.holds(value))

    def each(self) -> "Rule":
        return Rule(f"a list of these: {self.allowed}", lambda values: all(map(self.holds, values)))


def _whole(low: int, high: int) -> Rule:
    """The upper bounds are far above what makes sense, and below what would take a machine down."""
    return Rule(f"a whole number, {low} to {high}", lambda value: low <= value <= high)


def _number(low: float, high: float) -> Rule:
    return Rule(f"a number, {low:g} to {high:g}", lambda value: low <= value <= high)


def _odd(high: int) -> Rule:
    return Rule(f"an odd number, 3 to {high}", lambda value: 3 <= value <= high and value % 2 == 1)


POSITIVE = Rule("a positive number", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Rule("a number, 0 or more", lambda value: 0 <= value < math.inf)
SEED = Rule("a whole number, 0 to 2**63 - 1", lambda value: 0 <= value < 2**63)
COUNT, SIDE, ITERATIONS, BATCH = (
    _whole(1, 10**9),
    _whole(1, 16384),
    _whole(1, 10**9),
    _whole(1, 2**20),
)
NAME = Rule(
    f"a name of at most {LONGEST_NAME} characters, without / \\ : and line breaks",
    lambda value: (
        value.strip(" .")
        and len(value) <= LONGEST_NAME
        and not set(value) & set("/\\:")
        and is_single_line(value)
    ),
)
FOLDER = Rule(
    "the path of a folder, without line breaks",
    lambda value: (
        value.strip()
        and is_single_line(value)
        and all(len(part.encode()) <= PATH_PARTS for part in value.split("/"))
        and len(value.encode()) < 4096 - 2 * PATH_PARTS
    ),
)
PROBES = Rule(
    f"different ones of {', '.join(PROBE_REGISTRY.names())}",
    lambda names: set(names) <= set(PROBE_REGISTRY.names()) and len(set(names)) == len(names),
)
CHOSEN = {key: Rule(", ".join(choices), choices.__contains__) for key, choices in CHOICES.items()}
RULES: dict[str, Rule] = CHOSEN | {
    "name": NAME,
    "seed": SEED,
    "threads": _whole(1, 1024),
    "record_root": FOLDER,
    "data.root": FOLDER.or_null(),
    "data.size": SIDE.or_null(),
    "data.pad": _whole(0, 1024),
    "data.validation": _whole(0, 10**9),
    "data.margin": _number(0, 100),
    "data.stream.crop": SIDE,
    "data.stream.scale": Rule(
        "two sides in pixels, such as [256,480]", lambda sides: len(sides) == 2
    ),
    "data.stream.colour": _number(0, 100),
    "data.stream.test_scale": SIDE,
    "data.stream.train_evaluated": COUNT,
    "data.stream.workers": _whole(0, 1024),
    "model.depth": _whole(1, 100_000),
    "model.width": _whole(1, 4096),
    "model.bn_parts": BATCH,
    "model.grown_from": _whole(8, 100_000).or_null(),
    "optim.lr": POSITIVE,
    "optim.momentum": Rule("a number, from 0 up to, but not, 1", lambda value: 0 <= value < 1),
    "optim.weight_decay": NOT_NEGATIVE,
    "optim.batch_size": BATCH,
    "schedule.iterations": ITERATIONS,
    "schedule.factor": POSITIVE,
    "schedule.evaluate_every": ITERATIONS,
    "schedule.warmup.lr": POSITIVE,
    "schedule.warmup.below": POSITIVE.or_null(),
    "schedule.warmup.window": COUNT,
    "schedule.warmup.max_iterations": ITERATIONS.or_null(),
    "schedule.warmup.from_depth": _whole(1, 100_000),
    "schedule.plateau.patience": COUNT,
    "schedule.plateau.improvement": NOT_NEGATIVE,
    "probes.training": PROBES,
    "probes.early": ITERATIONS,
    "probes.afterwards": PROBES,
    "probes.batch_size": _whole(2, 2**20),
    "probes.test_pictures": COUNT.or_null(),
    "landscape.line": _odd(9999),
    "landscape.square": _odd(999),
    "landscape.reach": POSITIVE,
    "landscape.pictures": COUNT.or_null(),
    "landscape.seed": SEED,
    "landscape.depths": _whole(1, 100_000).each().or_null(),
    "landscape.seeds": SEED.each().or_null(),
    "landscape.parts": _whole(1, 10_000),
    "tracking.project": NAME,
    "tracking.entity": NAME.or_null(),
    "tracking.init_timeout": Rule(
        "a number of seconds, more than 0 and at most 86400", lambda value: 0 < value <= 86400
    ),
}


def select(config: Config, key: str) -> Any:
    """The value of a dotted key; None where the part that it stands in is null."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part) if value is not None else None
    return value


def is_there(config: Config, key: str) -> bool:
    """Has this configuration the part that the key stands in? The schedule's warm-up may be null."""
    holder = key.rpartition(".")[0]
    return not holder or select(config, holder) is not None
