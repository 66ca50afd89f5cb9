"""A run resumes only with the same number of threads, which determines how sums are split."""

import pytest

from degradation import checkpointing
from degradation.checksums import seal, unseal
from degradation.config import ConfigError
from degradation.records.schema import ATTEMPTS_FILE, CHECKPOINT_FILE, METRICS_FILE, State
from degradation.run import train
from degradation.sweep.runs import locate_run
from degradation.training import serialization
from degradation.training.trainer import Trainer


@pytest.fixture
def interrupted(tiny, monkeypatch):
    """Return the configuration of a run that failed at iteration 10, with a checkpoint at 8."""
    step = Trainer.step

    def fail_at_10(trainer):
        if trainer.iteration == 10:
            raise RuntimeError("made to fail")
        step(trainer)

    config = tiny("threads=1")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", fail_at_10)
        with pytest.raises(Exception, match="made to fail"):
            train(config)
    return config


def test_resume_with_other_threads_is_refused(tiny, interrupted):
    record = locate_run(interrupted).record
    before = record.read(CHECKPOINT_FILE)
    with pytest.raises(
        ConfigError,
        match=r"^threads: residual.* was started with 1 .*cannot resume with 2.*allowed: 1",
    ):
        train(tiny("threads=2"))
    assert record.read(CHECKPOINT_FILE) == before
    assert train(interrupted) is State.DONE


@pytest.mark.slow
def test_resume_with_other_threads_can_be_allowed(tiny, interrupted):
    assert train(tiny("threads=2", "allow_device_change=true")) is State.DONE
    starts = [
        row for row in locate_run(interrupted).record.valid_prefix(ATTEMPTS_FILE) if "start" in row
    ]
    assert [row["threads"] for row in starts] == [1, 2]


@pytest.mark.slow
def test_checkpoint_without_threads_is_resumed(tiny, interrupted):
    """Earlier releases did not save the number of threads."""
    record = locate_run(interrupted).record
    state = serialization.load(unseal(record.read(CHECKPOINT_FILE)))
    assert state.pop("threads") == 1
    record.write(CHECKPOINT_FILE, seal(serialization.dump(state)))
    assert train(tiny("threads=2")) is State.DONE
    ends = [row for row in record.valid_prefix(ATTEMPTS_FILE) if "end" in row]
    assert len(record.valid_prefix(METRICS_FILE)) == 3
    assert ends[-1]["iteration"] == 12


@pytest.mark.parametrize(
    ("overrides", "saved", "device"),
    [
        (["threads=2"], 1, "cuda"),
        (["threads=2"], None, "cpu"),  # earlier releases did not save the number
        (["threads=2", "allow_device_change=true"], 1, "cpu"),
    ],
)
def test_threads_are_checked_only_where_they_matter(tiny, overrides, saved, device):
    record = locate_run(tiny()).record
    checkpointing._check_threads(tiny(*overrides), record, saved, device)
    with pytest.raises(ConfigError):
        checkpointing._check_threads(tiny("threads=2"), record, 1, "cpu")
