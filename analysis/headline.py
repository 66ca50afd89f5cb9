"""What a report found, in sentences: a headline of two for the first screen, and the others.

The numbers are means over the finished runs, like those in the tables, and the words claim nothing
that the verdicts do not. If the report compares the values of a key, that answer comes first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.claim import Finding, Verdict
from analysis.condition_headline import count_states, write_condition_headline
from analysis.finished_runs import is_finished
from analysis.frame import Frame
from analysis.plain_text import capitalise_first, join_words
from analysis.sections import Section
from degradation.records.schema import State

# What each kind of training error is called (`Frame.error_kind`).
ERROR_NAMES = {
    "clean": "training error",
    "augmented": "training error on augmented images",
    "running": "running training error",
}
MAX_SENTENCES = 2  # of the headline
SENTENCE_END = re.compile(r"[.?!] (?=[A-Z])")
MAX_ANSWERS = 3  # answers of a comparison that the headline gives
MAX_NAMED_CONDITIONS = 2  # conditions without a comparison that the headline speaks of


@dataclass(frozen=True)
class HeadlineText:
    """What a report found.

    Attributes:
        first: the first sentences, at most MAX_SENTENCES.
        others: the other sentences, such as those about further conditions; may be empty text.
    """

    first: str
    others: str


def write_headline(frame: Frame, sections: Sequence[Section]) -> HeadlineText:
    """Return what a report found, the most important first.

    Args:
        frame: the runs of the report.
        sections: the report's sections, in order.
    """
    text = _write_all(frame, sections)
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    end = ends[MAX_SENTENCES - 1] if len(ends) >= MAX_SENTENCES else len(text)
    return HeadlineText(text[:end].strip(), text[end:].strip())


def _write_all(frame: Frame, sections: Sequence[Section]) -> str:
    """Return all sentences."""
    if not _has_finished(frame.runs):
        return f"No run has finished yet{count_states(frame.runs)}."
    comparisons = [section for section in sections if section.kind == "comparison"]
    answers = _write_comparison(comparisons)
    lead = answers or _write_conditions(frame, sections)
    open_questions = _list_untested(comparisons[:1], has_answers=bool(answers))
    return " ".join([*lead, *open_questions, *_describe_ends(frame.runs)])


def _write_comparison(comparisons: Sequence[Section]) -> list[str]:
    """Return the answers of the comparisons, the first of each before the others.

    A comparison without headlines has a say only if no earlier one has an answer.
    """
    firsts: list[str] = []
    others: list[str] = []
    for section in comparisons:
        tested = [claim for claim in section.claims if claim.verdict is not Verdict.NOT_TESTED]
        findings = [claim for claim in tested if isinstance(claim, Finding)]
        answers = [finding.headline for finding in findings if finding.headline]
        if not answers and not firsts:
            answers = [claim.plain_words for claim in tested if claim.plain_words]
        firsts += answers[:1]
        others += answers[1:]
    return _limit([*dict.fromkeys([*firsts, *others])])


def _list_untested(comparisons: Sequence[Section], has_answers: bool) -> list[str]:
    """Return why questions of comparisons have no answer yet, each reason once.

    `has_answers`: whether others have one, beside which only a question that leads is worth a
    sentence.
    """
    claims = [claim for section in comparisons for claim in section.claims]
    untested = [claim for claim in claims if claim.verdict is Verdict.NOT_TESTED]
    findings = [claim for claim in untested if isinstance(claim, Finding)]
    reasons = [finding.headline for finding in findings if finding.headline]
    if not reasons and not has_answers:
        reasons = [claim.plain_words for claim in untested if claim.plain_words]
    return _limit([*dict.fromkeys(reasons)])


def _limit(answers: Sequence[str]) -> list[str]:
    """Return the first answers and the number of the others."""
    rest = len(answers) - MAX_ANSWERS
    more = [f"... and {rest} more."] if rest > 0 else []
    return [*answers[:MAX_ANSWERS], *more]


def _write_conditions(frame: Frame, sections: Sequence[Section]) -> list[str]:
    """Return what the claims about each condition found, for a few conditions.

    Conditions without a finished run come last.
    """
    runs_of = {
        section.run_ids: frame.runs[frame.runs["run_id"].isin(section.run_ids)]
        for section in sections
    }
    conditions = [section for section in sections if section.kind == "condition"]
    conditions.sort(key=lambda section: not _has_finished(runs_of[section.run_ids]))
    sentences = []
    for section in conditions[:MAX_NAMED_CONDITIONS]:
        runs = runs_of[section.run_ids]
        error = ERROR_NAMES[frame.error_kind]
        sentence = (
            write_condition_headline(runs, section.claims, section.margin or 0.0, error)
            if _has_finished(runs)
            else f"no run has finished yet{count_states(runs)}."
        )
        is_named = len(conditions) > 1
        sentences.append(f"{capitalise_first(section.title)}: {sentence}" if is_named else sentence)
    rest = len(conditions) - MAX_NAMED_CONDITIONS
    if rest > 0:
        sentences.append(f"And {rest} more condition{'s' if rest > 1 else ''}.")
    return sentences


def _has_finished(runs: pd.DataFrame) -> bool:
    return bool(is_finished(runs).any())


def _describe_ends(runs: pd.DataFrame) -> list[str]:
    """Return a sentence about runs that diverged, failed or are unfinished, if there are any."""
    parts = []
    diverged = int((runs["state"] == State.DIVERGED).sum())
    if diverged:
        parts.append(f"{diverged} diverged and {'counts' if diverged == 1 else 'count'} as chance")
    failed = int((runs["state"] == State.FAILED).sum())
    if failed:
        parts.append(f"{failed} failed")
    unfinished = int((~is_finished(runs)).sum()) - failed
    if unfinished:
        parts.append(f"{unfinished} {'has' if unfinished == 1 else 'have'} not finished")
    return [f"Of {len(runs)} runs, {join_words(parts)}."] if parts else []
