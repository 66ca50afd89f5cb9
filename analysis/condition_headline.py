"""What the paper's claims about one condition found, in a sentence or two with the mean errors."""

from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.claim import Claim, RunsByDepth, Verdict, training_error_difference
from analysis.claim_names import DEGRADATION, FIX, NO_DEGRADATION
from analysis.error_increase import select_better_than_chance
from analysis.family_pairs import family_pair
from analysis.finished_runs import select_finished
from analysis.frame import group_by_depth
from analysis.headline_errors import (
    average_error,
    choose_depths,
    describe_margin,
    describe_no_better_than_chance,
    find_ends,
    list_errors,
    list_worse_between,
)
from analysis.plain_text import capitalise_first, format_percents, join_words

PLAIN_NETWORKS = {
    "plain": "plain networks",
    "plain-preactivation": "plain pre-activation networks",
}
WITH_SHORTCUTS = "networks with shortcuts"


def write_condition_headline(
    runs: pd.DataFrame, claims: Sequence[Claim], margin: float, error: str = "training error"
) -> str:
    """Return what the paper's claims say about these runs, or empty text if they concern none.

    Args:
        runs: the runs of one condition.
        claims: the claims about them; others than the paper's three may be among them.
        margin: that of the claims, in points.
        error: what the error is called.
    """
    by_name = {claim.name: claim for claim in claims}
    pair = family_pair(runs)
    finished = select_finished(runs)
    plain = group_by_depth(finished, pair.plain)
    residual = group_by_depth(finished, pair.residual)
    networks = PLAIN_NETWORKS[pair.plain]
    degradation, absence = by_name[DEGRADATION], by_name[NO_DEGRADATION]
    fix = _describe_fix(by_name[FIX], plain, residual, margin, error)
    if fix and {degradation.verdict, absence.verdict} == {Verdict.NOT_TESTED}:
        return f"{fix} Degradation is not tested: {degradation.reason}."
    sentences = []
    if plain:
        sentences.append(_describe_plain(degradation, plain, networks, margin, error))
    if residual and plain:
        sentences.append(_describe_residual(absence, residual, degradation, plain, margin))
    elif residual:
        sentences.append(_describe_residual_alone(absence, residual, margin, error))
    if plain and not residual:
        sentences.append(_describe_lacking(runs[runs["family"] == pair.residual], WITH_SHORTCUTS))
    if residual and not plain:
        sentences.append(_describe_lacking(runs[runs["family"] == pair.plain], networks))
    if fix and (_adds_to_others(by_name) or _raises_error(by_name[FIX], plain, residual, margin)):
        sentences.append(fix)
    return " ".join(sentences) or (
        f"The runs are neither of {networks} nor of {WITH_SHORTCUTS}, so no claim is about them."
    )


def _adds_to_others(claims: Mapping[str, Claim]) -> bool:
    """Return whether the third claim says what does not follow from the other two."""
    degrades = claims[DEGRADATION].verdict is Verdict.REPRODUCED
    if claims[FIX].verdict is Verdict.REPRODUCED:
        return not (degrades and claims[NO_DEGRADATION].verdict is Verdict.REPRODUCED)
    return degrades


def _raises_error(claim: Claim, plain: RunsByDepth, residual: RunsByDepth, margin: float) -> bool:
    """Return whether shortcuts raise the error by more than the margin at the depth judged."""
    (depth,) = claim.depths
    return training_error_difference(residual[depth], plain[depth]).lower > margin


def _describe_plain(
    claim: Claim, groups: RunsByDepth, networks: str, margin: float, error: str
) -> str:
    """Return whether the networks without shortcuts get worse with depth."""
    trained = select_better_than_chance(groups)
    untrained = [depth for depth in groups if depth not in trained]
    if not trained:
        return (
            f"No {networks} are better than chance{list_errors(groups, find_ends(groups), error)}."
        )
    errors = list_errors(groups, claim.depths or find_ends(trained), error)
    errors += describe_no_better_than_chance(untrained)
    subject = capitalise_first(networks)
    if claim.verdict is Verdict.REPRODUCED:
        return f"{subject} {_get_worse()}{errors}."
    if claim.verdict is Verdict.CONTRADICTED:
        within = describe_margin(groups, claim.depths, margin)
        shallow, deep = claim.depths
        between = list_worse_between(trained, claim.depths, margin)
        # Networks that fail at other depths may be worse, so only these two are spoken of.
        if between or untrained:
            addition = f" In between the mean is higher{between}." if between else ""
            return (
                f"{subject} do not get worse{within} on their own training set from {shallow} to"
                f" {deep} layers{errors}.{addition}"
            )
        return f"{subject} do not {_get_worse(within)}{errors}."
    if claim.verdict is Verdict.INCONCLUSIVE:
        return f"The runs do not settle whether {networks} {_get_worse()}{errors}."
    return f"No verdict yet on whether {networks} {_get_worse()} ({claim.reason}){errors}."


