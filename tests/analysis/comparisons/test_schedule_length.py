"""Degradation is judged at the longest schedule."""

import re

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


@pytest.mark.parametrize(
    ("longer", "difference"),
    [
        (
            {"config.schedule.milestones": "[]"},
            r"\(milestones \[200\]\) and 1200 .*milestones \[\]",
        ),
        ({"config.schedule.milestones": "[200]"}, r"1200 iterations \(milestones \[200\]\)"),
    ],
)
def test_other_schedules_are_not_longer_ones(joined, longer, difference):
    errors = {"plain": PLAIN, "residual": LOW}
    frame = joined((errors, schedule(400)), (errors, schedule(1200) | longer))
    claim = judge_comparisons(frame)["longer training"]
    assert claim.verdict is Verdict.NOT_TESTED
    assert re.match(f"the schedules differ in more than .*{difference}", claim.decisive_line)


def test_fractions_of_a_schedule_are_rounded_to_iterations(joined):
    """A third of 400 is 133, and of 1,200 it is 400."""
    errors = {"plain": PLAIN, "residual": LOW}
    thirds = [
        {"config.schedule.iterations": 400, "config.schedule.milestones": "[133]"},
        {"config.schedule.iterations": 1200, "config.schedule.milestones": "[400]"},
    ]
    claim = judge_comparisons(joined(*[(errors, keys) for keys in thirds]))["longer training"]
    assert claim.verdict is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("key", "values", "verdict"),
    [
        ("config.schedule.factor", (0.1, 0.2), Verdict.NOT_TESTED),
        ("config.schedule.linear_warmup", (0, 100), Verdict.NOT_TESTED),
        ("config.schedule.linear_warmup", (20, 60), Verdict.REPRODUCED),
        ("config.schedule.warmup.max_iterations", (33, 100), Verdict.REPRODUCED),
        ("config.schedule.evaluate_every", (40, 120), Verdict.REPRODUCED),
    ],
)
def test_schedules_may_differ_in_their_length_and_their_evaluations(joined, key, values, verdict):
    errors = {"plain": PLAIN, "residual": LOW}
    lengths = [schedule(400) | {key: values[0]}, schedule(1200) | {key: values[1]}]
    claim = judge_comparisons(joined(*[(errors, keys) for keys in lengths]))["longer training"]
    assert claim.verdict is verdict
    if verdict is Verdict.NOT_TESTED:
        assert claim.decisive_line.endswith(f"length: {key.removeprefix('config.')}")
