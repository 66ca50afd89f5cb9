"""The end of `make reproduce` in a terminal: headline, verdicts, a picture, and the report's path.

Evidence and notes are in the report. Without a terminal, the text is plain.
"""

import io
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TextIO

from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from analysis.claim import Claim, Finding, Verdict
from analysis.headline import ERROR_NAMES
from analysis.plain_text import end_sentence
from analysis.report import Report
from analysis.sections import Section
from analysis.terminal_series import collect_series
from analysis.text_chart import Glyphs, choose_glyphs, draw_chart
from degradation.counting import format_count

MIN_WIDTH, MAX_WIDTH = 60, 100  # characters
MAX_LISTED_CONDITIONS = 6  # conditions whose verdicts are listed
MAX_EXCLUDED = 5
NAME_WIDTH = 34
MIN_FINDING_WIDTH = 20
GAP = 2  # spaces between columns
NO_BREAK = "\u00a0"
COLOURS = {Verdict.REPRODUCED: "green", Verdict.CONTRADICTED: "red"}


def print_summary(report: Report, stream: TextIO) -> None:
    """Print the summary of a report, with colours and a link where the terminal has them.

    Characters that the stream's encoding lacks are printed as escape sequences.
    """
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        stream.write(format_summary(report, encoding=console.encoding))
        return
    console.width = min(max(console.width, MIN_WIDTH), MAX_WIDTH)
    _print(report, console, choose_glyphs(console.encoding))


def format_summary(report: Report, width: int = MAX_WIDTH, encoding: str = "utf-8") -> str:
    """Return the summary as plain text, with a picture of characters that the encoding has."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False)
    _print(report, console, choose_glyphs(encoding))
    lines = stream.getvalue().splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _print(report: Report, console: Console, glyphs: Glyphs) -> None:
    """Print all parts. `glyphs`: what the picture is made of."""
    counts = report.runs["state"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    _print_line(
        console, f"{report.folder.name}: {format_count(len(report.runs), 'run')} ({states})"
    )
    for note in report.code_notes:
        _print_line(console, f"Warning: {note}")
    for note in report.notes:
        _print_line(console, f"Note: {note}")
    console.print()
    console.print(Text(_wrap(report.headline, console.width), style="bold"))
    if report.further_findings:
        console.print(Text(_wrap(report.further_findings, console.width)))
    for part in _list_verdicts(report.sections, console.width):
        console.print(part)
    title = f"{ERROR_NAMES[report.frame.error_kind]}, %, {_describe_values(report.sections)}"
    series, omissions = collect_series(report.sections, report.frame.runs)
    chart = draw_chart(series, title, glyphs)
    if chart:
        console.print()
        for line in [*chart, *(f"  {line}" for line in omissions)]:
            _print_line(console, line)
    console.print()
    for line in report.excluded[:MAX_EXCLUDED]:
        _print_line(console, f"Excluded: {line}")
    rest = len(report.excluded) - MAX_EXCLUDED
    if rest > 0:
        _print_line(console, f"Excluded: {rest} more, which the report names")
    link = Style(link=report.page.absolute().as_uri())
    path = Text.assemble("Report: ", (str(report.page), link))
    console.print(path, soft_wrap=True)


def _describe_values(sections: Sequence[Section]) -> str:
    """Return what the values of the picture are."""
    summaries = [section.summary for section in sections if section.summary is not None]
    most = max((summary["training_error_n"].max() for summary in summaries), default=0)
    return "mean over seeds" if most > 1 else "one run per network"


def _print_line(console: Console, line: str) -> None:
    """Print a line as it is: it may contain a path or an id, which a line break would damage."""
    console.print(Text(line), soft_wrap=True)


def _wrap(text: str, width: int) -> str:
    """Return the text in lines that part no number from its percent sign."""
    lines = textwrap.wrap(text.replace(" %", f"{NO_BREAK}%"), width, break_long_words=False)
    return "\n".join(lines).replace(NO_BREAK, " ")


def _list_verdicts(sections: Sequence[Section], width: int) -> Iterator[Text | Padding]:
    """Yield titles and tables of verdicts, those of mechanisms last."""
    judged = [section for section in sections if section.kind != "mechanism" and section.claims]
    conditions = [section for section in judged if section.kind == "condition"]
    hidden = conditions[MAX_LISTED_CONDITIONS:]
    lacking = _find_lacking(conditions)
    widths = _find_widths(sections)
    for section in judged:
        if section in hidden:
            continue
        claims = [claim for claim in section.claims if claim.decisive_line not in lacking]
        if not claims:
            continue
        yield Text()
        if section.title:
            yield Text(section.title, style="bold")
        yield _build_table(claims, widths, width)
    for line, names in lacking.items():
        yield Text()
        yield Text(_wrap(f"Not tested in any condition: {names} ({line}).", width))
    if hidden:
        yield Text()
        yield Text(f"The report has the verdicts of {format_count(len(hidden), 'more condition')}.")
    mechanisms = [section for section in sections if section.kind == "mechanism"]
    claims = [claim for section in mechanisms for claim in section.claims]
    if not claims:
        return
    yield Text()
    if len(conditions) == 1:
        yield Text("Why", style="bold")
        yield _build_table(claims, widths, width)
    else:
        counts = Counter(claim.outcome for claim in claims)
        number = format_count(len(claims), "claim")
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
        yield Text(f"Why: the report has {number} about mechanisms ({outcomes}).")


def _find_lacking(conditions: Sequence[Section]) -> dict[str, str]:
    """Return why claims of all of several conditions are not tested, with the claims' names.

    A sweep without residual networks would otherwise repeat the same lines in each condition.
    """
    if len(conditions) < 2:
        return {}
    untested = [
        {claim.decisive_line: claim.name for claim in section.claims if claim.is_family_absent}
        for section in conditions
    ]
    shared = [line for line in untested[0] if all(line in lines for lines in untested)]
    return {line: untested[0][line] for line in shared}


def _find_widths(sections: Sequence[Section]) -> tuple[int, int]:
    """Return the widths of the columns of names and verdicts, the same for all tables."""
    claims = [claim for section in sections for claim in section.claims]
    names = [len(claim.name) for claim in claims] or [0]
    outcomes = [len(claim.outcome) for claim in claims] or [0]
    return min(max(names), NAME_WIDTH), max(outcomes)


def _build_table(claims: Sequence[Claim], widths: tuple[int, int], width: int) -> Padding:
    """Return one row per claim: its name, its verdict and its finding in plain words.

    The finding is omitted if there is no room for it.

    Args:
        claims: at least one.
        widths: of the first two columns.
        width: of the table.
    """
    finding_width = width - sum(widths) - (len(widths) + 1) * GAP
    is_narrow = finding_width < MIN_FINDING_WIDTH
    table = Table.grid(padding=(0, GAP, 0, 0))
    for column in widths:
        table.add_column(width=column)
    for claim in claims:
        outcome = Text(claim.outcome, style=_choose_colour(claim))
        finding = claim.plain_words or claim.decisive_line
        if claim.seeds_needed is not None:
            finding = f"{end_sentence(finding)} {claim.seeds_needed.write_sentence()}"
        if is_narrow:
            table.add_row(Text(claim.name), outcome)
        else:
            table.add_row(Text(claim.name), outcome, Text(_wrap(finding, finding_width)))
    return Padding(table, (0, 0, 0, GAP), expand=False)


def _choose_colour(claim: Claim) -> str:
    """Return the colour of a verdict; an answer and what is negligible have none."""
    if isinstance(claim, Finding) or claim.is_negligible:
        return ""
    return COLOURS.get(claim.verdict, "")
