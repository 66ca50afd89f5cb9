"""CONTRIBUTING.md, "A figure": one module, which the report finds automatically."""

from analysis.figures import plot_condition
from tests.support.recipes import added_module, read_recipe

PATH = "analysis/figures/gap_vs_depth.py"


def test_new_figure_is_in_the_report(tmp_path, build_frame):
    frame = build_frame({"plain": {20: [1.0, 2.0], 56: [9.0, 8.0]}})
    with added_module(PATH, read_recipe("A figure")[PATH], tmp_path):
        figure, caption = plot_condition(frame)["gap-against-depth"]
    assert caption.startswith("Test error minus training error")
    points = figure.axes[0].collections[0].get_offsets()
    gaps = frame.runs["test/error"] - frame.runs["training_error"]
    assert points.tolist() == list(map(list, zip(frame.runs["depth"], gaps, strict=True)))
    assert "gap-against-depth" not in plot_condition(frame)
