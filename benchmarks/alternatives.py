"""The part `alternatives`: ways to compute a training step on a CPU that the suite does not use.

Each is timed against the step as it is, in the same rounds. A way is worth its lines if it is
clearly faster and gives the same bits, so that no existing run would change.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from benchmarks.loops import AS_IT_IS, ENVIRONMENTS, HUGE_PAGES, LoopKind, build_trainer
from benchmarks.machine import describe_device, describe_software
from benchmarks.part import (
    Contender,
    Part,
    Results,
    Row,
    name_images,
    name_network,
    name_precision,
)
from benchmarks.rounds import TimedStretch, summarise_ratio
from degradation.config import Config, ConfigError
from degradation.training.device import choose_device, make_reproducible, restored_settings
from degradation.training.trainer import Trainer

COMPARED_UPDATES = 20  # after which weights are compared to the bit


def _fuse_update(trainer: Trainer) -> None:
    """Let one kernel per tensor do the whole update."""
    for group in trainer.optimizer.param_groups:
        group |= {"fused": True, "foreach": False}


def _group_update(trainer: Trainer) -> None:
    """Let each operation of the update run over a list of all tensors."""
    for group in trainer.optimizer.param_groups:
        group["foreach"] = True


def _flush_denormals(_trainer: Trainer) -> None:
    """Treat numbers below the smallest normal float as 0: some processors are slow with them."""
    torch.set_flush_denormal(True)


def _count_no_batches(trainer: Trainer) -> None:
    """Leave out BN's counters of batches, which nothing reads: one operation per layer."""
    for module in trainer.network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.num_batches_tracked = None


def _pin_to_one_core(_trainer: Trainer) -> None:
    """Keep this process on the first of its cores, so that its cache is not moved to another."""
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


# By name, what changes a trainer in its own process
ALTERNATIVES: dict[str, Callable[[Trainer], None]] = {
    AS_IT_IS: lambda _trainer: None,
    "fused update": _fuse_update,
    "update over lists of tensors": _group_update,
    "denormals flushed to 0": _flush_denormals,
    "no counters of batches": _count_no_batches,
    HUGE_PAGES: lambda _trainer: None,  # the environment of its process asks for them
}
if hasattr(os, "sched_setaffinity"):  # Linux
    ALTERNATIVES["pinned to one core"] = _pin_to_one_core


def list_contenders(configs: list[Config]) -> list[Contender]:
    """Return the loops of one network: the step as it is, then each alternative."""
    (config,) = configs
    return [
        Contender(LoopKind.SUITE, config, config.threads, alternative=name) for name in ALTERNATIVES
    ]


def build_rows(contenders: list[Contender], results: Results) -> list[Row]:
    """Return one row per alternative. Ratios are to the step as it is."""
    return [
        _build_row(contender, results[0], stretches)
        for contender, stretches in zip(contenders[1:], results[1:], strict=True)
    ]


def _build_row(
    contender: Contender, usual: list[TimedStretch], stretches: list[TimedStretch]
) -> Row:
    config = contender.config
    ratio = summarise_ratio(stretches, usual)
    return {
        "device": describe_device(choose_device(config.device)),
        "device_type": choose_device(config.device).type,
        "network": name_network(config),
        "images": name_images(config),
        "precision": name_precision(config),
        "threads": contender.threads,
        "alternative": contender.alternative,
        "ratio": round(ratio.median, 3),
        "ratio_lowest": round(ratio.lowest, 3),
        "ratio_highest": round(ratio.highest, 3),
        "same_bits": _describe_bits(config, contender.alternative),
        "rounds": len(stretches),
        **describe_software(),
    }


def _describe_bits(config: Config, alternative: str) -> str:
    if alternative in ENVIRONMENTS:
        return "not compared"  # this process has another environment
    return "yes" if gives_same_bits(config, alternative) else "no"


def gives_same_bits(config: Config, alternative: str) -> bool:
    """Return whether weights and BN's statistics are equal to the bit after COMPARED_UPDATES."""
    weights = []
    for name in (AS_IT_IS, alternative):
        with restored_settings(), _restored_process():
            make_reproducible(config.threads, config.precision)
            trainer = build_trainer(config)
            ALTERNATIVES[name](trainer)
            for _ in range(COMPARED_UPDATES):
                trainer.step()
        weights.append(
            [*trainer.network.parameters()]
            + [buffer for buffer in trainer.network.buffers() if buffer.is_floating_point()]
        )
    return all(map(torch.equal, *weights))


@contextmanager
def _restored_process() -> Iterator[None]:
    """After the context, this process has its cores again, and computes with denormals."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
        if cores is not None:
            os.sched_setaffinity(0, cores)


def check_is_cpu(config: Config) -> None:
    """Raise ConfigError for a device other than a CPU, where the suite's step is another one."""
    device = choose_device(config.device).type
    if device != "cpu":
        raise ConfigError(f"device: {device} is not allowed with --part alternatives; allowed: cpu")


ALTERNATIVES_PART = Part("alternatives", list_contenders, build_rows)
