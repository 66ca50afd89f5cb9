"""The evidence of a claim as the page shows it: a table of differences, and other lines.

Each number is shown once: a line that only repeats what other lines say is omitted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.claim import Claim

# A number in a line of evidence: digits that are not part of a word, such as `+0.04` or `3e+11`.
NUMBER = re.compile(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
_VALUE = r"(?:[+-]?[\d,]+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]?nan|[+-]?inf)"
# The lines that `analysis.evidence.format_comparison` and `format_estimate` write.
_DIFFERENCE = re.compile(
    rf"(?P<label>.+?):? (?P<mean>[+-]{_VALUE})(?: points)? \((?P<method>[^():]+): "
    rf"one-sided 95 % bounds (?P<lower>{_VALUE}), (?P<upper>{_VALUE}); "
    rf"two-sided 95 % interval (?P<low>{_VALUE}) to (?P<high>{_VALUE})\)"
    rf"(?:; paired by seed: one-sided 95 % bounds (?P<paired>{_VALUE}, {_VALUE}))?"
    r"(?:; (?P<note>.+))?"
)


@dataclass(frozen=True)
class DifferenceRow:
    """One difference with its bounds, as text."""

    label: str
    mean: str
    lower: str
    upper: str
    interval: str
    paired: str
    decides: bool


@dataclass(frozen=True)
class Evidence:
    """What the page shows under a verdict.

    Attributes:
        decisive_line: the line on which the verdict rests, or empty text if the rest contains it.
        method: how the bounds in the table were computed, such as `Welch`.
        rows: the differences, one row each.
        lines: the other lines.
    """

    decisive_line: str
    method: str
    rows: list[DifferenceRow]
    lines: list[str]

    @property
    def has_paired(self) -> bool:
        """Whether some difference was also computed within each seed."""
        return any(row.paired for row in self.rows)


def arrange_evidence(claim: Claim, shown: str = "") -> Evidence:
    """Return a claim's evidence without repetitions.

    Args:
        claim: the claim.
        shown: text beside the verdict; a line that is equal to it is omitted.
    """
    rows = []
    lines = []
    methods: list[str] = []
    for line in dict.fromkeys(claim.evidence):
        match = _DIFFERENCE.fullmatch(line)
        if match is None:
            lines.append(line)
            continue
        methods.append(match["method"])
        rows.append(_build_row(match, claim.decisive_line))
    decisive_line = claim.decisive_line
    others = [line for line in lines if line != shown]
    if decisive_line == shown or repeats(decisive_line, claim.evidence):
        decisive_line = ""  # the line stands beside the verdict, or its numbers in the evidence
    else:
        others = [line for line in others if line != decisive_line]
    return Evidence(decisive_line, ", ".join(dict.fromkeys(methods)), rows, others)


def repeats(line: str, others: Sequence[str]) -> bool:
    """Return whether a line has numbers and all of them are in the others."""
    numbers = set(NUMBER.findall(line))
    known = {number for other in others for number in NUMBER.findall(other)}
    return bool(numbers) and numbers <= known


def _build_row(match: re.Match[str], decisive_line: str) -> DifferenceRow:
    label, note = match["label"], match["note"]
    is_named = f"{label}: {match['mean']}" in decisive_line
    return DifferenceRow(
        label=f"{label} ({note})" if note else label,
        mean=match["mean"],
        lower=match["lower"],
        upper=match["upper"],
        interval=f"{match['low']} to {match['high']}",
        paired=match["paired"] or "",
        decides=is_named,
    )
