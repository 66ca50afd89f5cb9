"""Records as training would leave them, made by a generator: for the growth of what reads them, without the training.

They are written by the project's own writers, but for fsync, which a folder that is thrown away does not need.
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

from degradation.config import Config, Model, check, family, probe_iterations
from degradation.data.datasets import load_dataset
from degradation.durable_io import Row, encode_row
from degradation.records.manifest import build_manifest, fingerprint
from degradation.records.record import Record
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
from degradation.sweep.jobs import expand_configs, locate_run
from degradation.training import serialization

NAME = "growth"
FAMILIES = ("plain", "residual")
DEPTHS = (8, 14, 20, 26, 32)
EVALUATIONS, EVERY = 200, 40
NETS = len(FAMILIES) * len(DEPTHS)
CHANCE, PICTURES, TEST_PICTURES = 90.0, 1500, 297  # percent, and the pictures of digits
DIVERGED = 0.01  # of the deepest plain nets
VERSIONS = {"python": "3.12.0", "torch": "2.14.0"}


def overrides(root: Path, runs: int) -> list[str]:
    """The words of train.py, status.py and report.py that stand for so many runs."""
    return [
        "-m", f"name={NAME}", f"model={','.join(FAMILIES)}", f"model.depth={','.join(map(str, DEPTHS))}",
        f"seed=range(0,{seeds(runs)})", f"schedule.iterations={EVALUATIONS * EVERY}",
        f"schedule.evaluate_every={EVERY}", "schedule.milestones=[4000,6000]", "schedule.snapshots=[4000,6000]",
        "tracking=disabled", "device=cpu", f"record_root={root}",
    ]  # fmt: skip


def seeds(runs: int) -> int:
    """How many of each network."""
    if runs < 2 * NETS or runs % NETS:
        raise ValueError(f"{runs} runs: allowed are multiples of {NETS}, from {2 * NETS} on")
    return runs // NETS


def write(root: Path, runs: int, probes: bool = False) -> None:
    """The records of `overrides(root, runs)`, all over. `probes`: small tables of two of them, at every moment."""
    with patch.object(os, "fsync", lambda _: None):
        for config in every_configuration(root, runs):
            _write(config, probes)


def every_configuration(root: Path, runs: int) -> Iterator[Config]:
    """What Hydra would compose, which takes a tenth of a second a run: composed once, then varied."""
    words = [
        word
        for word in overrides(root, runs)[1:]
        if word.partition("=")[0] not in ("model", "model.depth", "seed")
    ]
    for kind in FAMILIES:
        (base,) = expand_configs([*words, f"model={kind}"])
        for depth in DEPTHS:
            model = replace(base.model, depth=depth)
            check(replace(base, model=model))
            yield from (replace(base, model=model, seed=seed) for seed in range(seeds(runs)))


def _write(config: Config, with_probes: bool) -> None:
    run, rng = (
        locate_run(config),
        random.Random(f"{config.model.shortcut} {config.model.depth} {config.seed}"),
    )
    record, kind = run.record, family(config.model)
    deepest = kind == "plain" and config.model.depth == max(DEPTHS)
    outcome = State.DIVERGED if deepest and rng.random() < DIVERGED else State.DONE
    last = (
        config.schedule.iterations
        if outcome is State.DONE
        else EVERY * rng.randrange(1, EVALUATIONS)
    )
    metrics = [row for row in _metrics(config, rng) if row["iteration"] <= last]
    probed = list(_probes(config, rng)) if with_probes else []
    content = b"".join(map(encode_row, metrics))
    files = {RUN_FILE: record.write_metadata(_description(config, run.run_id))}
    files |= {
        name: record.write(name, _some_weights())
        for name in (f"{SNAPSHOTS_DIR}/00004000.pt", WEIGHTS_FILE)
    }
    files[METRICS_FILE] = record.write(METRICS_FILE, content)
    record.rewrite_rows(PROBES_FILE, probed)
    manifest = build_manifest(outcome, last, files, [], probed)
    manifest["files"][METRICS_FILE] = fingerprint(content)
    _attempt(record, rng, manifest, last, outcome)
    record.finish(manifest)


def _attempt(record: Record, rng: random.Random, manifest: Row, last: int, outcome: State) -> None:
    took = rng.uniform(100, 200)
    start = {
        "attempt": 1,
        "start": 1.7e9,
        "device": "cpu",
        "threads": 1,
        "commit": "0" * 40,
        "versions": VERSIONS,
    }
    end = {"attempt": 1, "end": 1.7e9 + took, "seconds": took, "iteration": last}
    record.rewrite_rows(
        ATTEMPTS_FILE, [start, end | {"outcome": str(outcome), "manifest": manifest}]
    )


def _description(config: Config, run_id: str) -> Row:
    described = _described(config.model.shortcut, config.model.depth, config)
    return described | {
        "run_id": run_id,
        "config": hashed_values(config, described["config"]["data"]["content"]),
    }


_KNOWN: dict[tuple[str, int], Row] = {}  # a census takes a network


def _described(shortcut: str, depth: int, config: Config) -> Row:
    if (shortcut, depth) not in _KNOWN:
        _KNOWN[shortcut, depth] = describe_run(config, "", load_dataset(config.data))
    return _KNOWN[shortcut, depth]


@cache
def _some_weights() -> bytes:
    return serialization.dump({"fc.bias": torch.zeros(10)})


def _metrics(config: Config, rng: random.Random) -> Iterator[Row]:
    """The error falls from chance to where this net ends; that of a plain net is the higher the deeper it is."""
    end = _end(config.model) * rng.lognormvariate(0, 0.3)
    slowness = (
        60 if config.model.shortcut != "none" else 15 * config.model.depth
    ) * rng.lognormvariate(0, 0.3)
    for iteration in range(EVERY, config.schedule.iterations + 1, EVERY):
        error = end + (CHANCE - end) * math.exp(-iteration / slowness)
        lr = config.optim.lr * 0.1 ** sum(iteration > one for one in config.schedule.milestones)
        row: Row = {"iteration": iteration, "lr": lr}
        for part, pictures, more in (
            ("train/running_", PICTURES, 0.5), ("train/clean_", PICTURES, 0.0),
            ("train/augmented_", PICTURES, 0.5), ("test/", TEST_PICTURES, 2.0),
        ):  # fmt: skip
            wrong = round(min(error + more + abs(rng.gauss(0, 0.3)), CHANCE) / 100 * pictures)
            row[f"{part}error"] = 100 * wrong / pictures
            row[f"{part}loss"] = 0.03 * wrong / pictures * 100 + 0.01 * rng.random()
        yield row


def _end(model: Model) -> float:
    """Percent, of the training error in the middle."""
    return 0.3 if model.shortcut != "none" else 0.05 * model.depth**1.7


def _probes(config: Config, rng: random.Random) -> Iterator[Row]:
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