def _describe_residual(
    claim: Claim,
    groups: RunsByDepth,
    degradation: Claim,
    plain: RunsByDepth,
    margin: float,
) -> str:
    """Return whether the networks with shortcuts get worse with depth, after the plain ones."""
    verdict = claim.verdict
    depths = choose_depths(claim, groups, degradation.depths)
    plain_depths = degradation.depths or find_ends(select_better_than_chance(plain) or plain)
    are_depths_named = depths == plain_depths and bool(list_errors(plain, plain_depths, ""))
    errors = list_errors(groups, depths, "", named=not are_depths_named)
    within = ""
    if verdict is Verdict.REPRODUCED:
        within = describe_margin(groups, [*groups], margin)
    if verdict is Verdict.REPRODUCED and degradation.verdict is Verdict.REPRODUCED:
        return f"With shortcuts they do not{f' get worse{within}' if within else ''}{errors}."
    subject = capitalise_first(WITH_SHORTCUTS)
    if verdict is Verdict.REPRODUCED:
        return f"{subject} do not get worse{within} with depth{errors}."
    if verdict is Verdict.CONTRADICTED:
        also = " too" if degradation.verdict is Verdict.REPRODUCED else ""
        return f"{subject} get worse with depth{also}{errors}."
    if verdict is Verdict.INCONCLUSIVE:
        return f"Whether {WITH_SHORTCUTS} get worse with depth is not settled{errors}."
    if degradation.verdict is Verdict.NOT_TESTED and errors:
        return f"With shortcuts{errors}."
    return f"No verdict yet on {WITH_SHORTCUTS} ({claim.reason}){errors}."


def _describe_residual_alone(claim: Claim, groups: RunsByDepth, margin: float, error: str) -> str:
    """Return whether the networks with shortcuts get worse with depth, without plain ones."""
    errors = list_errors(groups, choose_depths(claim, groups, ()), error)
    subject = capitalise_first(WITH_SHORTCUTS)
    if claim.verdict is Verdict.REPRODUCED:
        within = describe_margin(groups, [*groups], margin)
        return f"{subject} do not {_get_worse(within)}{errors}."
    if claim.verdict is Verdict.CONTRADICTED:
        return f"{subject} {_get_worse()}{errors}."
    if claim.verdict is Verdict.INCONCLUSIVE:
        return f"The runs do not settle whether {WITH_SHORTCUTS} {_get_worse()}{errors}."
    return f"No verdict yet on whether {WITH_SHORTCUTS} {_get_worse()} ({claim.reason}){errors}."


def _describe_fix(
    claim: Claim, plain: RunsByDepth, residual: RunsByDepth, margin: float, error: str
) -> str:
    """Return what shortcuts gain at the depth that was judged, or empty text if none was."""
    if claim.verdict is Verdict.NOT_TESTED:
        return ""
    (depth,) = claim.depths
    errors = [average_error(runs) for runs in (plain[depth], residual[depth])]
    without, with_them = format_percents(errors)
    if _raises_error(claim, plain, residual, margin):
        return f"At {depth} layers shortcuts raise the {error} from {without} to {with_them}."
    if claim.verdict is Verdict.REPRODUCED:
        return f"At {depth} layers shortcuts lower the {error} from {without} to {with_them}."
    both = f"{without} without them, {with_them} with them"
    if claim.verdict is Verdict.CONTRADICTED:
        lower = f"lower the {error} by more than {margin:g} points"
        return f"At {depth} layers shortcuts do not {lower}: {both}."
    return f"Whether shortcuts lower the {error} at {depth} layers is not settled: {both}."


def _describe_lacking(runs: pd.DataFrame, networks: str) -> str:
    """Return a sentence about networks without a finished run.

    `runs`: the runs of these networks, in any state.
    """
    if runs.empty:
        return f"There are no {networks} to compare with."
    return f"No run of {networks} has finished yet{count_states(runs)}."


def count_states(runs: pd.DataFrame) -> str:
    """Return ` (12 missing and 1 failed)`, or empty text without runs."""
    counts = runs["state"].value_counts()
    parts = [f"{count} {state}" for state, count in counts.items()]
    return f" ({join_words(parts)})" if parts else ""


def _get_worse(within: str = "") -> str:
    """Return the predicate of degradation. `within`: see `describe_margin`."""
    return f"get worse{within} on their own training set as they get deeper"
