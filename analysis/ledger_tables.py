"""Tables of verdicts in the ledger's text, between markers, written from the reports' summaries.

A marker names the entry and the kind of section whose verdicts follow; everything between it and
the end marker is replaced:

    <!-- verdicts of quick: condition -->
    <!-- end of verdicts -->
"""

import re
from collections.abc import Sequence

from analysis.claim import ClaimKind, Verdict
from analysis.report_summary import ReportSummary, VerdictSummary

BLOCK = re.compile(
    r"(?P<start><!-- verdicts of (?P<entry>[^\s:]+): (?P<kind>\w+) -->\n)"
    r".*?(?P<end><!-- end of verdicts -->)",
    re.DOTALL,
)


def fill_tables(text: str, entry: str, summary: ReportSummary) -> str:
    """Return the text with the tables of one entry written again.

    Args:
        text: Markdown with markers.
        entry: the name of the entry; the tables of others are unchanged.
        summary: the summary of the entry's report.
    """

    def fill(block: re.Match[str]) -> str:
        if block["entry"] != entry:
            return block[0]
        verdicts = [
            verdict for verdict in summary.verdicts if verdict.section_kind == block["kind"]
        ]
        return f"{block['start']}{write_table(verdicts)}{block['end']}"

    return BLOCK.sub(fill, text)


def write_table(verdicts: Sequence[VerdictSummary]) -> str:
    """Return a Markdown table, one line per verdict; empty text if there is none."""
    if not verdicts:
        return ""
    is_of_conditions = verdicts[0].section_kind == "condition"
    with_section = is_of_conditions and len({verdict.section for verdict in verdicts}) > 1
    header = ["condition"] if with_section else []
    if all(verdict.kind == ClaimKind.FINDING for verdict in verdicts):
        header += ["finding", "answer", "decided by"]
    else:
        header += ["claim", "verdict", "decided by"]
    rows = [header, ["---"] * len(header)]
    rows += [_write_row(verdict, with_section) for verdict in verdicts]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _write_row(verdict: VerdictSummary, with_section: bool) -> list[str]:
    outcome = _escape(verdict.outcome)
    is_contradicted = verdict.kind == ClaimKind.CLAIM and verdict.verdict == Verdict.CONTRADICTED
    if is_contradicted and not verdict.is_negligible:
        outcome = f"**{outcome}**"
    cells = [_escape(verdict.claim), outcome, _escape(verdict.decisive_line)]
    return [_escape(verdict.section), *cells] if with_section else cells


def _escape(text: str) -> str:
    """Return text that stays in one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
