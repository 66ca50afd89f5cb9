"""Train one run from Python, with the composition, checks and messages of experiments/train.py."""

import signal
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from os import PathLike
from typing import Any

from degradation.config import Config
from degradation.interface.errors import user_errors
from degradation.interface.keys import compose_run
from degradation.interface.progress_line import ProgressLine
from degradation.interface.trained_run import TrainedRun
from degradation.metrics import CLEAN_ERROR, TEST_ERROR
from degradation.progress import connected
from degradation.records.schema import METRICS_FILE, State
from degradation.signals import Interrupted
from degradation.sweep.jobs import check_before_training
from degradation.sweep.runs import SweepRun, locate_run


def train(
    model: str | None = None,
    depth: int | None = None,
    seed: int | None = None,
    iterations: int | None = None,
    *,
    data: str | None = None,
    record_root: str | PathLike[str] | None = None,
    tracking: str = "disabled",
    overrides: Mapping[str, Any] | None = None,
    show_progress: bool = True,
    **keys: Any,
) -> TrainedRun:
    """Train one run, or resume it, and return it with its record; a finished run is not retrained.

    The configuration, its checks, the run id and the record are those of experiments/train.py. As
    there, the number of CPU threads is that of the key `threads`; afterwards PyTorch's own settings
    are as before. An interrupted call (Ctrl-C, or a notebook's stop button) saves a checkpoint, and
    the next call resumes from it.

    Args:
        model: a file of conf/model, such as "plain" or "residual".
        depth: number of layers, such as 20, 32, 44 or 56.
        seed: fixes initialisation, data order and augmentation.
        iterations: number of updates; the milestones scale with it.
        data: a file of conf/data, such as "digits" or "cifar10".
        record_root: the folder of the records, relative to the working directory.
        tracking: a file of conf/tracking; by default nothing is mirrored to W&B.
        overrides: values of further keys by their dotted names, such as {"optim.lr": 0.1}.
        show_progress: whether to show a line with the iteration, and the errors at the end.
        keys: other groups and keys at the top level of conf/ (`optim="sgd"`, `device="cpu"`), and
            `width`, `lr` and `batch_size`. None means the default in conf/.

    Raises:
        UserError: a value is not allowed, or the run fails; the message is one line.
        KeyboardInterrupt: the call was interrupted; the message names the run and its iteration.
    """
    keys |= {"model": model, "depth": depth, "seed": seed, "iterations": iterations}
    keys |= {"data": data, "record_root": record_root, "tracking": tracking}
    with user_errors():
        config = compose_run(overrides, **keys)
        check_before_training(config)
        run = locate_run(config)
        outcome = _complete(run, show_progress)
    return TrainedRun(run.run_id, run.record.folder.absolute(), str(outcome), config)


def _complete(run: SweepRun, show_progress: bool) -> State | None:
    """Train the run to its end with a progress line. Raises KeyboardInterrupt."""
    line = ProgressLine(run.run_id) if show_progress else None
    try:
        with connected(line) if line else nullcontext():
            outcome = _train(run.config)
    except Interrupted as interruption:
        if interruption.signum != signal.SIGINT:
            sys.exit(128 + interruption.signum)
        raise KeyboardInterrupt(str(interruption)) from None
    if line:
        line.finish(_summarise(run, outcome))
    return outcome


def _train(config: Config) -> State | None:
    """Complete the run, and leave PyTorch's settings as they were."""
    # imported here, since torch takes seconds to import and a mistake is reported before that
    from degradation.run import train_as_member
    from degradation.training.device import restored_settings

    with restored_settings():
        return train_as_member(config)


def _summarise(run: SweepRun, outcome: State | None) -> str:
    """Return the last line: the outcome, and the errors of a run that is done."""
    rows = run.record.valid_prefix(METRICS_FILE)
    if outcome is not State.DONE or not rows:
        return f"{run.run_id}: {outcome}"
    return (
        f"{run.run_id}: {outcome}, training error {rows[-1][CLEAN_ERROR]:.2f} %,"
        f" test error {rows[-1][TEST_ERROR]:.2f} %"
    )
