"""Titles and footers of all figures of a report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.claim import Claim, Verdict
from analysis.claim_names import DEGRADATION
from analysis.columns import TRAINING_ERROR
from analysis.conditions import find_varying_keys
from analysis.error_increase import select_better_than_chance
from analysis.family_pairs import family_pair
from analysis.figures.layout import show_sentence
from analysis.figures.marks import explain_marks
from analysis.figures.matplotlib_import import Figure
from analysis.figures.title_and_footer import add_title_and_footer, describe_data
from analysis.finished_runs import select_finished
from analysis.frame import Frame, group_by_depth
from analysis.mechanisms.gradient_flow import MAX_SPAN
from analysis.sections import Section
from analysis.takeaways import DEGRADING, state_comparison, state_takeaway

TAKEAWAY, NEUTRAL = "takeaway", "neutral"
TITLES = (TAKEAWAY, NEUTRAL)


@dataclass(frozen=True)
class FigureLabel:
    """What is written above and below a figure.

    Attributes:
        title: the title.
        data: what data the figure shows.
        definition: what a word of the title means, or empty text.
    """

    title: str
    data: str
    definition: str

    def add_to(self, figure: Figure) -> None:
        """Give the figure this title and a footer; it becomes taller."""
        footer = "; ".join(filter(None, (self.data, explain_marks(figure), self.definition)))
        add_title_and_footer(figure, self.title, f"{footer}.")


def label_figures(sections: Iterable[Section], labels: Mapping[str, FigureLabel]) -> None:
    """Give every figure its title and its footer (`write_labels`)."""
    for section in sections:
        for stem, (figure, _caption) in section.figures.items():
            labels[stem].add_to(figure)


def write_labels(
    sections: Iterable[Section], frame: Frame, titles: str = TAKEAWAY
) -> dict[str, FigureLabel]:
    """Return the title and the footer of every figure of a report, by file stem.

    `titles`: `takeaway` for what the verdicts say, where they say something; `neutral` for what is
    drawn, as a paper needs it.
    """
    keys = find_varying_keys(frame.runs)
    labels = {}
    for section in sections:
        for stem, (figure, _caption) in section.figures.items():
            runs = _select_shown(frame.runs, section, stem)
            takeaway, definition = "", ""
            if titles == TAKEAWAY:
                takeaway, definition = _find_takeaway(stem, section, runs)
            title = takeaway or figure.get_suptitle()
            data = describe_data(runs, keys, section.condition)
            labels[stem] = FigureLabel(title, data, definition)
    return labels


def _select_shown(runs: pd.DataFrame, section: Section, stem: str) -> pd.DataFrame:
    """Return the finished runs that a figure shows; those of a whole section, unless it says."""
    run_ids = section.shown_run_ids.get(stem, section.run_ids)
    if run_ids:
        runs = runs[runs["run_id"].isin(run_ids)]
    return select_finished(runs)


def _find_takeaway(stem: str, section: Section, runs: pd.DataFrame) -> tuple[str, str]:
    """Return a figure's takeaway and the definition of a word in it; both may be empty."""
    if section.kind == "comparison":
        return show_sentence(state_comparison(stem, section.claims)), ""
    plain_stem = stem.removesuffix(section.suffix)
    pair, claims = family_pair(runs), section.claims
    definition = ""
    if plain_stem in DEGRADING and section.margin is not None:
        definition = (
            f"worse: at some depth {section.margin:g} points of training error or more above the"
            " shallowest"
        )
        if _rises_at_any_depth(runs, pair.plain, section.margin):
            claims = [claim for claim in claims if not _denies_degradation(claim)]
    takeaway = state_takeaway(plain_stem, claims, pair)
    if plain_stem == "gradient-flow":
        definition = f"healthy: varies by less than a factor of {MAX_SPAN:,.0f} between blocks"
    return takeaway, definition if takeaway else ""


def _rises_at_any_depth(runs: pd.DataFrame, family: str, margin: float) -> bool:
    """Return whether the mean error at any depth is the margin above the shallowest trained one.

    `runs`: finished ones. The claim about degradation compares the deepest trained network with the
    shallowest only, whereas a figure shows all of them.
    """
    groups = group_by_depth(runs, family)
    trained = select_better_than_chance(groups)
    if not trained:
        return False
    means = {depth: group[TRAINING_ERROR].mean() for depth, group in groups.items()}
    return any(mean - means[min(trained)] >= margin for mean in means.values())


def _denies_degradation(claim: Claim) -> bool:
    return claim.name == DEGRADATION and claim.verdict is Verdict.CONTRADICTED
