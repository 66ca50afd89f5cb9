"""Do gradients shatter? Their correlation at neighbouring inputs, at initialisation (Balduzzi et al. 2017)."""

import math

import pandas as pd

from analysis.claim import Claim, Decision, Verdict, decide, not_tested
from analysis.claims import FamilyPair, family_pair
from analysis.figures import shattering as figure
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms import depth_tests
from analysis.mechanisms.base import Explanation
from analysis.probes import INITIALISATION
from analysis.requirements import missing_requirements
from analysis.statistics import Difference, student_interval

TITLE = "are gradients of neighbouring inputs alike?"
INTRODUCTION = (
    "A gradient tells what a very small step does. A step of SGD is not very small, and it is meant to help more "
    "pictures than those of the batch. Both work only if the gradient at a slightly different place is much the same. "
    "Balduzzi et al. 2017 found that in deep plain nets it is not: the gradients at two inputs that nearly coincide "
    "are as unlike as white noise. They call this shattered gradients. Their norms may be healthy all the same. The "
    "same is to be expected of slightly changed weights, which change the input of every later layer. Then a step that "
    "helps one picture does not help its neighbour, the next batch undoes it, and SGD makes little headway. Here "
    "straight lines are drawn from one picture to another, and at 65 points of each the gradient of the logit of the "
    "first picture's class by the input is taken. The correlation is the cosine of the gradients at two points of a "
    "line, averaged over all pairs of points that are equally far apart and over 16 lines. A linear net has 1 at "
    "every distance, white noise has 0 at every distance above 0. Shortcuts add a part that does not shatter, so if "
    "this is how they help, residual nets should keep a higher correlation than plain nets of their depth."
)
CAPTION = (
    "Left: correlation (cosine) of the gradients at two inputs against the distance between them, in lengths of the "
    "line from one picture to another. A column a family, a row a moment of the training, a line a depth (mean over "
    "seeds; the band spans all runs). A line that stays high means gradients that change slowly; one that drops at "
    "once to the dotted line is white noise: gradients that have shattered. Points that have no gradient at all "
    "are in no pair. Right: the correlation at the smallest distance above 0, at "
    "initialisation, against depth: every run a point, the mean with Student's 95 % interval."
)

FALL = 0  # stands for the plain nets' fall among the depths at which the families are compared
SCALE = "(correlation: 1 alike, 0 white noise)"


def build(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("shattering")
    if table is None:
        return None
    values = nearest(table)
    at_start = values[values["moment"] == INITIALISATION]
    notes = depth_tests.caveats(frame, at_start, "correlation")
    claims = [shattered(at_start, family_pair(frame.runs), notes)]
    figures = {"shattering": (figure.plot(table, at_start), CAPTION)}
    return Explanation("shattering", TITLE, INTRODUCTION, claims, summary(values), figures)


def nearest(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run and moment: its correlation at the smallest distance above 0."""
    apart = table[table["distance"] > 0]
    least = apart.groupby(["run_id", "iteration"])["distance"].transform("min")
    columns = [
        "family",
        "depth",
        "seed",
        "run_id",
        "iteration",
        "moment",
        "distance",
        "correlation",
    ]
    return (
        apart.loc[apart["distance"] == least, columns]
        .astype({"correlation": float})
        .reset_index(drop=True)
    )


def shattered(values: pd.DataFrame, pair: FamilyPair, notes: list[str]) -> Claim:
    """Plain: a fall over depth. Residual minus plain: a Welch lower bound above 0 at every depth that both have.

    All must hold. Contradicted where any of these bounds is on the other side, with Holm's correction for their number,
    the fall's among them (`decide`). The claim is about directions, without a margin of size.
    """
    name = "shattered gradients"
    statement = (
        f"at initialisation the gradients of neighbouring inputs are less alike the deeper the {pair.plain} net, and "
        f"more alike in the {pair.residual} net of each depth"
    )
    families = {family: group_by_depth(values, family) for family in (pair.plain, pair.residual)}
    if reasons := missing_requirements(families, depths=2, shared=True, kind="probed"):
        return not_tested(name, statement, reasons)
    plain, residual = (
        depth_tests.groups_of(values, family, "correlation")
        for family in (pair.plain, pair.residual)
    )
    deeper, gaps = depth_tests.decreasing_trend(plain), depth_tests.gaps(residual, plain)
    fallen = -deeper.difference
    together = decide({FALL: fallen, **gaps}, "above", 0.0)
    verdict = together.verdict
    if verdict is Verdict.REPRODUCED and not deeper.has_trend:
        verdict = Verdict.INCONCLUSIVE
    decisive = _decisive(verdict, together, deeper, gaps, pair)
    evidence = [f"{pair.plain}, {line}" for line in deeper.evidence]
    for depth, one in gaps.items():
        means = f"{_mean(plain[depth])} {pair.plain}, {_mean(residual[depth])} {pair.residual}"
        evidence.append(
            f"{depth} layers: {means}; {pair.residual} minus {pair.plain} {depth_tests.format_interval(one)}"
        )
    return Claim(name, statement, verdict, decisive, evidence, notes)


def _decisive(
    verdict: Verdict,
    together: Decision[int],
    deeper: depth_tests.DecreasingTrend,
    gaps: dict[int, Difference],
    pair: FamilyPair,
) -> str:
    """The bound that contradicts, or the weakest of each part that the verdict rests on."""
    between = f"{pair.residual} minus {pair.plain}, at worst"
    if verdict is Verdict.CONTRADICTED:
        if together.worst == FALL:  # as a fall it is upside down, and so is its bound
            return f"{pair.plain}, {deeper.line('lower', together.simultaneous)} {SCALE}"
        return f"{between} {depth_tests.at_worst(gaps, together)} {SCALE}"
    weakest = Decision(verdict, min(gaps, key=lambda depth: _lower(gaps[depth])), "lower", 1)
    falls = deeper.verdict is Verdict.REPRODUCED
    leads = all(gap.lower > 0 for gap in gaps.values())
    lines = []
    if not falls or verdict is Verdict.REPRODUCED:
        lines.append(f"{pair.plain}, {deeper.line('upper')}")
    if not leads or verdict is Verdict.REPRODUCED:
        lines.append(f"{between} {depth_tests.at_worst(gaps, weakest)}")
    return f"{'; '.join(lines)} {SCALE}"


def _lower(gap: Difference) -> float:
    return -math.inf if math.isnan(gap.lower) else gap.lower


def _mean(values: list[float]) -> str:
    return f"{sum(values) / len(values):.3f}"


def summary(values: pd.DataFrame) -> pd.DataFrame:
    """A row a family, depth and moment: the correlation at the smallest distance, Student's interval over seeds."""
    rows = []
    for (family, depth, _), part in values.groupby(["family", "depth", "iteration"]):
        known = part["correlation"].dropna().tolist()
        one = student_interval(known) if known else None
        low, mean, high = (one.low, one.mean, one.high) if one else (math.nan, math.nan, math.nan)
        row = {
            "family": family,
            "depth": depth,
            "moment": part["moment"].iloc[0],
            "runs": len(known),
        }
        row["distance"] = part["distance"].iloc[0]
        rows.append(row | {"correlation": mean, "low": low, "high": high})
    return pd.DataFrame(rows)
