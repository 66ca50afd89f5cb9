"""The run id: a hash of every value that changes a run's numbers, defaults included (design: content-addressed runs).

Left out: where and how a run is carried out (device, threads, workers, paths, tracking, the experiment it belongs to),
and what only the analysis reads (`data.margin`, `training_error`).
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from degradation.config import Config, family, warmup_of

# Raised when the code's numbers change on purpose: every id changes with it, and old records stay what they are.
NUMERICS_VERSION = 1

# A key added after a release, with the value that reproduces what the code did before it existed. While it has that
# value it is left out of the hash, so that older records keep their ids.
ADDED_LATER: dict[str, Any] = {
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


def hashed_values(config: Config, content: str) -> dict[str, Any]:
    """All values that the id covers; those that have no effect here at their default.

    `content` identifies the data set's content (`degradation.data.content`).
    """
    data = asdict(config.data)
    for key in ("root", "margin"):
        del data[key]
    if data["stream"] is not None:
        del data["stream"]["workers"]
    if config.data.pad == 0:
        data["normalise"] = ADDED_LATER["data.normalise"]
    model = asdict(config.model)
    if config.model.shortcut != "A":
        model["new_channels"] = ADDED_LATER["model.new_channels"]
    if config.model.block != "bottleneck":
        model["bottleneck_stride"] = ADDED_LATER["model.bottleneck_stride"]
    warmup = warmup_of(config)
    schedule = asdict(config.schedule) | {"warmup": None}
    if warmup is not None:
        schedule["warmup"] = {key: value for key, value in asdict(warmup).items() if key != "from_depth"}
    values: dict[str, Any] = {
        "numerics_version": NUMERICS_VERSION,
        "seed": config.seed,
        "data": data | {"content": content},
        "model": model,
        "optim": asdict(config.optim),
        "schedule": schedule,
        "precision": asdict(config.precision),
    }
    for dotted, old_value in ADDED_LATER.items():
        *groups, key = dotted.split(".")
        holder = values
        for group in groups:
            holder = holder[group]
        if holder[key] == old_value:
            del holder[key]
    return values


def run_id(config: Config, content: str) -> str:
    """Such as `residual-d56-s3-1f2e3d4c`."""
    canonical = json.dumps(hashed_values(config, content), sort_keys=True, separators=(",", ":"), allow_nan=False)
    digest = hashlib.sha256(canonical.encode()).hexdigest()[:8]
    return f"{family(config.model)}-d{config.model.depth}-s{config.seed}-{digest}"
