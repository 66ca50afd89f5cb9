"""The check before the first captured run on a machine, in a few seconds."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from degradation.data.datasets import Dataset, StreamedDataset
from degradation.errors import format_exception_line
from degradation.graph_check.check import Check, build_check, reduce_check
from degradation.graph_check.result import GraphComparison
from degradation.graph_check.stored_results import (
    FAULT,
    ResultKey,
    build_key,
    find_result_file,
    locked,
    read_result,
    write_result,
)
from degradation.graph_check.subprocesses import compare_each

if TYPE_CHECKING:
    from degradation.training.trainer import Trainer

log = logging.getLogger(__name__)


def check_captured_steps(trainer: "Trainer", dataset: Dataset | StreamedDataset) -> None:
    """If this trainer's steps would be captured, check that, and use eager steps if it fails.

    The steps of a small network of the same kind are compared, once per machine and version. This
    never raises, and changes no number; one line is logged if eager steps are used.
    """
    if trainer.replayed_update.capturer is None:
        return
    try:
        check = build_check(trainer.config, dataset.channels, dataset.side, dataset.classes)
        fault = find_fault(check, trainer.device)
    except Exception as error:  # without a check, graphs are not to be trusted
        fault = f"they cannot be checked ({format_exception_line(error)})"
    if fault is None:
        return
    trainer.config = replace(trainer.config, cuda_graphs=False)
    for call in (trainer.replayed_update, trainer.replayed_evaluation):
        call.capturer = None
    log.warning("CUDA graphs are not used, so steps take longer: %s; see `make check-gpu`", fault)


def find_fault(check: Check, device: torch.device) -> str | None:
    """Return why steps of this kind must not be captured, in one line, or None if they can be.

    A stored result is used. A problem that may be gone next time is not stored.
    """
    check = reduce_check(check)
    key = build_key(check, device)
    path = find_result_file(key)
    stored = read_result(path, key)
    if stored is not None:
        return stored[FAULT]
    with locked(path):
        stored = read_result(path, key)  # another process has checked meanwhile
        if stored is not None:
            return stored[FAULT]
        log.info("comparing captured with eager steps, once for this machine and version")
        (comparison,) = compare_each([check], device)
        fault = comparison.describe_fault()
        if not comparison.is_transient:
            write_result(path, key, fault)
    return fault


def store_results(compared: Iterable[tuple[Check, GraphComparison]], device: torch.device) -> None:
    """Store what checks of networks of any depth have shown, for the runs that follow.

    A fault at one depth concerns all networks of its kind.
    """
    keys: dict[str, ResultKey] = {}
    faults: dict[str, str | None] = {}
    for check, comparison in compared:
        if comparison.is_transient:
            continue
        key = build_key(reduce_check(check), device)
        name = repr(key)
        keys[name] = key
        faults[name] = faults.get(name) or comparison.describe_fault()
    for name, key in keys.items():
        write_result(find_result_file(key), key, faults[name])
