"""The keys of a sweep that lead, and those that follow from them.

A sweep over `optim=sgd,adam` changes the learning rate and the weight decay with the optimiser, and
a longer schedule moves its milestones. Such keys are not factors of their own: they follow from the
key that leads. If each optimiser has several rates of its own, each rate implies an optimiser, but
the rates do not follow from it: then both keys lead.
"""

import pandas as pd

from analysis.key_columns import PREFIX
from degradation.config.schema import KEYS

# Of keys that determine each other, the first of these leads; then the order of the schema.
# None of these follows from a key after it: a learning rate does not choose its optimiser.
PRIORITY_KEYS = (
    "data.name",
    "model.network",
    "model.block",
    "optim.name",
    "schedule.shape",
    "schedule.iterations",
)
KEY_ORDER = [*PRIORITY_KEYS, *KEYS]


def select_leading_keys(conditions: pd.DataFrame) -> list[str]:
    """Return a small set of keys that together determine all others, most important first.

    A key of PRIORITY_KEYS is omitted only if those before it determine it; any other key, if the
    rest of the set does. `conditions` has one row per condition and one column per key that
    varies, such as `config.optim.lr`.
    """
    leading = sorted(map(str, conditions), key=rank_key)
    for key in reversed(leading.copy()):
        others = [other for other in leading if other != key]
        before = others[: leading.index(key)]
        causes = before if key.removeprefix(PREFIX) in PRIORITY_KEYS else others
        if causes and _determine(conditions, causes, key):
            leading = others
    return leading


def _determine(conditions: pd.DataFrame, keys: list[str], key: str) -> bool:
    """Return whether conditions that agree in `keys` agree in `key` too."""
    combinations = conditions[keys].drop_duplicates()
    return len(combinations) == len(conditions[[*keys, key]].drop_duplicates())


def rank_key(key: str) -> tuple[int, str]:
    """Return a key's place: options of a block and keys of a parent come last, by name."""
    name = key.removeprefix(PREFIX)
    rank = KEY_ORDER.index(name) if name in KEY_ORDER else len(KEY_ORDER)
    return rank, name
