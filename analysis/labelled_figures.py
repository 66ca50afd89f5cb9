"""Titles and footers of all figures of a report."""

from collections.abc import Iterable

import pandas as pd

from analysis.claims import family_pair
from analysis.columns import FINISHED_STATES
from analysis.conditions import find_varying_keys
from analysis.figures.layout import show_sentence
from analysis.figures.title_and_footer import add_title_and_footer, describe_data
from analysis.frame import Frame
from analysis.mechanisms.gradient_flow import MAX_SPAN
from analysis.sections import Section
from analysis.takeaways import DEGRADING, state_comparison, state_takeaway

TAKEAWAY, NEUTRAL = "takeaway", "neutral"
TITLES = (TAKEAWAY, NEUTRAL)


def label_figures(sections: Iterable[Section], frame: Frame, titles: str) -> None:
    """Give every figure of a report a title and a footer.

    `titles`: `takeaway` for what the verdicts say, where they say something; `neutral` for what is
    drawn, as a paper needs it.
    """
    keys = find_varying_keys(frame.runs)
    for section in sections:
        for stem, (figure, _caption) in section.figures.items():
            runs = _select_shown(frame.runs, section, stem)
            takeaway, definition = "", ""
            if titles == TAKEAWAY:
                takeaway, definition = _find_takeaway(stem, section, runs)
            title = takeaway or figure.get_suptitle()
            add_title_and_footer(
                figure, title, describe_data(runs, keys, section.condition), definition
            )


def _select_shown(runs: pd.DataFrame, section: Section, stem: str) -> pd.DataFrame:
    """Return the finished runs that a figure shows; those of a whole section, unless it says."""
    run_ids = section.shown_run_ids.get(stem, section.run_ids)
    if run_ids:
        runs = runs[runs["run_id"].isin(run_ids)]
    return runs[runs["state"].isin([*FINISHED_STATES])]


def _find_takeaway(stem: str, section: Section, runs: pd.DataFrame) -> tuple[str, str]:
    """Return a figure's takeaway and the definition of a word in it; both may be empty."""
    if section.kind == "comparison":
        return show_sentence(state_comparison(stem, section.claims)), ""
    plain_stem = stem.removesuffix(section.suffix)
    takeaway = state_takeaway(plain_stem, section.claims, family_pair(runs))
    definition = ""
    if plain_stem in DEGRADING and section.margin is not None:
        definition = (
            f"worse: {section.margin:g} points of training error or more above the shallowest"
        )
    if plain_stem == "gradient-flow":
        definition = f"healthy: varies by less than a factor of {MAX_SPAN:,.0f} between blocks"
    return takeaway, definition if takeaway else ""
