"""The learning rate at the schedule's edges, and the warm-up over the whole of it."""

from itertools import repeat

import pytest
import torch

from degradation.config import effective_warmup
from degradation.data.datasets import Dataset, Split
from degradation.training import trainer
from degradation.training.schedule import (
    ScheduleState,
    has_plateaued,
    has_warmup_ended,
    learning_rate,
)


def rates(config, transitions=None):
    """iteration -> the rate of the update that follows it."""
    given, warmup = transitions or ScheduleState(), effective_warmup(config)
    return lambda iteration: learning_rate(
        iteration, config.optim.lr, config.schedule, warmup, given
    )


def test_quick_schedule_at_its_milestones(compose_config):
    at = rates(compose_config())
    assert [at(i) for i in (0, 199)] == [0.01, 0.01]
    assert [at(i) for i in (200, 299)] == pytest.approx([0.001, 0.001])
    assert [at(i) for i in (300, 399)] == pytest.approx([0.0001, 0.0001])


def test_paper_schedule_at_its_milestones(compose_config):
    config = compose_config("experiment=paper", "model.depth=56")
    at = rates(config)
    assert [at(i) for i in (0, 31_999, 32_000, 47_999, 48_000, 63_999)] == pytest.approx(
        [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    )
    assert config.schedule.iterations == 64_000


@pytest.fixture
def train_on(monkeypatch):
    """config, error of each batch in percent -> a Trainer whose batches have these errors, and no network to train."""

    def build(config, errors):
        def update(*_):
            wrong = errors(training.iteration) * config.optim.batch_size / 100
            return torch.tensor(1.0), torch.tensor(round(wrong))

        monkeypatch.setattr(trainer, "train_step", update)
        images = Split(
            torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
        )
        training = trainer.Trainer(config, Dataset(images, images, 2), torch.device("cpu"))
        training.batches = repeat((None, None))
        return training

    return build


@pytest.mark.parametrize("family", ["plain", "residual"])
@pytest.mark.parametrize("errors", ["learns", "never learns"])
def test_warmup_returns_to_the_full_learning_rate(compose_config, train_on, family, errors):
    """Pitfall 1: a 110-layer warm-up whose rate never returns to 0.1; a plain-110 may never get below 80 %."""
    config = compose_config(
        "experiment=paper", f"model={family}", "model.depth=110", "optim.batch_size=2500"
    )
    batch_errors = {
        "learns": lambda iteration: 90.0 - iteration / 25,
        "never learns": lambda _: 90.0,
    }
    training, seen = train_on(config, batch_errors[errors]), []
    while training.schedule_state.warmup_end is None and training.iteration < 3000:
        training.step()
        seen.append(training.lr)
    warmup_end = training.schedule_state.warmup_end
    # the mean of the last 100 errors, 90 - (i - 49.5) / 25, is below 80 first at i = 300
    assert warmup_end == (2000 if errors == "never learns" else 301)
    assert seen == [0.01] * warmup_end
    at = rates(config, training.schedule_state)
    later = [at(iteration) for iteration in range(warmup_end, config.schedule.iterations)]
    assert set(later[: 32_000 - warmup_end]) == {0.1}
    assert later[32_000 - warmup_end : 48_000 - warmup_end] == pytest.approx([0.01] * 16_000)
    assert later[48_000 - warmup_end :] == pytest.approx([0.001] * 16_000)


BOUNDED = {"lr": 0.001, "below": 50.0, "window": 3, "max_iterations": 9, "from_depth": 8}


def warm(tiny, *overrides, **keys):
    words = [f"schedule.warmup.{key}={value}" for key, value in {**BOUNDED, **keys}.items()]
    return tiny(
        "schedule=paper",
        "optim.lr=0.01",
        "optim.batch_size=100",
        "schedule.milestones=[10]",
        *words,
        *overrides,
    )


@pytest.mark.parametrize(
    ("errors", "end"),
    [
        ([49.0, 49.0, 49.0], 3),  # not before the window is full
        ([49.0, 50.0, 51.0], 9),  # the limit itself is not below it
        ([49.0, 50.0, 50.0], 3),
        (
            [99.0, 99.0, 99.0, 50.0, 49.0, 50.0],
            6,
        ),  # what has left the window counts no more: over all it is 74
        (
            [49.0, 49.0, 99.0, 99.0, 99.0],
            9,
        ),  # a few good batches at the start are none of the window either
        ([], 9),
    ],
)
def test_warmup_ends_by_the_mean_of_the_last_window(tiny, train_on, errors, end):
    training = train_on(warm(tiny), lambda at: errors[at] if at < len(errors) else 99.0)
    rates_seen = []
    for _ in range(11):
        training.step()
        rates_seen.append(training.lr)
    assert training.schedule_state.warmup_end == end
    assert rates_seen == pytest.approx([0.001] * end + [0.01] * (10 - end) + [0.001])


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_resume_keeps_the_warmup_window(tiny, train_on, stop_after):
    """The errors before it are in the state: 99, 99, 99, 50, 49, 50 end it after six."""
    errors = [99.0, 99.0, 99.0, 50.0, 49.0, 50.0]
    first = train_on(warm(tiny), errors.__getitem__)
    for _ in range(stop_after):
        first.step()
    state = first.state()
    second = train_on(warm(tiny), errors.__getitem__)
    second.restore(state)
    second.batches = repeat((None, None))
    while second.iteration < 6:
        assert second.schedule_state.warmup_end is None
        second.step()
    assert second.schedule_state.warmup_end == 6


@pytest.mark.parametrize(("from_depth", "has_one"), [(7, True), (8, True), (9, False), (14, False)])
def test_only_networks_from_its_depth_on_have_a_warmup(tiny, train_on, from_depth, has_one):
    config = warm(tiny, from_depth=from_depth)
    assert (effective_warmup(config) is not None) is has_one
    training = train_on(config, lambda _: 99.0)
    training.step()
    assert training.lr == (0.001 if has_one else 0.01)


def test_constructed_network_has_no_warmup(tiny):
    assert (
        effective_warmup(warm(tiny, "model=constructed", "model.depth=14", "model.grown_from=8"))
        is None
    )


def test_milestones_passed_during_the_warmup_count(tiny):
    """He et al. 2015, 4.2: the schedule is counted from the first iteration, not from the warm-up's end."""
    config = warm(tiny, max_iterations="null")
    assert rates(config, ScheduleState(warmup_end=9))(9) == pytest.approx(0.01)
    assert rates(config, ScheduleState(warmup_end=11))(11) == pytest.approx(0.001)


@pytest.mark.parametrize("factor", [0.1, 0.5])
def test_learning_rate_drops_by_the_factor_per_milestone(tiny, factor):
    """The update after m updates is the first with the new rate; a plateau is one drop more."""
    config = tiny("optim.lr=0.08", "schedule.milestones=[3,6]", f"schedule.factor={factor}")
    assert [rates(config)(at) for at in (0, 2)] == pytest.approx([0.08] * 2)
    assert [rates(config)(at) for at in (3, 5)] == pytest.approx([0.08 * factor] * 2)
    assert [rates(config)(at) for at in (6, 11, 12, 10_000)] == pytest.approx(
        [0.08 * factor**2] * 4
    )
    once = ScheduleState(plateaus=[1])
    assert [rates(config, once)(at) for at in (2, 3, 6)] == pytest.approx(
        [0.08 * factor**n for n in (1, 2, 3)]
    )


def test_training_ends_at_the_last_iteration(tiny, train_on):
    """As many updates as the schedule has, one `Progress` after each, and the snapshot of m before its drop."""
    config = tiny(
        "schedule.iterations=7",
        "schedule.evaluate_every=100",
        "schedule.snapshots=[6]",
        "probes=none",
    )
    training = train_on(config, lambda _: 50.0)
    events = list(trainer.fit(training))
    assert training.iteration == 7
    assert [event.iteration for event in events if isinstance(event, trainer.Progress)] == list(
        range(1, 8)
    )
    assert [event.iteration for event in events if isinstance(event, trainer.Snapshot)] == [6]
    assert [event.row["iteration"] for event in events if isinstance(event, trainer.Metrics)] == [7]


def test_few_good_batches_do_not_end_the_warmup(compose_config):
    warmup = effective_warmup(compose_config("experiment=paper", "model.depth=110"))
    assert not has_warmup_ended(50, [10.0] * 50, warmup)
    assert has_warmup_ended(100, [79.0] * 100, warmup)
    assert not has_warmup_ended(100, [80.0] * 100, warmup)


def test_either_limit_of_a_warmup_can_be_null(compose_config):
    by_time, by_error = (
        effective_warmup(
            compose_config("experiment=paper", "model.depth=110", f"schedule.warmup.{key}=null")
        )
        for key in ("below", "max_iterations")
    )
    learnt, stuck = [10.0] * 100, [90.0] * 100
    assert [has_warmup_ended(at, learnt, by_time) for at in (1999, 2000)] == [False, True]
    assert [has_warmup_ended(60_000, errors, by_error) for errors in (stuck, learnt)] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("errors", "still"),
    [
        ([], False),
        ([50.0], False),
        ([50.0, 60.0], False),  # two evaluations, and none before them
        ([50.0, 49.5, 49.1], True),
        ([50.0, 49.5, 49.0], False),  # progress by exactly the improvement is progress
        ([50.0, 49.5, 48.9], False),
        ([50.0, 48.0, 51.0], False),  # the better of the last two counts
        ([50.0, 48.0, 51.0, 47.5], True),  # 48 is the best before: half a point of progress
        ([40.0, 50.0, 48.0, 46.0], True),  # the best before, and not the last before
        ([40.0, 50.0, 48.0, 39.0], False),
    ],
)
def test_plateau_is_patience_without_improvement(compose_config, errors, still):
    """Two evaluations in a row without 1 point of progress."""
    plateau = compose_config("schedule=imagenet").schedule.plateau
    plateau.patience, plateau.improvement = 2, 1.0
    assert has_plateaued(errors, plateau) is still


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_plateau_needs_exactly_its_patience(compose_config, patience):
    plateau = compose_config("schedule=imagenet").schedule.plateau
    plateau.patience, plateau.improvement = patience, 0.1
    assert not has_plateaued([50.0] * patience, plateau)
    assert has_plateaued([50.0] * (patience + 1), plateau)
    assert not has_plateaued([51.0, *[50.0] * patience], plateau)  # the first of them was progress


def test_learning_rate_drops_at_each_plateau(compose_config):
    """He et al. 2015, 3.4: divided by 10 at each plateau; two evaluations without 1 point of progress, here."""
    config = compose_config("schedule=imagenet", "optim.lr=0.1")
    plateau = config.schedule.plateau
    plateau.patience, plateau.improvement = 2, 1.0
    assert not has_plateaued([50.0, 49.5], plateau)  # two evaluations, and none before them
    assert has_plateaued([50.0, 49.5, 49.1], plateau)
    assert not has_plateaued([50.0, 49.5, 48.9], plateau)
    assert rates(config, ScheduleState(plateaus=[5000, 9000]))(400_000) == pytest.approx(0.001)
