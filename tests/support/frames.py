"""Frames made by hand: runs on digits, runs of the paper's protocols, and joined frames."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.frame import Frame
from analysis.run_row import CURVE_METRICS

CIFAR10_PROTOCOL = {
    "data.name": "cifar10",
    "data.pad": 4,
    "data.flip": True,
    "data.normalisation": "pixel",
    "model.block": "basic",
    "model.width": 16,
    "optim.lr": 0.1,
    "optim.momentum": 0.9,
    "optim.weight_decay": 1e-4,
    "optim.batch_size": 128,
    "schedule.iterations": 64000,
    "schedule.milestones": "[32000, 48000]",
    "schedule.factor": 0.1,
    "schedule.warmup": None,
    "precision.dtype": "bf16",
}
IMAGENET_PROTOCOL = CIFAR10_PROTOCOL | {
    "data.name": "imagenet",
    "data.pad": 0,
    "data.normalisation": "channel",
    "data.stream.crop": 224,
    "data.stream.scale": "[256, 480]",
    "data.stream.colour": 0.1,
    "data.stream.test_scale": 256,
    "model.layout": "imagenet",
    "model.width": 64,
    "optim.batch_size": 256,
    "schedule.iterations": 600000,
    "schedule.milestones": "[]",
    "schedule.plateau.patience": 6,
}
PAPER_WARMUP = {"lr": 0.01, "below": 80.0, "window": 100, "max_iterations": 2000}


def make_frame(errors: dict[str, dict[int, list[float]]], **columns: Any) -> Frame:
    """Return a frame of finished runs on ten classes.

    A claim that reads the wrong error gives another verdict: when the clean training error rises,
    the test error falls by half as much, and the augmented and running training errors fall by
    other amounts.

    Args:
        errors: {family: {depth: [clean training error of each seed]}}, in percent
        columns: values of further columns, or values that replace the defaults
    """
    rows = []
    for family, depths in errors.items():
        for depth, errors_of_depth in depths.items():
            for seed, error in enumerate(errors_of_depth):
                rows.append(make_run_row(family, depth, seed, error) | columns)
    curves = []
    for row in rows:
        curves += [make_curve_row(row, 200, 1.5), make_curve_row(row, 400, 1.0)]
    return Frame(pd.DataFrame(rows), pd.DataFrame(curves))


def make_run_row(family: str, depth: int, seed: int, error: float) -> dict[str, Any]:
    """Return the row of a run; `error`: its clean training error, in percent."""
    has_shortcuts = not (family.startswith("plain") or family == "constructed")
    return {
        "run_id": f"{family}-d{depth}-s{seed}",
        "family": family,
        "depth": depth,
        "seed": seed,
        "shortcut": "none" if family == "plain" else "A",
        "data": "digits",
        "state": "done",
        "chance": 90.0,
        "iterations": 400,
        "iteration": 400,
        "training_error": error,
        "training_error_at_start": float("nan"),
        "error_step": float("nan"),
        "test_step": float("nan"),
        "train_images": float("nan"),
        "train/clean_error": error,
        "train/clean_loss": error / 100,
        "train/augmented_error": 61.3 - error / 3,
        "train/running_error": 72.9 - error / 5,
        "test/error": 48.6 - error / 2,
        "device": "cpu",
        "threads": "1",
        "torch": "2.14.1",
        "commit": "c",
        "untrained": error >= 88,
        "reason": None,
        "versions": {},
        "code": "current",
        "code_change": None,
        "published": None,
        "parameters": 269434,
        "multiply_adds": 2516608,
        "activations": 11786,
        "config.schedule.milestones": "[200, 300]",
        "config.model.bn_statistics": "moving",
        "config.model.grown_from": 20 if family == "constructed" else None,
        "config.model.shortcut": "A" if has_shortcuts else "none",
    }


def make_curve_row(run: dict[str, Any], iteration: int, factor: float) -> dict[str, Any]:
    """Return a row of the curves; `factor`: its training error divided by the final one."""
    keys = ("run_id", "family", "depth", "seed", "state")
    training = [name for name in CURVE_METRICS if name.startswith("train/")]
    return (
        {key: run[key] for key in keys}
        | {name: run[name] * factor for name in ("training_error", *training)}
        | {"iteration": iteration, "test/error": run["test/error"] / factor}
    )


def join_frames(frames, prefixes):
    """Return one frame of all runs, with a prefix for the run ids of each frame."""
    runs, curves = [], []
    for frame, prefix in zip(frames, prefixes, strict=True):
        runs.append(frame.runs.assign(run_id=f"{prefix}:" + frame.runs["run_id"]))
        curves.append(frame.curves.assign(run_id=f"{prefix}:" + frame.curves["run_id"]))
    return Frame(pd.concat(runs, ignore_index=True), pd.concat(curves, ignore_index=True))


def paper_frame(build_frame, residual=None, plain=None, **columns):
    """Return runs of the paper's CIFAR-10 protocol for {depth: [test errors]}.

    The clean training error is two points below the test error, but at least 0.
    """
    protocol = {f"config.{key}": value for key, value in CIFAR10_PROTOCOL.items()}
    errors = {"residual": residual or {}, "plain": plain or {}}
    frame = build_frame(errors, data="cifar10", **protocol)
    runs = frame.runs
    runs["test/error"] = runs["train/clean_error"]
    runs["train/clean_error"] = (runs["test/error"] - 2).clip(lower=0)
    runs["train/augmented_error"] = 0.05
    runs["config.model.shortcut"] = runs["shortcut"]
    for key, value in PAPER_WARMUP.items():
        runs[f"config.schedule.warmup.{key}"] = np.where(runs["depth"] >= 110, value, np.nan)
    for key, value in columns.items():
        runs[key] = value
    return Frame(runs, frame.curves)


def imagenet_runs(build_frame):
    """Return `Frame.runs` of the paper's ImageNet protocol: plain-34 once and residual-34 twice."""
    runs = build_frame({"plain": {34: [3.0]}, "residual": {34: [3.0, 3.2]}}, chance=99.9).runs
    for key, value in IMAGENET_PROTOCOL.items():
        runs[f"config.{key}"] = value
    runs["config.model.shortcut"] = runs["shortcut"]
    runs["test/error"] = 27.0
    runs["test/ten_crop_error"] = 25.1
    runs["test/ten_crop_top5_error"] = 7.8
    return runs
