"""Which series the terminal's picture of error against depth has, and what it leaves out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.plain_text import join_words
from analysis.sections import Section
from analysis.text_chart import MAX_SERIES
from degradation.counting import format_count

MAX_SERIES_OF_ALL = 4  # series of all families that one picture has


@dataclass(frozen=True)
class SeriesOfCondition:
    """The mean error by depth of one family in one condition, in percent."""

    family: str
    condition: str
    points: dict[int, float]


def collect_series(
    sections: Sequence[Section], runs: pd.DataFrame
) -> tuple[dict[str, dict[int, float]], list[str]]:
    """Return the series by name, and a line for each kind of series that is omitted.

    The means are those of the tables, so that several runs with the same seed have none. If there
    are many series, only those of the first family are returned.

    Args:
        sections: those of the report; conditions have a summary.
        runs: the runs of all sections, with their ids and families.
    """
    every = _list_series(sections, runs)
    drawn, notes = every, []
    families = list(dict.fromkeys(series.family for series in every))
    if len(every) > MAX_SERIES_OF_ALL and len(families) > 1:
        drawn = [series for series in every if series.family == families[0]]
        notes.append(f"Only {families[0]} networks are drawn, not {join_words(families[1:])}.")
    rest = len(drawn) - MAX_SERIES
    if rest > 0:
        verb = "is" if rest == 1 else "are"
        notes.append(f"{format_count(rest, 'more condition')} {verb} not drawn.")
    counts = Counter(series.family for series in drawn)
    named = {}
    for series in drawn[:MAX_SERIES]:
        is_alone = counts[series.family] == 1
        name = series.family if is_alone else f"{series.family}, {series.condition}"
        named[name] = series.points
    return named, notes


def _list_series(sections: Sequence[Section], runs: pd.DataFrame) -> list[SeriesOfCondition]:
    """Return all series that have a mean; runs that belong to several conditions are one series."""
    listed = []
    known: set[tuple[str, ...]] = set()
    for section in sections:
        if section.summary is None:
            continue
        members = runs[runs["run_id"].isin(section.run_ids)]
        for family, rows in section.summary.groupby("family", sort=False):
            run_ids = tuple(sorted(members.loc[members["family"] == family, "run_id"]))
            means = rows.set_index("depth")["training_error_mean"].astype(float).dropna()
            if run_ids not in known and len(means):
                known.add(run_ids)
                points = {int(str(depth)): float(mean) for depth, mean in means.items()}
                listed.append(SeriesOfCondition(str(family), section.title, points))
    return listed
