"""The typed schema of a run. Values live in conf/; nothing here states a default."""

from dataclasses import dataclass, replace

from omegaconf import MISSING

CHANNELS_LAST, FP32, BF16 = "channels_last", "fp32", "bf16"


@dataclass
class Stream:
    """Pictures read from disk for every batch, for sets too large for memory (ImageNet; He et al. 2015, 3.4)."""

    crop: int = MISSING  # side of the pictures that the network sees
    scale: list[int] = MISSING  # training: the shorter side is drawn from this range
    colour: float = (
        MISSING  # standard deviation of the colour augmentation (Krizhevsky et al. 2012); 0: none
    )
    test_scale: int = MISSING  # testing: the shorter side
    ten_crop: bool = (
        MISSING  # measure the error over ten crops too (corners, centre, and their mirror images)
    )
    train_evaluated: int = (
        MISSING  # training pictures that clean and augmented training error are measured on
    )
    workers: int = MISSING  # processes that read; they change no number


@dataclass
class Data:
    name: str = MISSING
    root: str | None = MISSING  # folder of the files; None where they ship with a package
    size: int | None = (
        MISSING  # image_folder: side to resize to; None: the pictures have one size already
    )
    pad: int = MISSING  # zero padding on each side before the random crop; 0: no crop
    flip: bool = MISSING  # random horizontal flip
    normalisation: str = (
        MISSING  # channel: mean and standard deviation a channel; pixel: per-pixel mean only
    )
    normalise: str = (
        MISSING  # before_padding: the padding is the mean picture; after_padding: it is black
    )
    validation: int = (
        MISSING  # the last so many training pictures are held out, and their error is recorded
    )
    stream: Stream | None = MISSING
    margin: float = MISSING  # points of training error that a claim's bound must clear


@dataclass
class Model:
    layout: str = MISSING  # cifar (He et al. 2015, 4.2) or imagenet (table 1)
    shortcut: str = MISSING
    order: str = MISSING  # post: convolution, BN, ReLU (2015); pre: BN, ReLU, convolution (2016)
    block: str = MISSING
    depth: int = MISSING  # layers with weights on the longest path
    width: int = MISSING  # filters of the first stage; each further stage has twice as many
    new_channels: str = MISSING  # option A pads after the old channels, or half on either side
    bottleneck_stride: str = MISSING  # the convolution of a bottleneck that has the stride
    initialisation: str = MISSING  # He normal by fan_out or fan_in
    bn_parts: int = MISSING  # parts of a batch that BN normalises apart (2: as on two GPUs)
    bn_statistics: str = (
        MISSING  # evaluation with BN's moving averages, or exact ones over the training pictures
    )
    grown_from: int | None = (
        MISSING  # depth of the trained plain net that this one is constructed from
    )


@dataclass
class Optim:
    lr: float = MISSING
    momentum: float = MISSING
    momentum_form: str = MISSING  # pytorch: v = m v + g, w -= lr v; caffe: v = m v + lr g, w -= v
    weight_decay: float = MISSING
    decay: str = (
        MISSING  # of all parameters, or of the weights of convolutions and linear layers only
    )
    batch_size: int = MISSING


@dataclass
class Warmup:
    """A lower learning rate until the network has begun to learn (He et al. 2015, 4.2, for 110 layers).

    It ends by the error or by time, whichever is first; null switches one of the two off.
    """

    lr: float = MISSING
    below: float | None = (
        MISSING  # percent: ends when the mean running error over `window` iterations is below
    )
    window: int = MISSING
    max_iterations: int | None = MISSING  # ends here at the latest
    from_depth: int = MISSING  # shallower networks have no warm-up


@dataclass
class Plateau:
    """Lower the learning rate when the error stops falling (He et al. 2015, 3.4, for ImageNet).

    The error is that of the training images that are held out (`data.validation`). With none it is the test error,
    which then decides when the rate drops and is no fair test any more.
    """

    patience: int = MISSING  # evaluations in a row
    improvement: float = MISSING  # points below the best so far that count as progress


@dataclass
class Schedule:
    iterations: int = MISSING
    milestones: list[int] = MISSING
    factor: float = MISSING
    evaluate_every: int = MISSING
    snapshots: list[int] = MISSING
    warmup: Warmup | None = MISSING
    plateau: Plateau | None = MISSING


@dataclass
class Precision:
    dtype: str = MISSING
    channels_last: bool = MISSING


@dataclass
class Probes:
    """What is measured inside a network (degradation.probes); it changes no number of the training."""

    training: list[str] = (
        MISSING  # taken while training: at initialisation, early, before each lr drop, at the end
    )
    early: int = MISSING  # iterations
    afterwards: list[str] = MISSING  # taken by explain.py on a record's snapshots and weights
    batch_size: int = MISSING  # training pictures, un-augmented, that a probe sees
    test_pictures: int | None = MISSING  # test pictures that lesions see, at most; null: all


@dataclass
class Landscape:
    """The loss around a trained network, on a line and a square along filter-normalised directions (Li et al. 2018)."""

    line: int = MISSING  # points on the line
    square: int = MISSING  # points on each side of the square
    reach: float = MISSING  # both go from -reach to reach; 1 is as far as the weights' own norm
    pictures: int | None = MISSING  # training pictures that the loss is measured on; null: all
    seed: int = MISSING  # of the directions
    depths: list[int] | None = (
        MISSING  # of a grid's networks those of these depths (null: all) have one
    )
    seeds: list[int] | None = MISSING  # and of these seeds
    parts: int = MISSING  # jobs that share the points of one network
    part: int = MISSING  # which of them this is


@dataclass
class Tracking:
    mode: str = MISSING
    project: str = MISSING
    entity: str | None = MISSING
    init_timeout: float = MISSING
    system_metrics: bool = MISSING


@dataclass
class Config:
    """One run."""

    name: str = MISSING
    seed: int = MISSING
    device: str = MISSING
    threads: int = MISSING
    allow_device_change: bool = MISSING
    record_root: str = MISSING
    training_error: str = (
        MISSING  # which of the three training errors the claims and figures are about
    )
    data: Data = MISSING
    model: Model = MISSING
    optim: Optim = MISSING
    schedule: Schedule = MISSING
    precision: Precision = MISSING
    probes: Probes = MISSING
    landscape: Landscape = MISSING
    tracking: Tracking = MISSING


def family(model: Model) -> str:
    """The word for a network's kind in run ids, tables and figures."""
    if model.grown_from is not None:
        return "constructed"
    if model.order == "pre":
        return "plain-preactivation" if model.shortcut == "none" else "preactivation"
    return "plain" if model.shortcut == "none" else "residual"


def effective_warmup(config: Config) -> Warmup | None:
    """The warm-up that this run has; None for networks shallower than `schedule.warmup.from_depth`.

    A constructed network has none: it has begun to learn already.
    """
    warmup = config.schedule.warmup
    has_one = (
        warmup is not None
        and config.model.grown_from is None
        and config.model.depth >= warmup.from_depth
    )
    return warmup if has_one else None


def parent_config(config: Config) -> Config | None:
    """The run whose trained network a constructed network is grown from."""
    if config.model.grown_from is None:
        return None
    return replace(
        config, model=replace(config.model, depth=config.model.grown_from, grown_from=None)
    )
