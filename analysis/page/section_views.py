"""What the page shows of one section: claims as cards, figures, tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.claim import Check, Claim
from analysis.condition_labels import capitalise_first
from analysis.page.badges import Badge, build_badge
from analysis.page.claim_labels import label_claim
from analysis.page.evidence_table import Evidence, arrange_evidence
from analysis.page.figure_images import PictureBudget
from analysis.page.formulas import remove_backticks
from analysis.page.number_formats import format_table
from analysis.published_claims import PUBLISHED, is_about_published_numbers
from analysis.sections import Section

PIXELS_PER_INCH = 96  # CSS pixels
MAX_TABLE_ROWS = 200  # the CSV file beside the page has all rows
_SENTENCE_END = re.compile(r"(?<=[.?!:]) (?=[A-Z])")


@dataclass(frozen=True)
class ClaimView:
    """A claim as a card: its name, badge and plain line, with the evidence folded."""

    name: str
    statement: str
    plain_line: str
    badge: Badge
    evidence: Evidence
    notes: Sequence[str]


@dataclass(frozen=True)
class FigureView:
    """A picture with its caption: the first sentence, and the others, which are folded.

    `source` is empty if the page has no room for the picture; `file` has it in any case.
    """

    file: str
    source: str
    width: int
    alternative: str
    caption: str
    details: str


@dataclass(frozen=True)
class TableView:
    """A table as text, and the name of the file that has all of it."""

    file: str
    columns: list[str]
    rows: list[list[str]]
    total: int


@dataclass(frozen=True)
class SectionView:
    """The parts of a section that the template shows."""

    title: str
    anchor: str
    introduction: str
    details: str
    margin: float | None
    claims: list[ClaimView]
    published: list[ClaimView]
    checks: list[ClaimView]
    figures: dict[str, FigureView]
    published_figures: dict[str, FigureView]
    tables: list[TableView]
    published_tables: list[TableView]
    summary: list[dict[Any, Any]] = field(default_factory=list)


def view_section(section: Section, folder: Path, anchor: str, budget: PictureBudget) -> SectionView:
    """Return the parts of a section that the template shows.

    Args:
        section: the section.
        folder: the report's folder, where the figures have been written.
        anchor: the section's id in the page.
        budget: the room that the page has for pictures.
    """
    claims = [claim for claim in section.claims if not isinstance(claim, Check)]
    published = [claim for claim in claims if is_about_published_numbers(claim)]
    others = [claim for claim in claims if claim not in published]
    tables = {
        stem: TableView(f"{stem}.csv", *format_table(table.head(MAX_TABLE_ROWS)), len(table))
        for stem, table in section.tables.items()
        if len(table)
    }
    figures: dict[str, FigureView] = {}
    published_figures: dict[str, FigureView] = {}
    for stem, (figure, caption) in section.figures.items():
        place = published_figures if stem.startswith(PUBLISHED) else figures
        path = folder / f"{stem}.png"
        place[stem] = _view_figure(path, figure.get_figwidth(), section.title, caption, budget)
    return SectionView(
        title=section.title,
        anchor=anchor,
        introduction=section.introduction,
        details=section.details,
        margin=section.margin,
        claims=[view_claim(claim) for claim in others],
        published=[view_claim(claim) for claim in published],
        checks=[view_claim(claim) for claim in section.claims if isinstance(claim, Check)],
        figures=figures,
        published_figures=published_figures,
        tables=[view for stem, view in tables.items() if not stem.startswith(PUBLISHED)],
        published_tables=[view for stem, view in tables.items() if stem.startswith(PUBLISHED)],
        summary=[] if section.summary is None else section.summary.to_dict("records"),
    )


def view_claim(claim: Claim) -> ClaimView:
    """Return a claim as a card."""
    plain_line = claim.plain_words or claim.decisive_line
    return ClaimView(
        name=label_claim(claim.name),
        statement=capitalise_first(claim.statement),
        plain_line=capitalise_first(plain_line),
        badge=build_badge(claim),
        evidence=arrange_evidence(claim, plain_line),
        notes=claim.notes,
    )


def _view_figure(
    path: Path, width_inches: float, title: str, caption: str, budget: PictureBudget
) -> FigureView:
    first, *others = _SENTENCE_END.split(caption)
    description = remove_backticks(first)
    return FigureView(
        file=path.name,
        source=budget.embed(path),
        width=round(width_inches * PIXELS_PER_INCH),
        alternative=f"{title}. {description}" if title else description,
        caption=first,
        details=" ".join(others),
    )
