"""CONTRIBUTING.md, "A figure": one module, which the report finds by itself."""

import sys

from analysis.figures import plot_condition
from tests.support.recipes import add_module, read_recipe

PATH = "analysis/figures/gap_vs_depth.py"


def test_new_figure_is_in_the_report(monkeypatch, tmp_path, frame_of):
    code = read_recipe("A figure")[PATH]
    add_module(monkeypatch, tmp_path, "analysis.figures", PATH).write_text(code)
    frame = frame_of({"plain": {20: [1.0, 2.0], 56: [9.0, 8.0]}})
    try:
        figure, caption = plot_condition(frame)["gap-against-depth"]
    finally:
        sys.modules.pop("analysis.figures.gap_vs_depth", None)
    assert caption.startswith("Test error minus training error")
    points = figure.axes[0].collections[0].get_offsets()
    gaps = frame.runs["test/error"] - frame.runs["training_error"]
    assert points.tolist() == list(map(list, zip(frame.runs["depth"], gaps, strict=True)))
