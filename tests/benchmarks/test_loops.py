"""The suite's loops train and evaluate as runs do, and count their images."""

from dataclasses import replace

import pytest

from benchmarks.loops import EvaluationLoop, LoopKind, LoopSpec, SuiteLoop, build_loop
from degradation.config import ConfigError
from degradation.training.device import restored_settings
from degradation.training.trainer import Trainer

TRAINING_IMAGES, TEST_IMAGES = 1500, 297


def test_suite_loop_trains_without_a_warm_up(tiny):
    config = tiny("data=digits", "schedule=paper", "schedule.iterations=12")
    warmup = replace(config.schedule.warmup, from_depth=8, lr=0.5, max_iterations=10)
    config = replace(config, schedule=replace(config.schedule, warmup=warmup))
    loop = SuiteLoop(config)
    assert loop.advance(3) == 3 * 32
    assert loop.trainer.iteration == 3
    assert loop.trainer.lr == config.optim.lr
    assert loop.trainer.recent_errors == []


@pytest.mark.parametrize(("with_augmented", "training_passes"), [(True, 2), (False, 1)])
def test_evaluation_loop_measures_the_kind_that_it_counts(
    tiny, monkeypatch, with_augmented, training_passes
):
    config = tiny("data=digits", "schedule.augmented_every=8")
    rows = []

    def measure(trainer):
        rows.append(original(trainer))
        return rows[-1]

    original = Trainer.measure_metrics
    monkeypatch.setattr(Trainer, "measure_metrics", measure)
    loop = EvaluationLoop(config, with_augmented=with_augmented)
    assert loop.advance(1) == training_passes * TRAINING_IMAGES + TEST_IMAGES
    assert ("train/augmented_error" in rows[0]) == with_augmented


def test_loops_have_the_threads_of_their_row(tiny):
    import torch

    with restored_settings():
        loop = build_loop(LoopSpec(LoopKind.SUITE, tiny("data=digits"), 2))
        assert torch.get_num_threads() == 2
    assert isinstance(loop, SuiteLoop)


def test_step_that_cannot_be_captured_is_no_row_of_captured_steps(tiny):
    loop = SuiteLoop(tiny("data=digits"))
    loop.trainer.replayed_update.problem = "RuntimeError: no"
    with pytest.raises(ConfigError, match=r"^cuda_graphs: a training step cannot be captured \(Ru"):
        loop.advance(1)
