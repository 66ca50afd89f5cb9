"""The work of a job, which decides its place in the queue and the time left of a sweep."""

import pytest

from degradation.config.composition import compose_overrides, initialise_hydra, read
from degradation.records.schema import State
from degradation.sweep.jobs import check_training_job
from degradation.sweep.runs import locate_run
from tests.support.records import write_record


@pytest.mark.slow
def test_job_says_where_its_error_belongs(tmp_path):
    """The launcher shows the curve so far, finished runs included."""
    with initialise_hydra():
        overrides = ["model=plain", "model.depth=32", "seed=2", f"record_root={tmp_path}"]
        job = compose_overrides("config", overrides)
    spec = check_training_job(job)
    assert spec.curve_point == ("plain", 32, 2)
    assert spec.read_error() is None
    config = read(job)
    write_record(config.record_root, locate_run(config).run_id, State.DONE, [50.0, 7.5])
    assert check_training_job(job).read_error() == 7.5


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
