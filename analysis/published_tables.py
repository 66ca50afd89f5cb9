"""The paper's tables beside this project's results, for runs that follow the paper's protocols.

Columns that begin with H15 hold the numbers of He et al. (2015), P1 to P4 those of four public
reproductions, and G numbers counted from the architecture (`analysis.published_values`).
"""

from typing import Any

import numpy as np
import pandas as pd

from analysis.estimates import Interval
from analysis.finished_runs import is_finished
from analysis.paper_protocol import follows_cifar10_protocol, follows_imagenet_protocol
from analysis.published_claims import metric_values
from analysis.published_values import (
    MULTIPLY_ADDS,
    PARAMETERS,
    VALIDATION_ERROR,
    find_published,
)
from analysis.requirements import repeated_seeds
from analysis.statistics import student_interval
from analysis.summary import find_resolution, interval_columns
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    RUNNING_ERROR,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
)

COMPLEXITY = (PARAMETERS, MULTIPLY_ADDS)

Metrics = dict[str, str]  # column of a table: the metric that was measured
Published = dict[str, dict[str, object]]  # column of a table: which published number it holds

CIFAR10_METRICS: Metrics = {
    "train_clean_error": CLEAN_ERROR,
    "train_augmented_error": AUGMENTED_ERROR,
    "train_running_error": RUNNING_ERROR,
    "test_error": TEST_ERROR,
}
CIFAR10_PUBLISHED: Published = {
    "H15_train_error": {"source": "H15", "metric": CLEAN_ERROR},
    "H15_test_error": {"source": "H15", "metric": TEST_ERROR},
    "P1_train_augmented_error": {"source": "P1", "metric": AUGMENTED_ERROR},
    "P1_test_error": {"source": "P1", "metric": TEST_ERROR},
    "P2_test_error": {"source": "P2", "metric": TEST_ERROR},
    "P3_train_running_error": {"source": "P3", "metric": RUNNING_ERROR},
    "P3_validation_error": {"source": "P3", "metric": VALIDATION_ERROR},
    "P4_train_running_error": {"source": "P4", "metric": RUNNING_ERROR},
    "P4_test_error": {"source": "P4", "metric": TEST_ERROR},
    "H15_parameters": {"source": "H15", "metric": PARAMETERS},
    "G_parameters": {"source": "G", "metric": PARAMETERS},
    "G_multiply_adds": {"source": "G", "metric": MULTIPLY_ADDS},
}
IMAGENET_METRICS: Metrics = {
    "one_crop_error": TEST_ERROR,
    "ten_crop_error": TEN_CROP_ERROR,
    "ten_crop_top5_error": TEN_CROP_TOP5_ERROR,
}
IMAGENET_PUBLISHED: Published = {
    "H15_table_2_ten_crop_error": {"where": "table 2", "metric": TEN_CROP_ERROR},
    "H15_table_3_ten_crop_error": {"where": "table 3", "metric": TEN_CROP_ERROR},
    "H15_table_3_ten_crop_top5_error": {"where": "table 3", "metric": TEN_CROP_TOP5_ERROR},
    "H15_multiply_adds": {"source": "H15", "metric": MULTIPLY_ADDS},
    "G_multiply_adds": {"source": "G", "metric": MULTIPLY_ADDS, "stride": None},
    "G_multiply_adds_1x1": {"source": "G", "metric": MULTIPLY_ADDS, "stride": "1x1"},
    "G_multiply_adds_3x3": {"source": "G", "metric": MULTIPLY_ADDS, "stride": "3x3"},
}


def build_cifar10_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return table 6 of the paper: one row per family, shortcut and depth.

    Measured errors are means over runs with 95 % Student-t confidence intervals, in percent.
    Published errors are text, as they were printed. Runs that do not follow the paper's protocol
    are excluded.
    """
    selected = runs[follows_cifar10_protocol(runs)]
    return _build_table(selected, "cifar10", CIFAR10_METRICS, CIFAR10_PUBLISHED)


def build_imagenet_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return tables 2 and 3 of the paper, with validation errors of one crop and of ten crops.

    The form is that of `build_cifar10_table`.
    """
    selected = runs[follows_imagenet_protocol(runs)]
    return _build_table(selected, "imagenet", IMAGENET_METRICS, IMAGENET_PUBLISHED)


def _build_table(
    runs: pd.DataFrame, data: str, metrics: Metrics, published: Published
) -> pd.DataFrame:
    rows = []
    for (family, shortcut, depth), group in runs.groupby(["family", "shortcut", "depth"]):
        network = {"family": family, "shortcut": shortcut, "depth": depth}
        unfinished = int((~is_finished(group)).sum())
        row: dict[str, Any] = {**network, "without_end": unfinished}
        for name, metric in metrics.items():
            values = metric_values(group, metric)
            interval = Interval(np.nan, np.nan, np.nan, len(values))
            if values and not repeated_seeds(group, ""):
                interval = student_interval(values, resolution=find_resolution(group, metric))
            row |= interval_columns(interval, name, ("mean", "low", "high", "n"))
        for name in COMPLEXITY:
            row[name] = group[name].max()  # all runs of a network have the same value
        for name, query in published.items():
            values_found = find_published(data=data, **network, **query)
            if query["metric"] in COMPLEXITY:
                row[name] = values_found[0].value if values_found else np.nan
            else:
                row[name] = "; ".join(value.format() for value in values_found)
        rows.append(row)
    return pd.DataFrame(rows)
