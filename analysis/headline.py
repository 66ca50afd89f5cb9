"""The headline of a report: what was found, in a sentence or two for the first screen.

The numbers are means over the finished runs, as in the tables, and the words say no more than the
verdicts. If the report compares the values of a key, the answer to that question leads.
"""

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from analysis.claim import Claim, Finding
from analysis.columns import FINISHED_STATES
from analysis.condition_headline import write_condition_headline
from analysis.condition_labels import capitalise_first
from analysis.frame import Frame
from analysis.plain_text import join_words
from degradation.records.schema import State

# What each kind of training error is called (`Frame.error_kind`).
ERROR_NAMES = {
    "clean": "training error",
    "augmented": "training error on augmented images",
    "running": "running training error",
}
MAX_CONDITIONS = 2  # conditions without a comparison that the headline speaks of


class HasClaims(Protocol):
    """A section of a report (`analysis.sections.Section`)."""

    @property
    def title(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def margin(self) -> float | None: ...
    @property
    def claims(self) -> list[Claim]: ...
    @property
    def run_ids(self) -> tuple[str, ...]: ...


def write_headline(frame: Frame, sections: Sequence[HasClaims]) -> str:
    """Return the headline of a report.

    Args:
        frame: the runs of the report.
        sections: the report's sections, in order.
    """
    finished = frame.runs["state"].isin([*FINISHED_STATES])
    if not finished.any():
        return f"No run has finished yet{_count_states(frame.runs)}."
    lead = _write_comparison(sections) or _write_conditions(frame, sections)
    return " ".join([lead, *_describe_ends(frame.runs)])


def _write_comparison(sections: Sequence[HasClaims]) -> str:
    """Return the answer of the first comparison, or empty text if there is none."""
    for section in sections:
        if section.kind != "comparison":
            continue
        findings = [claim for claim in section.claims if isinstance(claim, Finding)]
        headlines = [finding.headline for finding in findings if finding.headline]
        answers = headlines or [claim.plain_words for claim in section.claims if claim.plain_words]
        if answers:
            return " ".join(answers)
    return ""


def _write_conditions(frame: Frame, sections: Sequence[HasClaims]) -> str:
    """Return what the claims about each condition found, for a few conditions."""
    conditions = [section for section in sections if section.kind == "condition"]
    sentences = []
    for section in conditions[:MAX_CONDITIONS]:
        runs = frame.runs[frame.runs["run_id"].isin(section.run_ids)]
        error = ERROR_NAMES[frame.error_kind]
        sentence = write_condition_headline(runs, section.claims, section.margin or 0.0, error)
        is_named = len(conditions) > 1
        sentences.append(f"{capitalise_first(section.title)}: {sentence}" if is_named else sentence)
    rest = len(conditions) - MAX_CONDITIONS
    if rest > 0:
        sentences.append(f"And {rest} more condition{'s' if rest > 1 else ''}.")
    return " ".join(sentences)


def _count_states(runs: pd.DataFrame) -> str:
    """Return `: 12 runs are missing, 1 has failed`, or empty text without runs."""
    counts = runs["state"].value_counts()
    parts = [f"{count} {state}" for state, count in counts.items()]
    return f" ({join_words(parts)})" if parts else ""


def _describe_ends(runs: pd.DataFrame) -> list[str]:
    """Return a sentence about runs that diverged, failed or are unfinished, if there are any."""
    parts = []
    diverged = int((runs["state"] == State.DIVERGED).sum())
    if diverged:
        parts.append(f"{diverged} diverged and {'counts' if diverged == 1 else 'count'} as chance")
    failed = int((runs["state"] == State.FAILED).sum())
    if failed:
        parts.append(f"{failed} failed")
    finished = runs["state"].isin([*FINISHED_STATES])
    unfinished = int((~finished).sum()) - failed
    if unfinished:
        parts.append(f"{unfinished} {'has' if unfinished == 1 else 'have'} not finished")
    return [f"Of {len(runs)} runs, {join_words(parts)}."] if parts else []
