"""The index of a folder of reports: index.html, which links to the page of each of them.

Everything on the page comes from the reports' report.json. A report that has none, because it is
being written, was interrupted, or is corrupt, is listed in one line. All links are relative, so the
folder can be served or published as it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis.claim import Verdict
from analysis.figures.style import FAMILY_STYLES
from analysis.page.badges import Badge, choose_badge
from analysis.page.charts.chart_colors import build_color_css
from analysis.page.depth_sketch import draw_sketch
from analysis.page.number_formats import format_date
from analysis.plain_text import capitalise_first
from analysis.report_json import UnreadableSummary, read_summary
from analysis.report_summary import ReportSummary, VerdictSummary
from degradation.counting import format_count
from degradation.durable_io import write_atomically

INDEX_FILE, PAGE_FILE = "index.html", "report.html"
LOCK_FILE = ".lock"  # in the folder of a report that was begun
TEMPLATE = "index.html.j2"
MAX_BADGES_PER_REPORT = 3


@dataclass(frozen=True)
class Card:
    """A report as the index shows it.

    Attributes:
        name: the report's name, or, if several reports have it, the name of its folder.
        link: its page, or empty text if there is none.
        headline: what was found.
        badges: the name of each leading claim, with its badge.
        sketch: a small chart of the training error against depth.
        families: families in the chart.
        facts: the data, the runs and the date, in a few words each.
    """

    name: str
    link: str
    headline: str
    badges: list[tuple[str, Badge]]
    sketch: Markup
    families: set[str]
    facts: list[str]


@dataclass(frozen=True)
class Problem:
    """A folder without a usable summary. `link`: its page, or empty text if there is none."""

    name: str
    link: str
    reason: str


def write_index(reports: Path) -> Path:
    """Write the index of the reports in a folder and return its path. Raises OSError."""
    cards, problems = collect_reports(reports)
    path = reports / INDEX_FILE
    write_atomically(path, render_index(cards, problems).encode(errors="backslashreplace"))
    return path


def collect_reports(reports: Path) -> tuple[list[Card], list[Problem]]:
    """Return the reports, newest first, and the folders that cannot be read, by name."""
    summaries: list[tuple[Path, ReportSummary]] = []
    problems = []
    for folder in sorted(reports.iterdir()):
        if not _is_report(folder):
            continue
        try:
            summaries.append((folder, read_summary(folder)))
        except UnreadableSummary as error:
            problems.append(Problem(folder.name, _link_page(folder), str(error)))
    # Sorting is stable, so that reports of the same second stay in the order of their names.
    summaries.sort(key=lambda entry: entry[1].written_at, reverse=True)
    counts = Counter(summary.name for _, summary in summaries)
    cards = []
    for folder, summary in summaries:
        # a report of another record root has the same name, so it is known by its folder
        name = summary.name if counts[summary.name] == 1 else folder.name
        cards.append(_build_card(folder, summary, name))
    return cards, problems


def _is_report(folder: Path) -> bool:
    """Return whether a report was started in this folder; other folders are ignored."""
    if folder.name.startswith(".") or folder.is_symlink() or not folder.is_dir():
        return False
    return any((folder / name).exists() for name in (PAGE_FILE, LOCK_FILE))


def _link_page(folder: Path) -> str:
    """Return the link from the index to the report's page, or empty text if there is no page."""
    return f"{quote(folder.name)}/{PAGE_FILE}" if (folder / PAGE_FILE).is_file() else ""


def _build_card(folder: Path, summary: ReportSummary, name: str) -> Card:
    verdicts = _select_leading(summary.verdicts)
    return Card(
        name=name,
        link=_link_page(folder),
        headline=summary.headline,
        badges=[(capitalise_first(verdict.claim), _read_badge(verdict)) for verdict in verdicts],
        sketch=draw_sketch(summary.depth_curves),
        families={curve.family for curve in summary.depth_curves},
        facts=_list_facts(summary),
    )


def _select_leading(verdicts: Sequence[VerdictSummary]) -> list[VerdictSummary]:
    """Return the verdicts of the report's first screen: those of a comparison, if it has one."""
    for kind in ("comparison", "condition"):
        leading = [verdict for verdict in verdicts if verdict.section_kind == kind]
        if leading:
            return leading[:MAX_BADGES_PER_REPORT]
    return []


def _read_badge(verdict: VerdictSummary) -> Badge:
    """Return the badge of a verdict; one that this version does not know is inconclusive."""
    verdicts = {str(member): member for member in Verdict}
    known = verdicts.get(verdict.verdict, Verdict.INCONCLUSIVE)
    return choose_badge(verdict.kind, known, verdict.outcome, verdict.is_negligible)


def _list_facts(summary: ReportSummary) -> list[str]:
    """Return the data, the number of runs and of seeds, and the date, in a few words each."""
    total = sum(summary.runs.values())
    facts = [", ".join(summary.data), format_count(total, "run")]
    if summary.runs and summary.runs.get("done") != total:
        states = ", ".join(f"{count:,} {state}" for state, count in summary.runs.items())
        facts[-1] += f" ({states})"
    facts += [format_count(len(summary.seeds), "seed"), _describe_time(summary.written_at)]
    return [fact for fact in facts if fact]


def _describe_time(text: str) -> str:
    """Return a date such as `26 November 2026`, or empty text if the time cannot be read."""
    try:
        return format_date(datetime.fromisoformat(text).astimezone(UTC))
    except (ValueError, OverflowError):
        return ""


def render_index(cards: Sequence[Card], problems: Sequence[Problem]) -> str:
    """Return the page; everything that comes from a report is escaped."""
    environment = Environment(
        loader=PackageLoader("analysis.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    style = files("analysis.page").joinpath("style.css").read_text(encoding="utf-8")
    drawn = set().union(*(card.families for card in cards))
    return environment.get_template(TEMPLATE).render(
        cards=cards,
        problems=problems,
        families=[family for family in FAMILY_STYLES if family in drawn],
        style=Markup(f"{build_color_css(())}\n{style}"),
    )
