"""Does the gradient vanish? Its size at every block, over training (He et al. 2015, 4.1: healthy norms, under BN)."""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.claim import Claim, Verdict, decide, not_tested
from analysis.claims import family_pair
from analysis.evidence import format_bound
from analysis.figures import gradient_flow as figure
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms.base import Explanation, unprobed
from analysis.requirements import missing_requirements
from analysis.statistics import Difference, mean_estimate
from degradation.metrics import ITERATION

Array = NDArray[Any]
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
    "left, where the picture is. The scale is logarithmic: a straight slope is a constant factor a block. What is "
    "below 1e-14 is drawn there."
)
CAPTION_OF_WEIGHTS = "The same for the weights: norm of dE/dW over the convolutions of each block, which is what a step of SGD changes."


def build(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("gradient_flow")
    if table is None:
        return None
    spans = spans_of(table)
    pair = family_pair(frame.runs)
    present = [family for family in (pair.residual, pair.plain) if family in set(spans["family"])]
    claims = [healthy(spans, frame.runs, family) for family in present]
    figures = {
        "gradient-flow": (figure.plot(table, "input_gradient", "norm of dE/dx"), CAPTION),
        "gradient-flow-weights": (
            figure.plot(table, "weight_gradient", "norm of dE/dW"),
            CAPTION_OF_WEIGHTS,
        ),
    }
    return Explanation("gradient-flow", TITLE, INTRODUCTION, claims, summary(spans), figures)


def spans_of(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run and iteration: norms of dE/dx at the first block and behind the last, and the span over all.

    The span, largest over smallest, is NaN where a norm is not finite, or is none. `weight_span`: that of dE/dW.
    """
    keys = ["family", "depth", "seed", "run_id", ITERATION, "moment"]
    blocks = table.sort_values([*keys, "block"], kind="stable")
    begins = np.flatnonzero(
        ~blocks.duplicated(keys)
    )  # of each run and iteration, the place of its first block
    ends = np.append(begins[1:], len(blocks)) - 1
    norms, of_weights = (
        blocks[f"{one}_gradient"].to_numpy(float, copy=True) for one in ("input", "weight")
    )
    of_weights[ends] = np.where(
        ends > begins, of_weights[begins], math.nan
    )  # the last is no block's: one that counts
    spans = {
        "first": norms[begins],
        "last": norms[ends],
        "span": _spans(norms, begins),
        "weight_span": _spans(of_weights, begins),
        "grows_backwards": _place(np.maximum, norms, begins) < _place(np.minimum, norms, begins),
    }
    return blocks.iloc[begins][keys].reset_index(drop=True).assign(**spans)


def _spans(norms: Array, begins: Array) -> Array:
    least, most = (
        extreme.reduceat(norms, begins) for extreme in (np.minimum, np.maximum)
    )  # NaN where one is
    spans: Array = np.divide(most, least, out=np.full(len(begins), math.nan), where=least > 0)
    return spans


def _place(extreme: np.ufunc, norms: Array, begins: Array) -> Array:
    """Of each run and iteration the first block of the largest or smallest norm; what is not finite is the largest."""
    known = np.where(np.isnan(norms), math.inf, norms)
    found = np.repeat(extreme.reduceat(known, begins), np.diff(begins, append=len(norms)))
    first: Array = np.minimum.reduceat(
        np.where(known == found, np.arange(len(norms)), len(norms)), begins
    )
    return first


def healthy(spans: pd.DataFrame, runs: pd.DataFrame, family: str) -> Claim:
    """Does the gradient keep its size? A Student bound on log10 of the span, at every depth and probe.

    Contradicted where any is above the limit, with Holm's correction for their number (`decide`).
    """
    name = f"healthy norms, {family}"
    statement = f"{family} nets: at every depth and probe the norm of dE/dx spans less than a factor of {SPAN:g}"
    spans = spans[spans["family"] == family]
    notes = unprobed(runs[runs["family"] == family], spans)
    if reasons := missing_requirements({family: group_by_depth(spans, family)}, depths=1):
        return not_tested(name, statement, [*reasons, *notes])
    limit = math.log10(SPAN)
    logarithms: dict[str, Difference] = {}  # of the span, at each depth and moment
    evidence, unbounded = [], []
    for depth, of_depth in spans.groupby("depth"):
        told = []
        for _, part in of_depth.groupby(ITERATION):
            moment = part["moment"].iloc[0]
            where, known = f"{depth} layers, {moment}", part["span"].dropna()
            if len(known) < len(part):
                unbounded.append(
                    f"{where}: no gradient, or none that is finite, in {len(part) - len(known)} runs"
                )
            elif len(known) < 2:
                notes.append(f"{where}: one run, no bound")
            else:
                logarithms[where] = mean_estimate([math.log10(span) for span in known])
            told.append(f"{moment} {_word(part)} ({_factor(known.map(math.log10).mean())})")
        evidence.append(f"{depth} layers: {', '.join(told)}")
    if not logarithms:
        return Claim(name, statement, Verdict.INCONCLUSIVE, "; ".join(unbounded), evidence, notes)
    found = decide(logarithms, "below", limit)
    verdict = found.verdict
    if unbounded and verdict is Verdict.REPRODUCED:
        verdict = Verdict.INCONCLUSIVE
    line = format_bound(logarithms[found.worst], found.side, found.simultaneous, _factor, unit="")
    decisive = "; ".join([f"at worst {found.worst}: factor {line} (limit {SPAN:g})", *unbounded])
    return Claim(name, statement, verdict, decisive, evidence, notes)


def _word(part: pd.DataFrame) -> str:
    """Healthy, exploding backwards, or collapsed on the way back: what most runs of a depth are at a moment."""
    if (part["span"] <= SPAN).mean() >= 0.5:
        return "healthy"
    return "exploding" if part["grows_backwards"].mean() >= 0.5 else "collapsed"


def _factor(logarithm: float) -> str:
    if math.isnan(logarithm):
        return "not finite"
    value = 10.0 ** min(logarithm, 300.0)
    return f"{value:.0f}" if 1 <= value < 10_000 else f"{value:.1g}"


def summary(spans: pd.DataFrame) -> pd.DataFrame:
    """A row per family, depth and moment: geometric means over seeds; NaN where a norm is zero or not finite."""
    rows = []
    for (family, depth, iteration), part in spans.groupby(["family", "depth", ITERATION]):
        row = {
            "family": family,
            "depth": depth,
            ITERATION: iteration,
            "pattern": _word(part),
            "runs": len(part),
        }
        for name in ("first", "last", "span", "weight_span"):
            known = bool((part[name] > 0).all())
            row[f"{name}_gmean"] = 10 ** part[name].map(math.log10).mean() if known else math.nan
        rows.append(row)
    return pd.DataFrame(rows)
