"""How much does a network lose without one of its blocks? Lesions after training.

Veit et al. (2016), sections 4.1 to 4.3.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.claim import (
    Claim,
    Decision,
    Verdict,
    count_seeds_if_open,
    decide,
    is_no_better_than_chance,
)
from analysis.claim_names import REMOVING_A_BLOCK
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.difference_line import DifferenceLine
from analysis.estimates import Difference
from analysis.evidence import format_bound
from analysis.family_pairs import FamilyPair, family_pair
from analysis.figures import lesions as figure
from analysis.finished_runs import is_finished
from analysis.frame import Frame, group_by_depth
from analysis.gap import Reason
from analysis.grouped_values import group_known_values
from analysis.mechanism_texts import lesions as texts
from analysis.mechanisms.base import (
    Explanation,
    account_for_missing_runs,
    find_unprobed,
)
from analysis.plain_text import format_change
from analysis.plain_words import add_doubt, find_bound
from analysis.requirements import missing_requirements
from analysis.statistics import student_interval, welch_difference

POSITION = 7
PROBE = "lesions"


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain the lesions, or return None if the runs lack the probe."""
    if PROBE not in frame.probes:
        return None
    table = _read_table(frame)
    errors, chance = average_lesions(table), float(frame.runs["chance"].max())
    caption = f"{figure.CAPTION} Measured on {_count_images(table)} test images."
    figures = {
        "lesions": (figure.plot(errors, chance), caption),
        "lesions-alone": (figure.plot_single_deletions(table, chance), figure.SINGLE_CAPTION),
    }
    claims, pair = judge(frame, margin), family_pair(frame.runs)
    return Explanation(
        "lesions",
        texts.TITLE,
        texts.write_introduction(claims, pair),
        claims,
        summarise(errors),
        figures,
        texts.DETAILS,
        texts.list_lead(claims, pair),
    )


def judge(frame: Frame, margin: float) -> list[Claim]:
    """Return the claim that losing a block costs residual networks less than plain ones."""
    errors = average_lesions(_read_table(frame))
    pair, runs = family_pair(frame.runs), frame.runs
    claim = judge_deletion(errors, runs, margin, pair)
    # the claim says nothing of such a depth, so a run that was not probed there is not missing
    is_excluded = runs["depth"].isin(_find_excluded_depths(runs, pair))
    is_unprobed = is_finished(runs) & ~runs["run_id"].isin(errors["run_id"])
    counted = runs[~(is_excluded & is_unprobed)]
    return [account_for_missing_runs(claim, counted, errors, [pair.plain, pair.residual])]


def _read_table(frame: Frame) -> pd.DataFrame:
    """Return the probe's rows with the column `changes_shape`."""
    pair, identity = family_pair(frame.runs), frame.probes.get("identity")
    return mark_shape_changes(frame.probes[PROBE], pair, identity)


def _count_images(table: pd.DataFrame) -> str:
    """Return the number of images of the probe, such as "297"."""
    return " or ".join(f"{count:,}" for count in sorted(table["pictures"].unique()))


def is_single_deletion(table: pd.DataFrame) -> pd.Series:
    """Return which rows are the deletion of one block alone."""
    return (table["kind"] == "delete") & (table["number"] == 1)


def mark_shape_changes(
    table: pd.DataFrame, pair: FamilyPair, identity: pd.DataFrame | None
) -> pd.DataFrame:
    """Add the column `changes_shape`, which marks deletions of blocks that change the shape.

    Only single deletions are marked. A plain network cannot lose such a block, so these are the
    blocks that no plain network of the same depth lost. Without a plain network, the probe
    `identity` shows which blocks they are.

    Args:
        table: rows of the probe `lesions`.
        pair: the families to compare.
        identity: rows of the probe `identity`, if there are any.
    """
    is_single = is_single_deletion(table)
    changes_shape = pd.Series(False, index=table.index)
    for depth, blocks in _find_shape_changes(table[is_single], pair.plain, identity).items():
        at_depth = is_single & (table["depth"] == depth)
        changes_shape |= at_depth & table["block"].isin(blocks)
    return table.assign(changes_shape=changes_shape)


