"""The parts `step` and `several`: training against the plain recipe, in images per second."""

from dataclasses import replace

import torch

from benchmarks.loops import LoopKind
from benchmarks.machine import count_cores, describe_device, describe_software
from benchmarks.part import (
    Contender,
    Part,
    Results,
    Row,
    name_images,
    name_network,
    name_precision,
)
from benchmarks.rounds import TimedStretch, summarise_ratio, summarise_speed
from degradation.config import Config
from degradation.config.schema import FP32
from degradation.training.device import choose_device

ITERATIONS = 64_000  # those of the paper's schedule (He et al. 2015, 4.2)
RUNS_ON_A_GPU = 2  # at once, unless the command line sets the number
CAPTURED, EAGER = "captured", "eager"


def list_step_contenders(configs: list[Config]) -> list[Contender]:
    """Return the loops of one network: the reference loop, then the suite in each precision.

    On a CPU the suite has the threads of the configuration, and those of the reference loop; on a
    CUDA GPU, its steps are replayed from a graph, and launched kernel by kernel.

    Args:
        configs: one network, in each precision.
    """
    threads = torch.get_num_threads()
    contenders = [Contender(LoopKind.REFERENCE, configs[0], threads)]
    for config in configs:
        contenders.append(Contender(LoopKind.SUITE, config, config.threads))
        device = choose_device(config.device).type
        if device == "cuda" and config.cuda_graphs:
            eager = replace(config, cuda_graphs=False)
            contenders.append(Contender(LoopKind.SUITE, eager, config.threads))
        if device == "cpu" and config.threads != threads:
            contenders.append(Contender(LoopKind.SUITE, config, threads))
    return contenders


def list_several_contenders(configs: list[Config], runs: int | None) -> list[Contender]:
    """Return the loops of one network: one run, and several at once.

    On a CPU, one run has all threads, and several share them: the suite's have the threads of the
    configuration, those of the reference loop have equal shares.

    Args:
        configs: one network, in each precision.
        runs: how many at once; None: one per core on a CPU, RUNS_ON_A_GPU on a GPU.
    """
    threads = torch.get_num_threads()
    is_cpu = choose_device(configs[0].device).type == "cpu"
    if runs is None:
        runs = max(2, count_cores() // configs[0].threads) if is_cpu else RUNS_ON_A_GPU
    share = max(1, threads // runs)
    contenders = [
        Contender(LoopKind.REFERENCE, configs[0], threads),
        Contender(LoopKind.REFERENCE, configs[0], share, runs),
    ]
    for config in configs:
        alone = threads if is_cpu else config.threads
        contenders.append(Contender(LoopKind.SUITE, config, alone))
        contenders.append(Contender(LoopKind.SUITE, config, config.threads, runs))
    return contenders


def build_speed_rows(contenders: list[Contender], results: Results) -> list[Row]:
    """Return one row per contender. Ratios are to the first one, the reference loop alone."""
    return [
        build_speed_row(contender, stretches, results[0])
        for contender, stretches in zip(contenders, results, strict=True)
    ]


def build_speed_row(
    contender: Contender, stretches: list[TimedStretch], reference: list[TimedStretch]
) -> Row:
    """Return the row of a contender.

    Its images per second are those of all its runs together, so `minutes` are those of the machine
    for one run of ITERATIONS iterations, however many are trained at once.
    """
    config = contender.config
    speed = summarise_speed(stretches)
    ratio = summarise_ratio(stretches, reference)
    images = ITERATIONS * config.optim.batch_size
    return {
        "device": describe_device(choose_device(config.device)),
        "device_type": choose_device(config.device).type,
        "network": name_network(config),
        "images": name_images(config),
        "batch_size": config.optim.batch_size,
        "loop": str(contender.kind),
        "precision": _name_precision(contender),
        "runs": contender.runs,
        "threads": contender.threads,
        "steps": _name_steps(contender),
        "images_per_second": round(speed.median, 1),
        "lowest": round(speed.lowest, 1),
        "highest": round(speed.highest, 1),
        "minutes": round(images / speed.median / 60, 1),
        "ratio": round(ratio.median, 3),
        "ratio_lowest": round(ratio.lowest, 3),
        "ratio_highest": round(ratio.highest, 3),
        "rounds": len(stretches),
        **describe_software(),
    }


def _name_precision(contender: Contender) -> str:
    if contender.kind is LoopKind.REFERENCE:
        return FP32
    return name_precision(contender.config)


def _name_steps(contender: Contender) -> str:
    """Return how steps are launched: only the suite captures them, on a CUDA GPU."""
    config = contender.config
    is_on_cuda = choose_device(config.device).type == "cuda"
    is_captured = contender.kind is LoopKind.SUITE and is_on_cuda and config.cuda_graphs
    return CAPTURED if is_captured else EAGER


def build_step_part() -> Part:
    return Part("step", list_step_contenders, build_speed_rows)


def build_several_part(runs: int | None) -> Part:
    """Return the part `several`. `runs`: as for `list_several_contenders`."""

    def list_contenders(configs: list[Config]) -> list[Contender]:
        return list_several_contenders(configs, runs)

    return Part("several", list_contenders, build_speed_rows)
