"""The table of metrics: the key, unit and meaning of every number that an evaluation records.

Each definition below adds one `Metric` to `METRICS` and assigns its key to a constant. Training
computes the values, records validate them, W&B declares them and the analysis reads them, all
from this table. A new metric therefore takes two changes: its definition here, and the code that
computes it (`training/evaluate.py`, `training/trainer.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

PERCENT, NATS, ITERATIONS, COUNT, RATE = "percent", "nats", "iterations", "count", "1"
INTEGER_UNITS = (ITERATIONS, COUNT)

# Whether the row of an iteration contains a metric, given the run's configuration as in run.json.
RowCondition = Callable[[Mapping[str, Any], int], bool]


def _always(_config: Mapping[str, Any], _iteration: int) -> bool:
    return True


def _after_first_update(_config: Mapping[str, Any], iteration: int) -> bool:
    return iteration > 0


def _with_validation_images(config: Mapping[str, Any], _iteration: int) -> bool:
    return bool(config["data"].get("validation"))


def _with_ten_crop(config: Mapping[str, Any], _iteration: int) -> bool:
    stream = config["data"].get("stream") or {}
    return bool(stream.get("ten_crop"))


def _with_warmup(config: Mapping[str, Any], _iteration: int) -> bool:
    return bool(config["schedule"].get("warmup"))


def _with_plateau(config: Mapping[str, Any], _iteration: int) -> bool:
    return bool(config["schedule"].get("plateau"))


def _when_augmented_is_measured(config: Mapping[str, Any], iteration: int) -> bool:
    schedule = config["schedule"]
    every = schedule.get("augmented_every")
    return is_augmented_measured(iteration, schedule["iterations"], every)


def is_augmented_measured(iteration: int, last: int, every: int | None) -> bool:
    """Return whether the evaluation at an iteration measures the augmented training error.

    Args:
        last: the schedule's number of iterations; the last evaluation always does.
        every: `schedule.augmented_every`; None means every evaluation.
    """
    return every is None or iteration == last or iteration % every == 0


@dataclass(frozen=True)
class Metric:
    """One column of metrics.jsonl, under the same name in W&B, tables and figures.

    Attributes:
        name: the key in a row, `group/name` as W&B groups its panels.
        unit: PERCENT, NATS (mean cross-entropy), ITERATIONS, COUNT or RATE.
        label: what tables and figures call it.
        description: how it is measured.
        condition: whether a row contains it.
        required: every row of every release has a number here.
        nullable: None replaces values that are not finite.
        optional: a row that meets the condition may still lack it.
    """

    name: str
    unit: str
    label: str
    description: str
    condition: RowCondition = _always
    required: bool = False
    nullable: bool = False
    optional: bool = False

    @property
    def is_integer(self) -> bool:
        """Whether its values are integers."""
        return self.unit in INTEGER_UNITS

    @property
    def group(self) -> str | None:
        """The part of the name up to and including the slash, or None for a name without one."""
        head, slash, _ = self.name.partition("/")
        return head + slash if slash else None


METRICS: dict[str, Metric] = {}


def _define(metric: Metric) -> str:
    """Add a metric to the table and return its name."""
    METRICS[metric.name] = metric
    return metric.name


ITERATION = _define(
    Metric(
        "iteration",
        unit=ITERATIONS,
        label="iteration",
        description="number of updates so far",
        required=True,
    )
)
LR = _define(
    Metric(
        "lr",
        unit=RATE,
        label="learning rate",
        description="learning rate of the last update",
        condition=_after_first_update,
    )
)

# Averages since the previous row. The network changes while they are collected.
RUNNING_ERROR = _define(
    Metric(
        "train/running_error",
        unit=PERCENT,
        label="running training error",
        description="error on the augmented batches since the previous row, in train mode",
        condition=_after_first_update,
    )
)
RUNNING_LOSS = _define(
    Metric(
        "train/running_loss",
        unit=NATS,
        label="running training loss",
        description="loss on the augmented batches since the previous row, in train mode",
        condition=_after_first_update,
    )
)

# Measured in eval mode, with the network as it is at the row's iteration.
AUGMENTED_ERROR = _define(
    Metric(
        "train/augmented_error",
        unit=PERCENT,
        label="augmented training error",
        description="error on augmented training images",
        condition=_when_augmented_is_measured,
    )
)
AUGMENTED_LOSS = _define(
    Metric(
        "train/augmented_loss",
        unit=NATS,
        label="augmented training loss",
        description="loss on augmented training images",
        condition=_when_augmented_is_measured,
        nullable=True,
    )
)
CLEAN_ERROR = _define(
    Metric(
        "train/clean_error",
        unit=PERCENT,
        label="clean training error",
        description="error on unaugmented training images",
        required=True,
    )
)
CLEAN_LOSS = _define(
    Metric(
        "train/clean_loss",
        unit=NATS,
        label="clean training loss",
        description="loss on unaugmented training images",
        nullable=True,
    )
)
TEST_ERROR = _define(
    Metric(
        "test/error",
        unit=PERCENT,
        label="test error",
        description="error on the test images",
        required=True,
    )
)
TEST_LOSS = _define(
    Metric(
        "test/loss",
        unit=NATS,
        label="test loss",
        description="loss on the test images",
        nullable=True,
    )
)
VALIDATION_ERROR = _define(
    Metric(
        "validation/error",
        unit=PERCENT,
        label="validation error",
        description="error on the held-out training images",
        condition=_with_validation_images,
    )
)
VALIDATION_LOSS = _define(
    Metric(
        "validation/loss",
        unit=NATS,
        label="validation loss",
        description="loss on the held-out training images",
        condition=_with_validation_images,
        nullable=True,
    )
)
TEN_CROP_ERROR = _define(
    Metric(
        "test/ten_crop_error",
        unit=PERCENT,
        label="ten-crop test error",
        description="error of the class probabilities averaged over ten crops",
        condition=_with_ten_crop,
    )
)
TEN_CROP_TOP5_ERROR = _define(
    Metric(
        "test/ten_crop_top5_error",
        unit=PERCENT,
        label="ten-crop top-5 test error",
        description="top-5 error of the class probabilities averaged over ten crops",
        condition=_with_ten_crop,
    )
)

# The state of the schedule.
WARMUP_END = _define(
    Metric(
        "schedule/warmup_end",
        unit=ITERATIONS,
        label="end of the warm-up",
        description="iteration at which the warm-up ended; absent from earlier rows",
        condition=_with_warmup,
        optional=True,
    )
)
PLATEAUS = _define(
    Metric(
        "schedule/plateaus",
        unit=COUNT,
        label="learning-rate drops at plateaus",
        description="number of times the learning rate was lowered at a plateau of the error",
        condition=_with_plateau,
    )
)

GROUPS = tuple(
    dict.fromkeys(metric.group for metric in METRICS.values() if metric.group is not None)
)


def is_known(name: str) -> bool:
    """Return whether a row may hold this key: a metric in the table, or one in a known group.

    Rows of other releases may hold further metrics in a known group; they are read too.
    """
    return name in METRICS or name.startswith(GROUPS)


def is_percentage(name: str) -> bool:
    """Return whether the values of this key are percentages.

    Errors that other releases measured are recognised by their name.
    """
    metric = METRICS.get(name)
    return name.endswith("_error") if metric is None else metric.unit == PERCENT
