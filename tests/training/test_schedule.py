"""The learning rate over whole schedules: milestones, warm-up and plateaus."""

import math
from itertools import repeat

import pytest
import torch

from degradation.config import (
    ConfigError,
    effective_schedule,
    effective_warmup,
    parent_config,
)
from degradation.data.datasets import Dataset, Split
from degradation.training import trainer as trainer_module
from degradation.training.events import Metrics, Progress, Snapshot
from degradation.training.schedule import (
    ScheduleState,
    has_plateaued,
    has_warmup_ended,
    learning_rate,
)


def rates(config, state=None):
    """Return a function: iteration -> the learning rate of the update that follows it."""
    schedule, state = effective_schedule(config), state or ScheduleState()
    return lambda iteration: learning_rate(iteration, config.optim.lr, schedule, state)


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


def test_cosine_at_its_ends(compose_config):
    """By hand: 0.01 (1 + cos(pi t / 400)) / 2; 1 - cos x is x^2 / 2 for a small x."""
    at = rates(compose_config("schedule=cosine"))
    assert at(0) == 0.01
    assert at(200) == pytest.approx(0.005)
    assert at(100) == pytest.approx(0.01 * (1 + math.sqrt(0.5)) / 2)
    assert at(399) == pytest.approx(0.01 * (math.pi / 400) ** 2 / 4, rel=1e-4)
    assert all(at(i) > at(i + 1) > 0 for i in range(399))


def test_cosine_of_one_iteration_has_the_full_rate(compose_config):
    assert rates(compose_config("schedule=cosine", "schedule.iterations=1"))(0) == 0.01


def test_linear_warmup_may_last_the_whole_schedule(compose_config):
    at = rates(compose_config("schedule=cosine", "schedule.linear_warmup=400"))
    assert [at(i) for i in (0, 199, 399)] == pytest.approx([0.000025, 0.005, 0.01])


def test_cosine_starts_where_the_linear_warmup_ends(compose_config):
    """20 of 400: update i has (i + 1) / 20 of the rate; T is 380, and t counts from update 20."""
    at = rates(compose_config("schedule=cosine", "schedule.linear_warmup=0.05"))
    assert [at(i) for i in (0, 1, 18, 19, 20)] == pytest.approx([0.0005, 0.001, 0.0095, 0.01, 0.01])
    assert at(21) == pytest.approx(0.01 * (1 + math.cos(math.pi / 380)) / 2)
    assert at(210) == pytest.approx(0.005)
    assert at(399) == pytest.approx(0.01 * (math.pi / 380) ** 2 / 4, rel=1e-4)


def test_linear_warmup_precedes_milestones_and_plateaus(compose_config):
    config = compose_config("schedule.linear_warmup=200")
    assert [rates(config)(i) for i in (0, 99, 199)] == pytest.approx([0.00005, 0.005, 0.01])
    assert [rates(config)(i) for i in (200, 300)] == pytest.approx([0.001, 0.0001])
    once = ScheduleState(plateaus=[50])
    assert rates(config, once)(99) == pytest.approx(0.0005)


def test_constructed_network_has_no_linear_warmup(compose_config):
    config = compose_config("model=constructed", "schedule.linear_warmup=100")
    assert rates(config)(0) == 0.01
    assert rates(parent_config(config))(0) == 0.0001


