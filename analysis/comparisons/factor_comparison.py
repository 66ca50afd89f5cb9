"""The comparison of the values of one factor, whatever its key is: claims, table and figures."""

import re
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from analysis.claim import Claim
from analysis.claims import FAMILY_PAIRS
from analysis.comparisons.base import CAPTION_SUFFIX, Comparison, PaperFactor, build_table
from analysis.comparisons.degradation_by_value import judge_each_value
from analysis.comparisons.networks import group_networks
from analysis.comparisons.size_by_value import judge_gain, judge_size
from analysis.condition_labels import format_values, name_key
from analysis.factors import Factor, Stratum
from analysis.figures import error_vs_depth, error_vs_factor
from analysis.figures.matplotlib_import import Figure

MAX_FOLLOWER_VALUES = 6  # values of a key that the introduction lists


def compare_values(
    factor: Factor, paper: PaperFactor | None, margins: Mapping[str, float]
) -> Comparison:
    """Return the comparison of a factor's values, within each of its strata.

    Args:
        factor: the factor.
        paper: what the paper adds to it, or None.
        margins: the margin of the claims for each data set, in points of training error.
    """
    if paper is not None and not all(_is_paper_stratum(s, paper) for s in factor.strata):
        paper = None
    name = paper.name if paper else _file_stem(factor.key)
    words = name_key(factor.key)
    claims: list[Claim] = []
    for stratum in factor.strata:
        margin = margins[stratum.data_set]
        own = [*paper.judge(stratum.frame.runs, margin)] if paper else []
        claims += _name_stratum([*own, *judge_values(stratum, words, margin)], stratum)
    used_margins = {margins[stratum.data_set] for stratum in factor.strata}
    return Comparison(
        name=name,
        title=paper.title if paper else words[:1].upper() + words[1:],
        claims=claims,
        table=_build_table(factor),
        figures=_plot(factor, paper, name, words),
        introduction=_introduce(factor, words),
        margin=used_margins.pop() if len(used_margins) == 1 else None,
    )
