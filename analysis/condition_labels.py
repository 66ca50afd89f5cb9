"""Labels of keys, values and conditions, such as `learning rate 0.1, batch size 64`."""

import re
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from analysis.abbreviation import abbreviate

Values = TypeVar("Values", pd.DataFrame, pd.Series)

# Represents None in the values of conditions: in pandas, None does not equal None. No text in a
# record has a line break, so the text "null", which an option may have, is another value.
NULL = "null\n"

# The label of a key's value, and the label of null.
TEMPLATES = {
    "data.name": "data set {}",
    "data.resize": "{} resizing",
    "data.size": "image size {}",
    "data.validation": "{} validation images",
    "model.bn_parts": "batch normalisation in {} parts",
    "model.bn_statistics": "{} BN statistics",
    "model.grown_from": "grown from {} layers",
    "optim.lr": "learning rate {}",
    "optim.name": "optimiser {}",
    "schedule.evaluate_every": "evaluation every {} iterations",
    "schedule.factor": "learning rate times {} at each drop",
    "schedule.iterations": "{} iterations",
    "schedule.linear_warmup": "linear warm-up over {} iterations",
    "schedule.milestones": "learning-rate drops at {}",
    "schedule.shape": "{} schedule",
    "schedule.warmup.below": "warm-up until the error is below {} %",
    "schedule.warmup.lr": "warm-up at learning rate {}",
    "schedule.warmup.max_iterations": "warm-up of at most {} iterations",
}
NULL_LABELS = {
    "data.size": "original image size",
    "model.grown_from": "trained from scratch",
    "schedule.warmup.below": "warm-up without an error threshold",
    "schedule.warmup.lr": "no warm-up",
    "schedule.warmup.max_iterations": "no limit on the warm-up",
}
# The labels of other values that mean "none".
NONE_LABELS = {
    ("schedule.linear_warmup", "0"): "no linear warm-up",
    ("schedule.milestones", "[]"): "no learning-rate drops",
}
# These name what the values of other keys depend on: an optimiser has its own learning rate.
NAMING_KEYS = ("config.data.name", "config.optim.name", "config.schedule.shape")
# Labels name these if they vary: a learning rate without its optimiser, or an error without its
# data set, would be misread.
ALWAYS_NAMED = ("config.data.name", "config.optim.name")

# The names of keys that do not follow from the keys themselves.
KEY_NAMES = {
    "data.name": "data set",
    "data.pad": "padding",
    "data.resize": "method of resizing",
    "data.size": "image size",
    "data.validation": "number of validation images",
    "model.bn_parts": "number of batch normalisation's parts",
    "model.bn_statistics": "kind of BN statistics",
    "model.grown_from": "parent's depth",
    "optim.lr": "learning rate",
    "optim.name": "optimiser",
    "schedule.evaluate_every": "interval of evaluations",
    "schedule.factor": "factor of each learning-rate drop",
    "schedule.iterations": "schedule length",
    "schedule.linear_warmup": "linear warm-up",
    "schedule.milestones": "learning-rate drops",
    "schedule.shape": "learning-rate schedule",
    "schedule.warmup.below": "error at which the warm-up ends",
    "schedule.warmup.lr": "learning rate of the warm-up",
    "schedule.warmup.max_iterations": "longest warm-up",
}
OPTIONS_PREFIX = "model.options."  # what precedes the name of an option of a block or network
# A class or function in the user's own file, with the hash of that file.
PLUGIN = re.compile(r"(?P<name>[\w.]+:[\w.]+)@[0-9a-f]+")


def is_null(value: Any) -> bool:
    """Return whether a value of a condition stands for None; it may be a number of NumPy."""
    return isinstance(value, str) and value == NULL


def fill_null(values: Values) -> Values:
    """Return the values of keys with NULL for None and NaN."""
    filled: Values = values.astype(object).where(values.notna(), NULL)
    return filled


