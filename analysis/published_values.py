"""The published numbers with their sources, and the protocols that a run must follow to be put beside them.

What others measured and what the architecture fixes; nothing that was measured here. Errors are in percent.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
)
from degradation.run_id import HASH_DEFAULTS

PARAMETERS, MULTIPLY_ADDS = (
    "parameters",
    "multiply_adds",
)  # multiply-adds of one picture's forward pass

SOURCES = {
    "H15": "He et al. 2015, Deep Residual Learning for Image Recognition (CVPR 2016)",
    "G": "computed from the architecture",
    "P1": "github.com/a-martyn/resnet (one seed, last epoch)",
    "P2": "github.com/nabla0001/resnet (5 runs)",
}


@dataclass(frozen=True)
class PublishedValue:
    """A value, or a range of which an end that is None is open. `sd` is over `runs`; None: not printed."""

    data: str
    family: str
    shortcut: str
    depth: int
    metric: str  # a key of a row of metrics, or PARAMETERS, MULTIPLY_ADDS
    source: str  # a key of SOURCES
    where: str  # table, figure or section
    value: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    runs: int | None = None
    block: str = "basic"
    stride: str | None = (
        None  # the convolution of a bottleneck that has the stride, where the value depends on it
    )
    by_eye: bool = False  # read off a figure
    best: bool = False  # the best of `runs`: no mean is compared with it
    note: str = ""

    def format(self) -> str:
        """An error, such as `8.51 ± 0.22`, `~9 to 9.5`, `above 60` or `6.43 (best of 5)`."""
        about = "~" if self.by_eye else ""
        if self.value is not None:
            spread = "" if self.sd is None else f" ± {self.sd:.2f}"
            return f"{about}{self.value:.{0 if about else 2}f}{spread}" + (
                f" (best of {self.runs})" if self.best else ""
            )
        if self.low is None:
            return f"below {self.high:g}"
        return (
            f"above {self.low:g}" if self.high is None else f"{about}{self.low:g} to {self.high:g}"
        )


PLAIN, A, B, C = ("plain", "none"), ("residual", "A"), ("residual", "B"), ("residual", "C")


def _cifar() -> Iterable[PublishedValue]:
    name = "cifar10"
    for depth, printed, exact, macs in (
        (20, 0.27e6, 269_722, 40.6e6), (32, 0.46e6, 464_154, 68.9e6), (44, 0.66e6, 658_586, 97.2e6),
        (56, 0.85e6, 853_018, 125.5e6), (110, 1.7e6, 1_727_962, 252.9e6), (1202, 19.4e6, 19_421_274, 2829e6),
    ):  # fmt: skip
        for net in (PLAIN, A):  # option A has no parameters
            yield PublishedValue(name, *net, depth, PARAMETERS, "G", "6n+2 layers", exact)
            yield PublishedValue(name, *net, depth, MULTIPLY_ADDS, "G", "6n+2 layers", macs)
        yield PublishedValue(name, *A, depth, PARAMETERS, "H15", "table 6", printed)
    for depth, error in {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 1202: 7.93}.items():
        yield PublishedValue(name, *A, depth, TEST_ERROR, "H15", "table 6", error)
    yield PublishedValue(name, *A, 110, TEST_ERROR, "H15", "table 6", 6.61, sd=0.16, runs=5)
    yield PublishedValue(name, *A, 110, TEST_ERROR, "H15", "table 6", 6.43, runs=5, best=True)
    told = "the kind of training error is not printed"
    yield PublishedValue(name, *A, 1202, CLEAN_ERROR, "H15", "section 4.2", high=0.1, note=told)
    yield PublishedValue(
        name, *PLAIN, 20, TEST_ERROR, "H15", "figure 6", low=9, high=9.5, by_eye=True
    )
    yield PublishedValue(name, *PLAIN, 32, TEST_ERROR, "H15", "figure 6", 10, by_eye=True)
    yield PublishedValue(name, *PLAIN, 44, TEST_ERROR, "H15", "figure 6", 12, by_eye=True)
    yield PublishedValue(
        name, *PLAIN, 56, TEST_ERROR, "H15", "figure 6", low=13, high=13.5, by_eye=True
    )
    yield PublishedValue(name, *PLAIN, 110, TEST_ERROR, "H15", "figure 6", low=60, note="not drawn")
    for depth, plain, residual in (
        (20, (0.74, 9.69), (0.40, 8.04)), (32, (0.79, 10.04), (0.12, 7.79)),
        (44, (2.76, 11.56), (0.05, 7.51)), (56, (3.33, 13.07), (0.04, 7.46)),
    ):  # fmt: skip
        for net, (train, test) in ((PLAIN, plain), (A, residual)):
            yield PublishedValue(
                name, *net, depth, AUGMENTED_ERROR, "P1", "repository", train, runs=1
            )
            yield PublishedValue(name, *net, depth, TEST_ERROR, "P1", "repository", test, runs=1)
    for net, depth, mean, sd in ((PLAIN, 20, 9.78, 0.13), (PLAIN, 56, 12.95, 0.22), (A, 20, 8.51, 0.22),
                                 (A, 56, 7.40, 0.27)):  # fmt: skip
        yield PublishedValue(name, *net, depth, TEST_ERROR, "P2", "repository", mean, sd=sd, runs=5)
    told = "its warm-up never returned to 0.1"
    yield PublishedValue(
        name, *A, 110, TEST_ERROR, "P2", "repository", 7.14, sd=0.20, runs=5, note=told
    )


def _imagenet() -> Iterable[PublishedValue]:
    name, deep = "imagenet", "bottleneck"
    for net, depth, top1 in (
        (PLAIN, 18, 27.94),
        (PLAIN, 34, 28.54),
        (A, 18, 27.88),
        (A, 34, 25.03),
    ):
        yield PublishedValue(name, *net, depth, TEN_CROP_ERROR, "H15", "table 2", top1)
    # table 3 has its 50 layers and more with option B
    for net, depth, top1, top5 in (
        (PLAIN, 34, 28.54, 10.02), (A, 34, 25.03, 7.76), (B, 34, 24.52, 7.46), (C, 34, 24.19, 7.40),
        (B, 50, 22.85, 6.71), (B, 101, 21.75, 6.05), (B, 152, 21.43, 5.71),
    ):  # fmt: skip
        block = deep if depth >= 50 else "basic"
        yield PublishedValue(name, *net, depth, TEN_CROP_ERROR, "H15", "table 3", top1, block=block)
        yield PublishedValue(
            name, *net, depth, TEN_CROP_TOP5_ERROR, "H15", "table 3", top5, block=block
        )
    for depth, printed in {18: 1.8e9, 34: 3.6e9}.items():
        for net in (PLAIN, A):
            yield PublishedValue(name, *net, depth, MULTIPLY_ADDS, "H15", "table 1", printed)
    yield PublishedValue(name, *B, 34, MULTIPLY_ADDS, "G", "table 1's layers", 3.66e9)
    for depth, printed, first, second in (
        (50, 3.8e9, 3.86e9, 4.09e9), (101, 7.6e9, 7.57e9, 7.80e9), (152, 11.3e9, 11.28e9, 11.51e9),
    ):  # fmt: skip
        yield PublishedValue(name, *B, depth, MULTIPLY_ADDS, "H15", "table 1", printed, block=deep)
        for stride, macs in (("1x1", first), ("3x3", second)):
            yield PublishedValue(
                name,
                *B,
                depth,
                MULTIPLY_ADDS,
                "G",
                "table 1's layers",
                macs,
                block=deep,
                stride=stride,
            )


PUBLISHED_VALUES = (*_cifar(), *_imagenet())


def find_published(**wanted: object) -> list[PublishedValue]:
    """The published numbers with these values of their fields: `find_published(data="cifar10", depth=56)`."""
    return [
        one
        for one in PUBLISHED_VALUES
        if all(getattr(one, field) == value for field, value in wanted.items())
    ]


# Allowed values per key. The second half of ANY is what the papers leave open (paper.md, ambiguities), and precision.
ANY: dict[str, tuple[object, ...]] = {
    "data.flip": (True,), "model.order": ("post",), "schedule.factor": (0.1,),
    "optim.lr": (0.1,), "optim.momentum": (0.9,), "optim.weight_decay": (1e-4,),
    "data.normalise": ("before_padding", "after_padding"), "model.new_channels": ("after", "either_side"),
    "model.bottleneck_stride": ("3x3", "1x1"), "model.initialisation": ("fan_out", "fan_in"),
    "model.bn_statistics": ("moving", "exact"), "optim.momentum_form": ("pytorch", "caffe"),
    "optim.decay": ("all", "weights"), "precision.dtype": ("fp32", "bf16"),
}  # fmt: skip
# Into how many parts BN may cut a batch. CIFAR-10: the paper has two GPUs, of 64 images each, and does not say that BN
# saw them apart. ImageNet: its number of GPUs is not printed. The authors' next paper (He et al. 2016, appendix) has
# 256 images on eight GPUs, BN in each, so parts of 32 images or more are taken for what the paper did. Smaller ones are
# not: BN's own error grows with them (Wu and He 2018, figure 1: the same down to 16 images, worse from 8 on).
CIFAR10_PARTS = (1, 2)
IMAGENET_PARTS = (1, 2, 4, 8)
# Training images that may be held out. The paper does not say in which error it saw the plateau of ImageNet's training;
# 10,000 of 1.28 million images, by which ours does, are 0.8 % less to train on.
IMAGENET_VALIDATION = (0, 10_000)
CIFAR10 = ANY | {
    "data.name": ("cifar10",), "data.validation": (0,), "data.pad": (4,), "data.normalisation": ("pixel",),
    "model.layout": ("cifar",),
    "model.shortcut": ("none", "A"), "model.block": ("basic",), "model.width": (16,), "model.bn_parts": CIFAR10_PARTS,
    "optim.batch_size": (128,), "schedule.iterations": (64000,), "schedule.milestones": ("[32000, 48000]",),
}  # fmt: skip
IMAGENET = ANY | {
    "data.name": ("imagenet",), "data.validation": IMAGENET_VALIDATION, "data.pad": (0,),
    "data.normalisation": ("channel",), "data.stream.crop": (224,),
    "data.stream.scale": ("[256, 480]",), "data.stream.colour": (0.1,), "data.stream.test_scale": (256,),
    "model.layout": ("imagenet",), "model.shortcut": ("none", "A", "B", "C"), "model.block": ("basic", "bottleneck"),
    "model.width": (64,), "model.bn_parts": IMAGENET_PARTS, "optim.batch_size": (256,),
    "schedule.iterations": (600000,), "schedule.milestones": ("[]",),
}  # fmt: skip
WARMED_FROM = 110  # layers
WARMUP_ITERATIONS = (
    400,
    2000,
)  # allowed limit where there is one: the paper's warm-up took about 400
NONE = "null"  # a group of keys that a run does not have, in words
# the groups of keys that are judged as one, and what the protocols have there
GROWN_FROM, PLATEAU, WARMUP = "model.grown_from", "schedule.plateau", "schedule.warmup"
CIFAR10_GROUPS = {
    GROWN_FROM: NONE,
    PLATEAU: NONE,
    WARMUP: f"{NONE} below {WARMED_FROM} layers, and from there on lr 0.01 until the training error is below 80 %",
}
IMAGENET_GROUPS = {
    GROWN_FROM: NONE,
    PLATEAU: "a drop of the rate when the error stops falling",
    WARMUP: NONE,
}


def follows_cifar10_protocol(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Which runs follow He et al. 2015, 4.2, on the canonical CIFAR-10, in all that the paper settles."""
    return ~_departures_from_cifar10(runs).any(axis=1)


