"""Does the size of degradation, or of what shortcuts gain, differ between the values of a factor?

Each size is itself a difference of two means, so two values are compared by a contrast of four:
deepest minus shallowest (or plain minus residual) at one value, minus the same at the other.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import pandas as pd

from analysis.claim import (
    LEARNING_DEPTHS,
    Finding,
    Verdict,
    coarsest_resolution,
    count_seeds_if_open,
    decide,
    training_error_difference,
)
from analysis.claim_names import Topic
from analysis.columns import TRAINING_ERROR
from analysis.comparisons.networks import Networks, select_values
from analysis.comparisons.value_sentences import describe_size_difference
from analysis.difference_line import DifferenceLine, EvidenceLine, format_points
from analysis.estimates import Difference
from analysis.evidence import compare_groups, describe_caveats, format_bound
from analysis.family_pairs import FAMILY_PAIRS
from analysis.multiple_testing import bonferroni_level
from analysis.plain_text import write_reason
from analysis.statistics import contrast_of_means
from degradation.counting import format_count

ALIKE, DIFFERS = "alike", "differs"
ANSWERS = {Verdict.REPRODUCED: ALIKE, Verdict.CONTRADICTED: DIFFERS}
MAX_PAIRS = 10  # pairs of values that the evidence lists

Size = tuple[pd.DataFrame, pd.DataFrame]  # the mean error of the first runs minus the second's


def judge_size(runs: pd.DataFrame, networks: Networks, name: str, margin: float) -> Finding:
    """Find whether the size of degradation differs between the values of a factor.

    It is the error of the deepest network minus that of the shallowest, of those that are trained
    at every value. Arguments: those of `judge_each_value`.
    """
    title = f"size of degradation by {name}"
    statement = (
        f"{networks.family} networks: does the increase of the training error with depth differ by"
        f" more than {margin:g} points from one {name} to another?"
    )
    reasons = networks.find_gaps(depths=2)
    if not reasons and len(networks.list_shared_depths()) < 2:
        reasons = [f"{networks.family} networks share fewer than two depths at all values"]
    if reasons:
        finding = Finding.not_tested(title, statement, reasons)
        return replace(finding, topic=Topic.SIZE_BY_VALUE)
    notes = [*describe_caveats(runs), *networks.list_notes()]
    depths = networks.list_depths_better_than_chance()
    if len(depths) < 2:
        line = (
            "fewer than two depths are better than chance at every value; no better than chance: "
            + networks.describe_no_better_than_chance()
        )
        return Finding(
            title,
            statement,
            Verdict.INCONCLUSIVE,
            line,
            [],
            notes,
            plain_words=write_reason(line),
            remedy=LEARNING_DEPTHS,
            topic=Topic.SIZE_BY_VALUE,
        )
    shallowest, deepest = depths[0], depths[-1]
    sizes = {
        label: (groups[deepest], groups[shallowest]) for label, groups in networks.by_value.items()
    }
    comparison = f"{deepest} minus {shallowest} layers"
    size = f"the rise from {shallowest} to {deepest} layers in {networks.family} networks"
    finding = _compare_sizes(title, statement, sizes, comparison, notes, margin, size, name)
    headline = finding.plain_words if finding.answer else ""
    return replace(finding, headline=headline, topic=Topic.SIZE_BY_VALUE)


def judge_gain(
    runs: pd.DataFrame, plain: Networks, residual: Networks, name: str, margin: float
) -> Finding:
    """Find whether what shortcuts gain differs between the values of a factor.

    It is the error of the plain network minus that of the residual one, at the deepest plain
    network that is better than chance at every value. Arguments: those of `judge_each_value`, with
    the networks of both kinds.
    """
    labels = [label for label in plain.by_value if label in residual.by_value]
    plain, residual = select_values(plain, labels), select_values(residual, labels)
    title = f"the fix by {name}"
    statement = (
        f"does what shortcuts gain, {plain.family} minus {residual.family}, differ by more than"
        f" {margin:g} points from one {name} to another?"
    )
    shared = set(plain.list_shared_depths()) & set(residual.list_shared_depths())
    reasons = plain.find_gaps(depths=1) + residual.find_gaps(depths=1)
    if not reasons and not shared:
        reasons = ["the families share no depth at all values"]
    if reasons:
        return Finding.not_tested(title, statement, reasons)
    notes = [*describe_caveats(runs), *plain.list_notes(), *residual.list_notes()]
    trained = shared.intersection(plain.list_depths_better_than_chance())
    if not trained:
        line = (
            f"no {plain.family} network is better than chance at every value; no better than"
            " chance: " + plain.describe_no_better_than_chance()
        )
        return Finding(
            title,
            statement,
            Verdict.INCONCLUSIVE,
            line,
            [],
            notes,
            plain_words=write_reason(line),
            remedy=LEARNING_DEPTHS,
        )
    depth = max(trained)
    sizes = {
        label: (plain.by_value[label][depth], residual.by_value[label][depth]) for label in labels
    }
    comparison = f"{plain.family} minus {residual.family}, {depth} layers"
    size = f"the gain by shortcuts at {depth} layers"
    return _compare_sizes(title, statement, sizes, comparison, notes, margin, size, name)


def _compare_sizes(
    title: str,
    statement: str,
    sizes: Mapping[str, Size],
    comparison: str,
    notes: list[str],
    margin: float,
    size: str,
    name: str,
) -> Finding:
    """Compare the sizes of all pairs of values.

    Alike: the contrast of every pair is within the margin on both sides. All must be, so their
    number needs no correction. Differs: some contrast exceeds the margin, with Holm's correction
    for all pairs and both signs.

    Args:
        title: the finding's name.
        statement: its question.
        sizes: the two groups of runs whose difference is a size, by the label of the value.
        comparison: what is subtracted from what, such as `56 minus 20 layers`.
        notes: its notes.
        margin: the difference between sizes that counts, in points.
        size: what a size is, in words.
        name: the factor in words, such as `width`.
    """
    evidence: list[EvidenceLine] = []
    means = {}
    for label, (first, second) in sizes.items():
        difference = training_error_difference(first, second)
        means[label] = difference.mean
        evidence.append(compare_groups(f"{label}, {comparison}", difference, first, second))
    contrasts = {}
    for a, b in combinations(sizes, 2):
        contrasts[a, b] = contrast_sizes(sizes[a], sizes[b])
    evidence += _list_contrasts(contrasts)
    both_signs = contrasts | {(b, a): -contrast for (a, b), contrast in contrasts.items()}
    decision = decide(both_signs, "below", margin)
    a, b = decision.worst
    bound = format_bound(both_signs[a, b], decision.side, decision.bound_count)
    bound_count = decision.bound_count
    if decision.verdict is Verdict.INCONCLUSIVE:
        bound_count = len(both_signs)
        bound += f", {_format_corrected_bound(both_signs[a, b], bound_count)}"
    label = f"{a} minus {b}"
    line = f"{comparison}, {label}: {bound}"
    answer = ANSWERS.get(decision.verdict, "")
    contrast = both_signs[a, b].mean
    return Finding(
        title,
        statement,
        decision.verdict,
        line,
        evidence,
        notes,
        answer,
        plain_words=describe_size_difference(
            decision.verdict, size, name, means, (a, b), contrast, margin
        ),
        deciding_label=label,
        bound_count=bound_count,
        seeds_needed=count_seeds_if_open(decision, both_signs, "below", margin),
    )


def _format_corrected_bound(contrast: Difference, bound_count: int) -> str:
    """Return the bound that would have to exceed the margin for the answer `differs`."""
    bound = contrast.lower_at(bonferroni_level(bound_count))
    return f"lower bound (Holm, {bound_count} bounds) {format_points(bound)}"


def contrast_sizes(a: Size, b: Size) -> Difference:
    """Return the size at one value minus that at another, in points.

    Runs that belong to both, such as those of a plain network beside two shortcuts, cancel where
    their signs do.
    """
    groups: dict[tuple[str, ...], pd.DataFrame] = {}
    coefficients: dict[tuple[str, ...], int] = {}
    first = a[0] if _are_same_network(a[0], b[0]) else b[0]
    second = a[1] if _are_same_network(a[1], b[1]) else b[1]
    for runs, coefficient in ((a[0], 1), (a[1], -1), (first, -1), (second, 1)):
        run_ids = tuple(sorted(runs["run_id"]))
        groups[run_ids] = runs
        coefficients[run_ids] = coefficients.get(run_ids, 0) + coefficient
    remaining = [run_ids for run_ids, coefficient in coefficients.items() if coefficient]
    return contrast_of_means(
        [groups[run_ids][TRAINING_ERROR].tolist() for run_ids in remaining],
        [coefficients[run_ids] for run_ids in remaining],
        coarsest_resolution(*groups.values()),
    )


def _are_same_network(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Return whether two families' runs of one depth train the same network with the same seeds.

    Without shortcuts, the order of BN, ReLU and convolution changes nothing but the run id, so the
    errors are equal, run by run.
    """
    families = {*a["family"], *b["family"]}
    if families != {pair.plain for pair in FAMILY_PAIRS} or {*a["depth"]} != {*b["depth"]}:
        return False
    errors = [runs.set_index("seed")[TRAINING_ERROR].sort_index() for runs in (a, b)]
    return errors[0].equals(errors[1])


def _list_contrasts(
    contrasts: Mapping[tuple[str, str], Difference],
) -> list[EvidenceLine]:
    """Return a line for each pair of values, those that differ most if there are many."""
    pairs = list(contrasts)
    if len(pairs) > MAX_PAIRS:
        pairs = sorted(pairs, key=lambda pair: -abs(contrasts[pair].mean))[:MAX_PAIRS]
    lines: list[EvidenceLine] = [
        DifferenceLine(f"{a} minus {b}", contrasts[a, b]) for a, b in pairs
    ]
    if len(contrasts) > MAX_PAIRS:
        further = len(contrasts) - MAX_PAIRS
        lines.append(
            f"{format_count(further, 'further pair differs', 'further pairs differ')} by less"
        )
    return lines
