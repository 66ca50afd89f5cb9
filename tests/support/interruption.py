"""Interrupt a run at a given iteration, as a scheduler or a user would."""

import signal

import pytest

from degradation import recorded_training
from degradation.config import Config
from degradation.run import train
from degradation.signals import Interrupted


def interrupt(
    config: Config, monkeypatch: pytest.MonkeyPatch, iteration: int, signum: int = signal.SIGTERM
) -> None:
    """Start the run, and send its process a signal right after this iteration."""
    with monkeypatch.context() as patched:
        patched.setattr(
            recorded_training,
            "report_progress",
            lambda at, _: at == iteration and signal.raise_signal(signum),
        )
        with pytest.raises(Interrupted, match=f"stopped at iteration {iteration};"):
            train(config)
