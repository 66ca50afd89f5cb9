"""The protocols of He et al. 2015, and which runs follow them.

Only runs that follow the paper's protocol may be compared with its numbers. Each protocol is a
table of the values that a configuration key may have. Where the paper leaves a value open, every
reading of it is allowed (docs/protocol.md).
"""

from collections.abc import Callable, Mapping

import pandas as pd

from analysis.columns import TRAIN_IMAGES
from degradation.run_id import HASH_DEFAULTS

AllowedValues = Mapping[str, tuple[object, ...]]  # by key

# Values on which both protocols agree. The paper does not specify `data.normalise` and the keys
# after it.
ANY: dict[str, tuple[object, ...]] = {
    "data.flip": (True,),
    "data.size": (None,),
    "data.resize": ("area", "bilinear"),  # without effect on images that are not resized
    "model.order": ("post",),
    "schedule.factor": (0.1,),
    "optim.lr": (0.1,),
    "optim.momentum": (0.9,),
    "optim.weight_decay": (1e-4,),
    "data.normalise": ("before_padding", "after_padding"),
    "model.new_channels": ("after", "either_side"),
    "model.bottleneck_stride": ("3x3", "1x1"),
    "model.initialisation": ("fan_out", "fan_in"),
    "model.bn_statistics": ("moving", "exact"),
    "optim.momentum_form": ("pytorch", "caffe"),
    "optim.decay": ("all", "weights"),
    "precision.dtype": ("fp32", "tf32", "bf16"),
    "precision.deterministic": (True, False),
}
# Number of parts into which batch normalisation (BN) may split a batch. On CIFAR-10 the paper uses
# two GPUs with 64 images each, and does not say whether BN normalises per GPU. On ImageNet it does
# not state the number of GPUs. The authors' next paper (He et al. 2016, appendix) has 256 images on
# eight GPUs with BN per GPU, so parts of 32 images or more count as the paper's protocol. Smaller
# parts do not: with BN, the error grows as the parts shrink (Wu and He 2018, figure 1: equal down
# to 16 images, worse at 8 or fewer).
CIFAR10_BN_PARTS = (1, 2)
IMAGENET_BN_PARTS = (1, 2, 4, 8)
# Training images that may be held out. The paper does not say which error showed that the training
# on ImageNet had reached a plateau. Ours is measured on 10,000 of 1.28 million images, which leaves
# 0.8 % fewer to train on.
IMAGENET_VALIDATION = (0, 10_000)


# Groups of keys that are judged as a whole, and `data.stream`, whose keys are judged one by one.
GROWN_FROM, PLATEAU, WARMUP = "model.grown_from", "schedule.plateau", "schedule.warmup"
PARTS = (GROWN_FROM, PLATEAU, WARMUP, "data.stream")
# How often an error is measured changes no error.
MEASURED_EVERY = "schedule.augmented_every"


def _complete(allowed: AllowedValues) -> dict[str, tuple[object, ...]]:
    """Return a protocol with the keys that it does not name and that were added after a release.

    They must reproduce what the code did before they existed.
    """
    exempt = {*PARTS, MEASURED_EVERY, *allowed}
    unnamed = {key: (value,) for key, value in HASH_DEFAULTS.items() if key not in exempt}
    return dict(allowed) | unnamed


CIFAR10 = _complete(
    ANY
    | {
        "data.name": ("cifar10",),
        "data.validation": (0,),
        "data.pad": (4,),
        "data.normalisation": ("pixel",),
        "model.layout": ("cifar",),
        "model.shortcut": ("none", "A"),
        "model.block": ("basic",),
        "model.width": (16,),
        "model.bn_parts": CIFAR10_BN_PARTS,
        "optim.batch_size": (128,),
        "schedule.iterations": (64000,),
        "schedule.milestones": ("[32000, 48000]",),
    }
)
IMAGENET = _complete(
    ANY
    | {
        "data.name": ("imagenet",),
        "data.validation": IMAGENET_VALIDATION,
        "data.pad": (0,),
        "data.normalisation": ("channel",),
        "data.stream.crop": (224,),
        "data.stream.scale": ("[256, 480]",),
        "data.stream.colour": (0.1,),
        "data.stream.test_scale": (256,),
        "model.layout": ("imagenet",),
        "model.shortcut": ("none", "A", "B", "C"),
        "model.block": ("basic", "bottleneck"),
        "model.width": (64,),
        "model.bn_parts": IMAGENET_BN_PARTS,
        "optim.batch_size": (256,),
        "schedule.iterations": (600000,),
        "schedule.milestones": ("[]",),
    }
)

