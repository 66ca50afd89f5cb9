"""The solution by construction (He et al. 2015, section 1): the deeper net has it, and training does not find it."""

import pandas as pd

from analysis.comparisons.base import BARS, Comparison, table_of
from analysis.evidence import Claim, Verdict, all_bounds, bound, difference_of, notes_on, untestable, untrained
from analysis.figures import construction
from analysis.frame import AT_START, TRAINING_ERROR, Frame, by_depth
from analysis.statistics import paired

FAMILY = "constructed"


def make(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if FAMILY not in set(frame.runs["family"]) or keys:
        return None
    runs = frame.runs
    claims = [exists(runs), not_found(runs, margin), kept(frame, margin)]
    caption = (
        "Training error of plain nets from scratch, of the nets constructed from a trained shallow one before any "
        f"training of their own, and of the same after training on with the whole schedule. {BARS}"
    )
    figures = {"construction": (construction.figure(frame), caption)}
    return Comparison("construction", "The solution by construction", claims, _table(runs), figures)


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    at_start = runs[runs["family"] == FAMILY].assign(
        family="constructed, before training", **{TRAINING_ERROR: runs[AT_START]}
    )
    at_start["test/error"] = float("nan")
    return table_of(pd.concat([runs, at_start]), "data").drop(columns="data")


def exists(runs: pd.DataFrame) -> Claim:
    """Every constructed net has, before it is trained, the training error of the shallow net that it was grown from.

    The shallowest constructed one is that net itself.
    """
    name = "construction"
    statement = (
        "a deeper plain net has a solution no worse than the shallow net's: the grown nets have its training error"
    )
    groups = by_depth(runs, FAMILY)
    if reasons := untestable({FAMILY: groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    shallowest = min(groups)
    base = groups[shallowest].set_index("seed")[AT_START]
    evidence, most = [], 0.0
    for depth, part in groups.items():
        apart = (part.set_index("seed")[AT_START] - base).abs().max()
        most = max(most, float(apart))
        evidence.append(f"{depth} layers: at most {apart:.3g} points from the {shallowest}-layer net of the same seed")
    verdict = Verdict.REPRODUCED if most == 0 else Verdict.CONTRADICTED
    decisive = f"{len(groups)} depths from {shallowest} layers: at most {most:.3g} points apart, seed by seed"
    return Claim(name, statement, verdict, decisive, evidence)


def not_found(runs: pd.DataFrame, margin: float) -> Claim:
    """Training from scratch ends above the constructed solution: a bound at the deepest plain net that trains."""
    name = "not found"
    statement = (
        f"trained from scratch, a deeper plain net ends more than {margin:g} points above its constructed solution"
    )
    plain, groups = by_depth(runs, "plain"), by_depth(runs, FAMILY)
    if reasons := untestable({"plain": plain, FAMILY: groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    notes = notes_on(runs, plain)
    depths = [depth for depth in sorted(plain.keys() & groups.keys()) if depth > min(groups)]
    trained = [depth for depth in depths if not untrained(plain[depth])]
    if not trained:
        return Claim(name, statement, Verdict.NOT_TESTED, "no deeper depth at which a plain net trains", [], notes)
    start = {depth: groups[depth].assign(**{TRAINING_ERROR: groups[depth][AT_START]}) for depth in depths}
    differences = {depth: difference_of(plain[depth], start[depth]) for depth in depths}
    evidence = [f"from scratch minus constructed, {depth} layers: {all_bounds(d)}" for depth, d in differences.items()]
    deepest = max(trained)
    if differences[deepest].lower > margin:
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.CONTRADICTED if differences[deepest].upper < margin else Verdict.INCONCLUSIVE
    decisive = f"from scratch minus constructed, {deepest} layers: {bound(differences[deepest], 'lower')}"
    return Claim(name, statement, verdict, decisive, evidence, notes)


def kept(frame: Frame, margin: float) -> Claim:
    """Does SGD keep the solution? After minus before training on, seed by seed, an upper bound at every depth.

    How far it went away in between is told beside it.
    """
    name = "kept"
    statement = f"training on from the constructed net ends less than {margin:g} points above it, at every depth"
    groups = by_depth(frame.runs, FAMILY)
    if reasons := untestable({FAMILY: groups}, depths=1):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    differences = {
        depth: paired(part[TRAINING_ERROR].tolist(), part[AT_START].tolist()) for depth, part in groups.items()
    }
    on_the_way = frame.curves[frame.curves["family"] == FAMILY].groupby("depth")[TRAINING_ERROR].max()
    evidence = [
        f"after minus before, {depth} layers: {d.mean:+.2f} points (Student over seeds: one-sided 95 % bounds"
        f" {d.lower:+.2f}, {d.upper:+.2f}); highest of all evaluations on the way: {on_the_way[depth]:.1f} %"
        for depth, d in differences.items()
    ]
    worst = max(differences, key=lambda depth: differences[depth].upper)
    if all(difference.upper < margin for difference in differences.values()):
        verdict = Verdict.REPRODUCED
    elif any(difference.lower > margin for difference in differences.values()):
        verdict = Verdict.CONTRADICTED
    else:
        verdict = Verdict.INCONCLUSIVE
    decisive = f"at worst {worst} layers, after minus before: {bound(differences[worst], 'upper')}"
    return Claim(name, statement, verdict, decisive, evidence, notes_on(frame.runs, groups))
