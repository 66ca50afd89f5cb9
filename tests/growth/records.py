"""Generate records as training would leave them, to measure the commands that read many of them.

The project's own writers write them, but without fsync, which temporary files do not need.
"""

import math
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from unittest.mock import patch

import torch

from degradation.checksums import Row
from degradation.config import Config, Model, check, family, probe_iterations
from degradation.data.datasets import load_dataset
from degradation.records.manifest import build_manifest, fingerprint
from degradation.records.record import Record
from degradation.records.row_integrity import encode_row
from degradation.records.schema import (
    ATTEMPTS_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.run_id import hashed_values
from degradation.run_metadata import build_probe_row, describe_run
from degradation.sweep.expand import expand_configs
from degradation.sweep.runs import locate_run
from degradation.training import serialization

NAME = "growth"
FAMILIES = ("plain", "residual")
DEPTHS = (8, 14, 20, 26, 32)
EVALUATIONS, EVALUATE_EVERY = 200, 40
NETWORKS = len(FAMILIES) * len(DEPTHS)
CHANCE_ERROR = 90.0  # percent
TRAINING_IMAGES, TEST_IMAGES = 1500, 297  # sizes of digits
DIVERGED_SHARE = 0.01  # fraction of the deepest plain networks that diverges
VERSIONS = {"python": "3.12.0", "torch": "2.14.0"}


def list_overrides(root: Path, runs: int) -> list[str]:
    """Return the arguments of train.py, status.py and report.py that expand to so many runs."""
    return [
        "-m",
        f"name={NAME}",
        f"model={','.join(FAMILIES)}",
        f"model.depth={','.join(map(str, DEPTHS))}",
        f"seed=range(0,{count_seeds(runs)})",
        f"schedule.iterations={EVALUATIONS * EVALUATE_EVERY}",
        f"schedule.evaluate_every={EVALUATE_EVERY}",
        "schedule.milestones=[4000,6000]",
        "schedule.snapshots=[4000,6000]",
        "tracking=disabled",
        "device=cpu",
        f"record_root={root}",
    ]


def count_seeds(runs: int) -> int:
    """Return the number of seeds per network. Raises ValueError if the runs do not divide."""
    if runs < 2 * NETWORKS or runs % NETWORKS:
        raise ValueError(
            f"{runs} runs: not allowed; allowed: multiples of {NETWORKS}, {2 * NETWORKS} or more"
        )
    return runs // NETWORKS


def write_records(root: Path, runs: int, probes: bool = False) -> None:
    """Write the finished records of `list_overrides(root, runs)`.

    With `probes` they have small tables of two probes, at every iteration that has probes.
    """
    with patch.object(os, "fsync", lambda _: None):
        for config in expand_quickly(root, runs):
            write_run(config, probes)


def expand_quickly(root: Path, runs: int) -> Iterator[Config]:
    """Yield every configuration. Hydra composes one per family; it needs 0.1 s for each."""
    base_overrides = [
        override
        for override in list_overrides(root, runs)[1:]
        if override.partition("=")[0] not in ("model", "model.depth", "seed")
    ]
    for kind in FAMILIES:
        (base,) = expand_configs([*base_overrides, f"model={kind}"])
        for depth in DEPTHS:
            model = replace(base.model, depth=depth)
            check(replace(base, model=model))
            for seed in range(count_seeds(runs)):
                yield replace(base, model=model, seed=seed)


def write_run(config: Config, with_probes: bool) -> None:
    """Write the finished record of one run under its record root."""
    run = locate_run(config)
    record = run.record
    rng = random.Random(f"{config.model.shortcut} {config.model.depth} {config.seed}")
    outcome, last = State.DONE, config.schedule.iterations
    is_deepest_plain = family(config.model) == "plain" and config.model.depth == max(DEPTHS)
    if is_deepest_plain and rng.random() < DIVERGED_SHARE:
        outcome, last = State.DIVERGED, EVALUATE_EVERY * rng.randrange(1, EVALUATIONS)
    metrics = [row for row in _draw_metrics(config, rng) if row["iteration"] <= last]
    probes = list(_draw_probes(config, rng)) if with_probes else []
    content = b"".join(map(encode_row, metrics))
    files = {RUN_FILE: record.write_metadata(_build_metadata(config, run.run_id))}
    for name in (f"{SNAPSHOTS_DIR}/00004000.pt", WEIGHTS_FILE):
        files[name] = record.write(name, _dump_small_weights())
    files[METRICS_FILE] = record.write(METRICS_FILE, content)
    record.rewrite_rows(PROBES_FILE, probes)
    manifest = build_manifest(outcome, last, files, [], probes)
    manifest["files"][METRICS_FILE] = fingerprint(content)
    _write_attempt(record, rng, manifest, last, outcome)
    record.finish(manifest)


def _write_attempt(
    record: Record, rng: random.Random, manifest: Row, last: int, outcome: State
) -> None:
    seconds = rng.uniform(100, 200)
    start = {
        "attempt": 1,
        "start": 1.7e9,
        "device": "cpu",
        "threads": 1,
        "commit": "0" * 40,
        "versions": VERSIONS,
    }
    end = {
        "attempt": 1,
        "end": 1.7e9 + seconds,
        "seconds": seconds,
        "iteration": last,
        "outcome": str(outcome),
        "manifest": manifest,
    }
    record.rewrite_rows(ATTEMPTS_FILE, [start, end])


def _build_metadata(config: Config, run_id: str) -> Row:
    metadata = _describe_network(config, run_id)
    content = metadata["config"]["data"]["content"]
    return metadata | {"run_id": run_id, "config": hashed_values(config, content)}


# Counting the parameters builds a network, so each one is described once.
_DESCRIBED: dict[tuple[str, int], Row] = {}


def _describe_network(config: Config, run_id: str) -> Row:
    network = (config.model.shortcut, config.model.depth)
    if network not in _DESCRIBED:
        _DESCRIBED[network] = describe_run(config, run_id, load_dataset(config.data))
    return _DESCRIBED[network]


@cache
def _dump_small_weights() -> bytes:
    return serialization.dump({"fc.bias": torch.zeros(10)})


def _draw_metrics(config: Config, rng: random.Random) -> Iterator[Row]:
    """Yield rows whose error falls from chance; deep plain networks end with a higher error."""
    final_error = _median_final_error(config.model) * rng.lognormvariate(0, 0.3)
    scale = 60 if config.model.shortcut != "none" else 15 * config.model.depth
    decay_iterations = scale * rng.lognormvariate(0, 0.3)
    for iteration in range(EVALUATE_EVERY, config.schedule.iterations + 1, EVALUATE_EVERY):
        remaining = math.exp(-iteration / decay_iterations)
        error = final_error + (CHANCE_ERROR - final_error) * remaining
        drops = sum(iteration > milestone for milestone in config.schedule.milestones)
        lr = config.optim.lr * 0.1**drops
        row: Row = {"iteration": iteration, "lr": lr}
        for prefix, images, offset in (
            ("train/running_", TRAINING_IMAGES, 0.5),
            ("train/clean_", TRAINING_IMAGES, 0.0),
            ("train/augmented_", TRAINING_IMAGES, 0.5),
            ("test/", TEST_IMAGES, 2.0),
        ):
            noisy_error = error + offset + abs(rng.gauss(0, 0.3))
            wrong = round(min(noisy_error, CHANCE_ERROR) / 100 * images)
            row[f"{prefix}error"] = 100 * wrong / images
            row[f"{prefix}loss"] = 0.03 * wrong / images * 100 + 0.01 * rng.random()
        yield row


def _median_final_error(model: Model) -> float:
    """Return the median training error at the end, in percent."""
    return 0.3 if model.shortcut != "none" else 0.05 * model.depth**1.7


def _draw_probes(config: Config, rng: random.Random) -> Iterator[Row]:
    blocks = range((config.model.depth - 2) // 2)
    for iteration in probe_iterations(config):
        flow = {
            "block": [*blocks],
            "stage": [1 + 3 * block // len(blocks) for block in blocks],
            "input_gradient": [rng.lognormvariate(-3, 1) for _ in blocks],
            "weight_gradient": [rng.lognormvariate(-3, 1) for _ in blocks],
        }
        responses = {
            "layer": [*blocks],
            "kernel": [3 for _ in blocks],
            "deviation": [rng.uniform(0.2, 1) for _ in blocks],
        }
        for name, table in (("gradient_flow", flow), ("responses", responses)):
            yield build_probe_row(name, iteration, 128, "cpu", table)
