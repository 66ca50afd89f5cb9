"""Claims of equivalence with the published numbers.

Only runs that follow the paper's protocol are compared. Every finished run counts; a diverged run
counts as chance error.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from analysis.abbreviation import abbreviate
from analysis.claim import Claim, Verdict, coarsest_resolution
from analysis.claim_names import Topic
from analysis.columns import ERROR_STEP, TEST_STEP
from analysis.estimates import CONFIDENCE
from analysis.evidence import describe_caveats
from analysis.finished_runs import select_finished
from analysis.paper_protocol import (
    find_departures,
    follows_cifar10_protocol,
    follows_imagenet_protocol,
)
from analysis.plain_words import add_doubt
from analysis.published_difference import (
    count_seeds_to_published,
    difference_from_published,
    equivalence_verdict,
)
from analysis.published_values import VALIDATION_ERROR, PublishedValue, find_published
from analysis.requirements import missing_requirements
from analysis.statistics import sample_variance, student_interval
from degradation.counting import format_count
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    RUNNING_ERROR,
    TEN_CROP_ERROR,
    TEN_CROP_TOP5_ERROR,
    TEST_ERROR,
)
from degradation.records.schema import State

# metric: (suffix of the claim's name, what the statement calls it)
METRICS = {
    TEST_ERROR: ("", "test error"),
    CLEAN_ERROR: (", training", "clean training error"),
    TEN_CROP_ERROR: (", top-1", "ten-crop validation error"),
    TEN_CROP_TOP5_ERROR: (", top-5", "ten-crop top-5 validation error"),
}
# metric: how a training error that a reproduction published was measured
TRAINING_ERRORS = {
    AUGMENTED_ERROR: "training error on augmented images in evaluation mode",
    RUNNING_ERROR: "running training error",
}
NETWORK_COLUMNS = ["family", "shortcut", "depth"]

PUBLISHED = "published"  # the first word of the name of each of these claims


def judge_published(runs: pd.DataFrame, margin: float) -> list[Claim]:
    """Return a claim for each network whose error the paper reports.

    A last claim, which is not tested, says why other runs are not compared. The list is empty if
    the paper does not use the data set.

    Args:
        runs: rows of the frame that differ in family, depth and seed only.
        margin: largest difference in points at which an error counts as equal to the published one.
    """
    return [*_judge_cifar10(runs, margin), *_judge_imagenet(runs, margin), *_not_compared(runs)]


def _judge_cifar10(runs: pd.DataFrame, margin: float) -> Iterator[Claim]:
    following = runs[follows_cifar10_protocol(runs)]
    for (family, depth), network in following.groupby(["family", "depth"]):
        values = find_published(
            data="cifar10", family=family, depth=depth, source="H15", best=False
        )
        for paper in values:
            if paper.metric == TEST_ERROR:
                yield _judge(network, paper, margin)
            elif paper.metric == CLEAN_ERROR:
                yield _judge(network, paper, 0.0)  # the paper gives a bound, which is the margin


def _judge_imagenet(runs: pd.DataFrame, margin: float) -> Iterator[Claim]:
    following = runs[follows_imagenet_protocol(runs)]
    for (family, shortcut, depth), network in following.groupby(NETWORK_COLUMNS):
        values = find_published(
            data="imagenet", family=family, shortcut=shortcut, depth=depth, source="H15"
        )
        for metric in (TEN_CROP_ERROR, TEN_CROP_TOP5_ERROR):
            # an error that is printed in two tables is judged once
            errors = {paper.value: paper for paper in values if paper.metric == metric}
            for paper in errors.values():
                yield _judge(network, paper, margin)


def _not_compared(runs: pd.DataFrame) -> list[Claim]:
    """Return a claim that is not tested if some runs on the paper's data are not compared."""
    reasons = find_departures(runs)
    reasons += _unpublished_networks(runs[follows_cifar10_protocol(runs)], "cifar10")
    reasons += _unpublished_networks(runs[follows_imagenet_protocol(runs)], "imagenet")
    if not reasons:
        return []
    statement = "the errors equal those published for the same networks"
    decisive_line = f"not compared with published numbers: {abbreviate(reasons, '; ')}"
    return [
        Claim(
            f"{PUBLISHED} numbers",
            statement,
            Verdict.NOT_TESTED,
            decisive_line,
            reasons,
            topic=Topic.PUBLISHED_ERROR,
        )
    ]