def _find_shape_changes(
    deletions: pd.DataFrame, plain: str, identity: pd.DataFrame | None
) -> dict[int, set[int]]:
    """Return, by depth, the blocks that are known to change the shape.

    `deletions`: rows of single deletions. `plain`: the family without shortcuts.
    """
    changing: dict[int, set[int]] = {}
    for depth, rows in deletions.groupby("depth"):
        plain_rows = rows[rows["family"] == plain]
        if len(plain_rows):
            changing[int(str(depth))] = set(rows["block"]) - set(plain_rows["block"])
    if identity is not None:
        changes = identity[identity["shape_change"].astype(bool)]
        for depth, rows in changes.groupby("depth"):
            changing.setdefault(int(str(depth)), set(rows["block"]))
    return changing


def average_lesions(table: pd.DataFrame) -> pd.DataFrame:
    """Average the test error of each run over its sets of blocks, or over its single blocks.

    Blocks that change the shape are excluded.

    Args:
        table: rows of the probe `lesions`, with `changes_shape`.

    Returns:
        One row per run, `kind` of lesion and `number` of blocks. `error`: percent. `share`: the
        number divided by the number of blocks that keep the shape. `intact`: the error without a
        lesion, in percent. `increase`: error minus intact, in points.
    """
    keys = ["family", "depth", "seed", "run_id", "kind", "number"]
    keeping_shape = table[~table["changes_shape"]]
    errors = keeping_shape.groupby(keys)["error"].mean().reset_index()
    intact = errors[errors["kind"] == "none"].set_index("run_id")["error"]
    blocks = errors.groupby("run_id")["number"].max().clip(lower=1)
    intact_errors = errors["run_id"].map(intact)
    return errors.assign(
        share=errors["number"] / errors["run_id"].map(blocks),
        intact=intact_errors,
        increase=errors["error"] - intact_errors,
    )


def judge_deletion(
    errors: pd.DataFrame, runs: pd.DataFrame, margin: float, pair: FamilyPair
) -> Claim:
    """Judge whether one block costs a residual network less than a plain one, beyond the margin.

    Reproduced if the Welch lower bound of plain minus residual is above the margin at every depth
    where both networks are better than chance. Contradicted if the upper bound is below it at any
    depth, with Holm's correction for the number of bounds (`decide`).

    Args:
        errors: rows of `average_lesions`.
        runs: rows of `Frame.runs`.
        margin: points of test error.
        pair: the families to compare.
    """
    name = REMOVING_A_BLOCK
    statement = (
        f"deleting one block costs a {pair.residual} network less than a {pair.plain} network of "
        f"the same depth, by more than {margin:g} points of test error"
    )
    families = (pair.plain, pair.residual)
    single_deletions = errors[is_single_deletion(errors) & errors["family"].isin(families)]
    plain = group_known_values(single_deletions, pair.plain, "increase")
    residual = group_known_values(single_deletions, pair.residual, "increase")

    excluded_depths = _find_excluded_depths(runs, pair)
    notes = []
    for family in families:
        notes += _describe_excluded(_find_no_better_than_chance(runs, family), family)
    notes += find_unprobed(runs[runs["family"].isin(families)], errors)
    depths = sorted((plain.keys() & residual.keys()) - excluded_depths)
    compared_rows = single_deletions[single_deletions["depth"].isin(depths)]
    reasons = _find_missing(compared_rows, pair)
    if reasons:
        return Claim.not_tested(name, statement, reasons, notes)

    differences = {depth: welch_difference(plain[depth], residual[depth]) for depth in depths}
    lines = _describe_depths(compared_rows, pair, differences)
    decision = decide(differences, "above", margin)
    line = format_bound(differences[decision.worst], decision.side, decision.bound_count)
    decisive_line = (
        f"worst case, {decision.worst} layers, {pair.plain} minus {pair.residual}: {line}"
    )
    worst = differences[decision.worst]
    is_negligible = (
        decision.verdict is Verdict.CONTRADICTED and 0 < worst.lower < worst.mean < margin
    )
    return Claim(
        name,
        statement,
        decision.verdict,
        decisive_line,
        [*lines.values()],
        notes,
        plain_words=_describe_worst(worst, decision, pair),
        is_negligible=is_negligible,
        depths=(decision.worst,),
        deciding_label=lines[decision.worst].label,
        bound_count=decision.bound_count,
        seeds_needed=count_seeds_if_open(decision, differences, "above", margin),
    )


