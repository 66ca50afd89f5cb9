"""What a claim needs of the runs: depths, finished runs, seeds."""

import pytest

from analysis.frame import group_by_depth
from analysis.requirements import missing_requirements, repeated_seeds


def list_reasons(families, depths, **options):
    """Return the reasons as text."""
    return [str(reason) for reason in missing_requirements(families, depths, **options)]


@pytest.fixture
def residual_runs(build_frame):
    """Return a function from {depth: training errors} to the runs of each depth."""

    def build(errors):
        return group_by_depth(build_frame({"residual": errors}).runs, "residual")

    return build


def test_complete_runs_lack_nothing(residual_runs):
    groups = residual_runs({20: [1.0, 2.0], 110: [1.0, 2.0]})
    assert list_reasons({"residual": groups}, depths=2) == []


@pytest.mark.parametrize(
    ("errors", "depths", "reason"),
    [
        ({}, 1, "needs 1 depth of residual networks, has 0"),
        ({20: [1.0, 2.0]}, 3, "needs 3 depths of residual networks, has 1"),
    ],
)
def test_missing_depths_are_counted(residual_runs, errors, depths, reason):
    groups = residual_runs(errors) if errors else {}
    assert list_reasons({"residual": groups}, depths) == [reason]


def test_absent_family_is_told_from_missing_depths(residual_runs):
    (absent,) = missing_requirements({"residual": {}}, depths=1)
    (fewer,) = missing_requirements({"residual": residual_runs({20: [1.0, 2.0]})}, depths=2)
    assert (absent.is_family_absent, fewer.is_family_absent) == (True, False)


def test_shared_depths_are_those_of_all_families(residual_runs):
    first = residual_runs({20: [1.0, 2.0], 32: [1.0, 2.0]})
    second = residual_runs({32: [1.0, 2.0], 44: [1.0, 2.0]})
    families = {"plain": first, "residual": second}
    assert list_reasons(families, depths=2) == []
    assert list_reasons(families, depths=1, shared=True) == []
    reason = "needs 2 depths of probed plain and residual networks, has 1"
    assert list_reasons(families, depths=2, shared=True, kind="probed") == [reason]


def test_single_seeds_are_named_by_depth(residual_runs):
    groups = residual_runs({20: [1.0], 56: [1.0, 2.0], 110: [1.0]})
    reason = "residual networks of 20, 110 layers have one seed; an interval needs two"
    assert list_reasons({"residual": groups}, depths=2) == [reason]


def test_unfinished_runs_are_named_with_their_failure(residual_runs):
    groups = residual_runs({20: [1.0, 2.0, 3.0]})
    groups[20]["state"] = ["done", "failed", "missing"]
    groups[20]["reason"] = [None, "out of memory", None]
    groups[20]["ended_at"] = [float("nan"), 7.0, float("nan")]
    assert list_reasons({"residual": groups}, depths=1) == [
        "1 of 3 residual runs has failed: residual-d20-s1 (at iteration 7: out of memory)",
        "1 of 3 residual runs is missing: residual-d20-s2",
    ]


def test_repeated_seed_is_named_with_its_runs(residual_runs):
    groups = residual_runs({20: [1.0, 2.0], 110: [1.0, 2.0, 3.0]})
    groups[110]["seed"] = [0, 1, 0]
    assert list_reasons({"residual": groups}, depths=2) == [
        "seed 0 of residual-110 is recorded twice: run ids residual-d110-s0, residual-d110-s2"
    ]
    groups[110]["seed"] = [0, 0, 0]
    reasons = list_reasons({"residual": groups}, depths=2)
    assert reasons[0].startswith("seed 0 of residual-110 is recorded 3 times: run ids ")


def test_only_finished_runs_repeat_a_seed(residual_runs):
    runs = residual_runs({110: [1.0, 2.0]})[110].assign(seed=0)
    assert repeated_seeds(runs.assign(state=["done", "diverged"]), "network") != []
    for state in ("missing", "running", "partial", "failed"):
        assert repeated_seeds(runs.assign(state=["done", state]), "network") == []


def test_rows_of_a_probe_count_once_per_run(residual_runs):
    """A probe has several rows per run, and no states."""
    rows = residual_runs({20: [1.0, 1.0, 2.0, 2.0]})[20].drop(columns="state")
    rows["run_id"] = ["a", "a", "b", "b"]
    rows["seed"] = [0, 0, 1, 1]
    assert list_reasons({"residual": {20: rows}}, depths=1) == []
    rows["seed"] = 0
    reasons = list_reasons({"residual": {20: rows}}, depths=1)
    assert reasons[0] == "seed 0 of residual-20 is recorded twice: run ids a, b"
