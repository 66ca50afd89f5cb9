"""Runs made by hand that reproduce the paper's finding, and what the claims say of any runs."""

from analysis.claim import Claim, Verdict
from analysis.claims import judge
from analysis.frame import Frame

PLAIN = {20: [1.5, 1.7, 1.6], 32: [5.1, 8.3, 6.5], 56: [51.0, 53.0, 50.0]}
RESIDUAL = {20: [0.9, 0.7, 0.8], 32: [0.3, 0.5, 0.4], 56: [0.7, 0.5, 0.4]}
UNTRAINED = [89.0, 88.5, 89.9]  # within 2 points of chance, which is 90


def judge_verdicts(frame: Frame, margin: float = 2.0) -> list[Verdict]:
    """Return the verdict of each claim, in the order of the report."""
    return [claim.verdict for claim in judge(frame.runs, margin)]


def judge_by_name(frame: Frame, margin: float = 2.0) -> dict[str, Claim]:
    """Return each claim by its name."""
    return {claim.name: claim for claim in judge(frame.runs, margin)}
