"""Claims, their verdicts, and the rules that all claims share.

A claim is a statement of the paper together with a verdict on the recorded runs. The verdict
follows from confidence bounds on differences between groups of runs (`analysis.statistics`). The
absence of an effect is shown by a bound below the margin, never by a test that fails to reject.
Every finished run counts; a diverged run counts as chance error.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import ClassVar, Generic, Literal, Self, TypeVar

import pandas as pd

from analysis.claim_names import Topic
from analysis.columns import ERROR_STEP, TRAINING_ERROR, UNTRAINED_WITHIN_POINTS
from analysis.difference_line import EvidenceLine
from analysis.estimates import Difference, Estimate
from analysis.gap import Gap, Reason
from analysis.multiple_testing import bonferroni_level, holm_rejections
from analysis.plain_text import write_reason
from analysis.seeds_needed import SeedsNeeded, count_seeds
from analysis.statistics import paired_difference, welch_difference

Key = TypeVar("Key")  # identifies one of a claim's differences, such as a depth
Side = Literal["lower", "upper"]
RunsByDepth = Mapping[int, pd.DataFrame]
Compare = Callable[[pd.DataFrame, pd.DataFrame], Estimate]  # training error of a minus that of b

MIN_SEEDS = 2  # seeds that an interval needs
# What may settle a claim if the networks learn at too few depths.
LEARNING_DEPTHS = "depths at which the networks learn: shallower ones, or more iterations"
# What may settle a claim about two families if they have no depth in common.
SHARED_DEPTHS = "a depth at which both families are trained"
# What may settle a claim that bounds decide, but no trend.
MORE_DEPTHS = "more depths or seeds: the trend over the depths is not significant"
# The outcome of a claim whose effect has a sign, but is too small to matter.
NEGLIGIBLE = "negligible"


class ClaimKind(StrEnum):
    """What a claim is: a statement of the paper, an answer to a user's question, or a check."""

    CLAIM = "claim"
    FINDING = "finding"
    CHECK = "check"


class Verdict(StrEnum):
    """What the runs say about a claim; docs/verdicts.md defines each verdict."""

    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Claim:
    """A statement with its verdict and evidence.

    Attributes:
        name: identifies the claim in reports and tables.
        statement: what is claimed, with its margin.
        verdict: what the runs say about it.
        decisive_line: the line of evidence on which the verdict rests.
        evidence_lines: everything that was computed, one line each.
        notes: caveats to show with the evidence.
        plain_words: the finding in one short sentence with the number that decides, for a reader
            who knows no statistics, or empty text.
        is_negligible: whether the verdict is clear, but the effect is too small to matter.
        depths: the depths that the decisive line compares, shallowest first.
        remedy: what may settle an open claim, if that is not more seeds.
        seeds_needed: how many seeds would settle an open claim, or None if that is unknown, or if
            something else decides.
        measured_seeds: how many seeds a network has that was probed, such as `2 seeds`, if others
            were trained but not probed; otherwise empty text.
        deciding_label: the label of the difference in the evidence on which the verdict rests, or
            empty text if it does not rest on one difference.
        bound_count: the number of bounds for which the one that decides is corrected (`Decision`).
            If there are several, the evidence lacks that bound.
        reason: why the claim is not tested, without the runs that this is about; otherwise empty.
        is_family_absent: whether it is not tested because the runs lack a family altogether.
        topic: what the claim is about, if its name depends on the runs and others look for it.
    """

    kind: ClassVar[ClaimKind] = ClaimKind.CLAIM

    name: str
    statement: str
    verdict: Verdict
    decisive_line: str
    evidence_lines: Sequence[EvidenceLine] = ()
    notes: list[str] = field(default_factory=list)
    plain_words: str = field(default="", kw_only=True)
    is_negligible: bool = field(default=False, kw_only=True)
    depths: tuple[int, ...] = field(default=(), kw_only=True)
    remedy: str = field(default="", kw_only=True)
    seeds_needed: SeedsNeeded | None = field(default=None, kw_only=True)
    measured_seeds: str = field(default="", kw_only=True)
    deciding_label: str = field(default="", kw_only=True)
    bound_count: int = field(default=1, kw_only=True)
    reason: str = field(default="", kw_only=True)
    is_family_absent: bool = field(default=False, kw_only=True)
    topic: Topic | None = field(default=None, kw_only=True)

    @classmethod
    def not_tested(
        cls, name: str, statement: str, reasons: Sequence[Reason], notes: Sequence[str] = ()
    ) -> Self:
        """Return a claim that is not tested; the first reason is its decisive line."""
        first = reasons[0]
        gap = first if isinstance(first, Gap) else Gap(first)
        lines = [str(reason) for reason in reasons]
        return cls(
            name,
            statement,
            Verdict.NOT_TESTED,
            lines[0],
            lines,
            [*notes],
            plain_words=write_reason(gap.text),
            reason=gap.text,
            is_family_absent=gap.is_family_absent,
        )

    @property
    def evidence(self) -> list[str]:
        """The lines of evidence as text."""
        return [str(line) for line in self.evidence_lines]

    @property
    def outcome(self) -> str:
        """The verdict in words, as reports and tables show it."""
        return NEGLIGIBLE if self.is_negligible else str(self.verdict)


@dataclass(frozen=True)
class Finding(Claim):
    """An answer to a question of the user's own, which no paper has claimed.

    It is decided like a claim, but is never called reproduced or contradicted.

    Attributes:
        answer: the outcome in words, such as `differs` or `alike`.
        headline: the sentence for the first screen of a report that leads with this finding.
        states_values: whether the headline says what the runs show at some value.
    """

    kind: ClassVar[ClaimKind] = ClaimKind.FINDING

    answer: str = ""
    headline: str = field(default="", kw_only=True)
    states_values: bool = field(default=False, kw_only=True)

    @property
    def outcome(self) -> str:
        return self.answer or str(self.verdict)


