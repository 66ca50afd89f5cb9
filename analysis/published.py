"""Our runs beside the published numbers: claims of equivalence with the paper, and its tables with ours.

Only runs that follow the paper's protocol are compared. Every run counts, diverged ones at chance.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.evidence import Claim, Verdict
from analysis.frame import OVER, UNTRAINED_WITHIN
from analysis.reference import (
    MULTIPLY_ADDS,
    PARAMETERS,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    Published,
    imagenet_protocol,
    paper_protocol,
    published,
)
from analysis.statistics import LEVEL, Interval, student
from degradation.records.schema import AUGMENTED_ERROR, CLEAN_ERROR, TEST_ERROR, State

SIZES = (PARAMETERS, MULTIPLY_ADDS)


def compare(runs: pd.DataFrame, margin: float) -> list[Claim]:
    """A claim for each family and depth that the paper has an error of. Empty where no run follows its protocol.

    The runs differ in family, depth and seed only. `margin` is in points of test error.
    """
    claims = []
    for (family, depth), part in runs[paper_protocol(runs)].groupby(["family", "depth"]):
        for paper in published(data="cifar10", family=family, depth=depth, source="H15", best=False):
            if paper.metric == TEST_ERROR:
                claims.append(_claim(part, paper, f"within {margin:g} points of ", margin))
            elif paper.metric == CLEAN_ERROR:
                claims.append(_claim(part, paper, "", 0.0))  # the bound that the paper gives is the margin
    return claims


def gap(values: Sequence[float], one: Published) -> Interval:
    """Ours minus published, in points, with the two-sided 95 % interval of our mean over n runs.

    Welch's where the published mean has a standard deviation over its runs, else Student's with the published value
    taken as exact. From a range it is the signed distance, 0 within. NaN bounds for one run.
    """
    ours = student(values)
    if one.value is None:
        low = -np.inf if one.low is None else one.low
        high = np.inf if one.high is None else one.high
        mean, lower, upper = (x - float(np.clip(x, low, high)) for x in (ours.mean, ours.low, ours.high))
        return Interval(mean, lower, upper, ours.n)
    mean = ours.mean - one.value
    if one.sd is None or one.runs is None or ours.n < 2:
        return Interval(mean, ours.low - one.value, ours.high - one.value, ours.n)
    share, other = float(np.var(values, ddof=1)) / ours.n, one.sd**2 / one.runs
    freedom = (share + other) ** 2 / (share**2 / (ours.n - 1) + other**2 / (one.runs - 1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * float(np.sqrt(share + other))
    return Interval(mean, mean - half, mean + half, ours.n)


def judged(difference: Interval, margin: float) -> Verdict:
    """Reproduced: the whole interval is within the margin. Contradicted: all of it is outside, on one side.

    Equivalence is thus shown by two bounds, each of 97.5 %.
    """
    if -margin <= difference.low and difference.high <= margin:
        return Verdict.REPRODUCED
    outside = difference.low > margin or difference.high < -margin
    return Verdict.CONTRADICTED if outside else Verdict.INCONCLUSIVE


def _claim(part: pd.DataFrame, paper: Published, closeness: str, margin: float) -> Claim:
    net = f"{paper.family}-{paper.depth}"
    kind = "test error" if paper.metric == TEST_ERROR else "clean training error"
    name = f"published {net}" + ("" if paper.metric == TEST_ERROR else ", training")
    statement = f"{net}: mean {kind} {closeness}{paper.shown()} % (H15 {paper.where})"
    if reasons := _untestable(part, net):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    values = _values(part, paper.metric)
    line = _line(values, paper)
    notes = _notes(part, net)
    if paper.value is not None and paper.sd is None:
        notes.append(
            "a published error without a standard deviation is taken as exact; its spread over seeds is unknown"
        )
    if paper.by_eye:
        notes.append("the paper's plain nets are read off figure 6 by eye")
    evidence = [line, *(_beside(part, paper) if paper.metric == TEST_ERROR else ())]
    return Claim(name, statement, judged(gap(values, paper), margin), line, evidence, notes)


def _beside(part: pd.DataFrame, paper: Published) -> Iterator[str]:
    """What else there is to compare; the verdict does not rest on it."""
    values = _values(part, TEST_ERROR)
    if paper.value is not None and paper.sd is None:
        mean, n = float(np.mean(values)), len(values)
        half = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / n))
        yield f"one further run of ours: {mean - half:.2f} to {mean + half:.2f} % (95 % prediction interval, {n} runs)"
    for one in published(data=paper.data, family=paper.family, depth=paper.depth):
        if one.best:
            yield f"{one.source} {one.where}: {one.value:.2f} %, the best of {one.runs} runs: not compared with a mean"
        elif one.metric == TEST_ERROR and one != paper:
            yield _line(values, one)
        elif one.metric == AUGMENTED_ERROR and (ours := _values(part, AUGMENTED_ERROR)):
            both = f"ours {np.mean(ours):.2f} % (mean of {len(ours)} runs), {one.source} {one.shown()} % (one)"
            yield f"training error in eval mode on augmented pictures, for information: {both}"


def _line(values: Sequence[float], one: Published) -> str:
    """Ours against one published error, with what the interval is of."""
    ours, difference = student(values), gap(values, one)
    digits = 2 if one.metric == TEST_ERROR else 3
    spread = "" if one.sd is None else f"mean ± standard deviation of {one.runs} runs"
    theirs = f"{one.shown()} % ({'; '.join(told for told in (f'{one.source} {one.where}', spread, one.note) if told)})"
    if one.value is None:
        interval = f"Student 95 % interval {ours.low:.{digits}f} to {ours.high:.{digits}f} over {ours.n} runs"
        return f"ours {ours.mean:.{digits}f} %, {interval}, against {theirs}"
    interval = f"95 % interval {difference.low:+.2f} to {difference.high:+.2f} over {ours.n} runs"
    kind = "Student" if one.sd is None else "Welch"
    return f"ours {ours.mean:.2f} % minus {theirs}: {difference.mean:+.2f} points, {kind} {interval}"


def _untestable(part: pd.DataFrame, net: str) -> list[str]:
    """Why the mean over these runs cannot be compared. A run without an end is not left out in silence."""
    reasons = [
        f"{len(absent)} of {len(part)} runs of {net} {'is' if len(absent) == 1 else 'are'} {state}"
        for state, absent in part[~part["state"].isin([*OVER])].groupby("state")
    ]
    if part["seed"].duplicated().any():
        reasons.append(f"{net}: a seed stands twice, so these runs are of several conditions")
    if len(part) < 2:
        reasons.append(f"{net} has one seed; an interval needs two")
    return reasons


def _notes(part: pd.DataFrame, net: str) -> list[str]:
    notes = [f"precision of the runs beside the paper's: {', '.join(sorted(part['config.precision.dtype'].unique()))}"]
    if (error := part[TEST_ERROR].mean()) >= part["chance"].mean() - UNTRAINED_WITHIN:
        notes.append(f"{net} is untrained: test error {error:.1f} %, within {UNTRAINED_WITHIN:g} points of chance")
    if diverged := int((part["state"] == State.DIVERGED).sum()):
        notes.append(f"{diverged} of {len(part)} runs of {net} diverged and count at chance")
    kinds = sorted(part["device"].dropna().str.split(":").str[0].unique())
    if len(kinds) > 1:
        notes.append(f"the runs of {net} are from different classes of device: {', '.join(kinds)}")
    return notes


def _values(part: pd.DataFrame, metric: str) -> list[float]:
    """The metric of the runs that are over, in percent; a diverged run's is chance (of five guesses for top-5)."""
    if metric not in part:
        return []
    over = part[part["state"].isin([*OVER])]
    guesses = 5 if metric == TEN_CROP_TOP5_ERROR else 1
    chance = 100 - guesses * (100 - over["chance"])
    return over[metric].where(over["state"] != State.DIVERGED, chance).dropna().astype(float).tolist()


