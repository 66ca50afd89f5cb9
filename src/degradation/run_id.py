"""The run id: a hash of every value that changes a run's numbers, defaults included.

Records are content-addressed: the same values give the same id and therefore the same record. The
hash excludes where and how a run is trained (device, threads, workers, paths, tracking, the name of
its experiment) and what only the analysis reads (`data.margin`, `training_error`, `report`).
"""

import hashlib
import json
import re
from dataclasses import asdict, fields
from typing import Any

from degradation.config import Config, Model, effective_warmup, family, parent_config
from degradation.config.architecture import is_built_in
from degradation.config.keys import NO_DEFAULT
from degradation.config.options import effective_options
from degradation.config.schema import KEYS
from degradation.registry import BLOCKS, NETWORKS, OPTIMIZERS

# Incremented when results change on purpose: run ids change with the version, so older records
# remain valid under their own ids. A correction that affects only some runs changes the version of
# those runs only.
NUMERICS_VERSION = 1
CORRECTED_VERSION = 2

# Keys that were added after a release, each with the value that reproduces the code's earlier
# behaviour. A key with this value is excluded from the hash, so that older records keep their ids.
HASH_DEFAULTS: dict[str, Any] = {
    name: key.hash_default for name, key in KEYS.items() if key.hash_default is not NO_DEFAULT
}

# What is hashed in place of a value that has no effect: the value in the presets of conf/.
NO_EFFECT_VALUES: dict[str, Any] = {
    "optim.momentum": 0.9,  # if the optimiser does not read it
    "schedule.factor": 0.1,  # if the learning rate never drops
    "schedule.warmup.window": 100,  # if only max_iterations ends the warm-up
}

# The keys of `optim` that every optimiser reads. The others change only the runs of those
# optimisers whose registrations name them.
SHARED_OPTIM_KEYS = ("name", "lr", "weight_decay", "decay", "batch_size")

# A constructed network hashes, under this key, the values in which its parent differs from it.
PARENT_KEY = "parent"

# Keys of hashed sections that change no number; the data are hashed by their content
UNHASHED_DATA_KEYS = ("data.root", "data.margin", "data.stream.workers")

RUN_ID_PATTERN = re.compile(r"[a-z-]+-d\d+-s\d+-[0-9a-f]{8}", re.ASCII)
MAX_RUN_ID_LENGTH = 99  # characters


def compute_run_id(config: Config, data_fingerprint: str) -> str:
    """Return the id of a run, such as `residual-d56-s3-1f2e3d4c`.

    Args:
        config: the configuration of the run.
        data_fingerprint: identifies the content of the data set (`degradation.data.fingerprint`).
    """
    return build_run_id(config, hashed_values(config, data_fingerprint))


def build_run_id(config: Config, hashed: dict[str, Any]) -> str:
    """Return the id of the run with these hashed values, which `hashed_values` returns."""
    prefix = run_id_prefix(family(config.model), config.model.depth, config.seed)
    return prefix + hash_values(hashed)


def identify_without_data(config: Config) -> str:
    """Return what is the same for two configurations of one run, without reading any data.

    The root stands for the data, so only configurations of one sweep can be compared.
    """
    return compute_run_id(config, data_fingerprint=str(config.data.root))


def run_id_prefix(family_name: str, depth: int, seed: int) -> str:
    """Return the readable part of a run id, before the hash."""
    return f"{family_name}-d{depth}-s{seed}-"


def hash_values(values: dict[str, Any]) -> str:
    """Return the eight hexadecimal digits at the end of the run id: the start of a SHA-256."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]


def is_run_id(value: Any) -> bool:
    """Return whether the value has the form of a run id, so that it can become a folder's name."""
    if not isinstance(value, str) or len(value) > MAX_RUN_ID_LENGTH:
        return False
    return RUN_ID_PATTERN.fullmatch(value) is not None


def numerics_version(config: Config) -> int:
    """Return the version of the numerics that the run is trained with.

    Version 2 computes exact BN statistics over all images (version 1 weighted all batches equally,
    whatever their size) and detects plateaus from the validation error if images are held out
    (version 1: from the test error). Runs that use neither are the same in both versions and keep
    version 1.
    """
    uses_validation = config.schedule.plateau is not None and config.data.validation > 0
    is_corrected = config.model.bn_statistics == "exact" or uses_validation
    return CORRECTED_VERSION if is_corrected else NUMERICS_VERSION


def hashed_values(config: Config, data_fingerprint: str) -> dict[str, Any]:
    """Return all values that the id covers, nested as in the configuration.

    Keys that do not affect this run have a fixed value, and keys in HASH_DEFAULTS are absent if
    they have their default. Some keys are covered although they usually do not change the trained
    network: `schedule.evaluate_every` (it changes the rows, and when a plateau is detected),
    `schedule.snapshots` (it changes the files) and `data.size`, with `data.resize`, for images that
    already have this size (which is only known once they are read).

    Args:
        config: the configuration of the run.
        data_fingerprint: identifies the content of the data set (`degradation.data.fingerprint`).
    """
    values: dict[str, Any] = {
        "numerics_version": numerics_version(config),
        "seed": config.seed,
        "data": _data_values(config) | {"content": data_fingerprint},
        "model": _model_values(config),
        "optim": _optim_values(config),
        "schedule": _schedule_values(config),
        "precision": asdict(config.precision),
    }
    parent = _parent_values(config)
    if parent:
        values[PARENT_KEY] = parent
    for key, default in HASH_DEFAULTS.items():
        _delete_default(values, key, default)
    return values


