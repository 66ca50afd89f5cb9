"""Degradation is judged at the longest schedule."""

import pytest

from analysis.claim import Verdict
from tests.support.comparisons import LOW, PLAIN, judge_comparisons


def schedule(iterations):
    return {
        "config.schedule.iterations": iterations,
        "config.schedule.milestones": f"[{iterations // 2}]",
    }


@pytest.mark.parametrize(
    ("plain", "verdict"), [(PLAIN, Verdict.REPRODUCED), (LOW, Verdict.CONTRADICTED)]
)
def test_longest_schedule_decides(joined, plain, verdict):
    """The shorter ones are in the evidence."""
    frame = joined(
        ({"plain": PLAIN, "residual": LOW}, schedule(400)),
        ({"plain": plain, "residual": LOW}, schedule(1200)),
    )
    claim = judge_comparisons(frame)["longer training"]
    assert claim.verdict is verdict
    assert "after 1200 iterations" in claim.statement
    assert claim.evidence[-1].startswith(
        "for comparison, 400 iterations: 56 minus 20 layers: +49.73 points"
    )
