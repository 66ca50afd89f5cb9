"""The gradient argument checked: both sides of its equations, and the shortcut's part (He et al. 2016, equation 5)."""

import pandas as pd

from analysis.claim import Verdict
from analysis.claims import family_pair
from analysis.figures import gradient_identity as figure
from analysis.frame import Frame
from analysis.mechanisms import depth_tests
from analysis.mechanisms.base import Check, Explanation
from degradation.metrics import ITERATION

ROUNDING = 1e-10  # float64 has 16 digits; sums over a whole net lose a few of them
FORMS = {
    ("block", False): "blocks that keep the shape",
    ("block", True): "blocks that change the shape",
    ("stage", False): "from a block to its stage's end",
}
TITLE = "what does the shortcut carry?"
INTRODUCTION = (
    "A residual block computes x_(l+1) = x_l + F(x_l). By the chain rule the gradient at its input is "
    "dE/dx_l = dE/dx_(l+1) * (1 + dF/dx_l). The second term comes through the convolutions. The first is the 1: by the "
    "shortcut the gradient arrives as it is, however small the other term. Where nothing follows the addition "
    "(pre-activation blocks) this holds over all blocks of a stage at once: "
    "dE/dx_l = dE/dx_L * (1 + d/dx_l sum of F(x_i, W_i)), the sum from block l to the stage's end L. Two things make "
    "the exact equation longer. In the blocks of 2015 a ReLU follows each addition. Its mask M is 1 where the sum was "
    "positive and 0 elsewhere, and it erases part of the gradient before the two paths part. And where a block "
    "changes the shape, the shortcut cannot be the identity: its Jacobian S stands in the place of the 1 (option A: "
    "take every second pixel, add channels of zeros; a projection: its matrix). So a block of 2015 has "
    "dE/dx_l = S^T M dE/dx_(l+1) + F'^T M dE/dx_(l+1). Here both sides are computed in float64, the left by the "
    "backward pass of the whole net, the right from its parts. They must agree to rounding, in every net: this is a "
    "check of the bookkeeping and no finding. Then the sizes of the two terms tell how much of the gradient comes by "
    "the shortcut. Its share is the length of its term along the gradient, over the gradient's own length, so that the "
    "shares of the two paths add up to 1."
)
CAPTION = (
    "The two terms of dE/dx_l at each block of the nets with shortcuts: by the shortcut (S^T M g) and through the "
    "convolutions (F'^T M g), where g is dE/dx_(l+1); pre-activation blocks have no mask M. Each norm is relative to "
    "that of dE/dx_l. The two vectors add up to dE/dx_l; since they are at an angle, their norms need not add up to "
    "1. A column a depth, a row a moment of the training (mean over seeds; the band spans all runs). Grey strips mark "
    "blocks that change the shape: the shortcut is not the identity there. Where the shortcut's line is above the "
    "other, the larger part of the gradient arrives without having passed the block's convolutions."
)
SHARE_CAPTION = (
    "The shortcut's share of the gradient, mean over the blocks of a net, against depth: every run a point, the mean "
    "with Student's 95 % interval. 0 means that all of the gradient passes the convolutions of each block, 1 that all "
    "of it comes by the shortcuts. A line that rises means: the deeper the net, the less the convolutions of one block "
    "alter the gradient that passes it."
)


def build(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("identity")
    if table is None:
        return None
    family = family_pair(frame.runs).residual
    table = table[table["family"] == family]
    if table.empty:
        return None
    values = shares(table)
    checks = [exact(table, values, depth_tests.caveats(frame, values, "shortcut_share"))]
    figures = {
        "identity": (figure.plot_terms(table), CAPTION),
        "shortcut-share": (figure.plot_share(values, family), SHARE_CAPTION),
    }
    return Explanation("identity", TITLE, INTRODUCTION, [*checks], summary(table), figures)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run and moment: the shortcut's share, mean over blocks; NaN where that of a block is."""
    keys = ["family", "depth", "seed", "run_id", ITERATION, "moment"]
    blocks = table[table["form"] == "block"].groupby(keys)["shortcut_share"]
    return blocks.agg(lambda share: share.astype(float).mean(skipna=False)).reset_index()


def exact(table: pd.DataFrame, values: pd.DataFrame, notes: list[str]) -> Check:
    """Exact arithmetic, so no interval: the largest relative difference of the two sides over all that was probed."""
    name = "check: the identity"
    statement = "the gradient at a block's input is the sum of the shortcut's term and the convolutions' term, to rounding"
    differences = table["relative_difference"].astype(float)
    worst, unknown = differences.max(), int(differences.isna().sum())
    verdict = Verdict.INCONCLUSIVE if unknown else Verdict.REPRODUCED
    if worst > ROUNDING:
        verdict = Verdict.CONTRADICTED
    decisive = (
        f"largest relative difference of the two sides {worst:.1e} (limit {ROUNDING:.0e}), over {len(table)} equations"
        f" in {table['run_id'].nunique()} runs"
    )
    if unknown:
        decisive += f", {unknown} of them without one: a gradient there is 0 or not finite"
    evidence = [
        f"{FORMS[str(form), bool(change)]}: at worst {part.astype(float).max():.1e}, {len(part)} equations"
        for (form, change), part in table.groupby(["form", "shape_change"])["relative_difference"]
    ]
    for depth, of_depth in values.groupby("depth"):
        told = [
            f"{part['moment'].iloc[0]} {part['shortcut_share'].mean(skipna=False):.0%}"
            for _, part in of_depth.groupby(ITERATION)
        ]
        evidence.append(
            f"{depth} layers, the shortcut's share of the gradient (mean over blocks): {', '.join(told)}"
        )
    return Check(name, statement, verdict, decisive, evidence, notes)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row a depth, moment and form: means over blocks and seeds, and the largest difference of the two sides."""
    rows = []
    for (family, depth, _, form), part in table.groupby(["family", "depth", ITERATION, "form"]):
        numbers = part[["gradient", "by_shortcut", "by_convolutions", "shortcut_share"]].astype(
            float
        )
        shortcut, convolutions = (
            numbers[f"by_{term}"] / numbers["gradient"] for term in ("shortcut", "convolutions")
        )
        rows.append(
            {
                "family": family,
                "depth": depth,
                "moment": part["moment"].iloc[0],
                "form": form,
                "runs": part["run_id"].nunique(),
                "by_shortcut": shortcut.mean(),
                "by_convolutions": convolutions.mean(),
                "shortcut_share": numbers["shortcut_share"].mean(),
                "worst_difference": part["relative_difference"].astype(float).max(),
            }
        )
    return pd.DataFrame(rows)
