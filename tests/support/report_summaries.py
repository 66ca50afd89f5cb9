"""Summaries of reports made by hand, as report.json holds them."""

from analysis.report_summary import DepthCurve, ReportSummary, VerdictSummary


def make_verdict(**changes):
    """Return a reproduced claim of a condition, with other values of some fields."""
    values = {
        "section": "",
        "section_kind": "condition",
        "kind": "claim",
        "claim": "degradation",
        "statement": "",
        "verdict": "reproduced",
        "outcome": "reproduced",
        "plain_words": "",
        "decisive_line": "",
        "is_negligible": False,
    }
    return VerdictSummary(**values | changes)


def make_summary(**changes):
    """Return the summary of a report of eight runs, with other values of some fields."""
    values = {
        "name": "quick",
        "title": "quick",
        "headline": "Plain networks get worse.",
        "written_at": "2026-11-26T12:00:00Z",
        "trained_until": None,
        "data": ["digits"],
        "families": ["plain", "residual"],
        "depths": [20, 56],
        "seeds": [0, 1],
        "runs": {"done": 8},
        "training_error": "clean",
        "excluded": 0,
        "command": "",
        "verdicts": [make_verdict()],
        "depth_curves": [
            DepthCurve("", "plain", [20, 56], [1.0, 58.0]),
            DepthCurve("", "residual", [20, 56], [0.4, None]),
        ],
    }
    return ReportSummary(**values | changes)