def _unpublished_networks(runs: pd.DataFrame, data: str) -> list[str]:
    reasons = []
    for (family, shortcut, depth), _ in runs.groupby(NETWORK_COLUMNS):
        values = find_published(data=data, family=family, shortcut=shortcut, depth=depth)
        if not any(value.metric in METRICS for value in values):
            reasons.append(f"no error of {family}-{depth} is published")
    return reasons


def _judge(runs: pd.DataFrame, paper: PublishedValue, margin: float) -> Claim:
    """Return the claim about one network's error, with its topic."""
    is_of_training = paper.metric == CLEAN_ERROR
    topic = Topic.PUBLISHED_TRAINING_ERROR if is_of_training else Topic.PUBLISHED_ERROR
    return replace(_compare_with_paper(runs, paper, margin), topic=topic)


def _compare_with_paper(runs: pd.DataFrame, paper: PublishedValue, margin: float) -> Claim:
    """Judge whether one network's mean error equals the paper's within the margin."""
    suffix, metric = METRICS[paper.metric]
    network = f"{paper.family}-{paper.depth}"
    if paper.data == "imagenet":
        network += f" {paper.shortcut}"
    name = f"{PUBLISHED} {network}{suffix}"
    is_bound = paper.metric == CLEAN_ERROR
    closeness = "" if is_bound else f"within {margin:g} points of "
    statement = f"{network}: mean {metric} {closeness}{paper.format()} % (H15 {paper.where})"

    if reasons := missing_requirements({paper.family: {paper.depth: runs}}, depths=1):
        return Claim.not_tested(name, statement, reasons)
    values = metric_values(runs, paper.metric)
    if missing := len(runs) - len(values):
        verb = "has" if missing == 1 else "have"
        reason = f"{missing} of {len(runs)} runs of {network} {verb} no {metric}"
        return Claim.not_tested(name, statement, [reason])

    step = ERROR_STEP if paper.metric == CLEAN_ERROR else TEST_STEP
    resolution = coarsest_resolution(runs, column=step)
    decisive_line = _format_comparison(values, paper, resolution)
    evidence = [decisive_line]
    if paper.metric == TEST_ERROR:
        evidence += _further_evidence(runs, values, paper)
    verdict = equivalence_verdict(difference_from_published(values, paper, resolution), margin)
    ours = f"{student_interval(values).mean:.2f} %"
    plain_words = f"{network}: {metric} {ours} here, {paper.format()} % in the paper"
    return Claim(
        name,
        statement,
        verdict,
        decisive_line,
        evidence,
        _notes(runs, paper),
        plain_words=f"{plain_words}{add_doubt(verdict)}.",
        depths=(paper.depth,),
        seeds_needed=count_seeds_to_published(values, paper, margin, resolution),
    )


def metric_values(runs: pd.DataFrame, metric: str) -> list[float]:
    """Return an error of the finished runs, in percent; a diverged run's is chance.

    The chance of a top-5 error is that of five guesses. Runs without the metric are skipped.
    """
    if metric not in runs:
        return []
    finished = select_finished(runs)
    guesses = 5 if metric == TEN_CROP_TOP5_ERROR else 1
    chance = 100 - guesses * (100 - finished["chance"])
    diverged = finished["state"] == State.DIVERGED
    return finished[metric].where(~diverged, chance).dropna().astype(float).tolist()


