"""Families and depths can be told apart by colour-blind people."""

from itertools import combinations, pairwise

import pytest

from analysis.figures.style import FAMILY_STYLES, depth_style
from tests.support.color_vision import MACHADO, difference

CLEAR = 15.0  # in CIELAB, where 2.3 is just noticeable and black and white are 100 apart
VISIBLE = 8.0  # of lines side by side, which differ in line style as well


def test_simulation_gives_known_differences():
    assert difference("black", "white") == pytest.approx(100, abs=0.01)
    # Red and green of equal lightness are confused without one of their cones.
    assert difference("#A06000", "#608000") > 30
    assert difference("#A06000", "#608000", "deuteranopia") < 15


@pytest.mark.parametrize("deficiency", [None, *MACHADO])
def test_families_and_neighbouring_depths_differ(deficiency):
    colors = [style["color"] for style in FAMILY_STYLES.values()]
    assert min(difference(a, b, deficiency) for a, b in combinations(colors, 2)) > CLEAR
    for count in range(2, 9):
        shades = [depth_style(index, count)["color"] for index in range(count)]
        assert min(difference(a, b, deficiency) for a, b in pairwise(shades)) > VISIBLE
        assert difference(shades[0], "white", deficiency) > CLEAR
