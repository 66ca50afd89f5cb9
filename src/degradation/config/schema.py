"""The typed schema of a run: each key with its type, its rule and its help text.

Values live in conf/, and nothing here states a default. Rules between keys are in `validation`.
"""

from dataclasses import dataclass
from typing import Any

from degradation.config.keys import key, read_keys
from degradation.config.rules import (
    BATCH,
    BELOW_ONE,
    COUNT,
    DEPTH,
    DURATION,
    DURATION_OR_ZERO,
    DURATIONS,
    FOLDER,
    FOLDER_WITHOUT_TILDE,
    ITERATIONS,
    NAME,
    NOT_NEGATIVE,
    OPTIONS,
    PAIR_OF_SIDES,
    POSITIVE,
    SEED,
    SIDE,
    TIMEOUT,
    WANDB_NAME,
    WORKERS,
    EachOf,
    OneOf,
    Registered,
    SomeOf,
    choice,
    number,
    odd_number,
    whole_number,
)
from degradation.registry import BLOCKS, DATASETS, NETWORKS, OPTIMIZERS, PROBES, SHAPES

FP32, TF32, BF16 = "fp32", "tf32", "bf16"
AREA, BILINEAR = "area", "bilinear"


@dataclass
class Stream:
    """How images are read from disk for every batch, for data sets too large for memory.

    For ImageNet, as in He et al. 2015, section 3.4.
    """

    crop: int = key("side of the images that the network sees, in pixels", SIDE)
    scale: list[int] = key(
        "training: the range that the shorter side of an image is drawn from", PAIR_OF_SIDES
    )
    colour: float = key(
        "standard deviation of the PCA colour augmentation (Krizhevsky et al. 2012); 0: none",
        number(0, 100),
    )
    test_scale: int = key("testing: the shorter side of an image, in pixels", SIDE)
    ten_crop: bool = key("also measure the error over ten crops: corners, centre, and mirrored")
    train_evaluated: int = key(
        "training images that clean and augmented training error are measured on", COUNT
    )
    workers: int = key("processes that read images; they change no number", WORKERS)


@dataclass
class Data:
    """The data set, its augmentation and its normalisation."""

    name: str = key("the data set", OneOf(DATASETS.names))
    root: str | None = key("folder of the files; null if they ship with a package", FOLDER)
    size: int | None = key("side to resize all images to, in pixels; null: no resizing", SIDE)
    resize: str = key(
        "area averaging, or bilinear by Pillow", choice(AREA, BILINEAR), hash_default=BILINEAR
    )
    pad: int = key("zeros on each side before the random crop; 0: no crop", whole_number(0, 1024))
    flip: bool = key("random horizontal flip")
    normalisation: str = key(
        "channel: mean and standard deviation of each channel; pixel: per-pixel mean only",
        choice("channel", "pixel"),
    )
    normalise: str = key(
        "before_padding: the padding is the mean image; after_padding: the padding is black",
        choice("before_padding", "after_padding"),
        hash_default="before_padding",
    )
    validation: int = key(
        "number of training images held out; their error is recorded",
        whole_number(0, 10**9),
        hash_default=0,
    )
    stream: Stream | None = key(
        "how images are read from disk; null: all are held in memory", hash_default=None
    )
    margin: float = key("points of training error that a claim's bound must clear", number(0, 100))


