"""The solution by construction: a deeper network has it, and training from scratch misses it.

He et al. (2015), section 1: a deeper network can copy a trained shallower one and let its other
layers be the identity, so its training error need not be higher. Networks of the family
`constructed` start from that solution.
"""

from collections.abc import Mapping

import pandas as pd

from analysis.claim import (
    Claim,
    RunsByDepth,
    Verdict,
    coarsest_resolution,
    count_seeds_if_open,
    decide,
    is_no_better_than_chance,
    training_error_difference,
)
from analysis.claim_names import EXISTENCE, MISSED, RETAINED
from analysis.columns import TRAINING_ERROR, TRAINING_ERROR_AT_START
from analysis.comparisons.base import Comparison, build_table
from analysis.condition_labels import name_key
from analysis.conditions import find_varying_keys
from analysis.estimates import Difference
from analysis.evidence import compare_groups, describe_caveats, format_bound
from analysis.figures import construction
from analysis.figures.marks import describe_marks
from analysis.frame import Frame, group_by_depth
from analysis.gap import Reason
from analysis.plain_text import format_amount, format_change, join_words
from analysis.plain_words import add_doubt
from analysis.requirements import missing_requirements, repeated_seeds
from analysis.statistics import paired_difference
from degradation.counting import format_count
from degradation.metrics import ITERATION, TEST_ERROR

FAMILY = "constructed"
TITLE = "The solution by construction"
STATE_EXISTENCE = (
    "a deeper plain network has a solution that is no worse than the shallow network's: if it is"
    " grown from the shallow network, it starts at the same training error"
)
STATE_MISSED = (
    "trained from scratch, a deeper plain network ends more than {margin:g} points above the"
    " constructed solution"
)
STATE_RETAINED = (
    "trained further, the constructed network ends less than {margin:g} points above its initial"
    " error, at every depth"
)
# On devices other than the CPU, the construction inverts batch normalisation only up to rounding,
# which may change the predicted class of one image in thousands: points, or one image if that is
# more.
ROUNDING_POINTS = 0.05
# Why the construction cannot be exact with `model.bn_statistics=exact`.
EXACT_BN = (
    "the construction inverts BN's moving averages; exact BN statistics are recomputed from batches"
)
CAPTION = (
    "Training error of plain networks trained from scratch, of the networks constructed from a"
    " trained shallow one before they are trained themselves, and of the same networks after"
    " training with the whole schedule."
)


def applies_to(frame: Frame) -> bool:
    """Return whether there are constructed networks."""
    return FAMILY in set(frame.runs["family"])


def build(frame: Frame, margin: float) -> Comparison:
    """Return the section about the constructed networks among these runs."""
    claims = judge(frame, margin)
    if _find_gaps(frame):
        return Comparison("construction", TITLE, claims, pd.DataFrame(), {}, margin=margin)
    table = _build_construction_table(frame.runs)
    figure = construction.plot(frame)
    figures = {"construction": (figure, f"{CAPTION} {describe_marks(figure)}")}
    return Comparison("construction", TITLE, claims, table, figures, margin=margin)


def judge(frame: Frame, margin: float) -> list[Claim]:
    """Return the claims about the construction."""
    if reasons := _find_gaps(frame):
        statements = {
            EXISTENCE: STATE_EXISTENCE,
            MISSED: STATE_MISSED.format(margin=margin),
            RETAINED: STATE_RETAINED.format(margin=margin),
        }
        return [
            Claim.not_tested(name, statement, reasons) for name, statement in statements.items()
        ]
    return [
        judge_existence(frame),
        judge_training_from_scratch(frame.runs, margin),
        judge_further_training(frame, margin),
    ]


def _find_gaps(frame: Frame) -> list[str]:
    """Return why no claim about the construction can be judged, or an empty list."""
    if frame.error_kind == "running":
        return ["a network that has not been trained yet has no running error"]
    if keys := find_varying_keys(frame.runs):
        names = join_words([name_key(key) for key in keys])
        return [f"a construction is judged where nothing else varies; these runs vary the {names}"]
    return []


def _build_construction_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the table by family and depth, with the constructed networks before training too."""
    at_start = _before_training(runs[runs["family"] == FAMILY])
    at_start = at_start.assign(family="constructed, before training")
    at_start[TEST_ERROR] = float("nan")
    return build_table(pd.concat([runs, at_start]), "data").drop(columns="data")


def _before_training(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with the training error that they had before the first update."""
    return runs.assign(**{TRAINING_ERROR: runs[TRAINING_ERROR_AT_START]})


