"""Errors of runs whose seeds are correlated across groups."""

import numpy as np


def draw_correlated(generator, correlation, groups=2):
    """Draw errors of three seeds in several groups; errors of one seed are correlated."""
    common = generator.normal(size=3)
    return [
        np.sqrt(correlation) * common + np.sqrt(1 - correlation) * generator.normal(size=3)
        for _ in range(groups)
    ]
