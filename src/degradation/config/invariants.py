"""What a configuration may hold: a value that makes no sense is refused with its key named."""

import math
from collections.abc import Callable
from typing import Any

from hydra.errors import CompactHydraException

from degradation.config.probing import PROBE_KINDS
from degradation.config.schema import BF16, FP32, IMAGENET_STAGES, LAYERS_PER_STAGE_UNIT, Config

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
# keys, the words for what is allowed, the test
RANGES: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("model.width model.bn_parts optim.batch_size threads", "1 or more", lambda value: value >= 1),
    ("schedule.iterations schedule.evaluate_every", "1 or more", lambda value: value >= 1),
    ("data.pad data.margin data.validation optim.weight_decay", "0 or more", lambda value: 0 <= value < math.inf),
    ("probes.early landscape.parts", "1 or more", lambda value: value >= 1),
    ("probes.batch_size", "2 or more", lambda value: value >= 2),
    ("landscape.line landscape.square", "an odd number, 3 or more", lambda value: value >= 3 and value % 2 == 1),
    ("landscape.pictures probes.test_pictures", "null, or 1 or more", lambda value: value is None or value >= 1),
    (
        "landscape.reach optim.lr schedule.factor tracking.init_timeout",
        "a positive number",
        lambda value: 0 < value < math.inf,
    ),
    ("optim.momentum", "from 0 up to, but not, 1", lambda value: 0 <= value < 1),
    ("seed landscape.seed", "0 to 2**63 - 1", lambda value: 0 <= value < 2**63),
    ("data.size", "null, or 1 or more", lambda value: value is None or value >= 1),
    (
        "name tracking.project",
        "a name without / \\ :",
        lambda value: value.strip(" .") and not set(value) & set("/\\:"),
    ),
)

Refuse = Callable[[str, str], None]  # key, what is allowed


class ConfigError(CompactHydraException):
    """A value that is not allowed: one line that names the key, what was wrong and what is allowed."""


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
    _check_model(config, refuse)
    _check_data(config, refuse)
    _check_schedule(config, refuse)
    _check_warmup(config, refuse)
    _check_probes(config, refuse)


def _check_values(config: Config, refuse: Refuse) -> None:
    for key, choices in CHOICES.items():
        if select(config, key) not in choices:
            refuse(key, ", ".join(choices))
    for keys, allowed, holds in RANGES:
        for key in keys.split():
            if not holds(select(config, key)):
                refuse(key, allowed)


def _check_model(config: Config, refuse: Refuse) -> None:
    model = config.model
    if model.layout == "imagenet":
        depths = IMAGENET_STAGES[model.block]
        if model.depth not in depths:
            refuse("model.depth", f"{', '.join(map(str, depths))} with {model.block} blocks in the imagenet layout")
    else:
        unit = LAYERS_PER_STAGE_UNIT[model.block]
        if model.depth < unit + 2 or (model.depth - 2) % unit:
            examples = ", ".join(str(unit * n + 2) for n in (1, 3, 5, 7, 9))
            refuse("model.depth", f"{unit}n+2 with {model.block} blocks, such as {examples}")
    if config.optim.batch_size % model.bn_parts:
        refuse("model.bn_parts", f"a divisor of optim.batch_size ({config.optim.batch_size})")
    if model.grown_from is None:
        return
    if (model.layout, model.shortcut, model.order, model.block) != ("cifar", "none", "post", "basic"):
        refuse("model.grown_from", "null, but for plain nets of basic blocks in the cifar layout, order post")
    if not 8 <= model.grown_from <= model.depth or (model.grown_from - 2) % LAYERS_PER_STAGE_UNIT["basic"]:
        refuse("model.grown_from", f"null, or 6n+2 and at most model.depth ({model.depth})")


def _check_data(config: Config, refuse: Refuse) -> None:
    stream = config.data.stream
    if (stream is not None) != (config.data.name == "imagenet"):
        refuse("data.stream", "null, but for data=imagenet, which needs one")
    if stream is None:
        return
    for key in ("crop", "test_scale", "train_evaluated"):
        if getattr(stream, key) < 1:
            refuse(f"data.stream.{key}", "1 or more")
    for key in ("colour", "workers"):
        if not 0 <= getattr(stream, key) < math.inf:
            refuse(f"data.stream.{key}", "0 or more")
    if len(stream.scale) != 2 or not stream.crop <= stream.scale[0] <= stream.scale[1]:
        refuse("data.stream.scale", f"two rising sides in pixels, {stream.crop} (the crop) or more")
    if stream.test_scale < stream.crop:
        refuse("data.stream.test_scale", f"{stream.crop} (the crop) or more")
    if config.data.normalisation != "channel":
        refuse("data.normalisation", "channel, where pictures are streamed")
    if config.data.validation:
        refuse("data.validation", "0, where pictures are streamed")


def _check_schedule(config: Config, refuse: Refuse) -> None:
    schedule = config.schedule
    end = schedule.iterations
    milestones = schedule.milestones
    if milestones != sorted(set(milestones)) or any(not 0 < m < end for m in milestones):
        refuse("schedule.milestones", f"rising iterations inside the schedule, 1 to {end - 1}")
    if schedule.snapshots != sorted(set(schedule.snapshots)) or any(not 0 <= s < end for s in schedule.snapshots):
        refuse("schedule.snapshots", f"rising iterations before the last, 0 to {end - 1} (the final weights are kept)")
    plateau = schedule.plateau
    if plateau is not None and plateau.patience < 1:
        refuse("schedule.plateau.patience", "1 or more")
    if plateau is not None and not 0 <= plateau.improvement < math.inf:
        refuse("schedule.plateau.improvement", "0 or more")


def _check_warmup(config: Config, refuse: Refuse) -> None:
    schedule, warmup = config.schedule, config.schedule.warmup
    if warmup is None:
        return
    for key in ("lr", "window", "max_iterations", "below"):
        value = getattr(warmup, key)
        if value is None:
            other = "below" if key == "max_iterations" else "max_iterations"
            if getattr(warmup, other) is None:
                refuse(f"schedule.warmup.{key}", f"a positive number, since schedule.warmup.{other} is null too")
        elif not 0 < value < math.inf:
            refuse(f"schedule.warmup.{key}", "a positive number")
    first_drop = min([*schedule.milestones, schedule.iterations])
    if warmup.max_iterations is not None and warmup.max_iterations > first_drop:
        refuse("schedule.warmup.max_iterations", f"at most {first_drop}, where the schedule's first part ends")


def _check_probes(config: Config, refuse: Refuse) -> None:
    for key in ("training", "afterwards"):
        names = getattr(config.probes, key)
        if not set(names) <= set(PROBE_KINDS) or len(set(names)) < len(names):
            refuse(f"probes.{key}", f"different ones of {', '.join(PROBE_KINDS)}")
    if not 0 <= config.landscape.part < config.landscape.parts:
        refuse("landscape.part", f"0 to {config.landscape.parts - 1} (landscape.parts is {config.landscape.parts})")
