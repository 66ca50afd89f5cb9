"""The errors of a sweep over the options of a group, such as `experiment=a,b` or `model=a,b`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from degradation.config import ConfigError, compose_overrides, quote

OWNERS_OF_OPTIONS = {"model", "model.block", "model.network"}


@contextmanager
def explained_options(parsed: Sequence[Override]) -> Iterator[None]:
    """Within this context, a ConfigError about an option of some swept blocks says what to do."""
    try:
        yield
    except ConfigError as error:
        swept = {override.key_or_group for override in parsed if override.is_sweep_override()}
        if not str(error).startswith("model.options.") or swept.isdisjoint(OWNERS_OF_OPTIONS):
            raise
        raise ConfigError(
            f"{error}; a sweep gives every network the same options, so train such networks by"
            " several commands, then compare them by `experiments/report.py --records"
            " RECORD_ROOT`"
        ) from None


def read_grid(composed: DictConfig) -> Any:
    """Return the grid of a composed command line: what its options sweep over by themselves."""
    parameters = composed.hydra.sweeper.params or {}
    return OmegaConf.to_container(parameters, resolve=False) if parameters else {}


def build_ignored_grid_error(
    config_name: str, job: Sequence[str], parsed: Sequence[Override], grid: Any
) -> ConfigError:
    """Build the error about a sweep over options, one of which has a grid that Hydra ignores.

    Args:
        job: the overrides of a job whose composition has another grid.
        parsed: the overrides of the command line.
        grid: that of the command line.
    """
    key, option = _find_option_with_grid(config_name, job, parsed, grid)
    return ConfigError(
        f"{key}: {quote(option)} has its own grid (hydra.sweeper.params), which a sweep"
        f" over {key} would ignore; allowed: one {key} at a time"
    )


def _find_option_with_grid(
    config_name: str, job: Sequence[str], parsed: Sequence[Override], grid: Any
) -> tuple[str, str]:
    """Return the swept key of a job, and its option, that changes the grid."""
    swept_keys = {override.get_key_element() for override in parsed if override.is_sweep_override()}
    fixed = [text for text in job if text.partition("=")[0] not in swept_keys]
    swept = [text for text in job if text.partition("=")[0] in swept_keys]
    for text in swept:
        composed = compose_overrides(config_name, [*fixed, text], return_hydra_config=True)
        if read_grid(composed) != grid:
            return _split_override(text)
    return _split_override(swept[-1])  # only several options together change the grid


def _split_override(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value
