"""Iterations may be fractions of the schedule; everything behind the composition sees integers."""

from dataclasses import asdict

import pytest

from degradation.config import CONF, ConfigError, probe_iterations
from degradation.run_id import compute_run_id, hashed_values
from degradation.sweep.expand import expand_configs

SCHEDULES = sorted(path.stem for path in (CONF / "schedule").glob("*.yaml"))
# iterations, milestones, evaluate_every, snapshots, early probes, warm-up: what runs are hashed by
PRESETS = {
    "step": (400, [200, 300], 40, [200, 300], 40, None),
    "step_longer": (1200, [600, 900], 40, [600, 900], 40, None),
    "cosine": (400, [], 40, [200, 300], 40, None),
    "constant": (500, [], 10, [], 10, None),
    "short": (6400, [3200, 4800], 1600, [0, 3200, 4800], 1600, 400),
    "paper": (64000, [32000, 48000], 2000, [0, 32000, 48000], 2000, 2000),
    "paper_longer": (192000, [96000, 144000], 6000, [0, 96000, 144000], 6000, 2000),
    "imagenet": (600000, [], 5000, [0], 5000, None),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_preset_has_the_iterations_of_existing_runs(compose_config, name):
    config = compose_config(f"schedule={name}")
    schedule = config.schedule
    warmup = schedule.warmup and schedule.warmup.max_iterations
    actual = (
        schedule.iterations, schedule.milestones, schedule.evaluate_every, schedule.snapshots,
        config.probes.early, warmup,
    )  # fmt: skip
    assert actual == PRESETS[name]


@pytest.mark.parametrize("iterations", [1, pytest.param(3, marks=pytest.mark.slow), 123_457])
@pytest.mark.parametrize("name", SCHEDULES)
def test_length_of_any_schedule_can_be_changed_alone(compose_config, name, iterations):
    config = compose_config(f"schedule={name}", f"schedule.iterations={iterations}")
    assert all(0 < milestone < iterations for milestone in config.schedule.milestones)
    assert probe_iterations(config)[-1] == iterations


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("iterations", "milestones", "expected"),
    [
        (100, "[0.5,0.75]", [50, 75]),
        (100, "[0.145]", [15]),  # 14.5, although 0.145 * 100 is less in binary
        (100, "[0.144999]", [14]),
        (7, "[0.5]", [4]),  # 3.5
        (1000, "[1,0.001,2,0.5]", [1, 2, 500]),  # listed once
        (3, "[0.5,0.75]", [2]),  # 1.5 and 2.25
        (100, "[0.001,0.5,0.999]", [50]),  # 0 and 100 are no drops
        (100, "[5e-1]", [50]),
    ],
)
def test_fractions_are_rounded_to_the_nearest_iteration(
    compose_config, iterations, milestones, expected
):
    config = compose_config(
        f"schedule.iterations={iterations}", f"schedule.milestones={milestones}"
    )
    assert config.schedule.milestones == expected
    assert all(type(milestone) is int for milestone in config.schedule.milestones)


def test_fractional_intervals_are_at_least_one_iteration(compose_config):
    config = compose_config(
        "schedule=paper", "schedule.iterations=10", "schedule.evaluate_every=0.25",
        "probes.early=0.01", "schedule.warmup.max_iterations=0.01",
    )  # fmt: skip
    assert (config.schedule.evaluate_every, config.probes.early) == (3, 1)
    assert config.schedule.warmup.max_iterations == 1


@pytest.mark.parametrize(("typed", "iterations"), [("0", 0), ("7", 7), ("0.05", 5), ("0.001", 1)])
def test_linear_warmup_may_be_none_or_a_fraction(compose_config, typed, iterations):
    config = compose_config("schedule.iterations=100", f"schedule.linear_warmup={typed}")
    assert config.schedule.linear_warmup == iterations


def test_iteration_0_is_a_snapshot_and_no_fraction(compose_config):
    config = compose_config("schedule.iterations=100", "schedule.snapshots=[0,0.25]")
    assert config.schedule.snapshots == [0, 25]


@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("schedule.milestones=[200]", "schedule.milestones"),
        ("schedule.milestones=[50,100]", "schedule.milestones"),
        ("schedule.milestones=[0.75,0.5]", "schedule.milestones"),
        ("schedule.snapshots=[101]", "schedule.snapshots"),
    ],
)
def test_iterations_beyond_the_end_are_refused(compose_config, override, key):
    with pytest.raises(ConfigError, match=rf"^{key}: .* is not allowed; allowed: .* [01] to 99"):
        compose_config("schedule.iterations=100", override)


@pytest.mark.fast_cases(6)
@pytest.mark.parametrize(
    ("key", "typed"),
    [
        ("schedule.milestones", "[1.5]"),
        ("schedule.milestones", "[-0.5]"),
        ("schedule.snapshots", "[0.0]"),
        ("schedule.snapshots", "[true]"),
        ("schedule.evaluate_every", "1.0"),
        ("schedule.linear_warmup", "0.0"),
        ("schedule.linear_warmup", "[5]"),
        ("schedule.evaluate_every", "10%"),
        ("schedule.evaluate_every", "nan"),
        ("schedule.evaluate_every", "null"),
        ("probes.early", "1e400"),
        ("probes.early", "{a: 1}"),
    ],
)
def test_value_that_is_no_iteration_and_no_fraction_is_refused(compose_config, key, typed):
    with pytest.raises(ConfigError, match=rf"^{key}: .* is not allowed; allowed: ") as error:
        compose_config(f"{key}={typed}")
    assert len(str(error.value).splitlines()) == 1


def test_fraction_in_an_environment_variable_is_read(compose_config, monkeypatch):
    monkeypatch.setenv("EVERY", "0.5")
    config = compose_config(
        "schedule.evaluate_every=${oc.env:EVERY}", "schedule.milestones=['100']"
    )
    assert (config.schedule.evaluate_every, config.schedule.milestones) == (200, [100])


def test_sweep_over_the_length_moves_the_fractions():
    sweep = ["schedule=paper", "schedule.iterations=100,1000", "seed=0,1", "model.depth=110"]
    configs = expand_configs(sweep)
    assert [config.schedule.milestones for config in configs] == [[50, 75]] * 2 + [[500, 750]] * 2
    assert [config.schedule.evaluate_every for config in configs] == [3, 3, 31, 31]
    assert [config.schedule.warmup.max_iterations for config in configs] == [3, 3, 31, 31]
    lasts = [config.probes.early for config in expand_configs(["probes.early=0.5,7"])]
    assert lasts == [200, 7]


def test_run_id_and_record_hold_the_resolved_iterations(compose_config):
    fractions = compose_config("schedule.iterations=100")
    iterations = compose_config(
        "schedule.iterations=100", "schedule.milestones=[50,75]", "schedule.snapshots=[50,75]",
        "schedule.evaluate_every=10",
    )  # fmt: skip
    assert fractions == iterations
    assert compute_run_id(fractions, "") == compute_run_id(iterations, "")
    schedule = asdict(iterations)["schedule"] | {"plateau": None}
    hashed = hashed_values(fractions, "")["schedule"]
    assert hashed.items() <= schedule.items()
