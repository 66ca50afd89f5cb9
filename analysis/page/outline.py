"""The parts of the page in the order in which a reader asks, and its table of contents."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from analysis.page.certainty import STATED, join_certainties
from analysis.page.section_views import ClaimView, FigureView, SectionView

# The ids of the parts of the page; no section has one of them.
PART_ANCHORS = (
    "comparisons",
    "training",
    "verdicts",
    "published",
    "conditions",
    "why",
    "runs",
    "repeat",
    "references",
)
MAX_BADGES_ON_FIRST_SCREEN = 3
MAX_SUBENTRIES = 12  # of one part in the table of contents


@dataclass(frozen=True)
class Entry:
    """A line of the table of contents, and the lines below it."""

    anchor: str
    title: str
    below: Sequence["Entry"] = ()


@dataclass(frozen=True)
class Outline:
    """The sections by what they are about.

    Attributes:
        comparisons: sections about the values of a key.
        conditions: sections about one condition each.
        mechanisms: sections that explain a condition.
    """

    comparisons: list[SectionView]
    conditions: list[SectionView]
    mechanisms: list[SectionView]

    @property
    def is_single(self) -> bool:
        """Whether the report has one condition."""
        return len(self.conditions) == 1

    def leading_claims(self) -> list[ClaimView]:
        """Return the claims of the first screen: those of the comparisons, if there are any."""
        leading = [claim for section in self.comparisons for claim in section.claims]
        others = [claim for section in self.conditions for claim in section.claims]
        return (leading or others)[:MAX_BADGES_ON_FIRST_SCREEN]

    def shared_certainty(self) -> str:
        """Return how sure all claims of one condition are, if that is the same for all."""
        if self.comparisons:
            return ""
        return join_certainties([claim.certainty for claim in self.leading_claims()])

    def own_certainty(self, claim: ClaimView) -> str:
        """Return how sure a claim of the first screen is, if neither its line nor another says so.

        The line of a decided claim has its bound.
        """
        return "" if self.shared_certainty() or claim.is_decided else claim.certainty

    def certainty_line(self) -> str:
        """Return how sure the headline is; empty text if each claim below has its own line."""
        if not self.comparisons:
            return self.shared_certainty()
        claims = [claim for section in self.comparisons for claim in section.claims]
        return STATED if any(claim.states_something for claim in claims) else ""

    def published(self) -> list[SectionView]:
        """Return the conditions that are compared with published numbers."""
        return [
            section for section in self.conditions if section.published or section.published_tables
        ]

    def mechanisms_by_condition(self) -> list[tuple[str, list[SectionView]]]:
        """Return the sections that explain each condition, with the condition."""
        by_condition = groupby(self.mechanisms, key=attrgetter("condition"))
        return [(condition, list(sections)) for condition, sections in by_condition]

    def find_charted(self, stem: str) -> FigureView | None:
        """Return the first condition's figure of a kind. `stem`: of its file, without a number."""
        figures = self.conditions[0].figures if self.conditions else {}
        return next((figures[name] for name in figures if name.startswith(stem)), None)

    def list_entries(self) -> list[Entry]:
        """Return the table of contents."""
        entries = [_list_sections("comparisons", "What changes", self.comparisons)]
        entries.append(Entry("training", "During training"))
        if self.is_single:
            entries.append(Entry("verdicts", "How sure"))
        entries.append(Entry("published", "Against the paper"))
        if not self.is_single:
            entries.append(_list_sections("conditions", "Each condition", self.conditions))
        entries.append(Entry("why", "Why", self._list_explanations()))
        entries += [Entry("runs", "Every run"), Entry("repeat", "How to repeat it")]
        entries.append(Entry("references", "References"))
        return [entry for entry in entries if entry.anchor not in self._empty_parts()]

    def _list_explanations(self) -> list[Entry]:
        """Return an entry per mechanism, or, if there are several conditions, per condition."""
        if self.is_single:
            entries = [Entry(section.anchor, section.question) for section in self.mechanisms]
        else:
            entries = [
                Entry(sections[0].anchor, condition)
                for condition, sections in self.mechanisms_by_condition()
            ]
        return entries if len(entries) <= MAX_SUBENTRIES else []

    def _empty_parts(self) -> set[str]:
        parts = {"comparisons": self.comparisons, "why": self.mechanisms}
        return {anchor for anchor, sections in parts.items() if not sections}


def _list_sections(anchor: str, title: str, sections: Sequence[SectionView]) -> Entry:
    below = [Entry(section.anchor, section.title) for section in sections]
    return Entry(anchor, title, below if len(below) <= MAX_SUBENTRIES else ())
