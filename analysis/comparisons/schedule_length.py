"""Does degradation persist with more iterations? (He et al. 2015, section 4.1)"""

from dataclasses import replace

import pandas as pd

from analysis.claim import Claim
from analysis.claims import judge_degradation
from analysis.comparisons.base import FactorSection
from analysis.family_pairs import family_pair

KEY = "config.schedule.iterations"


def judge_longest_schedule(runs: pd.DataFrame, margin: float) -> Claim:
    """Judge degradation at the longest schedule; the shorter ones are added to the evidence."""
    pair = family_pair(runs)
    longest = runs[KEY].max()
    claim = judge_degradation(runs[runs[KEY] == longest], margin, pair)
    evidence = list(claim.evidence)
    for iterations, group in runs[runs[KEY] < longest].groupby(KEY):
        shorter = judge_degradation(group, margin, pair)
        evidence.append(f"for comparison, {iterations} iterations: {shorter.decisive_line}")
    statement = f"after {longest} iterations, degradation still exceeds {margin:g} points"
    return replace(claim, name="longer training", statement=statement, evidence=evidence)


def judge(runs: pd.DataFrame, margin: float) -> list[Claim]:
    return [judge_longest_schedule(runs, margin)]


SECTION = FactorSection(
    title="Longer training",
    name="longer",
    axis="iterations of the whole schedule",
    caption="Training error at the end of schedules of different lengths.",
    judge=judge,
    followers="config.schedule.",  # the milestones move with the length
)
