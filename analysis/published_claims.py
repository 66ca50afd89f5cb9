"""Our runs beside the published numbers: claims of equivalence with the paper.

Only runs that follow the paper's protocol are compared. Every run counts, diverged ones at chance.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claim import Claim, Verdict, is_untrained
from analysis.columns import FINISHED_STATES, TRAINING_ERROR, UNTRAINED_WITHIN_POINTS
from analysis.evidence import abbreviate, describe_diverged
from analysis.published_values import (
    PublishedValue,
    find_departures,
    find_published,
    follows_cifar10_protocol,
    follows_imagenet_protocol,
)
from analysis.statistics import CONFIDENCE, Interval, student_interval
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
)
from degradation.records.schema import State

# how a claim about it is named, and the error in words
KINDS = {
    TEST_ERROR: ("", "test error"),
    CLEAN_ERROR: (", training", "clean training error"),
    TEN_CROP_ERROR: (", top-1", "ten-crop validation error"),
    TEN_CROP_TOP5_ERROR: (", top-5", "ten-crop top-5 validation error"),
}


def judge_published(runs: pd.DataFrame, margin: float) -> list[Claim]:
    """A claim for each network that the paper has an error of, and one that says why the others are not compared.

    Empty for data that it has no errors of. The runs differ in family, depth and seed only. `margin` is in points of
    test error.
    """
    claims = []
    for (family, depth), part in runs[follows_cifar10_protocol(runs)].groupby(["family", "depth"]):
        for paper in find_published(
            data="cifar10", family=family, depth=depth, source="H15", best=False
        ):
            if paper.metric == TEST_ERROR:
                claims.append(_claim(part, paper, f"within {margin:g} points of ", margin))
            elif paper.metric == CLEAN_ERROR:
                claims.append(
                    _claim(part, paper, "", 0.0)
                )  # the bound that the paper gives is the margin
    for (family, shortcut, depth), part in runs[follows_imagenet_protocol(runs)].groupby(
        ["family", "shortcut", "depth"]
    ):
        found = find_published(
            data="imagenet", family=family, shortcut=shortcut, depth=depth, source="H15"
        )
        for metric in (TEN_CROP_ERROR, TEN_CROP_TOP5_ERROR):
            # an error that stands in both tables is one
            errors = {paper.value: paper for paper in found if paper.metric == metric}
            claims += [
                _claim(part, paper, f"within {margin:g} points of ", margin)
                for paper in errors.values()
            ]
    return [*claims, *_not_compared(runs)]


def _not_compared(runs: pd.DataFrame) -> Iterator[Claim]:
    """A claim that is not tested, with the reasons, where runs on the paper's data have no published number beside."""
    reasons = find_departures(runs)
    for data, follows in (
        ("cifar10", follows_cifar10_protocol(runs)),
        ("imagenet", follows_imagenet_protocol(runs)),
    ):
        for (family, shortcut, depth), _ in runs[follows].groupby(["family", "shortcut", "depth"]):
            found = find_published(data=data, family=family, shortcut=shortcut, depth=depth)
            if not any(paper.metric in KINDS for paper in found):
                reasons.append(f"no error of {family}-{depth} is published")
    if not reasons:
        return
    named = abbreviate(reasons, "; ")
    yield Claim(
        "published numbers",
        "the errors are those that were published for the same nets",
        Verdict.NOT_TESTED,
        f"not compared with published numbers: {named}",
        reasons,
    )


def difference_from_published(values: Sequence[float], one: PublishedValue) -> Interval:
    """Ours minus published, in points, with the two-sided 95 % interval of our mean over n runs.

    Welch's where the published mean has a standard deviation over its runs, else Student's with the published value
    taken as exact. From a range it is the signed distance, 0 within. NaN bounds for one run.
    """
    ours = student_interval(values)
    if one.value is None:
        low = -np.inf if one.low is None else one.low
        high = np.inf if one.high is None else one.high
        mean, lower, upper = (
            x - float(np.clip(x, low, high)) for x in (ours.mean, ours.low, ours.high)
        )
        return Interval(mean, lower, upper, ours.n)
    mean = ours.mean - one.value
    if one.sd is None or one.runs is None or ours.n < 2:
        return Interval(mean, ours.low - one.value, ours.high - one.value, ours.n)
    share, other = float(np.var(values, ddof=1)) / ours.n, one.sd**2 / one.runs
    freedom = (share + other) ** 2 / (share**2 / (ours.n - 1) + other**2 / (one.runs - 1))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * float(np.sqrt(share + other))
    return Interval(mean, mean - half, mean + half, ours.n)


def equivalence_verdict(difference: Interval, margin: float) -> Verdict:
    """Reproduced: the whole interval is within the margin. Contradicted: all of it is outside, on one side.

    Equivalence is thus shown by two bounds, each of 97.5 %.
    """
    if -margin <= difference.low and difference.high <= margin:
        return Verdict.REPRODUCED
    outside = difference.low > margin or difference.high < -margin
    return Verdict.CONTRADICTED if outside else Verdict.INCONCLUSIVE


