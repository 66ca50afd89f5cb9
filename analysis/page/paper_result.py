"""What the paper found, beside what these runs show, where no network can be compared directly."""

import pandas as pd

from analysis.family_pairs import family_pair
from analysis.finished_runs import select_finished
from analysis.plain_text import format_percents
from analysis.published_values import PLAIN, RESIDUAL_A, find_published
from degradation.metrics import TEST_ERROR

PAPER_DATA, SHALLOW, DEEP = "cifar10", 20, 56
INTRODUCTION = (
    "He et al. 2015 give no numbers for networks like these on these data, so only the direction"
    " can be compared."
)


def describe_paper_result(runs: pd.DataFrame) -> str:
    """Return the paper's test errors on CIFAR-10 at 20 and 56 layers, and those of these runs.

    `runs`: rows of `Frame.runs` of one condition; with none, the text has the paper's errors only.
    The paper's training errors are drawn but not printed, so the text has test errors.
    """
    plain, residual = (_find_errors(*network) for network in (PLAIN, RESIDUAL_A))
    paper = (
        f"On CIFAR-10 the paper's test error goes, from {SHALLOW} to {DEEP} layers, from {plain} in"
        f" plain networks (read off figure 6), and from {residual} in residual ones (table 6)."
    )
    return " ".join([INTRODUCTION, paper, *_describe_own(runs)])


def _find_errors(family: str, shortcut: str) -> str:
    """Return `8.75 % to 6.97 %`: the paper's errors at both depths."""
    return f"{_find_error(family, shortcut, SHALLOW)} to {_find_error(family, shortcut, DEEP)}"


def _find_error(family: str, shortcut: str, depth: int) -> str:
    network = {"data": PAPER_DATA, "family": family, "shortcut": shortcut, "source": "H15"}
    (value,) = find_published(**network, depth=depth, metric=TEST_ERROR, best=False)
    text = value.format().replace("~", "about ").replace(" to ", "-")
    return f"{text} %"


def _describe_own(runs: pd.DataFrame) -> list[str]:
    """Return a sentence with the mean test errors of these runs, if they have two depths."""
    if runs.empty:
        return []
    pair = family_pair(runs)
    finished = select_finished(runs)
    texts = []
    for family in (pair.plain, pair.residual):
        of_family = finished[finished["family"] == family]
        means = of_family.groupby("depth")[TEST_ERROR].mean().dropna()
        depths = [SHALLOW, DEEP]
        if not set(depths) <= set(means.index):
            depths = sorted({int(depth) for depth in means.index})
            depths = [depths[0], depths[-1]] if len(depths) > 1 else []
        if depths:
            shallow, deep = format_percents([float(means[depth]) for depth in depths])
            where = "" if depths == [SHALLOW, DEEP] else f", {depths[0]} to {depths[1]} layers"
            texts.append(f"from {shallow} to {deep} ({family}{where})")
    return [f"Here it goes {' and '.join(texts)}."] if texts else []
