"""What the page shows of one section: claims as cards, figures, tables."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from analysis.claim import Check, Claim, Finding, Verdict
from analysis.page.badges import Badge, build_badge
from analysis.page.certainty import describe_certainty, describe_remedy
from analysis.page.evidence_table import Evidence, arrange_evidence
from analysis.page.figure_images import PagePictures
from analysis.page.formulas import remove_backticks
from analysis.page.number_formats import format_table
from analysis.plain_text import capitalise_first, end_sentence
from analysis.published_claims import PUBLISHED, is_about_published_numbers
from analysis.sections import Section

PIXELS_PER_INCH = 96  # CSS pixels
WHY = "Why: "  # the beginning of a mechanism's title
MAX_TABLE_ROWS = 200  # the CSV file beside the page has all rows
WIDE_PICTURE = Markup('<div class="picture" tabindex="0" role="group" aria-label="Figure">{}</div>')
# The width is that of a phone, which the style sheet's breakpoint for phones includes.
NARROW_OR_WIDE = Markup(
    '<picture><source media="screen and (max-width: 36rem)" srcset="{}">{}</picture>'
)
_SENTENCE_END = re.compile(r"(?<=[.?!:]) (?=[A-Z])")


@dataclass(frozen=True)
class ClaimView:
    """A claim as a card: its name, badge and plain line, with the evidence folded.

    `is_question`: whether the statement asks, instead of claiming. `remedy`: what may settle it,
    and `certainty`: how sure the outcome is; both may be empty text. `is_decided`: whether the
    claim is reproduced or contradicted by an effect that matters. `decided_by`: the estimate and
    the bound on which the verdict rests; empty text if nothing could be tested. `states_something`:
    whether the headline says with confidence what it found, of all values of a key or of some.
    """

    name: str
    statement: str
    is_question: bool
    plain_line: str
    decided_by: str
    remedy: str
    certainty: str
    is_decided: bool
    states_something: bool
    badge: Badge
    evidence: Evidence
    notes: Sequence[str]


@dataclass(frozen=True)
class FigureView:
    """A picture with its caption: the first sentence, and the others, which are folded.

    `source` is empty if the page has no room for the picture; `file` has it in any case.
    `narrow_source`: the picture for a phone, or empty text if there is none.
    """

    file: str
    source: str
    narrow_source: str
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
    """The parts of a section that the template shows.

    `question`: the title of a mechanism without its condition, which a heading above it names.
    """

    title: str
    condition: str
    question: str
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


def view_section(section: Section, anchor: str, pictures: PagePictures, seeds: str) -> SectionView:
    """Return the parts of a section that the template shows.

    Args:
        section: the section.
        anchor: the section's id in the page.
        pictures: those of the report's figures.
        seeds: how many a network has, such as `3 seeds`.
    """
    claims = [claim for claim in section.claims if not isinstance(claim, Check)]
    published = [claim for claim in claims if is_about_published_numbers(claim)]
    others = [claim for claim in claims if claim not in published]
    tables = {
        stem: TableView(f"{stem}.csv", *format_table(table.head(MAX_TABLE_ROWS)), len(table))
        for stem, table in section.tables.items()
        if len(table)
    }
    figures = _view_figures(section, pictures)
    return SectionView(
        title=section.title,
        condition=section.condition,
        question=section.title.removeprefix(WHY).removesuffix(f" ({section.condition})"),
        anchor=anchor,
        introduction=section.introduction,
        details=section.details,
        margin=section.margin,
        claims=[view_claim(claim, seeds, section.introduction) for claim in others],
        published=[view_claim(claim, seeds) for claim in published],
        checks=[view_claim(claim, seeds) for claim in section.claims if isinstance(claim, Check)],
        figures={stem: figures[stem] for stem in figures if not stem.startswith(PUBLISHED)},
        published_figures={stem: figures[stem] for stem in figures if stem.startswith(PUBLISHED)},
        tables=[view for stem, view in tables.items() if not stem.startswith(PUBLISHED)],
        published_tables=[view for stem, view in tables.items() if stem.startswith(PUBLISHED)],
        summary=[] if section.summary is None else section.summary.to_dict("records"),
    )


def _view_figures(section: Section, pictures: PagePictures) -> dict[str, FigureView]:
    """Return the figures of a section by file stem."""
    views = {}
    for stem, (figure, caption) in section.figures.items():
        first, *others = _SENTENCE_END.split(caption)
        description = remove_backticks(first)
        views[stem] = FigureView(
            file=f"{stem}.png",
            source=pictures.embed(stem),
            narrow_source=pictures.embed_narrow(stem),
            width=round(figure.get_figwidth() * PIXELS_PER_INCH),
            alternative=f"{section.title}. {description}" if section.title else description,
            caption=first,
            details=" ".join(others),
        )
    return views


def view_claim(claim: Claim, seeds: str, introduction: str = "") -> ClaimView:
    """Return a claim as a card.

    Args:
        claim: the claim.
        seeds: see `view_section`.
        introduction: the text above the card, which is not repeated as a note.
    """
    plain_line = claim.plain_words or claim.decisive_line
    is_tested = claim.verdict is not Verdict.NOT_TESTED
    is_decided = claim.verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    return ClaimView(
        name=capitalise_first(claim.name),
        statement=capitalise_first(claim.statement),
        is_question=claim.statement.endswith("?"),
        plain_line=end_sentence(capitalise_first(plain_line)),
        decided_by=end_sentence(claim.decisive_line) if is_tested else "",
        remedy=describe_remedy(claim),
        certainty=describe_certainty(claim, claim.measured_seeds or seeds),
        is_decided=is_decided and not claim.is_negligible,
        states_something=is_decided or (isinstance(claim, Finding) and claim.states_values),
        badge=build_badge(claim),
        evidence=arrange_evidence(claim, plain_line),
        notes=[note for note in claim.notes if note != introduction],
    )


def write_picture(figure: FigureView | None) -> Markup:
    """Return a figure's picture as HTML; empty text if there is none.

    On a phone, it is the narrow picture, or else the wide one, which scrolls there sideways.
    """
    if figure is None or not figure.source:
        return Markup("")
    image = Markup('<img alt="{}" width="{}" src="{}">').format(
        figure.alternative, figure.width, figure.source
    )
    if not figure.narrow_source:
        return WIDE_PICTURE.format(image)
    return NARROW_OR_WIDE.format(figure.narrow_source, image)
