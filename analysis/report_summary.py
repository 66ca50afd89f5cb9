"""The summary of a report, as its report.json holds it: what was found, on which runs, and when.

The index of reports is made from these files; other programs can read them too
(docs/report.md documents the fields).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd

from analysis.claim import Claim
from analysis.finished_runs import find_last_end
from analysis.frame import Frame
from analysis.page.certainty import describe_remedy
from analysis.sections import Section

FORMAT = 1  # of report.json; a file of another format is not read


@dataclass(frozen=True)
class VerdictSummary:
    """One claim with its verdict.

    Attributes:
        section: the title of its section, or empty text.
        section_kind: `comparison`, `condition` or `mechanism`.
        kind: `claim`, `finding` (the answer to a question that no paper has claimed) or `check`.
        claim: its name.
        statement: what is claimed.
        verdict: reproduced, contradicted, inconclusive or not tested.
        outcome: the verdict, the answer or `negligible`, as the page's badge says it.
        plain_words: the finding in one short sentence, or empty text.
        decisive_line: the line of evidence on which the verdict rests.
        is_negligible: whether the effect is too small to matter.
        remedy: what may settle an open claim, in words, or empty text.
        seeds_needed: how many seeds per network would settle it, or None if that is unknown, more
            than 1,000, or not what is lacking.
    """

    section: str
    section_kind: str
    kind: str
    claim: str
    statement: str
    verdict: str
    outcome: str
    plain_words: str
    decisive_line: str
    is_negligible: bool
    remedy: str = ""
    seeds_needed: int | None = None


@dataclass(frozen=True)
class DepthCurve:
    """The training error of one family against depth, in one condition.

    Attributes:
        condition: the title of its section, or empty text.
        family: plain, residual and so on.
        depths: layers, shallowest first.
        training_error: percent, mean over the finished runs, or None if there is none.
    """

    condition: str
    family: str
    depths: list[int]
    training_error: list[float | None]


@dataclass(frozen=True)
class ReportSummary:
    """What a report says, in a form that programs read.

    Attributes:
        name: the report's name, which is the name of its folder.
        title: the title of its page.
        headline: what was found, in a sentence or two.
        written_at: when the report was written, in ISO 8601 (UTC).
        trained_until: when the last of its runs ended, likewise, or None if that is unknown.
        data: names of the data sets.
        families: families of networks.
        depths: layers, shallowest first.
        seeds: the runs' seeds.
        runs: the number of runs in each state.
        training_error: the kind of training error that the verdicts are about.
        excluded: number of records, files or groups of rows that could not be used.
        command: the commands that reproduce the report, one per line.
        verdicts: all claims, in the order of the page.
        depth_curves: the training error against depth.
    """

    name: str
    title: str
    headline: str
    written_at: str
    trained_until: str | None
    data: list[str]
    families: list[str]
    depths: list[int]
    seeds: list[int]
    runs: dict[str, int]
    training_error: str
    excluded: int
    command: str
    verdicts: list[VerdictSummary]
    depth_curves: list[DepthCurve]


def write_title(name: str) -> str:
    """Return the title of a report's page, which says what it is about."""
    return f"{name}: the degradation problem"


def summarise_report(
    frame: Frame, sections: Sequence[Section], name: str, headline: str, command: str
) -> ReportSummary:
    """Return the summary of a report that is written now.

    Args:
        frame: the runs of the report.
        sections: its sections, in order.
        name: the report's name.
        headline: what was found.
        command: the commands that reproduce the report.
    """
    runs = frame.runs
    last_end = find_last_end(runs)
    return ReportSummary(
        name=name,
        title=write_title(name),
        headline=headline,
        written_at=_format_time(datetime.now(UTC)),
        trained_until=_format_time(last_end) if last_end else None,
        data=sorted(runs["data"].dropna().unique()),
        families=sorted(runs["family"].dropna().unique()),
        depths=_list_numbers(runs["depth"]),
        seeds=_list_numbers(runs["seed"]),
        runs={str(state): int(count) for state, count in runs["state"].value_counts().items()},
        training_error=frame.error_kind,
        excluded=len(frame.excluded),
        command=command,
        verdicts=[
            _summarise_claim(claim, section) for section in sections for claim in section.claims
        ],
        depth_curves=[curve for section in sections for curve in _summarise_depths(section)],
    )


def _summarise_claim(claim: Claim, section: Section) -> VerdictSummary:
    return VerdictSummary(
        section=section.title,
        section_kind=section.kind,
        kind=str(claim.kind),
        claim=claim.name,
        statement=claim.statement,
        verdict=str(claim.verdict),
        outcome=claim.outcome,
        plain_words=claim.plain_words,
        decisive_line=claim.decisive_line,
        is_negligible=claim.is_negligible,
        remedy=describe_remedy(claim),
        seeds_needed=claim.seeds_needed.count if claim.seeds_needed else None,
    )


def _summarise_depths(section: Section) -> list[DepthCurve]:
    """Return a condition's curves, one per family; none for another kind of section."""
    if section.summary is None:
        return []
    curves = []
    for family, rows in section.summary.sort_values("depth").groupby("family"):
        errors = [None if pd.isna(mean) else float(mean) for mean in rows["training_error_mean"]]
        curves.append(DepthCurve(section.title, str(family), _list_numbers(rows["depth"]), errors))
    return curves


def _format_time(time: datetime) -> str:
    """Return a time such as `2026-11-26T19:30:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _list_numbers(values: pd.Series) -> list[int]:
    return sorted(int(value) for value in values.dropna().unique())