@pytest.mark.fast_cases(6)
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            "schedule=step schedule.shape=cosine",
            r"schedule.milestones: \[200, 300\] is not allowed; allowed: \[\], with"
            r" schedule.shape=cosine \(schedule=cosine sets it\)",
        ),
        ("schedule.warmup=5", r"schedule.warmup: 5 is not allowed; .*schedule\.linear_warmup.*"),
        (
            "schedule.plateau=x",
            "schedule.plateau: x is not allowed; allowed: null, or a section .*",
        ),
        (
            "schedule=imagenet schedule.shape=cosine",
            r"schedule.plateau: is not allowed with schedule.shape=cosine; allowed: null"
            r" \(schedule=cosine sets it\)",
        ),
        ("schedule.shape=linear", "schedule.shape: 'linear' is not allowed; allowed: cosine, step"),
        ("schedule.shape=null", "schedule.shape: .*; allowed: cosine, step"),
        (
            "schedule.linear_warmup=-1",
            "schedule.linear_warmup: -1 is not allowed; allowed: a whole number, 0 to .*",
        ),
        (
            "schedule.linear_warmup=1.5",
            "schedule.linear_warmup: 1.5 is not allowed; allowed: a whole number, 0 to .*",
        ),
        (
            "schedule.linear_warmup=201",
            "schedule.linear_warmup: 201 is not allowed; allowed: 0 to 200, the first drop .*",
        ),
        (
            "schedule=cosine schedule.linear_warmup=401",
            "schedule.linear_warmup: 401 is not allowed; allowed: 0 to 400, the first drop or .*",
        ),
        (
            "schedule=paper model.depth=110 schedule.linear_warmup=100",
            "schedule.linear_warmup: 100 is not allowed; allowed: 0, or schedule.warmup=null: .*",
        ),
        (
            "schedule=paper model=constructed model.depth=116 model.grown_from=110"
            " schedule.linear_warmup=0.01",
            "schedule.linear_warmup: 640 is not allowed; .* a network of 110 layers has that .*",
        ),
    ],
)
def test_impossible_schedule_is_refused(compose_config, overrides, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        compose_config(*overrides.split())


def test_shallow_network_may_have_a_linear_warmup(compose_config):
    """The paper's own warm-up acts from 110 layers on only."""
    config = compose_config("schedule=paper", "model.depth=56", "schedule.linear_warmup=100")
    assert rates(config)(0) == 0.0001


DRAWS = (torch.zeros(4, 1, dtype=torch.int64),)  # of a batch of one image, unmoved


@pytest.fixture
def train_on(monkeypatch):
    """Return a function: config, errors -> a Trainer whose batches have these errors.

    `errors` maps an iteration to the error of its batch in percent. No network is trained.
    """

    def build(config, errors):
        def update(*_):
            wrong = errors(trainer.iteration) * config.optim.batch_size / 100
            return torch.tensor(1.0), torch.tensor(round(wrong))

        monkeypatch.setattr(trainer_module, "train_step", update)
        images = Split(
            torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
        )
        trainer = trainer_module.Trainer(config, Dataset(images, images, 2), torch.device("cpu"))
        trainer.inputs = repeat(DRAWS)
        return trainer

    return build


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize("family", ["plain", "residual"])
@pytest.mark.parametrize("errors", ["learns", "never learns"])
def test_warmup_returns_to_the_full_learning_rate(compose_config, train_on, family, errors):
    """Pitfall 1: a warm-up that never ends, because a plain-110 may never get below 80 %."""
    config = compose_config(
        "experiment=paper", f"model={family}", "model.depth=110", "optim.batch_size=2500"
    )
    batch_errors = {
        "learns": lambda iteration: 90.0 - iteration / 25,
        "never learns": lambda _: 90.0,
    }
    trainer, lrs = train_on(config, batch_errors[errors]), []
    while trainer.schedule_state.warmup_end is None and trainer.iteration < 3000:
        trainer.step()
        lrs.append(trainer.lr)
    warmup_end = trainer.schedule_state.warmup_end
    # the mean of the last 100 errors, 90 - (i - 49.5) / 25, is below 80 first at i = 300
    assert warmup_end == (2000 if errors == "never learns" else 301)
    assert lrs == [0.01] * warmup_end
    at = rates(config, trainer.schedule_state)
    later = [at(iteration) for iteration in range(warmup_end, config.schedule.iterations)]
    assert set(later[: 32_000 - warmup_end]) == {0.1}
    assert later[32_000 - warmup_end : 48_000 - warmup_end] == pytest.approx([0.01] * 16_000)
    assert later[48_000 - warmup_end :] == pytest.approx([0.001] * 16_000)


BOUNDED = {"lr": 0.001, "below": 50.0, "window": 3, "max_iterations": 9, "from_depth": 8}


def with_warmup(tiny, *overrides, **keys):
    """Return a configuration whose warm-up is BOUNDED with these keys changed."""
    warmup = [f"schedule.warmup.{key}={value}" for key, value in {**BOUNDED, **keys}.items()]
    return tiny(
        "schedule=paper",
        "optim.lr=0.01",
        "optim.batch_size=100",
        "schedule.milestones=[10]",
        *warmup,
        *overrides,
    )


@pytest.mark.parametrize(
    ("errors", "end"),
    [
        ([49.0, 49.0, 49.0], 3),  # not before the window is full
        ([49.0, 50.0, 51.0], 9),  # the limit itself is not below it
        ([49.0, 50.0, 50.0], 3),
        # the mean over all is 74: batches that have left the window no longer count
        ([99.0, 99.0, 99.0, 50.0, 49.0, 50.0], 6),
        # a few good batches at the start do not fill the window
        ([49.0, 49.0, 99.0, 99.0, 99.0], 9),
        ([], 9),
    ],
)
def test_warmup_ends_on_the_mean_of_the_window(tiny, train_on, errors, end):
    trainer = train_on(with_warmup(tiny), lambda at: errors[at] if at < len(errors) else 99.0)
    lrs = []
    for _ in range(11):
        trainer.step()
        lrs.append(trainer.lr)
    assert trainer.schedule_state.warmup_end == end
    assert lrs == pytest.approx([0.001] * end + [0.01] * (10 - end) + [0.001])


@pytest.mark.parametrize("stop_after", range(1, 6))
def test_resume_keeps_the_warmup_window(tiny, train_on, stop_after):
    """The state holds the errors so far: 99, 99, 99, 50, 49, 50 end the warm-up after six."""
    errors = [99.0, 99.0, 99.0, 50.0, 49.0, 50.0]
    first = train_on(with_warmup(tiny), errors.__getitem__)
    for _ in range(stop_after):
        first.step()
    state = first.state()
    second = train_on(with_warmup(tiny), errors.__getitem__)
    second.restore(state)
    second.inputs = repeat(DRAWS)
    while second.iteration < 6:
        assert second.schedule_state.warmup_end is None
        second.step()
    assert second.schedule_state.warmup_end == 6


@pytest.mark.parametrize(
    ("from_depth", "has_warmup"), [(7, True), (8, True), (9, False), (14, False)]
)
def test_warmup_applies_only_from_a_minimum_depth(tiny, train_on, from_depth, has_warmup):
    config = with_warmup(tiny, from_depth=from_depth)
    assert (effective_warmup(config) is not None) is has_warmup
    trainer = train_on(config, lambda _: 99.0)
    trainer.step()
    assert trainer.lr == (0.001 if has_warmup else 0.01)


def test_constructed_network_has_no_warmup(tiny):
    assert (
        effective_warmup(
            with_warmup(tiny, "model=constructed", "model.depth=14", "model.grown_from=8")
        )
        is None
    )


def test_milestones_passed_during_the_warmup_count(tiny):
    """He et al. 2015, 4.2: milestones count from the first update, not from the warm-up's end."""
    config = with_warmup(tiny, max_iterations="null")
    assert rates(config, ScheduleState(warmup_end=9))(9) == pytest.approx(0.01)
    assert rates(config, ScheduleState(warmup_end=11))(11) == pytest.approx(0.001)


@pytest.mark.parametrize("factor", [0.1, 0.5])
def test_learning_rate_drops_by_the_factor_per_milestone(tiny, factor):
    """After m updates, the next one has the new learning rate; a plateau is a further drop."""
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
    """There is one `Progress` per update, and one snapshot and one row where configured."""
    config = tiny(
        "schedule.iterations=7",
        "schedule.evaluate_every=100",
        "schedule.snapshots=[6]",
        "probes=none",
    )
    trainer = train_on(config, lambda _: 50.0)
    events = list(trainer_module.fit(trainer))
    assert trainer.iteration == 7
    progress = [event.iteration for event in events if isinstance(event, Progress)]
    snapshots = [event.iteration for event in events if isinstance(event, Snapshot)]
    rows = [event.row["iteration"] for event in events if isinstance(event, Metrics)]
    assert progress == list(range(1, 8))
    assert snapshots == [6]
    assert rows == [7]


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
    low, high = [10.0] * 100, [90.0] * 100
    assert not has_warmup_ended(1999, low, by_time)
    assert has_warmup_ended(2000, low, by_time)
    assert not has_warmup_ended(60_000, high, by_error)
    assert has_warmup_ended(60_000, low, by_error)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([], False),
        ([50.0], False),
        ([50.0, 60.0], False),  # two evaluations, with none before them
        ([50.0, 49.5, 49.1], True),
        ([50.0, 49.5, 49.0], False),  # progress by exactly the improvement is progress
        ([50.0, 49.5, 48.9], False),
        ([50.0, 48.0, 51.0], False),  # the better of the last two counts
        ([50.0, 48.0, 51.0, 47.5], True),  # only half a point below the best before, 48
        ([40.0, 50.0, 48.0, 46.0], True),  # the best before counts, not the last before
        ([40.0, 50.0, 48.0, 39.0], False),
    ],
)
def test_plateau_is_patience_without_improvement(compose_config, errors, expected):
    """Two consecutive evaluations without 1 point of progress."""
    plateau = compose_config("schedule=imagenet").schedule.plateau
    plateau.patience, plateau.improvement = 2, 1.0
    assert has_plateaued(errors, plateau) is expected


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_plateau_needs_exactly_its_patience(compose_config, patience):
    plateau = compose_config("schedule=imagenet").schedule.plateau
    plateau.patience, plateau.improvement = patience, 0.1
    assert not has_plateaued([50.0] * patience, plateau)
    assert has_plateaued([50.0] * (patience + 1), plateau)
    assert not has_plateaued([51.0, *[50.0] * patience], plateau)  # the first of these was progress


def test_learning_rate_drops_at_each_plateau(compose_config):
    """He et al. 2015, 3.4: divided by 10 at each plateau."""
    config = compose_config("schedule=imagenet", "optim.lr=0.1")
    plateau = config.schedule.plateau
    plateau.patience, plateau.improvement = 2, 1.0
    assert not has_plateaued([50.0, 49.5], plateau)  # two evaluations, with none before them
    assert has_plateaued([50.0, 49.5, 49.1], plateau)
    assert not has_plateaued([50.0, 49.5, 48.9], plateau)
    assert rates(config, ScheduleState(plateaus=[5000, 9000]))(400_000) == pytest.approx(0.001)
