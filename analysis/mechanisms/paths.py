"""By which paths does the gradient come? A residual net as 2^n paths (Veit et al. 2016, 4.2 and figure 6)."""

from typing import Any

import pandas as pd

from analysis.claim import Claim, Verdict, decide, not_tested
from analysis.claims import family_pair
from analysis.evidence import format_bound
from analysis.figures import paths as figure
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms.base import (
    Explanation,
    by_family,
    unprobed,
)
from analysis.probes import END, INITIALISATION
from analysis.requirements import missing_requirements
from analysis.statistics import Difference, mean_estimate, student_interval
from degradation.metrics import ITERATION

HELD = (
    0.95  # of the gradient's norms, by the lengths that are named; as much is left below as above
)
TITLE = "by which paths does the gradient come?"
INTRODUCTION = (
    "On its way back from the loss, the gradient meets n blocks in a residual net. At each it can go through the "
    "convolutions or along the shortcut. So there are 2^n ways through the net, which are called paths, and the "
    "gradient that reaches the first block is exactly the sum of what all of them carry. The length of a path is the "
    "number of blocks whose convolutions it takes. Most paths take about half of them, because there are most ways to "
    "choose half: the mean length is n/2. But paths need not carry equally much. If the convolutions of a block "
    "shrink the gradient, a path carries the less the longer it is, and the gradient comes by paths shorter than n/2. "
    "Then a deep net is trained as if it were many shallow ones, which is how Veit et al. 2016 explain that it "
    "trains. If the convolutions make it grow, the long paths carry more, and that explanation is not true of the "
    "net. Two things are measured: the gradient of single random paths, and, exactly, the sum over all paths of each "
    "length. Its norm says how much comes by that length, although the sums of different lengths may partly cancel "
    "when they are added. The effective length is the mean length with these norms as weights. A plain net has one "
    "path only, of length n."
)
CAPTION = (
    "The deepest residual net, by the length of a path, at initialisation and at the end of the training (mean over "
    "seeds, bands span all runs). Left: how many of the 2^n paths have that length, as a share of all. Second: the "
    "norm of the gradient that one such path carries, on a logarithmic scale; a falling line means that convolutions "
    "shrink the gradient, a rising one that they make it grow. Third: what all paths of a length carry together (the "
    "norm of the sum of their gradients, as a share of these norms), with the effective lengths as vertical lines and "
    "the number of paths in grey. A curve left of the grey one means that short paths carry the gradient. Right: the "
    "effective length over n, for all depths; points are runs."
)


