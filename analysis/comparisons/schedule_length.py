"""Does degradation stay with more iterations? (He et al. 2015, 4.1)"""

from dataclasses import replace

from analysis.claims import family_pair, judge_degradation
from analysis.comparisons.base import BARS, Comparison, build_table
from analysis.figures import error_vs_factor
from analysis.frame import Frame

ITERATIONS = "config.schedule.iterations"


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if ITERATIONS not in keys or not all(key.startswith("config.schedule.") for key in keys):
        return None
    runs = frame.runs
    longest = runs[ITERATIONS].max()
    claim = judge_degradation(runs[runs[ITERATIONS] == longest], margin, family_pair(runs))
    evidence = list(claim.evidence)
    for iterations, part in runs[runs[ITERATIONS] < longest].groupby(ITERATIONS):
        evidence.append(
            f"for comparison, {iterations} iterations: {judge_degradation(part, margin, family_pair(runs)).decisive}"
        )
    statement = f"degradation stays, by more than {margin:g} points, after {longest} iterations"
    claim = replace(claim, name="longer training", statement=statement, evidence=evidence)
    caption = f"Training error at the end of schedules of different lengths. {BARS}"
    figures = {
        "longer": (
            error_vs_factor.plot(frame, ITERATIONS, "iterations of the whole schedule"),
            caption,
        )
    }
    return Comparison("longer", "Longer training", [claim], build_table(runs, ITERATIONS), figures)