def _describe_worst(worst: Difference, decision: Decision[int], pair: FamilyPair) -> str:
    """Return the decisive difference in a sentence without terms of statistics."""
    bound = find_bound(worst, decision).describe()
    return (
        f"At {decision.worst} layers losing one block costs {pair.plain} networks"
        f" {format_change(worst.mean)} points more than {pair.residual} ones{bound}"
        f"{add_doubt(decision.verdict)}."
    )


def _find_missing(compared_rows: pd.DataFrame, pair: FamilyPair) -> list[Reason]:
    """Return why single deletions cannot be compared; the list may be empty."""
    if compared_rows.empty:
        return [
            f"no depth at which a block was deleted from both a trained {pair.plain} network and a"
            f" {pair.residual} network"
        ]
    families = (pair.plain, pair.residual)
    groups = {family: group_by_depth(compared_rows, family) for family in families}
    return missing_requirements(groups, depths=1)


def _find_excluded_depths(runs: pd.DataFrame, pair: FamilyPair) -> set[int]:
    """Return the depths at which either family is near chance: it has nothing to lose there."""
    plain = _find_no_better_than_chance(runs, pair.plain)
    return plain | _find_no_better_than_chance(runs, pair.residual)


def _find_no_better_than_chance(runs: pd.DataFrame, family: str) -> set[int]:
    """Return the depths at which the mean training error of a family is near chance."""
    groups = group_by_depth(runs, family)
    return {depth for depth, group in groups.items() if is_no_better_than_chance(group)}


def _describe_excluded(depths: set[int], family: str) -> list[str]:
    near = f"mean within {UNTRAINED_WITHIN_POINTS:g} points of it"
    reason = f"it is no better than chance ({near}) and has nothing to lose"
    return [f"{family}-{depth} is excluded: {reason}" for depth in sorted(depths)]


def _describe_depths(
    single_deletions: pd.DataFrame, pair: FamilyPair, differences: Mapping[int, Difference]
) -> dict[int, DifferenceLine]:
    """Return a line for each depth, with the intact errors: near chance there is less to lose."""
    lines = {}
    for depth, difference in differences.items():
        at_depth = single_deletions[single_deletions["depth"] == depth]
        means = at_depth.groupby("family")[["intact", "increase"]].mean()
        increases = []
        for family, mean in means.iterrows():
            increases.append(f"{family} {mean['increase']:+.2f} from {mean['intact']:.2f} %")
        label = (
            f"{depth} layers, one block deleted: {', '.join(increases)};"
            f" {pair.plain} minus {pair.residual}"
        )
        lines[depth] = DifferenceLine(label, difference, separator=" ")
    return lines


def summarise(errors: pd.DataFrame) -> pd.DataFrame:
    """Summarise the lesions over seeds.

    Returns one row per family, depth, kind of lesion and number of blocks: the test error in
    percent with its 95 % Student-t confidence interval, and the mean increase in points.
    """
    rows: list[dict[str, Any]] = []
    for (family, depth, kind, number), group in errors.groupby(
        ["family", "depth", "kind", "number"], sort=True
    ):
        interval = student_interval(group["error"].tolist())
        rows.append(
            {
                "family": family,
                "depth": depth,
                "lesion": kind,
                "number": number,
                "runs": len(group),
                "test_error_mean": interval.mean,
                "test_error_low": interval.low,
                "test_error_high": interval.high,
                "increase_mean": group["increase"].mean(),
            }
        )
    return pd.DataFrame(rows)
