"""Training: rows of metrics, the three training errors, resuming, and divergence."""

import math

import pytest
import torch
import torch.nn.functional as F

from degradation import metrics
from degradation.data.datasets import load_dataset
from degradation.training import serialization
from degradation.training.events import Divergence, Metrics, ProbeResult, Progress, Snapshot
from degradation.training.trainer import Trainer, fit

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits(compose_config):
    return load_dataset(compose_config().data)


def train_to_end(config, dataset):
    trainer = Trainer(config, dataset, CPU)
    return trainer, list(fit(trainer))


def test_rows_hold_all_metrics_at_fixed_iterations(tiny, digits):
    _, seen = train_to_end(tiny("schedule.iterations=10"), digits)
    rows = [event.row for event in seen if isinstance(event, Metrics)]
    # the last iteration has a row, whatever the interval is
    assert [row["iteration"] for row in rows] == [4, 8, 10]
    # a whole number of the 2 batches of 32 since the previous row
    wrong = rows[2]["train/running_error"] * 64 / 100
    assert 0 < wrong <= 64
    assert wrong == pytest.approx(round(wrong))
    names = {value for key, value in vars(metrics).items() if key.endswith(("_ERROR", "_LOSS"))}
    names -= {
        metrics.VALIDATION_ERROR,
        metrics.VALIDATION_LOSS,
        metrics.TEN_CROP_ERROR,
        metrics.TEN_CROP_TOP5_ERROR,
    }
    assert set(rows[0]) == names | {metrics.ITERATION, metrics.LR}
    assert rows[0]["lr"] == 0.01
    assert rows[2]["lr"] == pytest.approx(0.001)


def test_snapshots_are_taken_at_the_configured_iterations(tiny, digits):
    trainer, seen = train_to_end(tiny("schedule.snapshots=[0,6]"), digits)
    snapshots = {event.iteration: event.weights for event in seen if isinstance(event, Snapshot)}
    assert list(snapshots) == [0, 6]
    name = "layer1.0.conv1.weight"
    final = trainer.network.state_dict()[name]
    assert not torch.equal(snapshots[0][name], snapshots[6][name])
    assert not torch.equal(snapshots[6][name], final)


def test_three_training_errors_are_separate_measurements(tiny, digits):
    """Pitfall 5: recording only the running error, in train mode. All are recomputed here."""
    trainer = Trainer(tiny(), digits, CPU)
    losses, wrong = [], 0
    for event in fit(trainer):
        if isinstance(event, Metrics):
            row = event.row
            break
    again = Trainer(tiny(), digits, CPU)
    for _ in range(4):
        before_loss, before_wrong = again.sums.loss.item(), again.sums.wrong.item()
        again.step()
        losses.append(again.sums.loss.item() - before_loss)
        wrong += again.sums.wrong.item() - before_wrong
    assert row["train/running_error"] == 100 * wrong / (4 * 32)
    assert row["train/running_loss"] == pytest.approx(sum(losses) / 4)
    again.network.eval()
    with torch.no_grad():
        images, labels = again.loader.splits["train"].eval_batch(0, 1500)
        logits = again.network(images)
    assert row["train/clean_error"] == pytest.approx(
        100 * (logits.argmax(1) != labels).float().mean().item()
    )
    assert row["train/clean_loss"] == pytest.approx(
        F.cross_entropy(logits, labels).item(), rel=1e-5
    )
    with torch.no_grad():
        images, labels = again.loader.splits["test"].eval_batch(0, 297)
        assert row["test/error"] == pytest.approx(
            100 * (again.network.eval()(images).argmax(1) != labels).float().mean()
        )
    errors = {row[f"train/{kind}_error"] for kind in ("running", "augmented", "clean")}
    assert len(errors) == 3


def test_all_splits_are_normalised_by_training_statistics(tiny, digits):
    """Pitfall 6: the test images do not enter the statistics."""
    trainer = Trainer(tiny(), digits, CPU)
    values = digits.train.images.double()
    for split in trainer.loader.splits.values():
        assert split.mean.unique().item() == pytest.approx(values.mean().item())
        assert split.deviation.item() == pytest.approx(values.std(correction=0).item())


ALL = "[gradient_flow,responses,identity,shattering,lesions,paths]"


