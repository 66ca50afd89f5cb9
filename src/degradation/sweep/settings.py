"""What the runs of a sweep are trained on and for how long, in a line, before they start.

An option may replace what an experiment chooses: `experiment=paper schedule=cosine` trains 400
iterations, not 64,000. The line shows what the command line amounts to. Does not import torch.
"""

from collections.abc import Callable, Sequence

from degradation.config import Config
from degradation.counting import format_count

MAX_VALUES = 4  # that the line lists of one setting


def describe_settings(configs: Sequence[Config]) -> str:
    """Return the data, length, learning rate and device of runs, such as

    `30 runs on digits, 400 iterations of 128 images, learning rate 0.01, device=cpu`.

    A setting that differs between the runs is a list. `configs`: at least one.
    """
    data = _list_values(configs, lambda config: config.data.name)
    iterations = _list_values(configs, lambda config: f"{config.schedule.iterations:,}")
    batches = _list_values(configs, lambda config: f"{config.optim.batch_size:,}")
    rates = _list_values(configs, lambda config: f"{config.optim.lr:g}")
    devices = _list_values(configs, lambda config: config.device)
    return (
        f"{format_count(len(configs), 'run')} on {data}, {iterations} iterations of {batches}"
        f" images, learning rate {rates}, device={devices}"
    )


def _list_values(configs: Sequence[Config], read: Callable[[Config], str]) -> str:
    """Return the distinct values of a setting, joined by ` or `; of many, the first ones."""
    values = list(dict.fromkeys(map(read, configs)))
    rest = len(values) - MAX_VALUES
    named = values if rest <= 0 else [*values[:MAX_VALUES], f"{rest} more"]
    return " or ".join(named)
