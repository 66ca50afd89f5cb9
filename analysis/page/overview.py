"""The quiet line of the page's first screen, and what limits the trust in a report's runs."""

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.columns import CHANCE, CODE_STATE, TRAIN_IMAGES
from analysis.finished_runs import find_last_end
from analysis.frame import Frame
from analysis.page.number_formats import format_date, format_duration
from degradation.counting import format_count
from degradation.records.schema import State
from degradation.records.trained_code import CodeState

MAX_DEVICES = 2  # named in the quiet line
# What a data set is, for a reader who does not know its name.
DATA_IN_WORDS = {
    "digits": ("scikit-learn's handwritten digits", "8x8 pixels, 10 classes"),
    "cifar10": ("CIFAR-10", "photographs of 32x32 pixels, 10 classes"),
    "cifar100": ("CIFAR-100", "photographs of 32x32 pixels, 100 classes"),
    "fashion_mnist": ("Fashion-MNIST", "clothes, 28x28 pixels, 10 classes"),
    "imagenet": ("ImageNet", "photographs, 1,000 classes"),
}
ITERATIONS = "config.schedule.iterations"
IMAGE_SIZE = "config.data.size"
OWN_IMAGES = "image_folder"
STREAMED = "imagenet"  # its errors are those of a sample of the training images


def list_facts(frame: Frame) -> list[str]:
    """Return what was trained, on what, for how long and when, in a few words each."""
    runs = frame.runs
    facts = [
        *(describe_data(runs, str(name)) for name in sorted(runs["data"].dropna().unique())),
        f"{describe_states(runs)}{_describe_iterations(runs)}",
        format_count(runs["seed"].nunique(), "seed"),
        _describe_devices(runs),
    ]
    if "seconds" in runs and runs["seconds"].notna().any():
        duration = format_duration(float(runs["seconds"].sum()))
        facts.append(f"{duration} of training, summed over runs")
    facts.append(f"{frame.error_kind} training error")
    last_end = find_last_end(runs)
    if last_end is not None:
        facts.append(f"last run finished on {format_date(last_end)}")
    return [fact for fact in facts if fact]


def list_concerns(frame: Frame) -> list[str]:
    """Return what a reader must know before believing the report, in a few words each."""
    states = frame.runs["state"].value_counts().to_dict()
    counts = [
        (states.get(state, 0), str(state))
        for state in (State.FAILED, State.DIVERGED, State.PARTIAL, State.RUNNING, State.MISSING)
    ]
    outdated = int((frame.runs[CODE_STATE] == CodeState.OUTDATED).sum())
    counts.append((outdated, "trained by older code"))
    concerns = [f"{format_count(count, 'run')} {what}" for count, what in counts if count]
    if frame.excluded:
        concerns.append(
            f"{format_count(len(frame.excluded), 'record or row', 'records or rows')} excluded"
        )
    return concerns


def describe_data(runs: pd.DataFrame, name: str) -> str:
    """Return what a data set is, with the number of training images if the records state it."""
    members = runs[runs["data"] == name]
    counts = [] if name == STREAMED else _count_images(members)
    sizes = members.get(IMAGE_SIZE, pd.Series(dtype=float)).drop_duplicates()
    pixels = ""
    if len(sizes) == 1 and sizes.notna().all():
        size = f"{float(sizes.iloc[0]):.0f}"
        pixels = f"{size}x{size} pixels"
    if name in DATA_IN_WORDS:
        what, content = DATA_IN_WORDS[name]
        details = [content, *([f"resized to {pixels}"] if pixels else []), *counts]
    else:
        what = "the user's own images" if name == OWN_IMAGES else f"{name} data"
        details = [*([pixels] if pixels else []), *counts, *_describe_chance(members)]
    return f"{what} ({', '.join(details)})" if details else what


def _describe_chance(runs: pd.DataFrame) -> list[str]:
    """Return `chance error 90 %` in a list; it is empty if runs differ or it is unknown."""
    chance = runs[CHANCE].dropna().unique()
    return [f"chance error {chance[0]:.3g} %"] if len(chance) == 1 else []


def _count_images(runs: pd.DataFrame) -> list[str]:
    """Return `180 training images` in a list; it is empty if runs differ or it is unknown."""
    counts = runs[TRAIN_IMAGES].dropna().unique()
    return [f"{counts[0]:,.0f} training images"] if len(counts) == 1 else []


def _describe_iterations(runs: pd.DataFrame) -> str:
    """Return ` of 400 iterations`, or empty text if runs differ or it is unknown."""
    lengths = runs.get(ITERATIONS, pd.Series(dtype=float)).dropna().unique()
    return f" of {float(lengths[0]):,.0f} iterations" if len(lengths) == 1 else ""


def describe_states(runs: pd.DataFrame) -> str:
    done = int((runs["state"] == State.DONE).sum())
    total = len(runs)
    return (
        format_count(total, "run")
        if done == total
        else f"{done} of {format_count(total, 'run')} done"
    )


def _describe_devices(runs: pd.DataFrame) -> str:
    return abbreviate(sorted(runs["device"].dropna().unique()), most=MAX_DEVICES)
