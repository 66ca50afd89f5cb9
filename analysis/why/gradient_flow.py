"""Does the gradient vanish? Its size at every block, over training (He et al. 2015, 4.1: healthy norms, under BN)."""

import math

import pandas as pd

from analysis.claims import pair_of
from analysis.evidence import Claim, Verdict
from analysis.figures import gradient_flow as figure
from analysis.frame import Frame
from analysis.statistics import one_mean
from analysis.why.base import Explanation, few_seeds, not_tested
from degradation.records.schema import ITERATION

SPAN = 100.0  # largest over smallest norm across the blocks: two orders of magnitude
TITLE = "does the gradient vanish?"
INTRODUCTION = (
    "The loss E of a batch is sent back through the whole net, and the Euclidean norm of dE/dx is taken at the input x "
    "of every block. If each block multiplies the gradient by a little less than one, it vanishes on its way to the "
    "first blocks; if by a little more, it explodes. Vanishing gradients are the usual explanation of why deep nets do "
    "not train, and He et al. 2015 (4.1) hold that batch normalisation rules them out. Here it is measured: a net "
    "whose line is level has gradients of one size at all its blocks; if it degrades all the same, size is not why."
)
CAPTION = (
    "Norm of dE/dx at the input of each block, a row a family, a column a moment of the training, a line a depth "
    "(geometric mean over seeds; the band spans all runs). The backward pass goes from right, where the loss is, to "
    "left, where the picture is. The scale is logarithmic: a straight slope is a constant factor a block."
)


def make(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("gradient_flow")
    if table is None:
        return None
    spans = spans_of(table)
    pair = pair_of(frame.runs)
    claims = [healthy(spans, family) for family in (pair.residual, pair.plain) if family in set(spans["family"])]
    figures = {"gradient-flow": (figure.figure(table), CAPTION)}
    return Explanation("gradient-flow", TITLE, INTRODUCTION, claims, summary(spans), figures)


def spans_of(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run and iteration: norms of dE/dx at the first block and behind the last, and the span over all."""
    rows = []
    keys = ["family", "depth", "seed", "run_id", ITERATION, "moment"]
    for _, part in table.groupby(keys, sort=True):
        norms = part.sort_values("block")["input_gradient"].astype(float)
        least, most = norms.min(), norms.max()
        known = bool(norms.notna().all()) and least > 0
        rows.append(
            part[keys].iloc[0].to_dict()
            | {
                "first": norms.iloc[0],
                "last": norms.iloc[-1],
                "span": most / least if known else math.inf,
                "grows_backwards": int(norms.argmax()) < int(norms.argmin()) if known else False,
            }
        )
    return pd.DataFrame(rows)


def healthy(spans: pd.DataFrame, family: str) -> Claim:
    """Does the gradient keep its size? A Student bound on log10 of the span, at every depth and probe."""
    name = f"healthy norms, {family}"
    statement = f"{family} nets: at every depth and probe the norm of dE/dx spans less than a factor of {SPAN:g}"
    spans = spans[spans["family"] == family]
    if reasons := few_seeds(spans):
        return not_tested(name, statement, reasons)
    limit = math.log10(SPAN)
    worst, bounds, evidence = "", [], []
    for depth, of_depth in spans.groupby("depth"):
        told = []
        for _, part in of_depth.groupby(ITERATION):
            logarithms = [math.log10(span) if math.isfinite(span) else 308.0 for span in part["span"]]
            one = one_mean(logarithms)
            bounds.append((one, f"{depth} layers, {part['moment'].iloc[0]}"))
            told.append(f"{part['moment'].iloc[0]} {_word(part)} ({_factor(one.mean)})")
        evidence.append(f"{depth} layers: {', '.join(told)}")
    if all(one.upper < limit for one, _ in bounds):
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.CONTRADICTED if any(one.lower > limit for one, _ in bounds) else Verdict.INCONCLUSIVE
    side = "lower" if verdict is Verdict.CONTRADICTED else "upper"
    one, worst = max(bounds, key=lambda bound: float(getattr(bound[0], side)))
    decisive = f"at worst {worst}: factor {_factor(one.mean)}, 95 % {side} bound {_factor(getattr(one, side))}"
    return Claim(name, statement, verdict, decisive, evidence)


def _word(part: pd.DataFrame) -> str:
    """Healthy, exploding backwards, or collapsed on the way back: what most runs of a depth are at a moment."""
    if (part["span"] <= SPAN).mean() >= 0.5:
        return "healthy"
    return "exploding" if part["grows_backwards"].mean() >= 0.5 else "collapsed"


def _factor(logarithm: float) -> str:
    value = 10.0 ** min(logarithm, 300.0)
    return f"{value:.0f}" if 1 <= value < 10_000 else f"{value:.1g}"


def summary(spans: pd.DataFrame) -> pd.DataFrame:
    """A row a family, depth and moment: geometric means over seeds."""
    rows = []
    for (family, depth, iteration), part in spans.groupby(["family", "depth", ITERATION]):
        row = {"family": family, "depth": depth, ITERATION: iteration, "pattern": _word(part), "runs": len(part)}
        for name in ("first", "last", "span"):
            row[f"{name}_gmean"] = f"{10 ** part[name].map(math.log10).mean():.3g}" if (part[name] > 0).all() else "0"
        rows.append(row)
    return pd.DataFrame(rows)
