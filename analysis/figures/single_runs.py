"""Texts of figures that show one run per network: they speak of no mean over seeds."""

import re

import pandas as pd

# What captions and footers say of means, with the text that a figure of single runs has instead.
REPLACEMENTS = {
    re.compile(r" \((?:geometric )?means? over seeds\)"): "",
    re.compile(r"[,;] (?:lines (?:join|are) )?(?:the )?(?:means?|medians?) over seeds"): "",
    re.compile(r"the median over seeds at each depth"): "the same runs",
    re.compile(r"Lines are means over seeds; within a run, the"): "Within a run, the",
    re.compile(r"The line is the mean over seeds, the dashed line"): "The dashed line is",
    re.compile(r"numbers: means over seeds"): "numbers: single runs",
    re.compile(r"; others: medians over seeds"): "",
    re.compile(r"Means are printed"): "Errors are printed",
}


def has_single_runs(runs: pd.DataFrame, keys: list[str]) -> bool:
    """Return whether every network has one run; `keys`: columns in which networks differ."""
    if runs.empty:
        return False
    return bool(runs.groupby(["family", "depth", *keys], dropna=False).size().max() == 1)


def describe_single_runs(text: str) -> str:
    """Return a caption or footer without what it says of means."""
    for means, replacement in REPLACEMENTS.items():
        text = means.sub(replacement, text)
    return text