def follows_imagenet_protocol(runs: pd.DataFrame) -> "pd.Series[bool]":
    """Which runs follow He et al. 2015, 3.4: all 600k iterations, lr lowered at a plateau, no warm-up.

    Unlike the paper's, our images are normalised by channel mean and standard deviation.
    """
    return ~_departures_from_imagenet(runs).any(axis=1)


def find_departures(runs: pd.DataFrame) -> list[str]:
    """Why some of these runs are not compared with published numbers, one line per key.

    Such as `optim.lr is 0.05, the paper's protocol has 0.1`. Of runs on the data that the paper has numbers of alone.
    """
    lines: dict[str, None] = {}
    for name, table_of, allowed, groups in (
        ("cifar10", _departures_from_cifar10, CIFAR10, CIFAR10_GROUPS),
        ("imagenet", _departures_from_imagenet, IMAGENET, IMAGENET_GROUPS),
    ):
        on_data = runs[_column(runs, "data.name") == name]
        table = table_of(on_data)
        for key in map(str, table):
            expected = groups[key] if key in groups else " or ".join(map(str, allowed[key]))
            for value in dict.fromkeys(
                _shown(run, key) for _, run in on_data[table[key]].iterrows()
            ):
                lines[f"{key} is {value}, the paper's protocol has {expected}"] = None
    return list(lines)


