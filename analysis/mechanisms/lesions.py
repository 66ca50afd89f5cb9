"""What does a net lose with one of its blocks? Deleted and swapped after training (Veit et al. 2016, 4.1 to 4.3)."""

from typing import Any

import pandas as pd

from analysis.claim import Claim, decide, is_untrained, not_tested
from analysis.claims import FamilyPair, family_pair
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.evidence import format_bound, format_interval
from analysis.figures import lesions as figure
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms.base import Explanation, by_family, unprobed
from analysis.requirements import missing_requirements
from analysis.statistics import Difference, student_interval, welch_difference

TITLE = "what does a net lose with one of its blocks?"
INTRODUCTION = (
    "A trained net is damaged and tested again, with no training in between. To delete a block is to take its "
    "convolutions out. A residual net is left with the block's shortcut; a plain net, which has none, hands the "
    "block's input on as it is. So only a plain block whose output has the shape of its input can be deleted. First "
    "each block is deleted alone, then random sets of blocks at once, and then random pairs of blocks of one stage "
    "change places. In a plain net each block works on nothing but what the block before it made. If the net breaks "
    "without one block, it is a chain, and a chain breaks at any link. If the error rises little, and slowly with the "
    "number of deleted blocks, no block depends strictly on another, and each only adds a correction to what the "
    "shortcuts carry past it. A net that did not train is at chance already and has nothing to lose, and one that "
    "trained badly has little."
)
CAPTION = (
    "Test error after blocks were deleted (above) and after pairs of blocks changed places (below), against their "
    "number as a share of the blocks that keep the shape. At 0 the net is intact. A line is the mean over seeds, a "
    "band spans all runs; within a run, the random sets are averaged first. All panels have one scale. A jump at the "
    "left edge is a net that fails with the first block; a gentle slope is one that loses a little with each. Where a "
    "stage has few blocks, a swap can undo the one before."
)
CAPTION_ALONE = (
    "Test error after one block was deleted, over the place of that block: a row a family, a column a depth. Each "
    "point is a run, the line is the mean over seeds, the dashed line the mean error of the intact nets. Crosses are "
    "the blocks that change the shape; a plain net cannot lose those, and the claim leaves them out."
)


def build(frame: Frame, margin: float) -> Explanation | None:
    pair, table = family_pair(frame.runs), frame.probes.get("lesions")
    if table is None:
        return None
    table = marked(table, pair, frame.probes.get("identity"))
    errors, chance = errors_of(table), float(frame.runs["chance"].max())
    figures = {
        "lesions": (
            figure.plot(errors, chance),
            f"{CAPTION} Measured on {_pictures(table)} test pictures.",
        ),
        "lesions-alone": (figure.plot_single_deletions(table, chance), CAPTION_ALONE),
    }
    claim = lesions(errors, frame.runs, margin, pair)
    return Explanation("lesions", TITLE, INTRODUCTION, [claim], summary(errors), figures)


def _pictures(table: pd.DataFrame) -> str:
    return " or ".join(f"{count:,}" for count in sorted(table["pictures"].unique()))


def alone(table: pd.DataFrame) -> pd.Series:
    return (table["kind"] == "delete") & (table["number"] == 1)


def marked(table: pd.DataFrame, pair: FamilyPair, identity: pd.DataFrame | None) -> pd.DataFrame:
    """With `changes_shape`, of a block that was deleted alone: a plain net of its depth cannot lose it.

    Where there is no plain net to tell, the probe of the identity does.
    """
    single = table[alone(table)]
    plain = single[single["family"] == pair.plain]
    changing = {
        int(str(depth)): set(part["block"]) - set(plain.loc[plain["depth"] == depth, "block"])
        for depth, part in single.groupby("depth")
        if depth in set(plain["depth"])
    }
    if identity is not None:
        for depth, part in identity[identity["shape_change"].astype(bool)].groupby("depth"):
            changing.setdefault(int(str(depth)), set(part["block"]))
    places = zip(alone(table), table["depth"], table["block"], strict=True)
    return table.assign(
        changes_shape=[
            bool(one) and block in changing.get(depth, ()) for one, depth, block in places
        ]
    )