def judge_existence(frame: Frame) -> Claim:
    """Judge whether constructed networks start at an error no higher than that of their parent.

    The networks are compared within each seed. The parent's clean error is in the parent's own
    record. For other kinds of training error, and if that record is not among the runs, the
    shallowest constructed network represents the parent.
    """
    name, statement = EXISTENCE, STATE_EXISTENCE
    groups = group_by_depth(frame.runs, FAMILY)
    reasons = missing_requirements({FAMILY: groups}, depths=2) or _find_unknown_starts(groups)
    if not reasons and (groups[min(groups)]["config.model.bn_statistics"] == "exact").any():
        reasons = [EXACT_BN]
    if reasons:
        return Claim.not_tested(name, statement, reasons)
    parent, parents, column = _find_parents(frame)
    reasons = repeated_seeds(parents, parent)
    if reasons:
        return Claim.not_tested(name, statement, reasons)
    parent_errors = parents.set_index("seed")[column]
    evidence = []
    worst = float("-inf")
    if column == TRAINING_ERROR_AT_START:
        groups = {depth: group for depth, group in groups.items() if depth != min(groups)}
    for depth, group in groups.items():
        excess = group.set_index("seed")[TRAINING_ERROR_AT_START] - parent_errors
        excess = excess.dropna()
        if len(excess) < len(group):
            reason = f"the error of {parent} is not known for every seed of {depth} layers"
            return Claim.not_tested(name, statement, [reason])
        worst = max(worst, float(excess.max()))
        span = f"{excess.min():+.3g} to {excess.max():+.3g} points"
        evidence.append(f"{depth} layers minus {parent}: {span} within seeds")
    # A little more than one image, since differences of percentages are rounded too.
    one_image = 1.01 * coarsest_resolution(parents, *groups.values())
    tolerance = max(ROUNDING_POINTS, one_image)
    verdict = Verdict.REPRODUCED if worst <= tolerance else Verdict.CONTRADICTED
    decisive_line = (
        f"{format_count(len(groups), 'depth')}, worst case {worst:+.3g} points above {parent}"
        f" (tolerance for rounding: {tolerance:.2g})"
    )
    if verdict is Verdict.REPRODUCED:
        start = f"with the error of {parent}"
    else:
        start = f"up to {format_change(worst)} points above the error of {parent}"
    return Claim(
        name,
        statement,
        verdict,
        decisive_line,
        evidence,
        plain_words=f"Deeper constructed networks start {start}.",
    )


def _find_parents(frame: Frame) -> tuple[str, pd.DataFrame, str]:
    """Return the parent's description, its runs, and their column that holds the training error."""
    runs = frame.runs
    grown = runs[runs["family"] == FAMILY]
    parent_depth = grown["config.model.grown_from"].iloc[0]
    parents = runs[(runs["family"] == "plain") & (runs["depth"] == parent_depth)]
    if frame.error_kind == "clean" and len(parents):
        return f"the trained plain-{parent_depth:g}", parents, TRAINING_ERROR
    shallowest_depth = grown["depth"].min()
    shallowest = grown[grown["depth"] == shallowest_depth]
    return f"constructed-{shallowest_depth} before training", shallowest, TRAINING_ERROR_AT_START


def _find_unknown_starts(groups: RunsByDepth) -> list[Reason]:
    """Return a reason if the error before training is unknown for some constructed network."""
    unknown = [
        str(depth) for depth, group in groups.items() if group[TRAINING_ERROR_AT_START].isna().any()
    ]
    if not unknown:
        return []
    depths = ", ".join(unknown)
    return [f"the error before training is not known for every {FAMILY} network of {depths} layers"]


