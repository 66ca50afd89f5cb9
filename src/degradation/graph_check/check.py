"""What the self-check trains: a short training of a network on synthetic images."""

from dataclasses import dataclass, replace
from functools import cache

import torch

from degradation.config import Config, Schedule, family
from degradation.data.datasets import Dataset, Split
from degradation.data.random_streams import build_generator

ITERATIONS = 20
EVALUATE_EVERY = 10  # and save a checkpoint, from which a second captured training resumes
LR = 0.01
WEIGHT_DECAY = 1e-4  # unless the run has none
LINEAR_WARMUP, DROP_AT = 8, 15  # so that replays see a learning rate that changes

DEPTH = 20  # of the network that is checked before a run of a deeper one; every CIFAR kind has it
SIDE = 32  # pixels
IMAGES = 500  # in each split; evaluated twice, they are captured and replayed


@dataclass(frozen=True)
class Check:
    """A training whose captured steps are compared with eager ones. It can be pickled."""

    config: Config
    channels: int
    side: int  # pixels
    classes: int

    @property
    def network(self) -> str:
        """The network's family and depth, such as `plain-20`."""
        return f"{family(self.config.model)}-{self.config.model.depth}"


def build_check(config: Config, channels: int, side: int, classes: int) -> Check:
    """Return the check of a configuration's network, optimiser, augmentation and precision.

    Values that a step reads from memory, such as the learning rate, or that only decide which
    numbers are drawn, are the same for every check.
    """
    schedule = Schedule(
        iterations=ITERATIONS,
        shape="step",
        milestones=[DROP_AT],
        factor=0.1,
        evaluate_every=EVALUATE_EVERY,
        augmented_every=None,
        snapshots=[],
        linear_warmup=LINEAR_WARMUP,
        warmup=None,
        plateau=None,
    )
    weight_decay = WEIGHT_DECAY if config.optim.weight_decay else 0.0
    data = replace(
        config.data, name="synthetic", root=None, size=None, validation=0, stream=None, margin=0.0
    )
    checked = replace(
        config,
        name="check",
        seed=0,
        cuda_graphs=True,
        data=data,
        model=replace(config.model, grown_from=None, bn_statistics="moving"),
        optim=replace(config.optim, lr=LR, weight_decay=weight_decay),
        schedule=schedule,
        probes=replace(config.probes, training=[]),
    )
    return Check(checked, channels, side, classes)


def reduce_check(check: Check) -> Check:
    """Return the small check before a run: the same step, of a smaller network.

    A CIFAR network has at most DEPTH layers, since deeper ones repeat the same kernels; one for
    ImageNet keeps its depth. Images have at most SIDE pixels a side: larger ones take longer.
    """
    model = check.config.model
    if model.layout == "cifar":
        model = replace(model, depth=min(model.depth, DEPTH))
    return replace(check, config=replace(check.config, model=model), side=min(check.side, SIDE))


def build_synthetic_data(check: Check) -> Dataset:
    """Return noise with random labels. The same for every check of this shape."""
    shape = (IMAGES, check.channels, check.side, check.side)
    train, test = (_draw_split(stream, shape, check.classes) for stream in ("train", "test"))
    return Dataset(train, test, check.classes)


@cache
def _draw_split(stream: str, shape: tuple[int, ...], classes: int) -> Split:
    generator = build_generator(0, f"check/{stream}")
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, classes, shape[:1], generator=generator)
    return Split(images, labels)