def _departures_from_cifar10(runs: pd.DataFrame) -> pd.DataFrame:
    """A row per run, a column per key: is its value not the protocol's?"""
    deep = runs["depth"] >= WARMED_FROM
    warmed = _has(runs, WARMUP)
    groups = {
        GROWN_FROM: _has(runs, GROWN_FROM),
        PLATEAU: _has(runs, PLATEAU),
        WARMUP: (deep & ~_papers_warmup(runs)) | (~deep & warmed),
    }
    return _not_allowed(runs, CIFAR10).assign(**groups)


def _departures_from_imagenet(runs: pd.DataFrame) -> pd.DataFrame:
    groups = {
        GROWN_FROM: _has(runs, GROWN_FROM),
        PLATEAU: ~_has(runs, PLATEAU),
        WARMUP: _has(runs, WARMUP),
    }
    return _not_allowed(runs, IMAGENET).assign(**groups)


def _not_allowed(runs: pd.DataFrame, allowed: dict[str, tuple[object, ...]]) -> pd.DataFrame:
    return pd.DataFrame(
        {key: ~_column(runs, key).isin(list(values)) for key, values in allowed.items()}
    )


def _column(runs: pd.DataFrame, key: str) -> pd.Series:
    """A configuration's value per run; where a record is older than the key, the value that the code had then."""
    name = f"config.{key}"
    column = (
        runs[name].astype(object)
        if name in runs
        else pd.Series(None, index=runs.index, dtype=object)
    )
    return column.where(column.notna(), HASH_DEFAULTS.get(key))


