"""The rules between the keys of a schedule, and between them and the network."""

from degradation.config.architecture import parent_config
from degradation.config.errors import ConfigError, not_allowed
from degradation.config.overrides import list_options
from degradation.config.schedule import effective_warmup
from degradation.config.schema import Config
from degradation.registry import SHAPES


def check_schedule(config: Config) -> None:
    """Raise ConfigError, which names the key, if a value of the schedule is not allowed."""
    _check_lists(config)
    _check_augmented_every(config)
    _check_shape(config)
    _check_warmup(config)
    _check_linear_warmup(config)


def _check_lists(config: Config) -> None:
    schedule = config.schedule
    last = schedule.iterations - 1
    if not _is_ascending(schedule.milestones, first=1, last=last):
        allowed = f"iterations in ascending order, 1 to {last}, or fractions such as 0.5"
        raise not_allowed(config, "schedule.milestones", allowed)
    if not _is_ascending(schedule.snapshots, first=0, last=last):
        allowed = (
            f"iterations in ascending order, 0 to {last}, or fractions such as 0.5"
            " (the final weights are always saved)"
        )
        raise not_allowed(config, "schedule.snapshots", allowed)


def _check_augmented_every(config: Config) -> None:
    schedule = config.schedule
    every = schedule.augmented_every
    if every is not None and every != schedule.iterations and every % schedule.evaluate_every:
        allowed = (
            f"a multiple of schedule.evaluate_every, {schedule.evaluate_every}, or"
            f" {schedule.iterations}, the last iteration"
        )
        raise not_allowed(config, "schedule.augmented_every", allowed)


def _is_ascending(iterations: list[int], first: int, last: int) -> bool:
    if iterations != sorted(set(iterations)):
        return False
    return all(first <= iteration <= last for iteration in iterations)


def _check_shape(config: Config) -> None:
    shape = config.schedule.shape
    if SHAPES.facts(shape)["has_drops"]:
        return
    # a schedule of this name in conf/ sets all keys as the shape needs them
    preset = f" (schedule={shape} sets it)" if shape in list_options("schedule") else ""
    if config.schedule.milestones:
        allowed = f"[], with schedule.shape={shape}{preset}"
        raise not_allowed(config, "schedule.milestones", allowed)
    if config.schedule.plateau is not None:
        raise ConfigError(
            f"schedule.plateau: is not allowed with schedule.shape={shape}; allowed: null{preset}"
        )


def _check_warmup(config: Config) -> None:
    warmup = config.schedule.warmup
    if warmup is None:
        return
    if warmup.below is None and warmup.max_iterations is None:
        allowed = "a whole number, since schedule.warmup.below is null too"
        raise not_allowed(config, "schedule.warmup.max_iterations", allowed)
    first_drop = _first_drop(config)
    if warmup.max_iterations is not None and warmup.max_iterations > first_drop:
        allowed = f"at most {first_drop}, the first drop of the schedule"
        raise not_allowed(config, "schedule.warmup.max_iterations", allowed)


def _first_drop(config: Config) -> int:
    """Return the first milestone, or the end of a schedule without milestones."""
    return min([*config.schedule.milestones, config.schedule.iterations])


def _check_linear_warmup(config: Config) -> None:
    if config.schedule.linear_warmup == 0:
        return
    first_drop = _first_drop(config)
    if config.schedule.linear_warmup > first_drop:
        allowed = f"0 to {first_drop}, the first drop or the end of the schedule, or a fraction"
        raise not_allowed(config, "schedule.linear_warmup", allowed)
    for trained in (config, parent_config(config)):
        if trained is not None and effective_warmup(trained) is not None:
            depth = trained.model.depth
            allowed = f"0, or schedule.warmup=null: a network of {depth} layers has that warm-up"
            raise not_allowed(config, "schedule.linear_warmup", allowed)
