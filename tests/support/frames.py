"""Frames made by hand: joined ones, and runs of the paper's protocols."""

import numpy as np
import pandas as pd

from analysis.frame import Frame

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


def join_frames(frames, prefixes):
    """Return one frame of all runs, with a prefix for the run ids of each frame."""
    runs, curves = [], []
    for frame, prefix in zip(frames, prefixes, strict=True):
        runs.append(frame.runs.assign(run_id=f"{prefix}:" + frame.runs["run_id"]))
        curves.append(frame.curves.assign(run_id=f"{prefix}:" + frame.curves["run_id"]))
    return Frame(pd.concat(runs, ignore_index=True), pd.concat(curves, ignore_index=True))


def paper_frame(frame_of, residual=None, plain=None, **columns):
    """Return runs of the paper's CIFAR-10 protocol for {depth: [test errors]}.

    The clean training error is two points below the test error, but at least 0.
    """
    protocol = {f"config.{key}": value for key, value in CIFAR10_PROTOCOL.items()}
    errors = {"residual": residual or {}, "plain": plain or {}}
    frame = frame_of(errors, data="cifar10", **protocol)
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


def imagenet_runs(frame_of):
    """Return `Frame.runs` of the paper's ImageNet protocol: plain-34 once and residual-34 twice."""
    runs = frame_of({"plain": {34: [3.0]}, "residual": {34: [3.0, 3.2]}}, chance=99.9).runs
    for key, value in IMAGENET_PROTOCOL.items():
        runs[f"config.{key}"] = value
    runs["config.model.shortcut"] = runs["shortcut"]
    runs["test/error"] = 27.0
    runs["test/ten_crop_error"] = 25.1
    runs["test/ten_crop_top5_error"] = 7.8
    return runs