@dataclass
class Model:
    """The network's architecture."""

    layout: str = key(
        "cifar (He et al. 2015, section 4.2) or imagenet (table 1)",
        choice("cifar", "imagenet"),
        hash_default="cifar",
    )
    shortcut: str = key(
        "none: a plain network; A, B, C: the shortcuts of He et al. 2015, section 3.3",
        choice("none", "A", "B", "C"),
    )
    order: str = key(
        "post: convolution, BN, ReLU (2015); pre: BN, ReLU, convolution (2016)",
        choice("post", "pre"),
        hash_default="post",
    )
    network: str = key(
        "the network; resnet is that of both papers",
        Registered(NETWORKS, "my_network"),
        hash_default="resnet",
    )
    block: str = key("the residual block", Registered(BLOCKS, "MyBlock"))
    options: dict[str, Any] = key(
        "options of the block or network, such as model.options.shortcut_scale=0.5",
        OPTIONS,
    )
    depth: int = key("layers with weights on the longest path", DEPTH)
    width: int = key(
        "filters of the first stage; each further stage has twice as many", whole_number(1, 4096)
    )
    new_channels: str = key(
        "where option A pads: after the old channels, or half on either side",
        choice("after", "either_side"),
        hash_default="after",
    )
    bottleneck_stride: str = key(
        "the convolution of a bottleneck block that has the stride",
        choice("3x3", "1x1"),
        hash_default="3x3",
    )
    initialisation: str = key(
        "He normal by fan_out or fan_in", choice("fan_out", "fan_in"), hash_default="fan_out"
    )
    bn_parts: int = key(
        "parts of a batch that BN normalises separately (2: as on two GPUs)", BATCH, hash_default=1
    )
    bn_statistics: str = key(
        "evaluate with BN's moving averages, or with exact ones over the training images",
        choice("moving", "exact"),
        hash_default="moving",
    )
    grown_from: int | None = key(
        "depth of the trained plain network that this one is constructed from",
        whole_number(8, 100_000),
        hash_default=None,
    )


@dataclass
class Optim:
    """The optimiser. All read `lr`, the weight decay and the batch size."""

    name: str = key("the optimiser", OneOf(OPTIMIZERS.names), hash_default="sgd")
    lr: float = key("learning rate", POSITIVE)
    momentum: float = key("sgd: momentum", BELOW_ONE)
    momentum_form: str = key(
        "sgd: pytorch: v = m v + g, w -= lr v; caffe: v = m v + lr g, w -= v",
        choice("pytorch", "caffe"),
        hash_default="pytorch",
    )
    beta1: float = key("adam, adamw: decay of the mean gradient", BELOW_ONE, hash_default=0.9)
    beta2: float = key("adam, adamw: decay of the mean square", BELOW_ONE, hash_default=0.999)
    epsilon: float = key("adam, adamw: added to the root of that mean", POSITIVE, hash_default=1e-8)
    weight_decay: float = key("weight decay: an L2 penalty; adamw: decoupled", NOT_NEGATIVE)
    decay: str = key(
        "decay all parameters, or only the weights of convolutions and linear layers",
        choice("all", "weights"),
        hash_default="all",
    )
    batch_size: int = key("images per iteration", BATCH)


@dataclass
class Warmup:
    """A lower learning rate until the network has begun to learn (110 layers: section 4.2).

    It ends by the error or by time, whichever comes first; null switches one of the two off.
    """

    lr: float = key("learning rate of the warm-up", POSITIVE)
    below: float | None = key(
        "ends when the mean running error over `window` iterations is below this, in percent",
        POSITIVE,
    )
    window: int = key("iterations that the running error is averaged over", COUNT)
    max_iterations: int | None = key("ends after this many iterations at the latest", DURATION)
    from_depth: int = key("shallower networks have no warm-up", DEPTH)


@dataclass
class Plateau:
    """Lower the learning rate when the error stops falling (ImageNet: He et al. 2015, 3.4).

    The error is that of the held-out training images (`data.validation`). Without any, it is the
    test error, which then decides when the learning rate drops and is no longer a fair test.
    """

    patience: int = key("consecutive evaluations without progress before a drop", COUNT)
    improvement: float = key("points below the best error that count as progress", NOT_NEGATIVE)


@dataclass
class Schedule:
    """The learning rate over the training, and when the run is evaluated. All in iterations.

    Milestones, snapshots, the intervals `..._every`, `linear_warmup`, `warmup.max_iterations` and
    `probes.early` may be typed as fractions of `iterations` (`degradation.config.fractions`).
    """

    iterations: int = key("length of the training", ITERATIONS)
    shape: str = key(
        "step (constant, or with drops) or cosine", OneOf(SHAPES.names), hash_default="step"
    )
    milestones: list[int] = key("iterations after which the learning rate drops", DURATIONS)
    factor: float = key("what a drop multiplies the learning rate by", POSITIVE)
    evaluate_every: int = key("iterations between evaluations, and checkpoints", DURATION)
    augmented_every: int | None = key(
        "interval of augmented evaluations; null: every one", DURATION, hash_default=None
    )
    snapshots: list[int] = key("iterations after which the weights are saved", DURATIONS)
    linear_warmup: int = key("iterations of a linear warm-up", DURATION_OR_ZERO, hash_default=0)
    warmup: Warmup | None = key("a lower learning rate at the start; null: none")
    plateau: Plateau | None = key(
        "drop when the error stops falling; null: at milestones only", hash_default=None
    )


