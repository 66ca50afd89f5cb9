"""The work of a job, which decides its place in the queue and the time left of a sweep."""

import pytest

from degradation.config.composition import compose_overrides, initialise_hydra, read
from degradation.records.schema import State
from degradation.sweep.jobs import check_training_job, locate_run
from tests.support.records import write_record


@pytest.fixture
def find_work(tmp_path):
    """Return a function that returns the work of a job of 400 iterations."""

    def find(*overrides, evaluations=None):
        with initialise_hydra():
            job = compose_overrides("config", [f"record_root={tmp_path / 'runs'}", *overrides])
        if evaluations is not None:
            config = read(job)
            errors = [50.0] * evaluations  # at iterations 40, 80, ...
            write_record(config.record_root, locate_run(config).run_id, State.FAILED, errors)
        return check_training_job(job).work

    return find


def test_work_of_a_partial_run_is_its_remaining_iterations(find_work):
    whole = find_work("seed=0")
    assert find_work("seed=0", evaluations=2) == whole * (400 - 80) / 400


@pytest.mark.parametrize(
    ("override", "factor"),
    [("model.depth=38", 38 / 20), ("model.width=32", 4), ("optim.batch_size=256", 2)],
)
def test_work_grows_with_the_cost_of_an_iteration(find_work, override, factor):
    base = ("model.depth=20", "model.width=16", "optim.batch_size=128")
    assert find_work(*base, override) == pytest.approx(factor * find_work(*base))
