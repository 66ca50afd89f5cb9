"""Does degradation persist with more iterations? (He et al. 2015, section 4.1)"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.claim import Claim
from analysis.claims import judge_degradation
from analysis.comparisons.base import FactorSection
from analysis.conditions import find_varying_keys
from analysis.key_columns import MEASURING_KEYS, PREFIX
from analysis.lr_drops import MILESTONES, parse_milestones

SCHEDULE = "config.schedule."
KEY = f"{SCHEDULE}iterations"
MOVING_WITH_LENGTH = (KEY, MILESTONES, *MEASURING_KEYS)
# Iterations that may be a fraction of the length.
SCALING_WITH_LENGTH = (f"{SCHEDULE}linear_warmup", f"{SCHEDULE}warmup.max_iterations")
NAME = "longer training"


def judge_longest_schedule(runs: pd.DataFrame, margin: float) -> Claim:
    """Judge degradation at the longest schedule; the shorter ones are added to the evidence.

    Not tested if the schedules differ in more than their length.
    """
    longest = runs[KEY].max()
    statement = f"after {longest} iterations, degradation still exceeds {margin:g} points"
    reasons = _list_other_differences(runs)
    if reasons:
        return Claim.not_tested(NAME, statement, reasons)
    claim = judge_degradation(runs[runs[KEY] == longest], margin)
    evidence = [*claim.evidence_lines]
    for iterations, group in runs[runs[KEY] < longest].groupby(KEY):
        shorter = judge_degradation(group, margin)
        evidence.append(f"for comparison, {iterations} iterations: {shorter.decisive_line}")
    plain_words = f"After {longest:,} iterations: {claim.plain_words}"
    return replace(
        claim, name=NAME, statement=statement, evidence_lines=evidence, plain_words=plain_words
    )


def _list_other_differences(runs: pd.DataFrame) -> list[str]:
    """Return why these schedules are not one schedule of several lengths, or an empty list.

    The learning rate must drop after the same fractions of the iterations, to the nearest
    iteration. Runs that also differ in the shape of the schedule are compared by shape.
    """
    columns = [column for column in (KEY, MILESTONES) if column in runs]
    shortest, *others = runs[columns].drop_duplicates().sort_values(KEY).to_dict("records")
    tolerance = 1 / shortest[KEY]
    expected = _find_drops(shortest)
    for schedule in others:
        drops = _find_drops(schedule)
        if len(drops) != len(expected) or not np.allclose(drops, expected, rtol=0, atol=tolerance):
            texts = f"{_describe_schedule(shortest)} and {_describe_schedule(schedule)}"
            return [f"the schedules differ in more than their length: {texts}"]
    varying = [
        key.removeprefix(PREFIX)
        for key in find_varying_keys(runs)
        if key.startswith(SCHEDULE)
        and key not in MOVING_WITH_LENGTH
        and not (key in SCALING_WITH_LENGTH and _is_proportional(runs, key))
    ]
    if varying:
        return [f"the schedules differ in more than their length: {', '.join(varying)}"]
    return []


def _is_proportional(runs: pd.DataFrame, key: str) -> bool:
    """Return whether a number of iterations is the same fraction of every schedule's length.

    It is rounded to an iteration. Runs without the key, such as those without a warm-up, are left
    out.
    """
    known = runs[runs[key].notna()]
    fractions = known[key].astype(float) / known[KEY]
    return bool(fractions.max() - fractions.min() <= 1 / known[KEY].min())


def _find_drops(schedule: dict[Any, Any]) -> list[float]:
    """Return the fractions of the iterations after which the learning rate drops."""
    milestones = parse_milestones(str(schedule.get(MILESTONES, "[]")))
    return [iteration / schedule[KEY] for iteration in milestones]


def _describe_schedule(schedule: dict[Any, Any]) -> str:
    return f"{schedule[KEY]} iterations (milestones {schedule.get(MILESTONES, '[]')})"


def judge(runs: pd.DataFrame, margin: float) -> list[Claim]:
    return [judge_longest_schedule(runs, margin)]


SECTION = FactorSection(
    title="Longer training",
    name="longer",
    axis="iterations of the whole schedule",
    caption="Training error at the end of schedules of different lengths.",
    judge=judge,
    followers=SCHEDULE,  # the milestones move with the length
)
