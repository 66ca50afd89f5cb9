"""Does degradation stay with more iterations? (He et al. 2015, 4.1)"""

from dataclasses import replace

from analysis.claims import degradation, pair_of
from analysis.comparisons.base import BARS, Comparison, build_table
from analysis.figures import error_vs_factor
from analysis.frame import Frame

ITERATIONS = "config.schedule.iterations"


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if ITERATIONS not in keys or not all(key.startswith("config.schedule.") for key in keys):
        return None
    runs = frame.runs
    longest = runs[ITERATIONS].max()
    claim = degradation(runs[runs[ITERATIONS] == longest], margin, pair_of(runs))
    evidence = list(claim.evidence)
    for iterations, part in runs[runs[ITERATIONS] < longest].groupby(ITERATIONS):
        evidence.append(
            f"for comparison, {iterations} iterations: {degradation(part, margin, pair_of(runs)).decisive}"
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