WARMUP_FROM_DEPTH = 110  # layers
WARMUP_LR = 0.01
WARMUP_BELOW = 80  # percent of training error, at which the warm-up ends
WARMUP_WINDOW = 100  # iterations over which that error is averaged
# Range of the limit that a warm-up may also have, in iterations: the paper's took about 400.
WARMUP_ITERATIONS = (400, 2000)

# A folder of some of ImageNet's classes, or of other images, is not the paper's data set.
IMAGENET_IMAGES = 1281167
TRAINING_IMAGES = "the number of training images"  # judged as if it were a key

NULL_TEXT = "null"  # how a message names a key or group that a run does not have
# What the protocols require of the groups of keys that are judged as a whole.
CIFAR10_GROUPS = {
    GROWN_FROM: NULL_TEXT,
    PLATEAU: NULL_TEXT,
    WARMUP: (
        f"{NULL_TEXT} below {WARMUP_FROM_DEPTH} layers; with that depth or more, lr {WARMUP_LR:g}"
        f" until the training error is below {WARMUP_BELOW} %"
    ),
}
IMAGENET_GROUPS = {
    GROWN_FROM: NULL_TEXT,
    PLATEAU: "a learning-rate drop when the error stops falling",
    WARMUP: NULL_TEXT,
    TRAINING_IMAGES: f"{IMAGENET_IMAGES} less data.validation",
}