def _group(runs: pd.DataFrame, key: str) -> list[str]:
    """The columns of the key, or of the group of that name."""
    return [name for name in map(str, runs) if f"{name}.".startswith(f"config.{key}.")]


def _has(runs: pd.DataFrame, key: str) -> "pd.Series[bool]":
    """Is the key, or any key of the group of that name, not null?"""
    return runs[_group(runs, key)].notna().any(axis=1)


def _shown(run: pd.Series, key: str) -> str:
    """A run's value of a key, or its values of a group: `lr 0.01, below 80`."""
    frame = run.to_frame().T
    if key not in CIFAR10_GROUPS:
        value = _column(frame, key).iloc[0]
        return NONE if pd.isna(value) else _number(value)
    values = {
        name.removeprefix(f"config.{key}").lstrip("."): run[name] for name in _group(frame, key)
    }
    return (
        ", ".join(
            f"{name} {_number(value)}".strip() for name, value in values.items() if pd.notna(value)
        )
        or NONE
    )


def _number(value: object) -> str:
    """A whole number as one: pandas makes it a float where another run has none."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _papers_warmup(runs: pd.DataFrame) -> "pd.Series[bool]":
    """lr 0.01 until the running error is below 80 %, or for so many iterations, whichever is first."""
    below, limit = (
        _column(runs, f"schedule.warmup.{key}").astype(float) for key in ("below", "max_iterations")
    )
    by_error = (below == 80) & _column(runs, "schedule.warmup.window").isin([100])
    ends = (
        (by_error | below.isna())
        & (limit.between(*WARMUP_ITERATIONS) | limit.isna())
        & (by_error | limit.notna())
    )
    return _column(runs, "schedule.warmup.lr").isin([0.01]) & ends
