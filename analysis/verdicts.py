"""The verdicts of a report, for notebooks and scripts: on any selection of runs."""

from dataclasses import asdict

import pandas as pd

from analysis.claim import Claim
from analysis.claims import judge
from analysis.conditions import split_by_condition
from analysis.frame import Frame
from analysis.published_claims import judge_published
from analysis.tables import to_frame
from degradation.config import default_margin

COLUMNS = ["condition", "claim", "verdict", "decisive_line", "statement", "evidence", "notes"]


def verdicts(runs: pd.DataFrame, margin: float | None = None) -> pd.DataFrame:
    """Judge every claim about the training error of these runs, as the report does.

    The runs are split into conditions, which differ in more than family, depth and seed, and each
    condition is judged by itself.

    Args:
        runs: what `load_runs` returned, or rows of it.
        margin: points of training error that count as a difference. None: that of the data set.

    Returns:
        One row per condition and claim. `condition` is empty if there is one only. `verdict` is
        reproduced, contradicted, inconclusive or not tested (docs/verdicts.md), and
        `decisive_line` what it rests on. Also `claim` (its name), its `statement`, and the lists
        of lines `evidence` and `notes`.

    Raises:
        UserError: the table is empty or lacks columns.
    """
    rows = []
    for label, condition in split_by_condition(to_frame(runs)):
        data_name = str(condition.runs["data"].iloc[0])
        condition_margin = default_margin(data_name) if margin is None else margin
        for claim in judge_condition(condition, condition_margin):
            row = {"condition": label, "claim": claim.name, **asdict(claim)}
            rows.append(row | {"verdict": str(claim.verdict)})
    return pd.DataFrame(rows, columns=COLUMNS)


def judge_condition(frame: Frame, margin: float) -> list[Claim]:
    """Return the claims about one condition: the paper's, and those about published numbers.

    `margin`: in points of training error.
    """
    return [*judge(frame.runs, margin), *judge_published(frame.runs, margin)]