def errors_of(table: pd.DataFrame) -> pd.DataFrame:
    """A row a run, kind and number: `error` in percent, the mean over sets (or over blocks, one at a time).

    `share`: the number over that of the blocks that keep the shape. `intact`: the error without a lesion.
    """
    keys = ["family", "depth", "seed", "run_id"]
    errors = (
        table[~table["changes_shape"]]
        .groupby([*keys, "kind", "number"])["error"]
        .mean()
        .reset_index()
    )
    intact = errors[errors["kind"] == "none"].set_index("run_id")["error"]
    most = errors.groupby("run_id")["number"].max().clip(lower=1)
    return errors.assign(
        share=errors["number"] / errors["run_id"].map(most),
        intact=errors["run_id"].map(intact),
        increase=errors["error"] - errors["run_id"].map(intact),
    )


def lesions(errors: pd.DataFrame, runs: pd.DataFrame, margin: float, pair: FamilyPair) -> Claim:
    """One block costs a residual net less than a plain one: a Welch lower bound at every depth that trained plain.

    Contradicted where it does at any depth not, with Holm's correction for their number (`decide`).
    """
    name = "lesions"
    statement = (
        f"deleting one block costs a {pair.residual} net less than a {pair.plain} net of its depth, by more than "
        f"{margin:g} points of test error"
    )
    single = errors[alone(errors) & errors["family"].isin([pair.plain, pair.residual])]
    plain, residual = (
        by_family(single, family, "increase") for family in (pair.plain, pair.residual)
    )
    without_training = {
        depth for depth, part in group_by_depth(runs, pair.plain).items() if is_untrained(part)
    }
    left_out = sorted(without_training & plain.keys())
    reason = (
        f"untrained, its mean within {UNTRAINED_WITHIN_POINTS:g} points of chance: nothing to lose"
    )
    notes = [f"{pair.plain}-{depth} is left out: {reason}" for depth in left_out]
    notes += unprobed(runs[runs["family"].isin([pair.plain, pair.residual])], errors)
    depths = [depth for depth in sorted(plain.keys() & residual.keys()) if depth not in left_out]
    if not depths:
        reasons = [
            f"no depth at which a trained {pair.plain} net and a {pair.residual} net both lost a block"
        ]
        return not_tested(name, statement, [*reasons, *notes])
    compared = single[single["depth"].isin(depths)]
    groups = {family: group_by_depth(compared, family) for family in (pair.plain, pair.residual)}
    if reasons := missing_requirements(groups, depths=1):
        return not_tested(name, statement, [*reasons, *notes])
    differences = {depth: welch_difference(plain[depth], residual[depth]) for depth in depths}
    evidence = [
        _line(single[single["depth"] == depth], pair, one) for depth, one in differences.items()
    ]
    found = decide(differences, "above", margin)
    line = format_bound(differences[found.worst], found.side, found.simultaneous)
    decisive = f"at worst {found.worst} layers, {pair.plain} minus {pair.residual}: {line}"
    return Claim(name, statement, found.verdict, decisive, evidence, notes)


def _line(of_depth: pd.DataFrame, pair: FamilyPair, one: Difference) -> str:
    """With the intact errors: the nearer to chance a net is, the less it can lose."""
    means = of_depth.groupby("family")[["intact", "increase"]].mean()
    told = [
        f"{name} {means.loc[name, 'increase']:+.2f} from {means.loc[name, 'intact']:.2f} %"
        for name in means.index
    ]
    line = f"{of_depth['depth'].iloc[0]} layers, one block deleted: {', '.join(told)}"
    return f"{line}; {pair.plain} minus {pair.residual} {format_interval(one)}"


def summary(errors: pd.DataFrame) -> pd.DataFrame:
    """A row a family, depth, kind and number: the error's mean and Student interval over runs, and its increase."""
    rows: list[dict[str, Any]] = []
    for (family, depth, kind, number), part in errors.groupby(
        ["family", "depth", "kind", "number"], sort=True
    ):
        row = {
            "family": family,
            "depth": depth,
            "lesion": kind,
            "number": number,
            "runs": len(part),
        }
        one = student_interval(part["error"].tolist())
        row |= {"test_error_mean": one.mean, "test_error_low": one.low, "test_error_high": one.high}
        rows.append(row | {"increase_mean": part["increase"].mean()})
    return pd.DataFrame(rows)
