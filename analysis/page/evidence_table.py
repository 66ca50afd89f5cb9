"""The evidence of a claim as the page shows it: a table of differences, and other lines.

Each line is shown once, and the decisive one is omitted if the table has its bound.
"""

from dataclasses import dataclass

from analysis.claim import Claim
from analysis.difference_line import DifferenceLine


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
        decisive_line: the line on which the verdict rests, or empty text if the rest has it.
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
    evidence = [*dict.fromkeys(claim.evidence_lines)]
    differences = [line for line in evidence if isinstance(line, DifferenceLine)]
    lines = [line for line in evidence if isinstance(line, str) and line != shown]
    rows = [_build_row(line, claim.deciding_label) for line in differences]
    methods = dict.fromkeys(line.estimate.method for line in differences)
    is_in_table = claim.bound_count == 1 and any(row.decides for row in rows)
    is_repeated = claim.decisive_line == shown or claim.decisive_line in lines
    decisive_line = "" if is_in_table or is_repeated else claim.decisive_line
    return Evidence(decisive_line, ", ".join(methods), rows, lines)


def _build_row(line: DifferenceLine, deciding_label: str) -> DifferenceRow:
    estimate, show = line.estimate, line.show
    return DifferenceRow(
        label=f"{line.label} ({line.note})" if line.note else line.label,
        mean=show(estimate.mean),
        lower=show(estimate.lower),
        upper=show(estimate.upper),
        interval=f"{show(estimate.low)} to {show(estimate.high)}",
        paired=line.format_paired(),
        decides=line.label == deciding_label,
    )
