"""The verdicts of a report, for notebooks and scripts: on any selection of runs."""

# This import precedes all others, since comparisons import matplotlib without the user's settings.
import analysis.users_matplotlib  # noqa: F401

# isort: split
from collections.abc import Iterator

import pandas as pd

from analysis.claim import Claim
from analysis.comparisons import judge_each_comparison
from analysis.condition_claims import judge_condition, title_condition
from analysis.conditions import list_conditions
from analysis.frame import Frame
from analysis.tables import to_frame
from degradation.config import default_margin

COLUMNS = ["section", "claim", "verdict", "decisive_line", "statement", "evidence", "notes"]


def verdicts(runs: pd.DataFrame, margin: float | None = None) -> pd.DataFrame:
    """Judge every claim about the errors of these runs, as their report does.

    If keys other than family, depth and seed vary, their values are compared first. Then each
    condition, a set of runs that differ in family, depth and seed only, is judged separately. The
    claims of the section *Why*, which rest on probes, are in the report only.

    Args:
        runs: what `load_runs` returned, or rows of it.
        margin: points of training error that count as a difference. None: that of the data set.

    Returns:
        One row per claim of the report. `section` is the title of its section, empty if there is
        one only. `verdict` is reproduced, contradicted, inconclusive, not tested or negligible (or,
        of a question that no paper has answered, the answer; docs/verdicts.md), and
        `decisive_line` what it rests on. Also `claim` (its name), its `statement`, and the lists
        of lines `evidence` and `notes`.

    Raises:
        UserError: the table is empty or lacks columns.
    """
    frame = to_frame(runs)
    rows = []
    for section, claims in _judge_sections(frame, _find_margins(frame, margin)):
        rows += [_describe(section, claim) for claim in claims]
    return pd.DataFrame(rows, columns=COLUMNS)


def _find_margins(frame: Frame, margin: float | None) -> dict[str, float]:
    """Return the margin for each data set of the runs."""
    names = map(str, frame.runs["data"].dropna().unique())
    return {name: default_margin(name) if margin is None else margin for name in names}


def _judge_sections(frame: Frame, margins: dict[str, float]) -> Iterator[tuple[str, list[Claim]]]:
    """Yield the title and the claims of each section, in the order of the report."""
    comparisons = judge_each_comparison(frame, margins)
    yield from comparisons
    for condition in list_conditions(frame):
        margin = margins[str(condition.frame.runs["data"].iloc[0])]
        title = title_condition(condition.label, has_comparison=bool(comparisons))
        yield title, judge_condition(condition.frame, margin)


def _describe(section: str, claim: Claim) -> dict[str, object]:
    """Return the row of one claim."""
    return {
        "section": section,
        "claim": claim.name,
        "verdict": claim.outcome,
        "decisive_line": claim.decisive_line,
        "statement": claim.statement,
        "evidence": claim.evidence,
        "notes": claim.notes,
    }
