"""Keys on a command line that the data set or the optimiser of its runs does not read."""

from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from degradation.config import Config, quote
from degradation.config.dotted_keys import select
from degradation.registry import DATASETS
from degradation.run_id import list_ineffective_optim_keys
from degradation.single_warnings import warn_once
from degradation.sweep.override_values import get_text

DATA_ROOT = "data.root"


def warn_about_unread_root(configs: Sequence[Config], overrides: Sequence[Override]) -> None:
    """Warn of a data.root that none of these runs reads, such as one beside data=digits."""
    roots = [override for override in overrides if override.key_or_group == DATA_ROOT]
    names = {config.data.name for config in configs if config.data.root is not None}
    if not roots or not names or any(map(_reads_root, names)):
        return
    # the data sets that can be a user's own images are first
    datasets = sorted(DATASETS.names(), key=lambda name: "splits" not in DATASETS.facts(name))
    readers = ", ".join(f"data={name}" for name in datasets if _reads_root(name))
    chosen = " and ".join(f"data={name}" for name in sorted(names))
    warn_once(f"{get_text(roots[-1])}: has no effect with {chosen}; allowed with it: {readers}")


def warn_about_unread_optim_keys(configs: Sequence[Config]) -> None:
    """Warn of keys of `optim` that somebody has set, but that the optimiser does not read."""
    # runs of a sweep mostly have the same optimiser
    examples = {repr(config.optim): config for config in configs}
    for config in examples.values():
        for key in list_ineffective_optim_keys(config):
            value = quote(select(config, key))
            warn_once(f"{key}: {value} has no effect with optim.name={config.optim.name}")


def _reads_root(data_name: str) -> bool:
    """Return whether a data set reads files below data.root."""
    reads_root: bool = DATASETS.facts(data_name).get("needs_root", True)
    return reads_root