def _further_evidence(
    runs: pd.DataFrame, values: Sequence[float], paper: PublishedValue
) -> list[str]:
    """Return what else can be compared; the verdict does not rest on it."""
    evidence = []
    if paper.value is not None and paper.sd is None:
        evidence.append(_format_prediction(values, coarsest_resolution(runs, column=TEST_STEP)))
    for other in find_published(data=paper.data, family=paper.family, depth=paper.depth):
        source = f"{other.source} {other.where}"
        if other.best:
            best = f"{other.value:.2f} %, the best of {other.runs} runs"
            evidence.append(f"{source}: {best}: not compared with a mean")
        elif other.metric == TEST_ERROR and other != paper:
            resolution = coarsest_resolution(runs, column=TEST_STEP)
            evidence.append(_format_comparison(values, other, resolution))
        elif other.metric == VALIDATION_ERROR:
            error = f"{other.format()} %, {other.note}"
            evidence.append(f"{source}: {error}: not compared with a test error")
        elif other.metric in TRAINING_ERRORS:
            evidence += _format_training(metric_values(runs, other.metric), other)
    return evidence


def _format_prediction(values: Sequence[float], resolution: float) -> str:
    """Format the interval in which one further run of ours is expected.

    `resolution`: the smallest amount by which an error can change, in points.
    """
    mean, n = float(np.mean(values)), len(values)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)
    half_width = float(quantile * np.sqrt(sample_variance(values, resolution) * (1 + 1 / n)))
    expected = f"{mean - half_width:.2f} to {mean + half_width:.2f} %"
    return f"one further run of ours: {expected} (95 % prediction interval, {n} runs)"


def _format_training(ours: Sequence[float], other: PublishedValue) -> list[str]:
    if not ours:
        return []
    details = f"one run; {other.note}" if other.note else "one run"
    values = (
        f"ours {np.mean(ours):.2f} % (mean of {format_count(len(ours), 'run')}),"
        f" {other.source} {other.format()} % ({details})"
    )
    return [f"{TRAINING_ERRORS[other.metric]}, for information: {values}"]


def _format_comparison(values: Sequence[float], other: PublishedValue, resolution: float) -> str:
    """Format our mean against a published error, with the interval and its method."""
    ours = student_interval(values, resolution=resolution)
    difference = difference_from_published(values, other, resolution)
    details = [f"{other.source} {other.where}"]
    if other.sd is not None:
        details.append(f"mean ± standard deviation of {other.runs} runs")
    if other.note:
        details.append(other.note)
    theirs = f"{other.format()} % ({'; '.join(details)})"
    if other.value is None:
        digits = 2 if other.metric == TEST_ERROR else 3
        ends = f"{ours.low:.{digits}f} to {ours.high:.{digits}f}"
        interval = f"95 % Student-t confidence interval {ends} over {ours.n} runs"
        return f"ours {ours.mean:.{digits}f} %, {interval}; published: {theirs}"
    method = "Student-t" if other.sd is None else "Welch"
    ends = f"{difference.low:+.2f} to {difference.high:+.2f}"
    interval = f"95 % {method} confidence interval {ends} over {ours.n} runs"
    return f"ours {ours.mean:.2f} % minus {theirs}: {difference.mean:+.2f} points, {interval}"


def _notes(runs: pd.DataFrame, paper: PublishedValue) -> list[str]:
    precisions = ", ".join(sorted(runs["config.precision.dtype"].unique()))
    notes = [f"precision of our runs: {precisions}"]
    notes += describe_caveats(runs, {paper.depth: runs})
    if paper.sd is None:
        notes.append(
            "a published error without a standard deviation is treated as exact; its spread over"
            " seeds is unknown"
        )
    if paper.by_eye:
        notes.append("the paper's errors of plain networks are read off figure 6 by eye")
    return notes


def is_about_published_numbers(claim: Claim) -> bool:
    """Return whether a claim compares a network's error with a published one."""
    return claim.topic in (Topic.PUBLISHED_ERROR, Topic.PUBLISHED_TRAINING_ERROR)
