"""Conditions of joined frames: their networks, their labels and their seeds."""

from typing import Any

from analysis.conditions import list_conditions
from analysis.frame import Frame
from tests.support.frames import join_frames, make_frame

WARMUP = {"lr": 0.01, "below": 80.0, "window": 100, "max_iterations": 400}


def build_config_columns(warmup: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """Return columns of a configuration; `warmup` is a group of keys, or None."""
    group = {f"config.schedule.warmup.{key}": value for key, value in (warmup or {}).items()}
    return {
        "config.schedule.warmup": None,
        **group,
        **{f"config.{key}": value for key, value in keys.items()},
    }


def list_networks(frame: Frame) -> list[list[str]]:
    """Return the networks of each condition, such as `warm:residual-110`, without their seeds."""
    conditions = []
    for condition in list_conditions(frame):
        runs = condition.frame.runs
        prefixes = runs["run_id"].str.split(":").str[0]
        networks = prefixes + ":" + runs["family"] + "-" + runs["depth"].astype(str)
        conditions.append(sorted(set(networks)))
    return conditions


def collect_run_ids(frame: Frame) -> set[str]:
    """Return the ids of all runs that belong to a condition."""
    return set().union(*(condition.frame.runs["run_id"] for condition in list_conditions(frame)))


def assert_no_seed_is_repeated(frame: Frame) -> None:
    """Every run is in a condition, and no condition has two runs of one network and seed."""
    assert collect_run_ids(frame) == set(frame.runs["run_id"])
    for condition in list_conditions(frame):
        assert not condition.frame.runs.duplicated(["family", "depth", "seed"]).any()


def list_labels(frame: Frame) -> list[str]:
    """Return the label of each condition."""
    return [condition.label for condition in list_conditions(frame)]


def join_named(*sets: tuple[str, dict[str, Any], dict[str, Any]]) -> Frame:
    """Return one frame of all runs of (name, families, columns); ids begin with the name."""
    frames = [make_frame(errors, **columns) for _, errors, columns in sets]
    return join_frames(frames, [name for name, _, _ in sets])