@dataclass
class Precision:
    """The arithmetic of the forward and backward passes."""

    dtype: str = key(
        "fp32; tf32: fp32 with products of 10 mantissa bits, on a CUDA GPU; bf16: autocast",
        choice(FP32, TF32, BF16),
    )
    channels_last: bool = key("memory format NHWC, except for deterministic fp32 on a CUDA GPU")
    deterministic: bool = key("false: cuDNN picks the fastest algorithms", hash_default=True)


@dataclass
class Probes:
    """What is measured inside a network (`degradation.probes`); training does not change."""

    training: list[str] = key(
        "probes run during training: at initialisation, early, before each drop, at the end",
        SomeOf(PROBES.names),
    )
    early: int = key("the iteration of the early probes", DURATION)
    afterwards: list[str] = key(
        "probes run by explain.py on a record's snapshots and weights",
        SomeOf(PROBES.names),
    )
    batch_size: int = key("unaugmented training images that a probe sees", whole_number(2, 2**20))
    test_pictures: int | None = key("test images that lesions see, at most; null: all", COUNT)


@dataclass
class Landscape:
    """The loss around a trained network, along filter-normalised directions (Li et al. 2018)."""

    line: int = key("points on the line along one direction", odd_number(9999))
    square: int = key("points on each side of the square along two directions", odd_number(999))
    reach: float = key("both extend from -reach to reach; 1 is the norm of the weights", POSITIVE)
    pictures: int | None = key("training images that the loss is measured on; null: all", COUNT)
    seed: int = key("seed of the directions", SEED)
    depths: list[int] | None = key("which depths of a sweep are measured; null: all", EachOf(DEPTH))
    seeds: list[int] | None = key("which seeds of a sweep are measured; null: all", EachOf(SEED))
    parts: int = key("jobs that share the points of one network", whole_number(1, 10_000))
    part: int = key("index of this job among them, from 0")


@dataclass
class Tracking:
    """W&B, a mirror of the record on disk."""

    mode: str = key("auto: online if a key is set", choice("offline", "online", "auto", "disabled"))
    project: str = key("the W&B project", WANDB_NAME)
    entity: str | None = key("the W&B entity; null: the account's default", WANDB_NAME)
    init_timeout: float = key("seconds to wait for the server before going offline", TIMEOUT)
    system_metrics: bool = key("send host, hardware and utilisation")


@dataclass
class Report:
    """The report of a sweep; changes no run."""

    titles: str = key(
        "of figures: takeaway (what the verdicts say), neutral (what is drawn, for papers)",
        choice("takeaway", "neutral"),
    )


@dataclass
class Config:
    """One run."""

    name: str = key("the experiment: the W&B group, and the folder of its report", NAME)
    seed: int = key("fixes initialisation, data order and augmentation", SEED)
    device: str = key("auto: CUDA, else MPS, else the CPU", choice("auto", "cpu", "cuda", "mps"))
    threads: int = key("CPU threads per run", whole_number(1, 1024))
    cuda_graphs: bool = key("replay training steps on a CUDA GPU; false: launch each kernel singly")
    allow_device_change: bool = key("resume a partial run on another device type")
    retrain_outdated: bool = key("retrain runs whose numbers the current code does not reproduce")
    record_root: str = key("folder that records are written to and read from", FOLDER_WITHOUT_TILDE)
    training_error: str = key(
        "which of the three training errors the claims and figures are about",
        choice("clean", "augmented", "running"),
    )
    data: Data = key("the data set")
    model: Model = key("the network")
    optim: Optim = key("the optimiser")
    schedule: Schedule = key("the learning-rate schedule")
    precision: Precision = key("the arithmetic")
    probes: Probes = key("what is measured inside the network")
    landscape: Landscape = key("the loss around the trained network")
    tracking: Tracking = key("Weights & Biases")
    report: Report = key("the report of a sweep")


KEYS = read_keys(Config)
