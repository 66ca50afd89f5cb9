"""CONTRIBUTING.md, "A metric": one definition in the table, and the code that computes it."""

import pytest

from degradation import metrics
from degradation.metrics import CLEAN_ERROR, TEST_ERROR
from degradation.records.schema import METRICS_FILE
from degradation.sweep.runs import locate_run
from degradation.training import evaluate, trainer
from tests.support.recipes import execute, read_recipe

TABLE, COMPUTATION = "src/degradation/metrics.py", "src/degradation/training/evaluate.py"


@pytest.fixture(autouse=True)
def _gap(monkeypatch):
    """Define the metric, and compute it at the end of each evaluation."""
    recipe = read_recipe("A metric")
    monkeypatch.setitem(metrics.METRICS, "test/gap", None)  # removed again after the test
    names = execute(recipe[TABLE], metrics, TABLE)
    evaluate_splits = evaluate.evaluate_splits

    def measure_gap(*arguments, **options):
        row = evaluate_splits(*arguments, **options)
        exec(recipe[COMPUTATION], vars(evaluate) | names | {"row": row})
        return row

    monkeypatch.setattr(trainer, "evaluate_splits", measure_gap)


def test_new_metric_is_recorded_and_read(short, train_and_load):
    config = short()
    frame = train_and_load(config)
    assert frame.excluded == ()
    rows = locate_run(config).record.valid_rows(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [1, 2, 3]
    assert all(row["test/gap"] == abs(row[TEST_ERROR] - row[CLEAN_ERROR]) for row in rows)
    assert frame.runs["test/gap"].tolist() == [rows[-1]["test/gap"]]