def follows_cifar10_protocol(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return which runs follow He et al. 2015, section 4.2, on the official CIFAR-10.

    They must do so in everything that the paper specifies. The index is that of `runs`.
    """
    return _follows(runs, "cifar10", _cifar10_departures)


def follows_imagenet_protocol(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return which runs follow He et al. 2015, section 3.4.

    They train for all 600k iterations, drop the learning rate at a plateau, and have no warm-up.
    Unlike the paper's, our images are normalised by channel mean and standard deviation. The index
    is that of `runs`.
    """
    return _follows(runs, "imagenet", _imagenet_departures)


def _follows(
    runs: pd.DataFrame, data: str, departures: Callable[[pd.DataFrame], pd.DataFrame]
) -> "pd.Series[bool]":
    """Return which runs are on this data set and depart from its protocol in no key."""
    is_candidate = _values(runs, "data.name") == data
    follows = pd.Series(False, index=runs.index)
    if is_candidate.any():  # the departures take most of the time of judging runs on other data
        follows[is_candidate] = ~departures(runs[is_candidate]).any(axis=1)
    return follows


def find_departures(runs: pd.DataFrame) -> list[str]:
    """Return why some of these runs are not compared with published numbers, one line per value.

    A line reads `optim.lr is 0.05, but the paper's protocol requires 0.1`. Runs on other data sets
    are ignored, since the paper has no numbers for them.
    """
    return [
        *_describe_departures(runs, "cifar10", _cifar10_departures, CIFAR10, CIFAR10_GROUPS),
        *_describe_departures(runs, "imagenet", _imagenet_departures, IMAGENET, IMAGENET_GROUPS),
    ]


def _describe_departures(
    runs: pd.DataFrame,
    data: str,
    departures: Callable[[pd.DataFrame], pd.DataFrame],
    allowed: AllowedValues,
    groups: Mapping[str, str],
) -> list[str]:
    """Return one line for each key and each of its values that departs from one protocol."""
    runs = runs[_values(runs, "data.name") == data]
    if runs.empty:
        return []
    departs = departures(runs)
    lines = []
    for key in map(str, departs):
        expected = groups.get(key) or " or ".join(map(_format_allowed, allowed[key]))
        values = [_format_value(run, key) for _, run in runs[departs[key]].iterrows()]
        lines += [
            f"{key} is {value}, but the paper's protocol requires {expected}"
            for value in dict.fromkeys(values)
        ]
    return lines


def _cifar10_departures(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a table with one row per run and one column per key: whether its value departs."""
    deep = runs["depth"] >= WARMUP_FROM_DEPTH
    wrong_warmup = deep & ~_has_papers_warmup(runs)
    needless_warmup = ~deep & _has_group(runs, WARMUP)
    groups = {
        GROWN_FROM: _has_group(runs, GROWN_FROM),
        PLATEAU: _has_group(runs, PLATEAU),
        WARMUP: wrong_warmup | needless_warmup,
    }
    return _disallowed(runs, CIFAR10).assign(**groups)


def _imagenet_departures(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the same table for the protocol on ImageNet."""
    groups = {
        GROWN_FROM: _has_group(runs, GROWN_FROM),
        PLATEAU: ~_has_group(runs, PLATEAU),
        WARMUP: _has_group(runs, WARMUP),
        TRAINING_IMAGES: _has_other_images(runs),
    }
    return _disallowed(runs, IMAGENET).assign(**groups)


def _has_other_images(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return which runs were trained on another number of images than ImageNet has, if known."""
    if TRAIN_IMAGES not in runs:
        return pd.Series(False, index=runs.index)
    trained = runs[TRAIN_IMAGES].astype(float)
    held_out = _values(runs, "data.validation").astype(float)
    return trained.notna() & (trained + held_out != IMAGENET_IMAGES)


def _disallowed(runs: pd.DataFrame, allowed: AllowedValues) -> pd.DataFrame:
    columns = {}
    for key, allowed_values in allowed.items():
        values = _values(runs, key)
        is_allowed = values.isin(list(allowed_values))
        if None in allowed_values:
            is_allowed |= values.isna()
        columns[key] = ~is_allowed
    return pd.DataFrame(columns)


def _has_papers_warmup(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Return which runs warm up as the paper does.

    That is lr 0.01 until the running training error is below 80 %, or for a number of iterations,
    whichever comes first. Either of the two ends suffices.
    """
    below = _values(runs, f"{WARMUP}.below").astype(float)
    limit = _values(runs, f"{WARMUP}.max_iterations").astype(float)
    window = _values(runs, f"{WARMUP}.window")
    ends_by_error = (below == WARMUP_BELOW) & window.isin([WARMUP_WINDOW])
    error_allowed = ends_by_error | below.isna()
    limit_allowed = limit.between(*WARMUP_ITERATIONS) | limit.isna()
    has_an_end = ends_by_error | limit.notna()
    right_lr = _values(runs, f"{WARMUP}.lr").isin([WARMUP_LR])
    return right_lr & error_allowed & limit_allowed & has_an_end


def _values(runs: pd.DataFrame, key: str) -> pd.Series:
    """Return a key's value per run.

    If a record is older than the key, this is the value that reproduces the code of that time.
    """
    column = f"config.{key}"
    if column in runs:
        values = runs[column].astype(object)
    else:
        values = pd.Series(None, index=runs.index, dtype=object)
    return values.where(values.notna(), HASH_DEFAULTS.get(key))


def _group_columns(runs: pd.DataFrame, key: str) -> list[str]:
    """Return the columns of a key, or of the keys in the group of that name."""
    return [column for column in map(str, runs) if f"{column}.".startswith(f"config.{key}.")]


def _has_group(runs: pd.DataFrame, key: str) -> "pd.Series[bool]":
    """Return in which runs the key, or any key of the group of that name, is not null."""
    return runs[_group_columns(runs, key)].notna().any(axis=1)


def _format_value(run: pd.Series, key: str) -> str:
    """Format a run's value of a key, or its values of a group: `lr 0.01, below 80`."""
    if key == TRAINING_IMAGES:
        return _format_number(float(run[TRAIN_IMAGES]))
    frame = run.to_frame().T
    if key not in CIFAR10_GROUPS:
        value = _values(frame, key).iloc[0]
        return NULL_TEXT if pd.isna(value) else _format_number(value)
    parts = []
    for column in _group_columns(frame, key):
        if pd.notna(run[column]):
            name = column.removeprefix(f"config.{key}").lstrip(".")
            parts.append(f"{name} {_format_number(run[column])}".strip())
    return ", ".join(parts) or NULL_TEXT


def _format_allowed(value: object) -> str:
    return NULL_TEXT if value is None else str(value)


def _format_number(value: object) -> str:
    """Format a whole number without decimals: pandas makes it a float if another run has none."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
