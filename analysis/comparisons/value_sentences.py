"""Findings about the values of a factor in sentences, for the first screen and the badges."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.claim import Verdict
from analysis.error_increase import Increase
from analysis.multiple_testing import select_directions
from analysis.plain_text import capitalise_first, format_amount, format_change, join_words

MAX_VALUES = 6  # values that a sentence lists
# A label without the factor's name that begins or ends with a number, such as `400 iterations`.
HAS_NUMBER = re.compile(r"[-+]?\.?\d[\d.e+-]*( |$)|.* [-+]?\.?\d[\d.e+-]*( %)?$")
WITHOUT_ARTICLE = ("no ", "original ", "trained ", "grown ", "warm-up ")


def join_values(labels: Sequence[str], name: str) -> str:
    """Return `8, 16 and 32` for labels such as `width 8`, or the labels as they are.

    `name`: the factor in words, such as `width`, which other labels do not begin with.
    """
    prefix = f"{name} "
    values = list(labels)
    if all(label.startswith(prefix) for label in labels):
        values = [label.removeprefix(prefix) for label in labels]
    rest = len(values) - MAX_VALUES
    return join_words(values if rest <= 0 else [*values[:MAX_VALUES], f"{rest} more"])


def join_labels(labels: Sequence[str]) -> str:
    """Return `cosine schedule and step schedule`, or `batch size 16, 32 and 64`.

    Words with which all labels begin stand once. Of many labels, the first are named.
    """
    words = [label.split(" ") for label in labels]
    common = 0
    if len(labels) > 1 and not any("," in label for label in labels):
        shortest = min(map(len, words)) - 1
        while common < shortest and len({each[common] for each in words}) == 1:
            common += 1
    parts = [" ".join(each[common:]) for each in words]
    rest = len(parts) - MAX_VALUES
    named = parts if rest <= 0 else [*parts[:MAX_VALUES], f"{rest} more"]
    return " ".join([*(words[0][:common] if words else []), join_words(named)])


def place_values(labels: Sequence[str], name: str) -> str:
    """Return `width 8, 16 and 32`: values with the name of the factor."""
    values = join_values(labels, name)
    return values if values in labels or values == join_words(labels) else f"{name} {values}"


def locate(labels: Sequence[str], name: str) -> str:
    """Return `at width 8 and 16`, or `with the optimiser sgd and adam` if values are no numbers.

    Arguments: those of `join_values`.
    """
    place = place_values(labels, name)
    values = [label.removeprefix(f"{name} ") for label in labels]
    if all(HAS_NUMBER.match(value) for value in values):
        return f"at {place}"
    article = "" if place.startswith(WITHOUT_ARTICLE) else "the "
    return f"with {article}{place}"


@dataclass(frozen=True)
class ValuesByOutcome:
    """The labels of a factor's values by whether the error increases with depth there."""

    worse: list[str]
    alike: list[str]
    open: list[str]


def describe_degradation(
    increases: Mapping[str, Increase],
    values: ValuesByOutcome,
    networks: str,
    name: str,
    margin: float,
    *,
    has_all_values: bool,
) -> str:
    """Return at which values the error of some networks increases with depth.

    Args:
        increases: the increase of the error at each value, by the value's label.
        values: the same values, sorted.
        networks: such as `plain networks`.
        name: the factor in words, such as `width`.
        margin: the increase in points that counts.
        has_all_values: whether such networks are trained at every value of the factor.
    """
    if not increases:
        return f"At no {name} that was tried are {networks} of two depths better than chance."
    worse, alike = values.worse, values.alike
    depths = describe_depths(increases)
    if not alike and not values.open:
        tried = join_values(worse, name)
        where = f"at each value tried ({tried})" if has_all_values else locate(worse, name)
        rise = _describe_range([increases[label].difference.mean for label in worse])
        return (
            f"Changing the {name} does not cure degradation: {where}"
            f" {networks} get worse with depth, by {rise} points of training error {depths}."
        )
    if not worse and not values.open:
        tried = join_values(alike, name)
        where = (
            f"no {name} tried ({tried})"
            if has_all_values
            else f"none of {place_values(alike, name)}"
        )
        largest = max(increases[label].difference.mean for label in alike)
        return (
            f"At {where} do {networks} get worse by {margin:g} points or more with depth: the"
            f" largest mean change is {format_change(largest)} points of training error {depths}."
        )
    return _describe_mixture(increases, values, networks, name, margin)


def describe_open(values: ValuesByOutcome, networks: str, name: str) -> str:
    """Return what is known if the finding has no answer: where they get worse, and what is open.

    It agrees with `describe_degradation`, whose arguments it has, in fewer words.
    """
    if not values.worse:
        return f"The runs do not settle at which {name} {networks} get worse with depth."
    known = f"{capitalise_first(networks)} get worse with depth {locate(values.worse, name)}"
    return f"{known}; {locate(values.open, name)} the runs do not settle it."


def classify_values(
    increases: Mapping[str, Increase], untrained: Sequence[str], margin: float, *, is_settled: bool
) -> ValuesByOutcome:
    """Sort the values of a factor by whether the error increases with depth.

    An increase needs its trend too, where there is one. All statements hold jointly with 95 %
    confidence.

    Args:
        increases: the increase of the error at each value, by the value's label.
        untrained: the labels of the values at which fewer than two depths are better than chance.
        margin: the increase in points that counts.
        is_settled: whether the finding about the values has an answer. If not, no value is said to
            have no increase, since "not at every value" would be an answer.
    """
    p_above, p_below = {}, {}
    for label, increase in increases.items():
        p_above[label] = max(increase.difference.p_above(margin), increase.trend_p or 0.0)
        p_below[label] = increase.difference.p_below(margin)
    worse, alike = select_directions(p_above, p_below)
    if not is_settled:
        alike = []
    open_labels = [label for label in increases if label not in (*worse, *alike)]
    return ValuesByOutcome(worse, alike, [*open_labels, *untrained])


