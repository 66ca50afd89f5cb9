"""A claim about probed runs is not decided by leaving out the runs that failed or diverged."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.claim import Claim, Verdict
from analysis.mechanisms.base import account_for_missing_runs

YES, NO = Verdict.REPRODUCED, Verdict.CONTRADICTED
OPEN, NOT_TESTED = Verdict.INCONCLUSIVE, Verdict.NOT_TESTED
FAMILIES = ["plain", "residual"]


@pytest.fixture
def runs(build_frame):
    return build_frame({"plain": {20: [1.0, 1.0]}, "residual": {20: [1.0, 1.0]}}).runs


def judge(runs, state, verdict, families=FAMILIES, probed_too=False):
    """Return the claim of this verdict when the second plain run has this state."""
    runs = runs.assign(state=["done", state, "done", "done"])
    probed = runs if probed_too else runs[runs["state"] == "done"]
    claim = Claim("name", "statement", verdict, "line", plain_words="It holds.")
    return account_for_missing_runs(claim, runs, probed, families)


@pytest.mark.parametrize("state", ["missing", "running", "partial", "failed"])
@pytest.mark.parametrize("verdict", [YES, NO, OPEN])
def test_claim_is_not_tested_while_runs_are_unfinished(runs, state, verdict):
    claim = judge(runs, state, verdict)
    assert claim.verdict is NOT_TESTED
    assert claim.decisive_line.startswith("1 of 2 plain runs ")
    assert "plain-d20-s1" in claim.decisive_line


@pytest.mark.parametrize(("verdict", "expected"), [(YES, OPEN), (NO, NO), (OPEN, OPEN)])
def test_diverged_run_that_was_not_probed_might_contradict(runs, verdict, expected):
    claim = judge(runs, "diverged", verdict)
    assert claim.verdict is expected
    if verdict is YES:
        assert claim.decisive_line == "line; 1 diverged run was not probed"
        assert claim.remedy.startswith("a probe of the runs that diverged")
        assert claim.plain_words == "It holds, but that is not certain yet."


def test_other_runs_change_nothing(runs):
    assert judge(runs, "failed", YES, ["residual"]).verdict is YES
    assert judge(runs, "diverged", YES, ["residual"]).verdict is YES
    assert judge(runs, "diverged", YES, probed_too=True).verdict is YES
    assert judge(runs, "done", YES).verdict is YES


def test_unprobed_finished_run_is_left_to_the_claim_itself(runs):
    """Probes may be run on some seeds only; then the bounds are those of fewer seeds."""
    runs = runs.assign(state="done")
    claim = Claim("name", "statement", YES, "line")
    accounted = account_for_missing_runs(claim, runs, pd.DataFrame(runs[:3]), FAMILIES)
    assert accounted == replace(claim, measured_seeds="1 to 2 seeds")


@pytest.mark.parametrize("verdict", [YES, NO])
def test_depth_without_a_probed_run_is_not_tested(runs, verdict):
    """The claims are about every depth, also about those at which explain has not yet been run."""
    deeper = runs.assign(depth=56, run_id=runs["run_id"] + "-deeper")
    both = pd.concat([runs, deeper]).assign(state="done")
    claim = Claim("name", "statement", verdict, "line")
    accounted = account_for_missing_runs(claim, both, runs, FAMILIES)
    assert accounted.verdict is Verdict.NOT_TESTED
    assert f"{FAMILIES[0]}-56: no run was probed" in accounted.evidence