def sort_values(values: pd.Series) -> list[Any]:
    """Return the distinct values: numbers by size, then text by letter.

    Among the text, `none` and null, which mean the absence of a value, come first.
    """

    def rank(value: Any) -> tuple[bool, bool, Any]:
        is_number = isinstance(value, Real)  # those of numpy included
        return not is_number, value not in ("none", NULL), value if is_number else str(value)

    return sorted(values.dropna().unique(), key=rank)


def list_texts(values: Iterable[Any], most: int) -> str:
    """Return the distinct values as text in a list that names at most `most` of them."""
    return abbreviate([*format_values(values).values()], most=most)


def label_conditions(conditions: pd.DataFrame) -> list[str]:
    """Return a label for each condition, made of a few keys that together distinguish them.

    `conditions` has one row per condition and one column per key, such as `config.optim.lr`, with
    NULL for None.
    """
    keys = _select_distinguishing_keys(conditions)
    values = {key: label_values(key, conditions[key]) for key in keys}
    rows = conditions[keys].to_dict("records")
    return [", ".join(values[str(key)][row[key]] for key in keys) for row in rows]


def _select_distinguishing_keys(conditions: pd.DataFrame) -> list[str]:
    """Return a small set of keys that together distinguish the conditions, in column order.

    NAMING_KEYS are tried first, then keys with numbers. A key is added if it distinguishes more
    conditions, so the set need not be the smallest one. ALWAYS_NAMED are added in any case.
    """
    keys = [str(key) for key in conditions]
    names = [key for key in keys if key in NAMING_KEYS]
    others = [key for key in keys if key not in NAMING_KEYS]
    numbers_first = sorted(others, key=lambda key: isinstance(conditions[key].iloc[0], str))
    selected: list[str] = []
    distinct = 1
    for key in [*names, *numbers_first]:
        count = len(conditions[[*selected, key]].drop_duplicates())
        if not selected or count > distinct or key in ALWAYS_NAMED:
            selected.append(key)
            distinct = count
    return [key for key in keys if key in selected]


def name_key(key: str) -> str:
    """Return a key in words, such as `batch size` for `config.optim.batch_size`."""
    name = key.removeprefix("config.")
    if name in KEY_NAMES:
        return KEY_NAMES[name]
    if name.startswith(OPTIONS_PREFIX):
        return name.removeprefix(OPTIONS_PREFIX).replace("_", " ")
    parts = name.split(".")
    # The section, such as `optim`, adds nothing; the part `parent` does.
    words = parts if parts[0] == "parent" else parts[1:] or parts
    return " ".join(words).replace("_", " ")


def label_values(key: str, values: Iterable[Any]) -> dict[Any, str]:
    """Return the label of each value of a key, such as `width 32`, in the order of the values."""
    return {value: _describe(key, value, text) for value, text in format_values(values).items()}


def format_values(values: Iterable[Any]) -> dict[Any, str]:
    """Return each distinct value as text.

    The hash of a user's own file is shown only where two versions of one class or function occur.
    """
    texts = {value: _format(value) for value in values}
    short = {value: _drop_hash(text) for value, text in texts.items()}
    names = list(short.values())
    return {
        value: name if names.count(name) == 1 else texts[value] for value, name in short.items()
    }


def _drop_hash(text: str) -> str:
    match = PLUGIN.fullmatch(text)
    return match["name"] if match else text


def _describe(key: str, value: Any, text: str) -> str:
    """Return the label of one value, such as `width 32`. `text`: the value as text."""
    name = key.removeprefix("config.")
    if is_null(value):
        return NULL_LABELS.get(name, f"no {name_key(key)}")
    if (name, text) in NONE_LABELS:
        return NONE_LABELS[name, text]
    if name in TEMPLATES:
        return TEMPLATES[name].format(text)
    return f"{name_key(key)} {text}"


def _format(value: Any) -> str:
    """Return a value as in YAML; pandas turns whole numbers into floats if others are null."""
    if is_null(value):
        return "null"
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