@pytest.mark.parametrize(
    "keys",
    [
        (),
        pytest.param(("model=plain",), marks=pytest.mark.slow),
        pytest.param(("model=preactivation",), marks=pytest.mark.slow),
        pytest.param(("model.shortcut=B", "precision=bf16"), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_probes_do_not_change_training(tiny, digits, keys):
    """Every probe at every time point, or none: same weights, moving averages and rows."""
    probed, seen = train_to_end(tiny(*keys, f"probes.training={ALL}", "probes.early=3"), digits)
    bare, expected = train_to_end(tiny(*keys, "probes=none"), digits)
    assert {event.iteration for event in seen if isinstance(event, ProbeResult)} == {0, 3, 6, 12}
    assert [e for e in seen if isinstance(e, Metrics)] == [
        e for e in expected if isinstance(e, Metrics)
    ]
    for name, value in bare.network.state_dict().items():
        assert torch.equal(value, probed.network.state_dict()[name]), name
    states = [trainer.optimizer.state_dict()["state"] for trainer in (probed, bare)]
    for probed_state, bare_state in zip(*(state.values() for state in states), strict=True):
        assert torch.equal(probed_state["momentum_buffer"], bare_state["momentum_buffer"])


def test_plain_networks_have_no_shortcut_probes(tiny, digits):
    _, seen = train_to_end(tiny("model=plain", f"probes.training={ALL}"), digits)
    assert {e.probe for e in seen if isinstance(e, ProbeResult)} == {
        "gradient_flow",
        "responses",
        "shattering",
        "lesions",
    }


def test_evaluation_does_not_change_training(tiny, digits):
    often, _ = train_to_end(tiny("schedule.evaluate_every=1"), digits)
    rarely, _ = train_to_end(tiny("schedule.evaluate_every=12"), digits)
    for name, value in often.network.state_dict().items():
        assert torch.equal(value, rarely.network.state_dict()[name]), name


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(
    "stop_after",
    [1, 6, 11, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3, 4, 5, 7, 8, 9, 10))],
)
def test_resume_from_any_iteration_is_bit_exact(tiny, digits, stop_after):
    """Pitfall 9: a resume that loses the momentum, the schedule's position or the data order."""
    config = tiny()
    whole, expected = train_to_end(config, digits)
    first = Trainer(config, digits, CPU)
    seen = []
    for event in fit(first):
        seen.append(event)
        if event == Progress(stop_after):
            break
    saved = serialization.load(serialization.dump(first.state()))
    second = Trainer(config, digits, CPU)
    second.restore(saved)
    seen += fit(second)
    rows = [event.row for event in seen if isinstance(event, Metrics)]
    expected_rows = [event.row for event in expected if isinstance(event, Metrics)]
    assert rows == expected_rows
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name


def test_warmup_end_is_recorded_and_survives_a_resume(tiny, digits):
    keys = {"lr": 0.001, "below": 1.0, "window": 2, "max_iterations": 5, "from_depth": 8}
    config = tiny(
        "schedule=paper", *(f"schedule.warmup.{key}={value}" for key, value in keys.items())
    )
    _, seen = train_to_end(config, digits)
    rows = [event.row for event in seen if isinstance(event, Metrics)]
    # iteration 4 is in the warm-up; 8 and 12 are after the drop
    assert [row["lr"] for row in rows] == pytest.approx([0.001, 0.001, 0.001])
    assert ["schedule/warmup_end" in row for row in rows] == [False, True, True]
    assert rows[1]["schedule/warmup_end"] == 5
    half = Trainer(config, digits, CPU)
    for event in fit(half):
        if event == Progress(3):
            break
    resumed = Trainer(config, digits, CPU)
    resumed.restore(serialization.load(serialization.dump(half.state())))
    assert [event.row for event in fit(resumed) if isinstance(event, Metrics)] == rows


def test_infinite_loss_ends_the_run_at_its_iteration(tiny, digits):
    trainer = Trainer(tiny(), digits, CPU)
    seen = []
    for event in fit(trainer):
        seen.append(event)
        if event == Progress(5):
            with torch.no_grad():
                trainer.network.fc.weight.fill_(math.nan)
    assert seen[-1] == Divergence(6)
    assert [event.row["iteration"] for event in seen if isinstance(event, Metrics)] == [4]


def test_bf16_trains_to_different_numbers(tiny, digits):
    rows = []
    for kind in ("fp32", "bf16"):
        _, seen = train_to_end(tiny(f"precision={kind}"), digits)
        rows.append([event.row for event in seen if isinstance(event, Metrics)][-1])
    assert rows[0]["train/clean_loss"] != rows[1]["train/clean_loss"]
    assert rows[0]["train/clean_loss"] == pytest.approx(rows[1]["train/clean_loss"], rel=0.1)


def test_updates_follow_momentum_and_weight_decay(tiny, digits):
    """By hand: g = dE/dw + 1e-4 w on every parameter, v = 0.9 v + g from v = 0, w -= lr v."""
    trainer = Trainer(tiny(), digits, CPU)
    name = "layer1.0.bn1.weight"  # weight decay applies to BN as well
    parameter = dict(trainer.network.named_parameters())[name]
    velocity = torch.zeros_like(parameter)
    for _ in range(2):
        before = parameter.detach().clone()
        trainer.step()
        velocity = 0.9 * velocity + parameter.grad + 1e-4 * before
        torch.testing.assert_close(parameter.detach(), before - 0.01 * velocity)


def test_checkpoint_that_would_run_code_is_refused():
    import pickle

    class Malicious:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was executed",))

    for content in (
        pickle.dumps(Malicious()),
        b"",
        b"truncated",
        serialization.dump({"a": torch.ones(3)})[:-30],
    ):
        with pytest.raises(serialization.CheckpointError):
            serialization.load(content)