class Check(Claim):
    """An arithmetic identity that must hold for any network, and so is not a finding.

    A check fails only if the code or the numbers in a record are wrong. A report lists checks
    separately from the claims.
    """

    kind: ClassVar[ClaimKind] = ClaimKind.CHECK

    @property
    def outcome(self) -> str:
        """The verdict in the words of a check: holds, FAILS or not known."""
        outcomes = {
            Verdict.REPRODUCED: "holds",
            Verdict.CONTRADICTED: "FAILS",
            Verdict.INCONCLUSIVE: "not known",
        }
        return outcomes.get(self.verdict, str(self.verdict))


def find_claim(claims: Iterable[Claim], name: str) -> Claim | None:
    """Return the claim with this name, or None if it was not made."""
    return next((claim for claim in claims if claim.name == name), None)


@dataclass(frozen=True)
class Decision(Generic[Key]):
    """A verdict on several differences, and the bound that it rests on.

    Attributes:
        verdict: reproduced, contradicted or inconclusive.
        worst: the key of the difference on which the verdict rests.
        side: which of its bounds decides.
        bound_count: the number of bounds that hold jointly with 95 % confidence; 1 if each bound is
            at the 95 % level.
    """

    verdict: Verdict
    worst: Key
    side: Side
    bound_count: int


def decide(
    differences: Mapping[Key, Estimate], relation: Literal["below", "above"], margin: float
) -> Decision[Key]:
    """Decide whether every difference is below (or above) the margin.

    For `below`:

    - Reproduced: every one-sided 95 % upper bound is below the margin. All of them must be, so
      their number needs no correction (intersection-union test, Berger 1982).
    - Contradicted: at least one difference exceeds the margin. Any of them might do so by chance,
      so Holm's procedure (1979) corrects for their number. The bound that is reported has the
      level of Holm's first step (Bonferroni).
    - Inconclusive: neither. A difference that is NaN supports neither.

    `above` is the mirror image.
    """
    if relation == "above":
        negated = {key: -difference for key, difference in differences.items()}
        decision = decide(negated, "below", -margin)
        return replace(decision, side="upper" if decision.side == "lower" else "lower")
    if any(holm_rejections([difference.p_above(margin) for difference in differences.values()])):
        level = bonferroni_level(len(differences))
        lower = {key: difference.lower_at(level) for key, difference in differences.items()}
        worst = max(lower, key=lambda key: _replace_nan(lower[key], -math.inf))
        return Decision(Verdict.CONTRADICTED, worst, "lower", len(differences))
    upper = {key: difference.upper for key, difference in differences.items()}
    worst = max(upper, key=lambda key: _replace_nan(upper[key], math.inf))
    all_below = all(bound < margin for bound in upper.values())
    verdict = Verdict.REPRODUCED if all_below else Verdict.INCONCLUSIVE
    return Decision(verdict, worst, "upper", 1)


def count_seeds_if_open(
    decision: Decision[Key],
    differences: Mapping[Key, Estimate],
    relation: Literal["below", "above"],
    margin: float,
) -> SeedsNeeded | None:
    """Return how many seeds would settle a decision that is inconclusive; otherwise None.

    A decision is settled when it is reproduced or contradicted. Arguments: the decision, and those
    of `decide` that it was made with.
    """
    if decision.verdict is not Verdict.INCONCLUSIVE:
        return None
    return count_seeds(differences, relation, margin)


def _replace_nan(value: float, replacement: float) -> float:
    return replacement if math.isnan(value) else value


def training_error_difference(a: pd.DataFrame, b: pd.DataFrame) -> Difference:
    """Return the mean training error of runs a minus that of runs b, in points, by Welch's method.

    The seeds of the two groups may differ.
    """
    return welch_difference(
        a[TRAINING_ERROR].tolist(), b[TRAINING_ERROR].tolist(), coarsest_resolution(a, b)
    )


def coarsest_resolution(*groups: pd.DataFrame, column: str = ERROR_STEP) -> float:
    """Return the coarsest resolution of an error of these runs, in points.

    Returns 0 if the resolution of every run is unknown.
    """
    coarsest = pd.concat([runs[column] for runs in groups]).astype(float).max()
    return 0.0 if pd.isna(coarsest) else float(coarsest)


def difference_by_seed(a: pd.DataFrame, b: pd.DataFrame) -> Difference | None:
    """Return the difference of training errors within each seed, averaged over seeds.

    Runs of one seed share the order of the data and the augmentation, so these bounds may be
    tighter than Welch's. They are reported beside the verdict, which rests on Welch's bounds (see
    `analysis.statistics`).

    Returns None unless both groups have the same two or more seeds, each once.
    """
    first = a.set_index("seed")[TRAINING_ERROR].sort_index()
    second = b.set_index("seed")[TRAINING_ERROR].sort_index()
    seeds = first.index
    if len(seeds) < MIN_SEEDS or not seeds.is_unique or not seeds.equals(second.index):
        return None
    return paired_difference(first.tolist(), second.tolist(), coarsest_resolution(a, b))


def is_no_better_than_chance(runs: pd.DataFrame) -> bool:
    """Return whether the mean training error of one network's runs is within 2 points of chance.

    Such a network is reported separately from degradation. This function classifies all runs of a
    depth together; the frame's column `untrained` classifies single runs.
    """
    return bool(runs[TRAINING_ERROR].mean() >= runs["chance"].mean() - UNTRAINED_WITHIN_POINTS)
