"""Does degradation persist with more iterations? (He et al. 2015, section 4.1)"""

from dataclasses import replace

import pandas as pd

from analysis.claim import Claim
from analysis.claims import family_pair, judge_degradation
from analysis.comparisons.base import CAPTION_SUFFIX, Comparison, build_table
from analysis.figures import error_vs_factor
from analysis.frame import Frame

POSITION = 2
ITERATIONS = "config.schedule.iterations"
CAPTION = f"Training error at the end of schedules of different lengths. {CAPTION_SUFFIX}"


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    """Return the comparison if the runs differ in nothing but the schedule, its length included."""
    differs_only_in_schedule = all(key.startswith("config.schedule.") for key in keys)
    if ITERATIONS not in keys or not differs_only_in_schedule:
        return None
    claim = judge_longest_schedule(frame.runs, margin)
    figure = error_vs_factor.plot(frame, ITERATIONS, "iterations of the whole schedule")
    table = build_table(frame.runs, ITERATIONS)
    return Comparison("longer", "Longer training", [claim], table, {"longer": (figure, CAPTION)})


def judge_longest_schedule(runs: pd.DataFrame, margin: float) -> Claim:
    """Judge degradation at the longest schedule; the shorter ones are added to the evidence."""
    pair = family_pair(runs)
    longest = runs[ITERATIONS].max()
    claim = judge_degradation(runs[runs[ITERATIONS] == longest], margin, pair)
    evidence = list(claim.evidence)
    for iterations, group in runs[runs[ITERATIONS] < longest].groupby(ITERATIONS):
        shorter = judge_degradation(group, margin, pair)
        evidence.append(f"for comparison, {iterations} iterations: {shorter.decisive_line}")
    statement = f"after {longest} iterations, degradation still exceeds {margin:g} points"
    return replace(claim, name="longer training", statement=statement, evidence=evidence)