# columns of a table: what of ours, and which published number
Metrics = dict[str, str]
Cells = dict[str, dict[str, object]]


def table(runs: pd.DataFrame) -> pd.DataFrame:
    """Table 6 with ours beside it: a row a family and depth of the runs that follow the protocol.

    Ours: mean, Student 95 % interval over runs and n, in percent. The published errors are text, as they were printed.
    """
    metrics = {"train_clean_error": CLEAN_ERROR, "train_augmented_error": AUGMENTED_ERROR, "test_error": TEST_ERROR}
    cells: Cells = {
        "H15_train_error": {"source": "H15", "metric": CLEAN_ERROR},
        "H15_test_error": {"source": "H15", "metric": TEST_ERROR},
        "P1_train_augmented_error": {"source": "P1", "metric": AUGMENTED_ERROR},
        "P1_test_error": {"source": "P1", "metric": TEST_ERROR},
        "P2_test_error": {"source": "P2", "metric": TEST_ERROR},
    }
    cells |= {"H15_parameters": {"source": "H15", "metric": PARAMETERS}}
    cells |= {f"G_{size}": {"source": "G", "metric": size} for size in SIZES}
    return _table(runs[paper_protocol(runs)], "cifar10", metrics, cells)


def imagenet_table(runs: pd.DataFrame) -> pd.DataFrame:
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
    return _table(runs[imagenet_protocol(runs)], "imagenet", metrics, cells)


def _table(runs: pd.DataFrame, data: str, metrics: Metrics, cells: Cells) -> pd.DataFrame:
    rows = []
    for (family, shortcut, depth), part in runs.groupby(["family", "shortcut", "depth"]):
        net = {"family": family, "shortcut": shortcut, "depth": depth}
        row: dict[str, Any] = {**net, "without_end": int((~part["state"].isin([*OVER])).sum())}
        for name, metric in metrics.items():
            values = _values(part, metric)
            ours = student(values) if values else Interval(np.nan, np.nan, np.nan, 0)
            row |= {f"{name}_{key}": getattr(ours, key) for key in ("mean", "low", "high", "n")}
        row |= {size: part[size].max() for size in SIZES}  # the same for all of them
        for name, wanted in cells.items():
            found = published(data=data, **net, **wanted)
            if wanted["metric"] in SIZES:
                row[name] = found[0].value if found else np.nan
            else:
                row[name] = "; ".join(one.shown() for one in found)
        rows.append(row)
    return pd.DataFrame(rows)
