"""The solution by construction (He et al. 2015, section 1): the deeper net has it, and training does not find it."""

import pandas as pd

from analysis.claim import (
    Claim,
    Verdict,
    decide,
    error_resolution,
    is_untrained,
    training_error_difference,
)
from analysis.columns import TRAINING_ERROR, TRAINING_ERROR_AT_START
from analysis.comparisons.base import BARS, Comparison, build_table
from analysis.evidence import caveats, format_bound, format_comparison
from analysis.figures import construction
from analysis.frame import Frame, group_by_depth
from analysis.requirements import missing_requirements, repeated_seeds
from analysis.statistics import paired_difference
from degradation.metrics import TEST_ERROR

FAMILY = "constructed"
TITLE = "The solution by construction"
# points: on another device than a CPU BN may not undo itself to the last bit, and a picture in thousands change sides
ROUNDING = 0.05


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    runs = frame.runs
    if FAMILY not in set(runs["family"]) or keys:
        return None
    if frame.error_kind == "running":
        reason = "a net that has not trained yet has no running error"
        claim = Claim("construction", "the construction's claims", Verdict.NOT_TESTED, reason)
        return Comparison("construction", TITLE, [claim], pd.DataFrame(), {})
    claims = [exists(frame), not_found(runs, margin), kept(frame, margin)]
    caption = (
        "Training error of plain nets from scratch, of the nets constructed from a trained shallow one before any "
        f"training of their own, and of the same after training on with the whole schedule. {BARS}"
    )
    figures = {"construction": (construction.plot(frame), caption)}
    return Comparison("construction", TITLE, claims, _table(runs), figures)


def _table(runs: pd.DataFrame) -> pd.DataFrame:
    at_start = runs[runs["family"] == FAMILY].assign(
        family="constructed, before training", **{TRAINING_ERROR: runs[TRAINING_ERROR_AT_START]}
    )
    at_start[TEST_ERROR] = float("nan")
    return build_table(pd.concat([runs, at_start]), "data").drop(columns="data")