def judge_training_from_scratch(runs: pd.DataFrame, margin: float) -> Claim:
    """Judge whether training from scratch ends above the constructed solution.

    The verdict rests on a bound at the deepest plain network that is better than chance.
    """
    name, statement = MISSED, STATE_MISSED.format(margin=margin)
    plain, groups = group_by_depth(runs, "plain"), group_by_depth(runs, FAMILY)
    reasons = missing_requirements({"plain": plain, FAMILY: groups}, depths=2)
    if reasons := reasons or _find_unknown_starts(groups):
        return Claim.not_tested(name, statement, reasons)
    notes = describe_caveats(runs, plain)
    parent_depth = runs.loc[runs["family"] == FAMILY, "config.model.grown_from"].iloc[0]
    deeper = [depth for depth in sorted(plain.keys() & groups.keys()) if depth > parent_depth]
    trained = [depth for depth in deeper if not is_no_better_than_chance(plain[depth])]
    if not deeper:
        reason = "plain and constructed networks share no depth above that of the parent"
        return Claim.not_tested(name, statement, [reason], notes)
    if not trained:
        reason = "no plain network of a greater depth is better than chance"
        return Claim.not_tested(name, statement, [reason], notes)
    lines = {}
    differences = {}
    for depth in deeper:
        start = _before_training(groups[depth])
        differences[depth] = training_error_difference(plain[depth], start)
        label = f"from scratch minus constructed, {depth} layers"
        lines[depth] = compare_groups(label, differences[depth], plain[depth], start)
    deepest = max(trained)
    decided = {deepest: differences[deepest]}
    decision = decide(decided, "above", margin)
    label = lines[deepest].label
    decisive_line = f"{label}: {format_bound(differences[deepest], decision.side)}"
    excess = differences[deepest].mean
    side = "above" if excess >= 0 else "below"
    return Claim(
        name,
        statement,
        decision.verdict,
        decisive_line,
        [*lines.values()],
        notes,
        plain_words=(
            f"At {deepest} layers training from scratch ends {format_amount(abs(excess))} points"
            f" {side} the constructed network{add_doubt(decision.verdict)}."
        ),
        depths=(deepest,),
        deciding_label=label,
        bound_count=decision.bound_count,
        seeds_needed=count_seeds_if_open(decision, decided, "above", margin),
    )


def _find_highest_in_between(frame: Frame) -> dict[int, float]:
    """Return the highest error by depth at any evaluation between the first and the last one."""
    curves = frame.curves[frame.curves["family"] == FAMILY]
    ends = curves.groupby("run_id")[ITERATION].transform("max")
    between = curves[(curves[ITERATION] > 0) & (curves[ITERATION] < ends)]
    highest = between.groupby("depth")[TRAINING_ERROR].max().dropna()
    return dict(zip(highest.index.tolist(), highest.tolist(), strict=True))


def _describe_change(depth: int, difference: Difference, highest: float | None) -> str:
    """Return the change of the error at one depth, with its highest value in between if known."""
    line = (
        f"after minus before, {depth} layers: {difference.mean:+.2f} points (Student-t over"
        f" seeds: one-sided 95 % bounds {difference.lower:+.2f}, {difference.upper:+.2f})"
    )
    if highest is None:
        return line
    return f"{line}; highest error of any evaluation in between: {highest:.1f} %"


def _describe_rise(groups: RunsByDepth, highest: Mapping[int, float]) -> str:
    """Return how far the error rose in between, if above the initial one, or empty text.

    `groups`: the runs by depth. `highest`: the highest error between the ends of training, by
    depth.
    """
    rises = {
        depth: error
        for depth, error in highest.items()
        if error > groups[depth][TRAINING_ERROR_AT_START].max()
    }
    if not rises:
        return ""
    depth = max(rises, key=lambda depth: rises[depth])
    return f"in between, that of constructed-{depth} rose to {rises[depth]:.1f} %"


def judge_further_training(frame: Frame, margin: float) -> Claim:
    """Judge whether SGD keeps the constructed solution: the error after minus before training.

    The errors are compared within seeds, with an upper bound at every depth. Contradicted if any
    depth ends above the margin, with Holm's correction for the number of depths (`decide`). The
    evidence reports how far the error rose in between.
    """
    name, statement = RETAINED, STATE_RETAINED.format(margin=margin)
    groups = group_by_depth(frame.runs, FAMILY)
    reasons = missing_requirements({FAMILY: groups}, depths=1)
    if reasons := reasons or _find_unknown_starts(groups):
        return Claim.not_tested(name, statement, reasons)
    highest = _find_highest_in_between(frame)
    differences = {}
    for depth, group in groups.items():
        after, before = group[TRAINING_ERROR].tolist(), group[TRAINING_ERROR_AT_START].tolist()
        differences[depth] = paired_difference(after, before, coarsest_resolution(group))
    evidence = [
        _describe_change(depth, difference, highest.get(depth))
        for depth, difference in differences.items()
    ]
    notes = describe_caveats(frame.runs, groups)
    rise = _describe_rise(groups, highest)
    decision = decide(differences, "below", margin)
    line = format_bound(differences[decision.worst], decision.side, decision.bound_count)
    decisive_line = f"worst case, {decision.worst} layers, after minus before: {line}"
    change = format_change(differences[decision.worst].mean)
    sentence = (
        f"Further training changes the error of the constructed network of {decision.worst} layers"
        f" by {change} points{add_doubt(decision.verdict)}"
    )
    return Claim(
        name,
        statement,
        decision.verdict,
        decisive_line,
        evidence,
        notes,
        plain_words=f"{sentence}; {rise}." if rise else f"{sentence}.",
        depths=(decision.worst,),
        seeds_needed=count_seeds_if_open(decision, differences, "below", margin),
    )