def build(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("paths")
    if table is None:
        return None
    lengths = lengths_of(table)
    figures = {"paths": (figure.plot(table, lengths), CAPTION)}
    claim = short_paths(lengths, frame.runs, family_pair(frame.runs).residual)
    return Explanation("paths", TITLE, INTRODUCTION, [claim], summary(lengths), figures)


def lengths_of(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run and iteration: `effective` length, `blocks` n, `over` (effective minus n/2), `from` and `to`.

    The latter are lengths with 95 % of the summed norms between them. NaN where a norm is not finite, or none above 0.
    """
    rows: list[dict[str, Any]] = []
    keys = ["family", "depth", "seed", "run_id", ITERATION, "moment"]
    for _, part in table.groupby(keys, sort=True):
        norms = part.set_index("length")["sum_gradient"].astype(float).sort_index()
        n, total = int(norms.index.max()), float(norms.sum(skipna=False))
        found = {"effective": float("nan"), "from": float("nan"), "to": float("nan")}
        if 0 < total < float("inf"):
            below = norms.to_numpy().cumsum() / total
            found = {
                "effective": float((norms * norms.index).sum()) / total,
                "from": float((below >= (1 - HELD) / 2).argmax()),
                "to": float((below >= (1 + HELD) / 2).argmax()),
            }
        who = {key: part[key].iloc[0] for key in keys}
        rows.append(who | found | {"blocks": n, "over": found["effective"] - n / 2})
    return pd.DataFrame(rows)


def short_paths(lengths: pd.DataFrame, runs: pd.DataFrame, family: str) -> Claim:
    """Is the effective length below n/2 at the end? A Student bound at every depth.

    Contradicted where it is above at any, with Holm's correction for their number (`decide`). The claim is about
    a direction, without a margin of size, so its decisive line says how far below n/2 it is.
    """
    name = "short paths"
    statement = f"{family} nets: the gradient comes by paths shorter than the mean path, at the end and at every depth"
    end = lengths[(lengths["moment"] == END) & (lengths["family"] == family)]
    if end.empty:
        return not_tested(
            name, statement, [f"no {family} net was probed at the end of its training"]
        )
    if reasons := missing_requirements({family: group_by_depth(end, family)}, depths=1):
        return not_tested(name, statement, reasons)
    over = by_family(end, family, "over")  # NaN is left out here and told below
    unknown = end[end["over"].isna()]
    notes = [
        f"the gradient of {run_id} is zero or not finite: left out" for run_id in unknown["run_id"]
    ]
    unprobed_runs = unprobed(runs[runs["family"] == family], end)
    if few := [depth for depth, values in over.items() if len(values) < 2]:
        reasons = [
            f"{family}-{depth}: fewer than two runs whose gradient is known" for depth in few
        ]
        return not_tested(name, statement, [*reasons, *notes])
    bounds = {depth: mean_estimate(values) for depth, values in over.items()}
    start = lengths[(lengths["moment"] == INITIALISATION) & (lengths["family"] == family)]
    evidence = [
        _line(end[end["depth"] == depth], start[start["depth"] == depth], one)
        for depth, one in bounds.items()
    ]
    found = decide(bounds, "below", 0.0)
    verdict = found.verdict
    if notes and verdict is Verdict.REPRODUCED:  # of a run it is not known
        verdict = Verdict.INCONCLUSIVE
    n = int(end.loc[end["depth"] == found.worst, "blocks"].iloc[0])
    line = format_bound(
        bounds[found.worst], found.side, found.simultaneous, _blocks, unit=" blocks"
    )
    decisive = f"at worst {found.worst} layers, of {n} blocks: effective length minus n/2 = {n / 2:g}: {line}"
    return Claim(name, statement, verdict, decisive, evidence, [*notes, *unprobed_runs])


def _blocks(value: float) -> str:
    return f"{value:+.2f}"


def _line(end: pd.DataFrame, start: pd.DataFrame, one: Difference) -> str:
    depth, n = int(end["depth"].iloc[0]), int(end["blocks"].iloc[0])
    before = f"; at initialisation {start['effective'].mean():.2f}" if len(start) else ""
    return (
        f"{depth} layers, n = {n}: effective length {end['effective'].mean():.2f} against n/2 = {n / 2:g}, one-sided "
        f"95 % bounds of the difference {one.lower:+.2f}, {one.upper:+.2f}; {100 * HELD:.0f} % of the norms are at "
        f"lengths {end['from'].min():.0f} to {end['to'].max():.0f}{before}"
    )


def summary(lengths: pd.DataFrame) -> pd.DataFrame:
    """A row a family, depth and moment: the effective length's mean and Student interval over runs."""
    rows: list[dict[str, Any]] = []
    for (family, depth, iteration), part in lengths.groupby(
        ["family", "depth", ITERATION], sort=True
    ):
        known = part.dropna(subset="effective")
        row = {
            "family": family,
            "depth": depth,
            ITERATION: iteration,
            "runs": len(part),
            "runs_known": len(known),
        }
        row |= {"blocks": part["blocks"].iloc[0], "mean_path": part["blocks"].iloc[0] / 2}
        if len(known):
            interval = student_interval(known["effective"].tolist())
            row |= {
                f"effective_length_{name}": getattr(interval, name)
                for name in ("mean", "low", "high")
            }
            row |= {"95_percent_from": known["from"].min(), "95_percent_to": known["to"].max()}
        rows.append(row)
    return pd.DataFrame(rows)