def hashed_family(model: dict[str, Any]) -> str:
    """Return the family of a network from the `model` values of `hashed_values`."""
    values: dict[str, Any] = {}
    for field in fields(Model):
        default = HASH_DEFAULTS.get(f"model.{field.name}")
        values[field.name] = model.get(field.name, default)
    return family(Model(**values))


def _delete_key(values: dict[str, Any], dotted_key: str) -> None:
    """Delete a key from nested values, unless the section that holds it is null."""
    *groups, key = dotted_key.split(".")
    section: Any = values
    for group in groups:
        section = section[group]
    if section is not None:
        del section[key]


def _delete_default(values: dict[str, Any], dotted_key: str, default: Any) -> None:
    """Delete a key from nested values if it has its default."""
    *groups, key = dotted_key.split(".")
    for group in groups:
        values = values[group]
    if values[key] == default:
        del values[key]


def _data_values(config: Config) -> dict[str, Any]:
    values: dict[str, Any] = {"data": asdict(config.data)}
    for dotted_key in UNHASHED_DATA_KEYS:
        _delete_key(values, dotted_key)
    data: dict[str, Any] = values["data"]
    if config.data.size is None:
        data["resize"] = HASH_DEFAULTS["data.resize"]
    if config.data.pad == 0:
        data["normalise"] = HASH_DEFAULTS["data.normalise"]
    return data


def _model_values(config: Config) -> dict[str, Any]:
    """Return the values of the network.

    Code of the user's own is named with a hash of its file, and may read every key. Networks
    without options have no key for them, as before there were any.
    """
    model = asdict(config.model)
    model["network"] = NETWORKS.identify(config.model.network)
    model["block"] = BLOCKS.identify(config.model.block)
    model["options"] = effective_options(config.model)
    if not model["options"]:
        del model["options"]
    for key in _list_unread_model_keys(config.model):
        model[key] = HASH_DEFAULTS[f"model.{key}"]
    return model


def _list_unread_model_keys(model: Model) -> list[str]:
    """Return the keys of `model` that do not change this network."""
    if not is_built_in(model):
        return []
    unread = []
    if model.shortcut != "A":
        unread.append("new_channels")
    if model.block != "bottleneck":
        unread.append("bottleneck_stride")
    return unread


def list_ineffective_optim_keys(config: Config) -> list[str]:
    """Return the keys, such as `optim.momentum`, that the optimiser ignores but somebody has set.

    Their values are not those of the presets in conf/.
    """
    optim = asdict(config.optim)
    unread = _unread_optim_values(config)
    return [f"optim.{key}" for key in optim if key in unread and optim[key] != unread[key]]


def _unread_optim_values(config: Config) -> dict[str, Any]:
    """Return the keys of `optim` that the optimiser does not read, with the presets' values."""
    own_keys = OPTIMIZERS.facts(config.optim.name).get("keys", ())
    unread = asdict(config.optim).keys() - {*SHARED_OPTIM_KEYS, *own_keys}
    values = NO_EFFECT_VALUES | HASH_DEFAULTS
    return {key: values[f"optim.{key}"] for key in unread}


def _optim_values(config: Config) -> dict[str, Any]:
    optim = asdict(config.optim) | _unread_optim_values(config)
    if config.optim.momentum == 0:
        optim["momentum_form"] = HASH_DEFAULTS["optim.momentum_form"]
    if config.optim.weight_decay == 0:
        optim["decay"] = HASH_DEFAULTS["optim.decay"]
    return optim


def _schedule_values(config: Config) -> dict[str, Any]:
    schedule = asdict(config.schedule)
    if not config.schedule.milestones and config.schedule.plateau is None:
        schedule["factor"] = NO_EFFECT_VALUES["schedule.factor"]
    schedule["warmup"] = _warmup_values(config)
    return schedule


def _warmup_values(config: Config) -> dict[str, Any] | None:
    """Return the values of the warm-up that this run has, or None.

    `from_depth`, the depth from which networks have a warm-up, does not change a run that has one.
    """
    warmup = effective_warmup(config)
    if warmup is None:
        return None
    values = asdict(warmup)
    del values["from_depth"]
    if warmup.below is None:
        values["window"] = NO_EFFECT_VALUES["schedule.warmup.window"]
    return values


def _parent_values(config: Config) -> dict[str, Any]:
    """Return the values, apart from the depth, in which a constructed network's parent differs.

    These values and the run's own determine the parent's id. Only the warm-up can differ, since a
    constructed network has none.
    """
    parent = parent_config(config)
    warmup = None if parent is None else _warmup_values(parent)
    return {} if warmup is None else {"schedule": {"warmup": warmup}}
