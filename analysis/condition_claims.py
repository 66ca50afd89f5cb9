"""The section of one condition in a report: its title, and its claims."""

from analysis.claim import Claim
from analysis.claims import judge
from analysis.frame import Frame
from analysis.plain_text import capitalise_first
from analysis.published_claims import judge_published

# The title of the only condition, if a comparison comes before it.
DEGRADATION_TITLE = "Degradation and its fix"


def title_condition(label: str, has_comparison: bool) -> str:
    """Return the title, which is empty if the report has one condition and nothing else.

    `label`: that of the condition. `has_comparison`: whether comparisons come before it.
    """
    if has_comparison and not label:
        return DEGRADATION_TITLE
    return capitalise_first(label)


def judge_condition(frame: Frame, margin: float) -> list[Claim]:
    """Return the claims about one condition: the paper's, and those about published numbers.

    `margin`: in points of training error.
    """
    return [*judge(frame.runs, margin), *judge_published(frame.runs, margin)]
