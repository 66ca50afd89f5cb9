"""The paper's tables with ours beside them: of runs that follow its protocols, and no others."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import FINISHED_STATES
from analysis.paper_protocol import follows_cifar10_protocol, follows_imagenet_protocol
from analysis.published_claims import metric_values
from analysis.published_values import MULTIPLY_ADDS, PARAMETERS, find_published
from analysis.statistics import Interval, student_interval
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
)

SIZES = (PARAMETERS, MULTIPLY_ADDS)
NO_RUN = Interval(np.nan, np.nan, np.nan, 0)

# columns of a table: what of ours, and which published number
Metrics = dict[str, str]
Cells = dict[str, dict[str, object]]


def build_cifar10_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 6 with ours beside it: a row a family and depth of the runs that follow the protocol.

    Ours: mean, Student 95 % interval over runs and n, in percent. The published errors are text, as they were printed.
    """
    metrics = {
        "train_clean_error": CLEAN_ERROR,
        "train_augmented_error": AUGMENTED_ERROR,
        "test_error": TEST_ERROR,
    }
    cells: Cells = {
        "H15_train_error": {"source": "H15", "metric": CLEAN_ERROR},
        "H15_test_error": {"source": "H15", "metric": TEST_ERROR},
        "P1_train_augmented_error": {"source": "P1", "metric": AUGMENTED_ERROR},
        "P1_test_error": {"source": "P1", "metric": TEST_ERROR},
        "P2_test_error": {"source": "P2", "metric": TEST_ERROR},
    }
    cells |= {"H15_parameters": {"source": "H15", "metric": PARAMETERS}}
    cells |= {f"G_{size}": {"source": "G", "metric": size} for size in SIZES}
    return _table(runs[follows_cifar10_protocol(runs)], "cifar10", metrics, cells)


def build_imagenet_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Tables 2 and 3 with ours beside them: as `table`, with validation errors of one crop and of ten."""
    metrics = {
        "one_crop_error": TEST_ERROR,
        "ten_crop_error": TEN_CROP_ERROR,
        "ten_crop_top5_error": TEN_CROP_TOP5_ERROR,
    }
    cells: Cells = {
        "H15_table_2_ten_crop_error": {"where": "table 2", "metric": TEN_CROP_ERROR},
        "H15_table_3_ten_crop_error": {"where": "table 3", "metric": TEN_CROP_ERROR},
        "H15_table_3_ten_crop_top5_error": {"where": "table 3", "metric": TEN_CROP_TOP5_ERROR},
        "H15_multiply_adds": {"source": "H15", "metric": MULTIPLY_ADDS},
        "G_multiply_adds": {"source": "G", "metric": MULTIPLY_ADDS, "stride": None},
        "G_multiply_adds_1x1": {"source": "G", "metric": MULTIPLY_ADDS, "stride": "1x1"},
        "G_multiply_adds_3x3": {"source": "G", "metric": MULTIPLY_ADDS, "stride": "3x3"},
    }
    return _table(runs[follows_imagenet_protocol(runs)], "imagenet", metrics, cells)


def _table(runs: pd.DataFrame, data: str, metrics: Metrics, cells: Cells) -> pd.DataFrame:
    rows = []
    for (family, shortcut, depth), part in runs.groupby(["family", "shortcut", "depth"]):
        net = {"family": family, "shortcut": shortcut, "depth": depth}
        row: dict[str, Any] = {
            **net,
            "without_end": int((~part["state"].isin([*FINISHED_STATES])).sum()),
        }
        for name, metric in metrics.items():
            values = metric_values(part, metric)
            ours = student_interval(values) if values else NO_RUN
            row |= {f"{name}_{key}": getattr(ours, key) for key in ("mean", "low", "high", "n")}
        row |= {size: part[size].max() for size in SIZES}  # the same for all of them
        for name, wanted in cells.items():
            found = find_published(data=data, **net, **wanted)
            if wanted["metric"] in SIZES:
                row[name] = found[0].value if found else np.nan
            else:
                row[name] = "; ".join(one.format() for one in found)
        rows.append(row)
    return pd.DataFrame(rows)