def _describe_mixture(
    increases: Mapping[str, Increase],
    values: ValuesByOutcome,
    networks: str,
    name: str,
    margin: float,
) -> str:
    """Return a sentence about values at which different things are found."""
    worse, alike = values.worse, values.alike
    if not worse and not alike:
        return f"The runs do not settle at which {name} {networks} get worse with depth."
    where = f" of training error {describe_depths(increases)}"
    subject = capitalise_first(networks)
    clauses = []
    if worse:
        rise = _describe_range([increases[label].difference.mean for label in worse])
        place = locate(worse, name)
        clauses.append(f"{subject} get worse with depth {place} (by {rise} points{where})")
    if alike:
        largest = max(increases[label].difference.mean for label in alike)
        within = f"by {margin:g} points or more"
        beginning = f"not {within}" if worse else f"{subject} do not get worse {within} with depth"
        amount = f"{format_change(largest)} points" + ("" if worse else where)
        clauses.append(f"{beginning} {locate(alike, name)} (largest mean change {amount})")
    if values.open:
        clauses.append(f"{locate(values.open, name)} that is undecided")
    return f"{'; '.join(clauses)}."


def describe_depths(increases: Mapping[str, Increase]) -> str:
    """Return `from 20 to 56 layers`, or in words if the depths differ between the values."""
    depths = {increase.depths for increase in increases.values()}
    if len(depths) > 1:
        return "from the shallowest to the deepest that is better than chance"
    shallow, deep = depths.pop()
    return f"from {shallow} to {deep} layers"


def _describe_range(values: Sequence[float]) -> str:
    """Return `57 to 60`, or `57` if both ends look the same."""
    lowest, highest = format_amount(min(values)), format_amount(max(values))
    return lowest if lowest == highest else f"{lowest} to {highest}"


def describe_fixes(verdicts: Mapping[str, Verdict], name: str, margin: float) -> str:
    """Return at which values networks with shortcuts get worse with depth, in a sentence.

    It is empty if that is open everywhere.

    Args:
        verdicts: on the claim that they do not, by the label of the value; they hold jointly.
        name: the factor in words, such as `width`.
        margin: the increase in points that counts.
    """
    stable = [label for label in verdicts if verdicts[label] is Verdict.REPRODUCED]
    worse = [label for label in verdicts if verdicts[label] is Verdict.CONTRADICTED]
    open_labels = [label for label in verdicts if verdicts[label] is Verdict.INCONCLUSIVE]
    not_tested = [label for label in verdicts if verdicts[label] is Verdict.NOT_TESTED]
    subject = "Networks with shortcuts"
    if not stable and not worse:
        return ""
    if len(stable) == len(verdicts):
        return f"{subject} do not get worse by {margin:g} points or more at any value."
    if len(worse) == len(verdicts):
        return f"{subject} get worse at every value."
    clauses = []
    if stable:
        within = f"by {margin:g} points or more"
        clauses.append(f"{subject} do not get worse {within} {locate(stable, name)}")
    if worse:
        beginning = "they do" if stable else f"{subject} get worse"
        clauses.append(f"{beginning} {locate(worse, name)}")
    if open_labels:
        clauses.append(f"{locate(open_labels, name)} that is undecided")
    if not_tested:
        clauses.append(f"{locate(not_tested, name)} that is not tested")
    return f"{'; '.join(clauses)}."


def describe_size_difference(
    verdict: Verdict,
    size: str,
    name: str,
    sizes: Mapping[str, float],
    labels: tuple[str, str],
    contrast: float,
    margin: float,
) -> str:
    """Return whether a size differs between the values of a factor.

    Args:
        verdict: on the claim that no two values differ.
        size: what is compared, such as `the rise with depth in plain networks`.
        name: the factor in words.
        sizes: that of each value that was compared, in points, by the value's label.
        labels: those of the two values that decide.
        contrast: the size at the first minus that at the second, in points.
        margin: the difference between sizes that counts, in points.
    """
    subject = capitalise_first(size)
    if verdict is Verdict.CONTRADICTED:
        larger, smaller = labels
        points = format_amount(contrast)
        pair = f"{locate([larger], name)} than {locate([smaller], name)}"
        # Between the two values that differ, it need not change step by step.
        return f"{subject} is {points} points larger {pair} ({_list_sizes(sizes, name)})."
    if verdict is Verdict.REPRODUCED:
        between = "between" if len(sizes) == 2 else "between any two of"
        values = place_values([*sizes], name)
        return f"{subject} differs by less than {margin:g} points {between} {values}."
    return f"Whether {size} depends on the {name} is not settled."


def _list_sizes(sizes: Mapping[str, float], name: str) -> str:
    """Return `8: +57, 16: +57, 32: +29`: the size at each value, without the factor's name."""
    texts = [
        f"{label.removeprefix(f'{name} ')}: {format_change(size)}" for label, size in sizes.items()
    ]
    rest = len(texts) - MAX_VALUES
    named = texts if rest <= 0 else [*texts[:MAX_VALUES], f"{rest} more"]
    return ", ".join(named)
