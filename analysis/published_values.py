"""The published numbers, each with its source.

These are numbers that others measured, and numbers that the architecture fixes; nothing here was
measured by this project. Errors are in percent. `analysis.paper_protocol` says which runs may be
compared with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    RUNNING_ERROR,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
)

PARAMETERS = "parameters"
MULTIPLY_ADDS = "multiply_adds"  # those of the forward pass of one image
# The error on images held out of the training data. It is a name of its own, so that no test error
# is ever compared with it.
VALIDATION_ERROR = "validation/error"

SOURCES = {
    "H15": "He et al. 2015, Deep Residual Learning for Image Recognition (CVPR 2016)",
    "G": "computed from the architecture",
    "P1": "github.com/a-martyn/resnet (one seed, last epoch)",
    "P2": "github.com/nabla0001/resnet (5 runs)",
    "P3": (
        "github.com/robertkoller/ResNet-Reproduction (2026; one seed, last epoch; validation error,"
        " trained on 45,000 images)"
    ),
    "P4": (
        "github.com/wooyeolBaek/deep-residual-learning (2023; one seed, last of 183 epochs;"
        " gradients clipped in plain-56)"
    ),
}


@dataclass(frozen=True)
class PublishedValue:
    """A published value or range of one network.

    Attributes:
        data: name of the data set.
        family: plain or residual.
        shortcut: none, A, B or C.
        depth: layers.
        metric: a key of the metrics' rows, or VALIDATION_ERROR, PARAMETERS or MULTIPLY_ADDS.
        source: a key of SOURCES.
        where: the table, figure or section of the source.
        value: the number, or None if a range was published.
        low: lower end of the range, or None if it is open.
        high: upper end of the range, or None if it is open.
        sd: standard deviation over `runs`, or None if it was not published.
        runs: number of runs, or None if it was not published.
        block: basic or bottleneck.
        stride: the convolution of a bottleneck block that has the stride, if the value depends
            on it.
        by_eye: whether the number was read off a figure.
        best: whether it is the best of `runs`, which is never compared with a mean.
        note: caveats about the number.
    """

    data: str
    family: str
    shortcut: str
    depth: int
    metric: str
    source: str
    where: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    runs: int | None = None
    block: str = "basic"
    stride: str | None = None
    by_eye: bool = False
    best: bool = False
    note: str = ""

    def format(self) -> str:
        """Format an error: `8.51 ± 0.22`, `~9 to 9.5`, `above 60` or `6.43 (best of 5)`."""
        about = "~" if self.by_eye else ""
        if self.value is not None:
            digits = 0 if self.by_eye else 2
            spread = "" if self.sd is None else f" ± {self.sd:.2f}"
            best = f" (best of {self.runs})" if self.best else ""
            return f"{about}{self.value:.{digits}f}{spread}{best}"
        if self.low is None:
            return f"below {self.high:g}"
        if self.high is None:
            return f"above {self.low:g}"
        return f"{about}{self.low:g} to {self.high:g}"


# family and shortcut
PLAIN = ("plain", "none")
RESIDUAL_A = ("residual", "A")
RESIDUAL_B = ("residual", "B")
RESIDUAL_C = ("residual", "C")

# depth: (parameters as printed in table 6, parameters, multiply-adds); option A adds no parameters
CIFAR10_SIZES = {
    20: (0.27e6, 269_722, 40.6e6),
    32: (0.46e6, 464_154, 68.9e6),
    44: (0.66e6, 658_586, 97.2e6),
    56: (0.85e6, 853_018, 125.5e6),
    110: (1.7e6, 1_727_962, 252.9e6),
    1202: (19.4e6, 19_421_274, 2829e6),
}
# depth: test error of the residual network
TABLE_6 = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 1202: 7.93}
# depth: (training error on augmented images, test error)
P1_PLAIN = {20: (0.74, 9.69), 32: (0.79, 10.04), 44: (2.76, 11.56), 56: (3.33, 13.07)}
P1_RESIDUAL = {20: (0.40, 8.04), 32: (0.12, 7.79), 44: (0.05, 7.51), 56: (0.04, 7.46)}
# network, depth, mean test error, standard deviation over 5 runs
P2 = (
    (PLAIN, 20, 9.78, 0.13),
    (PLAIN, 56, 12.95, 0.22),
    (RESIDUAL_A, 20, 8.51, 0.22),
    (RESIDUAL_A, 56, 7.40, 0.27),
)
# depth: (running training error, validation error)
P3_PLAIN = {20: (0.87, 8.80), 32: (1.07, 10.40), 44: (3.33, 11.44), 56: (5.16, 11.96)}
P3_RESIDUAL = {20: (0.42, 7.92), 32: (0.17, 7.44), 44: (0.08, 7.06), 56: (0.05, 6.58)}
P3_SPLIT = "trained on 45,000 images"
P3_VALIDATION = f"validation error, {P3_SPLIT}"
# depth: (running training error, test error)
P4_PLAIN = {20: (1.21, 8.84), 32: (1.54, 10.18), 44: (2.79, 11.58), 56: (4.36, 11.70)}
P4_RESIDUAL = {
    20: (1.13, 9.14),
    32: (0.43, 8.32),
    44: (0.24, 8.22),
    56: (0.11, 6.68),
    110: (0.05, 6.68),
}
P4_NOTE = "183 epochs"
P4_CLIPPED = (PLAIN, 56)  # the network whose gradients were clipped
# network, depth, top-1 error with ten crops
TABLE_2 = (
    (PLAIN, 18, 27.94),
    (PLAIN, 34, 28.54),
    (RESIDUAL_A, 18, 27.88),
    (RESIDUAL_A, 34, 25.03),
)
# network, depth, block, top-1 and top-5 error with ten crops; with option B at 50 or more layers
TABLE_3 = (
    (PLAIN, 34, "basic", 28.54, 10.02),
    (RESIDUAL_A, 34, "basic", 25.03, 7.76),
    (RESIDUAL_B, 34, "basic", 24.52, 7.46),
    (RESIDUAL_C, 34, "basic", 24.19, 7.40),
    (RESIDUAL_B, 50, "bottleneck", 22.85, 6.71),
    (RESIDUAL_B, 101, "bottleneck", 21.75, 6.05),
    (RESIDUAL_B, 152, "bottleneck", 21.43, 5.71),
)
# depth: multiply-adds as printed in table 1
TABLE_1_BASIC = {18: 1.8e9, 34: 3.6e9}
# depth: (as printed, with the stride in the 1x1 convolution, with it in the 3x3 convolution)
TABLE_1_BOTTLENECK = {
    50: (3.8e9, 3.86e9, 4.09e9),
    101: (7.6e9, 7.57e9, 7.80e9),
    152: (11.3e9, 11.28e9, 11.51e9),
}


def _cifar10_sizes() -> Iterator[PublishedValue]:
    for depth, (printed, parameters, multiply_adds) in CIFAR10_SIZES.items():
        for network in (PLAIN, RESIDUAL_A):
            network_key = ("cifar10", *network, depth)
            yield PublishedValue(*network_key, PARAMETERS, "G", "6n+2 layers", parameters)
            yield PublishedValue(*network_key, MULTIPLY_ADDS, "G", "6n+2 layers", multiply_adds)
        yield PublishedValue("cifar10", *RESIDUAL_A, depth, PARAMETERS, "H15", "table 6", printed)


def _cifar10_table_6() -> Iterator[PublishedValue]:
    for depth, error in TABLE_6.items():
        yield PublishedValue("cifar10", *RESIDUAL_A, depth, TEST_ERROR, "H15", "table 6", error)
    residual_110 = ("cifar10", *RESIDUAL_A, 110, TEST_ERROR, "H15", "table 6")
    yield PublishedValue(*residual_110, 6.61, sd=0.16, runs=5)
    yield PublishedValue(*residual_110, 6.43, runs=5, best=True)
    note = "the paper does not say which training error"
    residual_1202 = ("cifar10", *RESIDUAL_A, 1202, CLEAN_ERROR, "H15", "section 4.2")
    yield PublishedValue(*residual_1202, high=0.1, note=note)


def _cifar10_figure_6() -> Iterator[PublishedValue]:
    """Yield the errors of plain networks that are read off figure 6.

    The error of 110 layers is not drawn; the caption says that it is above 60 %.
    """
    source = (TEST_ERROR, "H15", "figure 6")
    yield PublishedValue("cifar10", *PLAIN, 20, *source, low=9, high=9.5, by_eye=True)
    yield PublishedValue("cifar10", *PLAIN, 32, *source, 10, by_eye=True)
    yield PublishedValue("cifar10", *PLAIN, 44, *source, 12, by_eye=True)
    yield PublishedValue("cifar10", *PLAIN, 56, *source, low=13, high=13.5, by_eye=True)
    yield PublishedValue("cifar10", *PLAIN, 110, *source, low=60, note="not drawn")


def _cifar10_reproductions() -> Iterator[PublishedValue]:
    for depth in P1_PLAIN:
        for network, errors in ((PLAIN, P1_PLAIN), (RESIDUAL_A, P1_RESIDUAL)):
            training, test = errors[depth]
            network_key = ("cifar10", *network, depth)
            yield PublishedValue(
                *network_key, AUGMENTED_ERROR, "P1", "repository", training, runs=1
            )
            yield PublishedValue(*network_key, TEST_ERROR, "P1", "repository", test, runs=1)
    source = (TEST_ERROR, "P2", "repository")
    for network, depth, mean, sd in P2:
        yield PublishedValue("cifar10", *network, depth, *source, mean, sd=sd, runs=5)
    note = "the learning rate never returned to 0.1 after its warm-up"
    yield PublishedValue("cifar10", *RESIDUAL_A, 110, *source, 7.14, sd=0.20, runs=5, note=note)


def _cifar10_newer_reproductions() -> Iterator[PublishedValue]:
    """Yield the errors of two reproductions with other protocols, which the notes name."""
    for network, rows in ((PLAIN, P3_PLAIN), (RESIDUAL_A, P3_RESIDUAL)):
        for depth, (training, validation) in rows.items():
            key = ("cifar10", *network, depth)
            fields: dict[str, Any] = {"source": "P3", "where": "repository", "runs": 1}
            yield PublishedValue(*key, RUNNING_ERROR, **fields, value=training, note=P3_SPLIT)
            yield PublishedValue(
                *key, VALIDATION_ERROR, **fields, value=validation, note=P3_VALIDATION
            )
    for network, rows in ((PLAIN, P4_PLAIN), (RESIDUAL_A, P4_RESIDUAL)):
        for depth, (training, test) in rows.items():
            key = ("cifar10", *network, depth)
            note = P4_NOTE
            if (network, depth) == P4_CLIPPED:
                note += ", gradients clipped"
            fields = {"source": "P4", "where": "repository", "runs": 1, "note": note}
            yield PublishedValue(*key, RUNNING_ERROR, **fields, value=training)
            yield PublishedValue(*key, TEST_ERROR, **fields, value=test)


def _imagenet_errors() -> Iterator[PublishedValue]:
    for network, depth, top1 in TABLE_2:
        yield PublishedValue("imagenet", *network, depth, TEN_CROP_ERROR, "H15", "table 2", top1)
    for network, depth, block, top1, top5 in TABLE_3:
        network_key = ("imagenet", *network, depth)
        yield PublishedValue(*network_key, TEN_CROP_ERROR, "H15", "table 3", top1, block=block)
        yield PublishedValue(*network_key, TEN_CROP_TOP5_ERROR, "H15", "table 3", top5, block=block)


def _imagenet_multiply_adds() -> Iterator[PublishedValue]:
    for depth, printed in TABLE_1_BASIC.items():
        for network in (PLAIN, RESIDUAL_A):
            yield PublishedValue(
                "imagenet", *network, depth, MULTIPLY_ADDS, "H15", "table 1", printed
            )
    projections_34 = ("imagenet", *RESIDUAL_B, 34, MULTIPLY_ADDS)
    yield PublishedValue(*projections_34, "G", "table 1's layers", 3.66e9)
    for depth, (printed, stride_in_1x1, stride_in_3x3) in TABLE_1_BOTTLENECK.items():
        network_key = ("imagenet", *RESIDUAL_B, depth, MULTIPLY_ADDS)
        yield PublishedValue(*network_key, "H15", "table 1", printed, block="bottleneck")
        for stride, count in (("1x1", stride_in_1x1), ("3x3", stride_in_3x3)):
            yield PublishedValue(
                *network_key, "G", "table 1's layers", count, block="bottleneck", stride=stride
            )


PUBLISHED_VALUES = (
    *_cifar10_sizes(),
    *_cifar10_table_6(),
    *_cifar10_figure_6(),
    *_cifar10_reproductions(),
    *_cifar10_newer_reproductions(),
    *_imagenet_errors(),
    *_imagenet_multiply_adds(),
)


def find_published(**fields: object) -> list[PublishedValue]:
    """Return the published values with these values of their fields, in the order of the tables.

    Example: `find_published(data="cifar10", depth=56)`.
    """
    return [value for value in PUBLISHED_VALUES if _matches(value, fields)]


def _matches(value: PublishedValue, fields: dict[str, object]) -> bool:
    return all(getattr(value, name) == expected for name, expected in fields.items())
