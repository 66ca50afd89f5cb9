"""The run id: a hash of every value that changes a run's numbers, defaults included (design: content-addressed runs).

Left out: where and how a run is carried out (device, threads, workers, paths, tracking, the experiment it belongs to),
and what only the analysis reads (`data.margin`, `training_error`).
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from degradation.config import Config, effective_warmup, family, parent_config

# Raised when the code's numbers change on purpose: the id changes with it, and old records stay what they are. A
# correction that concerns some runs raises it for those alone (`numerics_version`).
NUMERICS_VERSION = 1
CORRECTED_VERSION = (
    2  # of runs with exact BN statistics, and of those whose plateau is one of the validation error
)

# A key added after a release, with the value that reproduces what the code did before it existed. While it has that
# value it is left out of the hash, so that older records keep their ids.
HASH_DEFAULTS: dict[str, Any] = {
    "data.normalise": "before_padding",
    "data.validation": 0,
    "data.stream": None,
    "model.layout": "cifar",
    "model.order": "post",
    "model.new_channels": "after",
    "model.bottleneck_stride": "3x3",
    "model.initialisation": "fan_out",
    "model.bn_parts": 1,
    "model.bn_statistics": "moving",
    "model.grown_from": None,
    "optim.momentum_form": "pytorch",
    "optim.decay": "all",
    "schedule.plateau": None,
}

PARENT_KEY = "parent"  # of a constructed network: in what the run that it is grown from differs, in the form of a configuration

# What a value without effect is hashed as: the one that the presets of conf/ have, so that their ids stay.
WITHOUT_EFFECT: dict[str, Any] = {
    "schedule.factor": 0.1,  # where the learning rate never drops
    "schedule.warmup.window": 100,  # where the warm-up ends by its length alone
}


def numerics_version(config: Config) -> int:
    """By which numerics this run is trained.

    Version 1 averaged exact BN statistics over batches, whatever they held, and found the plateau in the test error
    even where images are held out.
    """
    watches_validation = config.schedule.plateau is not None and config.data.validation > 0
    corrected = config.model.bn_statistics == "exact" or watches_validation
    return CORRECTED_VERSION if corrected else NUMERICS_VERSION


def hashed_values(config: Config, content: str) -> dict[str, Any]:
    """All values that the id covers; those that have no effect here at a fixed one.

    `content` identifies the data set's content (`degradation.data.fingerprint`).

    Two keys change no update and are covered all the same, since the record differs: `schedule.evaluate_every` (its
    rows, and what a plateau is found in) and `schedule.snapshots` (its weights). `data.size` of images that have this
    size already is covered too: that would only be known by opening them.
    """
    values: dict[str, Any] = {
        "numerics_version": numerics_version(config),
        "seed": config.seed,
        "data": _data_values(config) | {"content": content},
        "model": _model_values(config),
        "optim": _optim_values(config),
        "schedule": _schedule_values(config),
        "precision": asdict(config.precision),
    }
    if parent := _parent_values(config):
        values[PARENT_KEY] = parent
    for dotted, old_value in HASH_DEFAULTS.items():
        *groups, key = dotted.split(".")
        holder = values
        for group in groups:
            holder = holder[group]
        if holder[key] == old_value:
            del holder[key]
    return values


def _data_values(config: Config) -> dict[str, Any]:
    data = asdict(config.data)
    for key in ("root", "margin"):
        del data[key]
    if data["stream"] is not None:
        del data["stream"]["workers"]
    if config.data.pad == 0:
        data["normalise"] = HASH_DEFAULTS["data.normalise"]
    return data


def _model_values(config: Config) -> dict[str, Any]:
    model = asdict(config.model)
    if config.model.shortcut != "A":
        model["new_channels"] = HASH_DEFAULTS["model.new_channels"]
    if config.model.block != "bottleneck":
        model["bottleneck_stride"] = HASH_DEFAULTS["model.bottleneck_stride"]
    return model


def _optim_values(config: Config) -> dict[str, Any]:
    optim = asdict(config.optim)
    if config.optim.momentum == 0:
        optim["momentum_form"] = HASH_DEFAULTS["optim.momentum_form"]
    if config.optim.weight_decay == 0:
        optim["decay"] = HASH_DEFAULTS["optim.decay"]
    return optim


def _schedule_values(config: Config) -> dict[str, Any]:
    schedule = asdict(config.schedule)
    if not config.schedule.milestones and config.schedule.plateau is None:
        schedule["factor"] = WITHOUT_EFFECT["schedule.factor"]
    schedule["warmup"] = _warmup_values(config)
    return schedule


def _warmup_values(config: Config) -> dict[str, Any] | None:
    """The warm-up that this run has; how deep a network must be to have one is no value of the run."""
    warmup = effective_warmup(config)
    if warmup is None:
        return None
    values = {key: value for key, value in asdict(warmup).items() if key != "from_depth"}
    if warmup.below is None:
        values["window"] = WITHOUT_EFFECT["schedule.warmup.window"]
    return values


def _parent_values(config: Config) -> dict[str, Any]:
    """In what the run that a constructed network is grown from differs from this one, beside its depth.

    Its id follows from these and from this run's own values. Only the warm-up may differ: a constructed net has none.
    """
    parent = parent_config(config)
    warmup = None if parent is None else _warmup_values(parent)
    return {} if warmup is None else {"schedule": {"warmup": warmup}}


def compute_run_id(config: Config, content: str) -> str:
    """Such as `residual-d56-s3-1f2e3d4c`."""
    canonical = json.dumps(
        hashed_values(config, content), sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    return f"{family(config.model)}-d{config.model.depth}-s{config.seed}-{digest}"
