"""The part `evaluation`: how long evaluations take, and their share of a whole run."""

from benchmarks.loops import LoopKind, count_evaluations
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
from benchmarks.rounds import TimedStretch, summarise, summarise_speed
from degradation.config import Config
from degradation.training.device import choose_device

EVALUATIONS = {True: LoopKind.EVALUATION, False: LoopKind.CLEAN_EVALUATION}


def list_contenders(configs: list[Config]) -> list[Contender]:
    """Return the loops of one network: training, and each kind of evaluation that a run has."""
    (config,) = configs
    contenders = [Contender(LoopKind.SUITE, config, config.threads)]
    for with_augmented, number in count_evaluations(config).items():
        if number:
            contenders.append(Contender(EVALUATIONS[with_augmented], config, config.threads))
    return contenders


def build_rows(contenders: list[Contender], results: Results) -> list[Row]:
    """Return the row of a network.

    Its share is that of all evaluations of a run in the time of its updates and evaluations, from
    the median times of one update and of one evaluation of each kind.
    """
    config = contenders[0].config
    numbers = count_evaluations(config)
    evaluation_seconds = 0.0
    for contender, stretches in zip(contenders[1:], results[1:], strict=True):
        number = numbers[contender.kind is LoopKind.EVALUATION]
        evaluation_seconds += number * median_iteration(stretches)
    whole_seconds = evaluation_seconds + config.schedule.iterations * median_iteration(results[0])
    evaluated = summarise_speed(results[1])
    return [
        {
            "device": describe_device(choose_device(config.device)),
            "device_type": choose_device(config.device).type,
            "network": name_network(config),
            "images": name_images(config),
            "precision": name_precision(config),
            "threads": config.threads,
            "iterations": config.schedule.iterations,
            "evaluations": sum(numbers.values()),
            "training_images_per_second": round(summarise_speed(results[0]).median, 1),
            "images_per_second": round(evaluated.median, 1),
            "lowest": round(evaluated.lowest, 1),
            "highest": round(evaluated.highest, 1),
            "seconds_per_evaluation": round(evaluation_seconds / sum(numbers.values()), 3),
            "share_percent": round(100 * evaluation_seconds / whole_seconds, 1),
            "rounds": len(results[0]),
            **describe_software(),
        }
    ]


def median_iteration(stretches: list[TimedStretch]) -> float:
    """Return the median seconds of one iteration: of an update, or of an evaluation."""
    return summarise([stretch.seconds_per_iteration for stretch in stretches]).median


EVALUATION_PART = Part("evaluation", list_contenders, build_rows)
