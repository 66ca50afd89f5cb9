"""At which values of a factor do networks degrade?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from analysis.claim import (
    LEARNING_DEPTHS,
    MORE_DEPTHS,
    Decision,
    Finding,
    Verdict,
    count_seeds_if_open,
    decide,
)
from analysis.claim_names import Topic
from analysis.comparisons.networks import Networks
from analysis.comparisons.value_sentences import (
    classify_values,
    describe_degradation,
    describe_depths,
    describe_open,
    locate,
    place_values,
)
from analysis.difference_line import EvidenceLine
from analysis.error_increase import Increase, measure_increase
from analysis.estimates import Estimate
from analysis.evidence import describe_caveats, format_bound
from analysis.plain_text import (
    capitalise_first,
    format_amount,
    format_change,
)
from analysis.seeds_needed import SeedsNeeded

EVERYWHERE, NOT_EVERYWHERE, NOWHERE = "at every value", "not at every value", "at no value"
TOO_FEW_TRAINED = "fewer than two depths are better than chance"


@dataclass(frozen=True)
class Increases:
    """How the training error changes with depth at each value, and the increase that counts.

    Attributes:
        by_value: the increase at each value, by its label.
        untrained: the labels at which fewer than two depths are trained. Nothing is known about
            them.
        margin: the increase in points that counts.
    """

    by_value: Mapping[str, Increase]
    untrained: list[str]
    margin: float

    @cached_property
    def differences(self) -> dict[str, Estimate]:
        """The error of the deepest minus that of the shallowest networks at each value."""
        return {label: increase.difference for label, increase in self.by_value.items()}

    @cached_property
    def above_margin(self) -> Decision[str]:
        """The decision whether every increase is above the margin; there is at least one."""
        return decide(self.differences, "above", self.margin)


def judge_each_value(runs: pd.DataFrame, networks: Networks, name: str, margin: float) -> Finding:
    """Find at which values of a factor the training error increases with depth.

    The answers are those of `_decide`. At each value, the same depths are compared as by the claim
    about degradation, and the same trend is required.

    Args:
        runs: all runs of the comparison, for notes on how they were trained.
        networks: the networks whose error is judged, at two or more values.
        name: the factor in words, such as `width`.
        margin: the increase in points that counts.
    """
    title = f"degradation at each {name}"
    statement = (
        f"at which {name} does the training error of {networks.family} networks increase with"
        f" depth by more than {margin:g} points?"
    )
    if reasons := networks.find_gaps(depths=2):
        finding = Finding.not_tested(title, statement, reasons)
        no_verdict = f"No verdict yet on whether degradation depends on the {name}"
        headline = f"{no_verdict}: {finding.reason}."
        return replace(finding, headline=headline, topic=Topic.DEGRADATION_BY_VALUE)
    increases, evidence = _measure_increases(networks, margin)
    by_value = increases.by_value
    outcome = _decide(increases)
    answer = outcome.answer
    notes = [*describe_caveats(runs), *networks.list_notes()]
    kind = f"{networks.family} networks"
    values = classify_values(by_value, increases.untrained, margin, is_settled=bool(answer))
    headline = describe_degradation(
        by_value, values, kind, name, margin, has_all_values=not networks.absent
    )
    failed = networks.describe_no_better_than_chance()
    if by_value and failed:
        headline = f"{headline.removesuffix('.')} (no better than chance: {failed})."
    if answer:
        plain_words = _describe_answer(
            answer, increases, kind, name, has_all_values=not networks.absent
        )
    else:
        plain_words = describe_open(values, kind, name)
    return Finding(
        title,
        statement,
        outcome.verdict,
        outcome.line,
        evidence,
        notes,
        answer,
        plain_words=plain_words,
        deciding_label=outcome.deciding_label,
        bound_count=outcome.bound_count,
        remedy="" if answer else _choose_remedy(increases),
        seeds_needed=None if increases.untrained or answer else _count_seeds(increases),
        topic=Topic.DEGRADATION_BY_VALUE,
        headline=headline,
        states_values=bool(values.worse or values.alike),
    )


def _measure_increases(networks: Networks, margin: float) -> tuple[Increases, list[EvidenceLine]]:
    """Measure how the training error changes with depth at each value.

    `margin`: the increase in points that counts. Returns the increases and the lines of evidence.
    """
    by_value = {}
    untrained = []
    evidence: list[EvidenceLine] = []
    for label, groups in networks.by_value.items():
        increase = measure_increase(groups)
        if increase is None:
            untrained.append(label)
            evidence.append(f"{label}: {TOO_FEW_TRAINED}")
        else:
            by_value[label] = increase
            line = increase.line
            evidence.append(replace(line, label=f"{label}, {line.label}"))
            if increase.trend_line is not None:
                evidence.append(f"{label}, {increase.trend_line}")
    return Increases(by_value, untrained, margin), evidence


@dataclass(frozen=True)
class Outcome:
    """What decides the question, and how.

    Attributes:
        verdict: the verdict.
        answer: where networks degrade, or empty text if that is open.
        line: the line on which that rests.
        deciding_label: see `Claim`.
        bound_count: see `Claim`.
    """

    verdict: Verdict
    answer: str
    line: str
    deciding_label: str = ""
    bound_count: int = 1


def _decide(increases: Increases) -> Outcome:
    """Return the verdict, the answer and the decisive line.

    - At every value: each increase is above the margin and, with three or more depths, each trend
      is significant. All must be, so their number needs no correction.
    - At no value: each increase is below the margin; their number needs no correction either.
    - Not at every value: some increase is below the margin, with Holm's correction.

    Where some value is untrained, neither of the first two answers is possible.
    """
    by_value, untrained = increases.by_value, increases.untrained
    if not by_value:
        return Outcome(Verdict.INCONCLUSIVE, "", f"{TOO_FEW_TRAINED} at any value")
    below = decide(increases.differences, "below", increases.margin)
    if below.verdict is Verdict.REPRODUCED and not untrained:
        return _rest_on_one(Verdict.CONTRADICTED, NOWHERE, "highest", by_value, below)
    above = increases.above_margin
    if above.verdict is Verdict.CONTRADICTED:
        return _rest_on_one(Verdict.CONTRADICTED, NOT_EVERYWHERE, "lowest", by_value, above)
    if untrained:
        line = f"{TOO_FEW_TRAINED} at {', '.join(untrained)}"
        return Outcome(Verdict.INCONCLUSIVE, "", line)
    without_trend = [label for label, increase in by_value.items() if not increase.has_trend()]
    if above.verdict is Verdict.REPRODUCED and without_trend:
        increase = by_value[without_trend[0]]
        line = f"{without_trend[0]}{increase.format_trend()}"
        return Outcome(Verdict.INCONCLUSIVE, "", line)
    answer = EVERYWHERE if above.verdict is Verdict.REPRODUCED else ""
    return _rest_on_one(above.verdict, answer, "lowest", by_value, above)


def _choose_remedy(increases: Increases) -> str:
    """Return what may answer an open question, if that is not more seeds; or empty text."""
    if increases.untrained:
        return LEARNING_DEPTHS
    needs_trend = increases.above_margin.verdict is Verdict.REPRODUCED
    return MORE_DEPTHS if needs_trend else ""


def _count_seeds(increases: Increases) -> SeedsNeeded | None:
    """Return how many seeds would settle the question, or None if only a trend leaves it open."""
    return count_seeds_if_open(
        increases.above_margin, increases.differences, "above", increases.margin
    )


def _describe_answer(
    answer: str, increases: Increases, networks: str, name: str, *, has_all_values: bool
) -> str:
    """Return the answer in a short sentence with the increase that decides it.

    Arguments: those of `describe_degradation`.
    """
    changes = {label: difference.mean for label, difference in increases.differences.items()}
    smallest = min(changes, key=lambda label: changes[label])
    if answer == EVERYWHERE:
        least = format_amount(changes[smallest])
        where = f"at every {name}" if has_all_values else locate([*changes], name)
        return (
            f"{capitalise_first(where)} {networks} get worse with depth, by {least} points or more"
            " on average."
        )
    if answer == NOWHERE:
        most = format_change(max(changes.values()))
        where = f"no {name}" if has_all_values else f"none of {place_values([*changes], name)}"
        return (
            f"At {where} do {networks} get worse by {increases.margin:g} points or more"
            f" {describe_depths(increases.by_value)}: the largest mean change is {most} points."
        )
    decides = increases.above_margin.worst
    change = format_change(changes[decides])
    return (
        f"Not at every {name}: {locate([decides], name)} the error of {networks} changes by"
        f" {change} points."
    )


def _rest_on_one(
    verdict: Verdict,
    answer: str,
    extreme: str,
    increases: Mapping[str, Increase],
    decision: Decision[str],
) -> Outcome:
    """Return the outcome that rests on the increase at one value.

    Its line names the bound, not the increase: where seeds differ much, the value with the lowest
    bound need not be the one with the smallest increase.

    `extreme`: which of the bounds it is, such as `highest`.
    """
    increase = increases[decision.worst]
    bound = format_bound(increase.difference, decision.side, decision.bound_count)
    label = f"{decision.worst}, {increase.comparison}"
    line = f"{extreme} {decision.side} bound, {label}: {bound}"
    return Outcome(verdict, answer, line, label, decision.bound_count)