def exists(frame: Frame) -> Claim:
    """Before it is trained, a constructed net's training error is no higher than that of the net that it grew from.

    Seed by seed. The latter's clean error is known from its own record; of other kinds of training error, and where the
    record is not among the runs, it is the shallowest constructed net's.
    """
    name = "construction"
    statement = "a deeper plain net has a solution no worse than the shallow one's: grown, it has its training error"
    groups = group_by_depth(frame.runs, FAMILY)
    if reasons := missing_requirements({FAMILY: groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    if (groups[min(groups)]["config.model.bn_statistics"] == "exact").any():
        reason = "the construction undoes BN's moving averages; exact statistics are taken anew, batch by batch"
        return Claim(name, statement, Verdict.NOT_TESTED, reason, [reason])
    parent, parents, column = _grown_from(frame)
    if reasons := repeated_seeds(parents, parent):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    base = parents.set_index("seed")[column]
    evidence, worst = [], float("-inf")
    for depth, part in groups.items():
        higher = (part.set_index("seed")[TRAINING_ERROR_AT_START] - base).dropna()
        if len(higher) < len(part):
            reason = f"{parent}: not known for every seed of {depth} layers"
            return Claim(name, statement, Verdict.NOT_TESTED, reason, [reason])
        worst = max(worst, float(higher.max()))
        span = f"{higher.min():+.3g} to {higher.max():+.3g} points"
        evidence.append(f"{depth} layers minus {parent}: {span}, seed by seed")
    verdict = Verdict.REPRODUCED if worst <= ROUNDING else Verdict.CONTRADICTED
    decisive = f"{len(groups)} depths, at worst {worst:+.3g} points above {parent} (rounding: {ROUNDING:g})"
    return Claim(name, statement, verdict, decisive, evidence)


def _grown_from(frame: Frame) -> tuple[str, pd.DataFrame, str]:
    """In words, its runs, and the column of theirs that holds the training error."""
    runs = frame.runs
    grown = runs[runs["family"] == FAMILY]
    depth = grown["config.model.grown_from"].iloc[0]
    parents = runs[(runs["family"] == "plain") & (runs["depth"] == depth)]
    if frame.error_kind == "clean" and len(parents):
        return f"the trained plain-{depth:g}", parents, TRAINING_ERROR
    shallowest = grown[grown["depth"] == grown["depth"].min()]
    return (
        f"constructed-{grown['depth'].min()} before training",
        shallowest,
        TRAINING_ERROR_AT_START,
    )


def not_found(runs: pd.DataFrame, margin: float) -> Claim:
    """Training from scratch ends above the constructed solution: a bound at the deepest plain net that trains."""
    name = "not found"
    statement = f"trained from scratch, a deeper plain net ends more than {margin:g} points above its constructed solution"
    plain, groups = group_by_depth(runs, "plain"), group_by_depth(runs, FAMILY)
    if reasons := missing_requirements({"plain": plain, FAMILY: groups}, depths=2):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    notes = caveats(runs, plain)
    depths = [depth for depth in sorted(plain.keys() & groups.keys()) if depth > min(groups)]
    trained = [depth for depth in depths if not is_untrained(plain[depth])]
    if not trained:
        return Claim(
            name,
            statement,
            Verdict.NOT_TESTED,
            "no deeper depth at which a plain net trains",
            [],
            notes,
        )
    start = {
        depth: groups[depth].assign(**{TRAINING_ERROR: groups[depth][TRAINING_ERROR_AT_START]})
        for depth in depths
    }
    differences = {depth: training_error_difference(plain[depth], start[depth]) for depth in depths}
    evidence = [
        f"from scratch minus constructed, {depth} layers: {format_comparison(difference, plain[depth], start[depth])}"
        for depth, difference in differences.items()
    ]
    deepest = max(trained)
    decision = decide({deepest: differences[deepest]}, "above", margin)
    decisive = f"from scratch minus constructed, {deepest} layers: {format_bound(differences[deepest], decision.side)}"
    return Claim(name, statement, decision.verdict, decisive, evidence, notes)


def kept(frame: Frame, margin: float) -> Claim:
    """Does SGD keep the solution? After minus before training on, seed by seed, an upper bound at every depth.

    Contradicted where any depth ends above, with Holm's correction for their number (`decide`).
    How far it went away in between stands beside it.
    """
    name = "kept"
    statement = f"training on from the constructed net ends less than {margin:g} points above it, at every depth"
    groups = group_by_depth(frame.runs, FAMILY)
    if reasons := missing_requirements({FAMILY: groups}, depths=1):
        return Claim(name, statement, Verdict.NOT_TESTED, reasons[0], reasons)
    differences = {
        depth: paired_difference(
            part[TRAINING_ERROR].tolist(),
            part[TRAINING_ERROR_AT_START].tolist(),
            error_resolution(part),
        )
        for depth, part in groups.items()
    }
    on_the_way = (
        frame.curves[frame.curves["family"] == FAMILY].groupby("depth")[TRAINING_ERROR].max()
    )
    furthest = on_the_way.idxmax()
    notes = caveats(frame.runs, groups)
    notes.append(
        f"kept is about the end: on the way the error of constructed-{furthest} rose to {on_the_way.max():.1f} %"
        " at the highest of all evaluations"
    )
    evidence = [
        f"after minus before, {depth} layers: {d.mean:+.2f} points (Student over seeds: one-sided 95 % bounds"
        f" {d.lower:+.2f}, {d.upper:+.2f}); highest of all evaluations on the way: {on_the_way[depth]:.1f} %"
        for depth, d in differences.items()
    ]
    decision = decide(differences, "below", margin)
    line = format_bound(differences[decision.worst], decision.side, decision.simultaneous)
    decisive = f"at worst {decision.worst} layers, after minus before: {line}"
    return Claim(name, statement, decision.verdict, decisive, evidence, notes)
