"""What a configuration may hold: a value that makes no sense is refused with its key named."""

from collections.abc import Callable

from degradation.config.architecture import imagenet_stages, layers_per_unit
from degradation.config.errors import ConfigError, quote
from degradation.config.schema import Config
from degradation.config.values import RULES, is_there, select
from degradation.registry import DATASETS

Refuse = Callable[[str, str], None]  # key, what is allowed


def check(config: Config) -> None:
    """Refuse a configuration that makes no sense. Raises ConfigError."""

    def refuse(key: str, allowed: str) -> None:
        raise ConfigError(f"{key}: {quote(select(config, key))} is not allowed; allowed: {allowed}")

    _check_values(config, refuse)
    _check_model(config, refuse)
    _check_data(config, refuse)
    _check_schedule(config, refuse)
    _check_warmup(config, refuse)
    _check_landscape(config, refuse)


def _check_values(config: Config, refuse: Refuse) -> None:
    for key, rule in RULES.items():
        if is_there(config, key) and not rule.holds(select(config, key)):
            refuse(key, rule.allowed)


def _check_model(config: Config, refuse: Refuse) -> None:
    model = config.model
    if model.layout == "imagenet":
        depths = imagenet_stages(model.block)
        if model.depth not in depths:
            refuse(
                "model.depth",
                f"{', '.join(map(str, depths))} with {model.block} blocks in the imagenet layout",
            )
    else:
        unit = layers_per_unit(model.block)
        if model.depth < unit + 2 or (model.depth - 2) % unit:
            examples = ", ".join(str(unit * n + 2) for n in (1, 3, 5, 7, 9))
            refuse("model.depth", f"{unit}n+2 with {model.block} blocks, such as {examples}")
    if config.optim.batch_size % model.bn_parts:
        refuse("model.bn_parts", f"a divisor of optim.batch_size ({config.optim.batch_size})")
    if model.grown_from is None:
        return
    if (model.layout, model.shortcut, model.order, model.block) != (
        "cifar",
        "none",
        "post",
        "basic",
    ):
        refuse(
            "model.grown_from",
            "null, but for plain nets of basic blocks in the cifar layout, order post",
        )
    if not 8 <= model.grown_from <= model.depth or (model.grown_from - 2) % layers_per_unit(
        "basic"
    ):
        refuse("model.grown_from", f"null, or 6n+2 and at most model.depth ({model.depth})")


def _check_data(config: Config, refuse: Refuse) -> None:
    facts = DATASETS.facts(config.data.name)
    if config.data.root is None and facts.get("needs_root", True):
        refuse("data.root", f"the path of a folder, for data.name={config.data.name}")
    if config.data.size is not None and not facts.get("resizable", False):
        refuse(
            "data.size",
            f"null, for data.name={config.data.name}: only the images of an image_folder are resized",
        )
    stream = config.data.stream
    if (stream is not None) != facts.get("streamed", False):
        refuse("data.stream", "null, but for data=imagenet, which needs one")
    if stream is None:
        return
    if not stream.crop <= stream.scale[0] <= stream.scale[1]:
        refuse("data.stream.scale", f"two rising sides in pixels, {stream.crop} (the crop) or more")
    if stream.test_scale < stream.crop:
        refuse("data.stream.test_scale", f"{stream.crop} (the crop) or more")
    if config.data.normalisation != "channel":
        refuse("data.normalisation", "channel, where pictures are streamed")


def _check_schedule(config: Config, refuse: Refuse) -> None:
    schedule = config.schedule
    end = schedule.iterations
    milestones = schedule.milestones
    if milestones != sorted(set(milestones)) or any(not 0 < m < end for m in milestones):
        refuse("schedule.milestones", f"rising iterations inside the schedule, 1 to {end - 1}")
    if schedule.snapshots != sorted(set(schedule.snapshots)) or any(
        not 0 <= s < end for s in schedule.snapshots
    ):
        refuse(
            "schedule.snapshots",
            f"rising iterations before the last, 0 to {end - 1} (the final weights are kept)",
        )


def _check_warmup(config: Config, refuse: Refuse) -> None:
    schedule, warmup = config.schedule, config.schedule.warmup
    if warmup is None:
        return
    if warmup.below is None and warmup.max_iterations is None:
        refuse(
            "schedule.warmup.max_iterations",
            "a whole number, since schedule.warmup.below is null too",
        )
    first_drop = min([*schedule.milestones, schedule.iterations])
    if warmup.max_iterations is not None and warmup.max_iterations > first_drop:
        refuse(
            "schedule.warmup.max_iterations",
            f"at most {first_drop}, where the schedule's first part ends",
        )


def _check_landscape(config: Config, refuse: Refuse) -> None:
    if not 0 <= config.landscape.part < config.landscape.parts:
        refuse(
            "landscape.part",
            f"0 to {config.landscape.parts - 1} (landscape.parts is {config.landscape.parts})",
        )
