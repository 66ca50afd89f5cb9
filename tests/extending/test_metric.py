"""CONTRIBUTING.md, "A metric": one definition in the table, and the code that computes it."""

import pytest

from degradation.metrics import CLEAN_ERROR, METRICS, PERCENT, TEST, TEST_ERROR, Metric
from degradation.records.schema import METRICS as METRICS_FILE
from degradation.sweep.jobs import locate_run
from degradation.training.trainer import Trainer

GAP = Metric(
    "test/gap",
    unit=PERCENT,
    split=TEST,
    label="generalisation gap",
    description="distance of the test error from the clean training error",
)


@pytest.fixture(autouse=True)
def _gap(monkeypatch):
    """Define the metric, and let the trainer compute it."""
    monkeypatch.setitem(METRICS, GAP.name, GAP)
    measure = Trainer.metrics

    def measure_gap(trainer):
        row = measure(trainer)
        return row | {GAP.name: abs(row[TEST_ERROR] - row[CLEAN_ERROR])}

    monkeypatch.setattr(Trainer, "metrics", measure_gap)


def test_new_metric_is_recorded_and_read(short, train_and_load):
    config = short()
    frame = train_and_load(config)
    assert frame.excluded == ()
    rows = locate_run(config).record.rows(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [1, 2, 3]
    assert all(row[GAP.name] == abs(row[TEST_ERROR] - row[CLEAN_ERROR]) for row in rows)
    assert frame.runs[GAP.name].tolist() == [rows[-1][GAP.name]]
