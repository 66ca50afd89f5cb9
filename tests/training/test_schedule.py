"""The learning rate at the schedule's edges, and the warm-up over the whole of it."""

import pytest

from degradation.config import warmup_of
from degradation.training.schedule import Transitions, learning_rate, stands_still, warmup_is_over


def rates(config, transitions=None):
    """iteration -> the rate of the update that follows it."""
    given, warmup = transitions or Transitions(), warmup_of(config)
    return lambda iteration: learning_rate(iteration, config.optim.lr, config.schedule, warmup, given)


def test_the_quick_schedule_at_its_edges(compose_config):
    at = rates(compose_config())
    assert [at(i) for i in (0, 199)] == [0.01, 0.01]
    assert [at(i) for i in (200, 299)] == pytest.approx([0.001, 0.001])
    assert [at(i) for i in (300, 399)] == pytest.approx([0.0001, 0.0001])


def test_the_papers_schedule_at_its_edges(compose_config):
    config = compose_config("experiment=paper", "model.depth=56")
    at = rates(config)
    assert [at(i) for i in (0, 31_999, 32_000, 47_999, 48_000, 63_999)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    )
    assert config.schedule.iterations == 64_000


@pytest.mark.parametrize("family", ["plain", "residual"])
@pytest.mark.parametrize("errors", ["learns", "never learns"])
def test_the_warm_up_returns_to_the_full_rate(compose_config, family, errors):
    """Pitfall 1: a 110-layer warm-up whose rate never returns to 0.1; a plain-110 may never get below 80 %."""
    config = compose_config("experiment=paper", f"model={family}", "model.depth=110")
    warmup, transitions, recent, seen = warmup_of(config), Transitions(), [], []
    at = rates(config, transitions)
    for iteration in range(config.schedule.iterations):
        seen.append(at(iteration))
        if transitions.warmup_end is None:
            recent = [*recent, 90.0 if errors == "never learns" else 90.0 - iteration / 25][-warmup.window :]
            if warmup_is_over(iteration + 1, recent, warmup):
                transitions.warmup_end = iteration + 1
    warmup_end = transitions.warmup_end
    # the mean of the last 100 errors, 90 - (i - 49.5) / 25, is below 80 first at i = 300
    assert warmup_end == (warmup.max_iterations if errors == "never learns" else 301)
    assert set(seen[:warmup_end]) == {0.01}
    assert set(seen[warmup_end:32_000]) == {0.1}
    assert seen[32_000:48_000] == pytest.approx([0.01] * 16_000)
    assert seen[48_000:] == pytest.approx([0.001] * 16_000)


def test_a_few_good_batches_do_not_end_the_warm_up(compose_config):
    warmup = warmup_of(compose_config("experiment=paper", "model.depth=110"))
    assert not warmup_is_over(50, [10.0] * 50, warmup)
    assert warmup_is_over(100, [79.0] * 100, warmup)
    assert not warmup_is_over(100, [80.0] * 100, warmup)


def test_either_end_of_a_warm_up_may_be_switched_off(compose_config):
    by_time, by_error = (
        warmup_of(compose_config("experiment=paper", "model.depth=110", f"schedule.warmup.{key}=null"))
        for key in ("below", "max_iterations")
    )
    learnt, stuck = [10.0] * 100, [90.0] * 100
    assert [warmup_is_over(at, learnt, by_time) for at in (1999, 2000)] == [False, True]
    assert [warmup_is_over(60_000, errors, by_error) for errors in (stuck, learnt)] == [False, True]


def test_the_rate_falls_when_the_error_stands_still(compose_config):
    """He et al. 2015, 3.4: divided by 10 at each plateau; two evaluations without 1 point of progress, here."""
    config = compose_config("schedule=imagenet", "optim.lr=0.1")
    plateau = config.schedule.plateau
    plateau.patience, plateau.improvement = 2, 1.0
    assert not stands_still([50.0, 49.5], plateau)  # two evaluations, and none before them
    assert stands_still([50.0, 49.5, 49.1], plateau)
    assert not stands_still([50.0, 49.5, 48.9], plateau)
    assert rates(config, Transitions(plateaus=[5000, 9000]))(400_000) == pytest.approx(0.001)
