"""The table of metrics agrees with what training writes and with what the reader accepts."""

import pytest

from degradation import metrics
from degradation.metrics import METRICS
from degradation.records import row_validation
from degradation.records.schema import METRICS_FILE, State
from degradation.run import train
from degradation.sweep.runs import locate_run

VALUES = {
    metrics.PERCENT: 12.5,
    metrics.NATS: 0.5,
    metrics.ITERATIONS: 40,
    metrics.COUNT: 1,
    metrics.RATE: 0.1,
}


def full_row():
    return {name: VALUES[metric.unit] for name, metric in METRICS.items()}


def test_every_metric_has_a_constant_and_a_meaning():
    constants = {str(value) for name, value in vars(metrics).items() if name.isupper()}
    assert set(METRICS) <= constants
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.unit in VALUES
        assert metric.label
        assert metric.description


def test_row_of_every_metric_is_valid():
    assert row_validation.find_metrics_problem(full_row(), []) is None
    assert row_validation.are_valid_metrics_rows([full_row()])


@pytest.mark.parametrize("name", METRICS)
def test_value_out_of_range_is_refused(name):
    row = full_row() | {name: 101.0 if metrics.is_percentage(name) else "text"}
    assert row_validation.find_metrics_problem(row, []) == f"{name} is invalid"
    assert not row_validation.are_valid_metrics_rows([row])


def test_unknown_metric_of_a_known_group_is_read():
    assert row_validation.find_metrics_problem(full_row() | {"train/median_loss": 0.1}, []) is None
    assert (
        row_validation.find_metrics_problem(full_row() | {"median_loss": 0.1}, [])
        == "a key is unknown"
    )


def train_to_rows(config):
    """Return the configuration as in run.json, and the rows that training writes."""
    assert train(config) is State.DONE
    record = locate_run(config).record
    return record.read_metadata()["config"], record.valid_prefix(METRICS_FILE)


@pytest.mark.parametrize(
    ("overrides", "conditional"),
    [
        ([], set()),
        (
            [
                "schedule=paper",
                "schedule.warmup.below=null",
                "schedule.warmup.max_iterations=2",
                "schedule.warmup.from_depth=8",
            ],
            {metrics.WARMUP_END},
        ),
        (["data.validation=100"], {metrics.VALIDATION_ERROR, metrics.VALIDATION_LOSS}),
    ],
    ids=["plain", "warm-up", "held-out images"],
)
def test_rows_hold_the_metrics_whose_condition_holds(tiny, overrides, conditional):
    config, rows = train_to_rows(tiny("probes=none", *overrides))
    assert len(rows) == 3
    for row in rows:
        expected = set()
        for name, metric in METRICS.items():
            is_absent = metric.optional and name not in row
            if metric.condition(config, row["iteration"]) and not is_absent:
                expected.add(name)
        assert set(row) == expected
    assert conditional <= set(rows[-1])
