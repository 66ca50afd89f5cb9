"""The memory format of weights and batches, and what cuDNN is asked for."""

import os
from dataclasses import replace

import pytest
import torch

from degradation.training.device import (
    HEURISTIC_VARIABLE,
    make_reproducible,
    memory_format,
    restored_settings,
)


@pytest.mark.parametrize(
    ("device", "dtype", "deterministic", "expected"),
    [
        ("cpu", "fp32", True, torch.channels_last),
        ("cuda", "fp32", True, torch.contiguous_format),
        ("cuda", "fp32", False, torch.channels_last),
        ("cuda", "tf32", True, torch.channels_last),
        ("cuda", "bf16", True, torch.channels_last),
        ("mps", "fp32", True, torch.channels_last),
    ],
)
def test_memory_format(compose_config, device, dtype, deterministic, expected):
    precision = replace(compose_config().precision, dtype=dtype, deterministic=deterministic)
    assert memory_format(precision, torch.device(device)) is expected
    unordered = replace(precision, channels_last=False)
    assert memory_format(unordered, torch.device(device)) is torch.contiguous_format


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_heuristics_of_cudnn_can_be_chosen(compose_config, monkeypatch, chosen, expected):
    monkeypatch.setenv(HEURISTIC_VARIABLE, chosen or "")  # so that it is restored afterwards
    if chosen is None:
        monkeypatch.delenv(HEURISTIC_VARIABLE)
    with restored_settings():
        make_reproducible(1, compose_config().precision)
    assert os.environ[HEURISTIC_VARIABLE] == expected