def _claim(part: pd.DataFrame, paper: PublishedValue, closeness: str, margin: float) -> Claim:
    net = f"{paper.family}-{paper.depth}" + (
        f" {paper.shortcut}" if paper.data == "imagenet" else ""
    )
    suffix, kind = KINDS[paper.metric]
    name = f"published {net}{suffix}"
    statement = f"{net}: mean {kind} {closeness}{paper.format()} % (H15 {paper.where})"
    if reasons := _untestable(part, net):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    values = metric_values(part, paper.metric)
    if len(values) < len(part):
        reason = f"{len(part) - len(values)} of {len(part)} runs of {net} have no {kind}"
        return Claim(name, statement, Verdict.NOT_TESTED, reason, [reason])
    line = _line(values, paper)
    notes = _notes(part, net)
    if paper.value is not None and paper.sd is None:
        notes.append(
            "a published error without a standard deviation is taken as exact; its spread over seeds is unknown"
        )
    if paper.by_eye:
        notes.append("the paper's plain nets are read off figure 6 by eye")
    evidence = [line, *(_beside(part, paper) if paper.metric == TEST_ERROR else ())]
    return Claim(
        name,
        statement,
        equivalence_verdict(difference_from_published(values, paper), margin),
        line,
        evidence,
        notes,
    )


def _beside(part: pd.DataFrame, paper: PublishedValue) -> Iterator[str]:
    """What else there is to compare; the verdict does not rest on it."""
    values = metric_values(part, TEST_ERROR)
    if paper.value is not None and paper.sd is None:
        mean, n = float(np.mean(values)), len(values)
        half = float(
            stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / n)
        )
        yield f"one further run of ours: {mean - half:.2f} to {mean + half:.2f} % (95 % prediction interval, {n} runs)"
    for one in find_published(data=paper.data, family=paper.family, depth=paper.depth):
        if one.best:
            yield f"{one.source} {one.where}: {one.value:.2f} %, the best of {one.runs} runs: not compared with a mean"
        elif one.metric == TEST_ERROR and one != paper:
            yield _line(values, one)
        elif one.metric == AUGMENTED_ERROR and (ours := metric_values(part, AUGMENTED_ERROR)):
            both = f"ours {np.mean(ours):.2f} % (mean of {len(ours)} runs), {one.source} {one.format()} % (one)"
            yield f"training error in eval mode on augmented pictures, for information: {both}"


def _line(values: Sequence[float], one: PublishedValue) -> str:
    """Ours against one published error, with what the interval is of."""
    ours, difference = student_interval(values), difference_from_published(values, one)
    digits = 2 if one.metric == TEST_ERROR else 3
    spread = "" if one.sd is None else f"mean ± standard deviation of {one.runs} runs"
    theirs = f"{one.format()} % ({'; '.join(told for told in (f'{one.source} {one.where}', spread, one.note) if told)})"
    if one.value is None:
        interval = f"Student 95 % interval {ours.low:.{digits}f} to {ours.high:.{digits}f} over {ours.n} runs"
        return f"ours {ours.mean:.{digits}f} %, {interval}, against {theirs}"
    interval = f"95 % interval {difference.low:+.2f} to {difference.high:+.2f} over {ours.n} runs"
    kind = "Student" if one.sd is None else "Welch"
    return (
        f"ours {ours.mean:.2f} % minus {theirs}: {difference.mean:+.2f} points, {kind} {interval}"
    )


def _untestable(part: pd.DataFrame, net: str) -> list[str]:
    """Why the mean over these runs cannot be compared. A run without an end is not left out in silence."""
    reasons = [
        f"{len(absent)} of {len(part)} runs of {net} {'is' if len(absent) == 1 else 'are'} {state}"
        for state, absent in part[~part["state"].isin([*FINISHED_STATES])].groupby("state")
    ]
    if part["seed"].duplicated().any():
        reasons.append(f"{net}: a seed stands twice, so these runs are of several conditions")
    if len(part) < 2:
        reasons.append(f"{net} has one seed; an interval needs two")
    return reasons


def _notes(part: pd.DataFrame, net: str) -> list[str]:
    notes = [
        f"precision of the runs beside the paper's: {', '.join(sorted(part['config.precision.dtype'].unique()))}"
    ]
    if is_untrained(part):
        error = part[TRAINING_ERROR].mean()
        notes.append(
            f"{net} is untrained: training error {error:.1f} %, within {UNTRAINED_WITHIN_POINTS:g} points of chance"
        )
    notes += describe_diverged(part, net)
    kinds = sorted(part["device"].dropna().str.split(":").str[0].unique())
    if len(kinds) > 1:
        notes.append(f"the runs of {net} are from different classes of device: {', '.join(kinds)}")
    return notes


def metric_values(part: pd.DataFrame, metric: str) -> list[float]:
    """The metric of the runs that are over, in percent; a diverged run's is chance (of five guesses for top-5)."""
    if metric not in part:
        return []
    over = part[part["state"].isin([*FINISHED_STATES])]
    guesses = 5 if metric == TEN_CROP_TOP5_ERROR else 1
    chance = 100 - guesses * (100 - over["chance"])
    return (
        over[metric].where(over["state"] != State.DIVERGED, chance).dropna().astype(float).tolist()
    )
