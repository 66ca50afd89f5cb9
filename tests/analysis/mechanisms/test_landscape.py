"""The loss around trained networks: roughness by hand, one scale, what is not shown."""

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest

from analysis.figures import landscape as figure
from analysis.figures import style
from analysis.mechanisms.landscape import build, measure_roughness
from tests.support.probe_tables import LANDSCAPE_POINTS, bowl, landscape_of_run

AT = np.linspace(-1, 1, LANDSCAPE_POINTS)


@pytest.fixture(autouse=True)
def _style():
    style.apply()


LOSSES = bowl(AT[None, :], AT[:, None])


@pytest.fixture
def frame_with_landscape(build_frame):
    def build_probed_frame(errors, loss=bowl, **options):
        frame = build_frame(errors)
        tables = [landscape_of_run(run, loss, **options) for run in frame.runs.to_dict("records")]
        return replace(frame, probes={"landscape": pd.concat(tables, ignore_index=True)})

    return build_probed_frame


BOTH = {"plain": {20: [1.0], 56: [50.0]}, "residual": {20: [1.0], 56: [1.0]}}


def test_without_probe_there_is_no_explanation(build_frame):
    assert build(build_frame(BOTH), 2.0) is None


def test_table_of_a_bowl_matches_hand_computation(frame_with_landscape):
    explanation = build(frame_with_landscape({"residual": {20: [1.0]}}), 2.0)
    assert explanation.claims == []
    (row,) = explanation.table.to_dict("records")
    assert row["loss"] == pytest.approx(0.1)
    assert row["error"] == 10.0
    assert row["loss_largest"] == pytest.approx(2.1)
    # Between 0.25 and 0.75 from the centre lie four points at 0.5 and four at 0.5 sqrt 2.
    assert row["loss_halfway"] == pytest.approx(0.1 + (4 * 0.25 + 4 * 0.5) / 8)
    # Only the centre has a whole window. Its log10 loss is 0.82 decades below its neighbours' fit.
    assert row["square_off_smooth_decades"] == pytest.approx(measure_roughness(LOSSES)[0])
    assert (row["square_off_smooth_share"], row["line_off_smooth_share"], row["not_finite"]) == (
        1,
        1,
        0,
    )


SIDE = np.linspace(-1, 1, 25)
X, Y = np.meshgrid(SIDE, SIDE)
BOWL = 10 ** (-5 + 5 * (X**2 + Y**2))  # ten decades from the centre to a corner
HOLE = 2.3 - 2.2 * np.exp(-(X**2 + Y**2) / 0.1)  # a smooth hole in a plateau, convex almost nowhere


def waves(seed=0):
    """Return a chaotic surface: short waves in all directions, with standard deviation 1."""
    generator = np.random.default_rng(seed)
    kx, ky, phase = generator.uniform(-1, 1, (3, 24, 1, 1))
    return np.sin(2 * np.pi * (5 * kx * X + 5 * ky * Y + phase)).sum(axis=0) / np.sqrt(12)


def test_quadratic_log_loss_is_smooth_over_any_range():
    assert measure_roughness(BOWL) == (pytest.approx(0, abs=1e-12), 0)
    assert measure_roughness(BOWL[12]) == (pytest.approx(0, abs=1e-12), 0)


def test_outlier_on_a_plane_deviates_by_its_height():
    """The plane fits its 24 neighbours exactly."""
    loss = 10 ** (X + 2 * Y)[:5, :5]
    loss[2, 2] *= 10**0.3
    assert measure_roughness(loss) == (pytest.approx(0.3), 1)
    line = np.array([1.0, 1.0, 1.0, 10**0.09, 1.0, 1.0, 1.0])
    # 0.09 at the outlier; its neighbours use it with weights 2/3 and -1/6, at one and two points.
    assert measure_roughness(line) == (pytest.approx((0.09 + 2 * 0.06) / 3), 0)
    assert measure_roughness(line[1:-1]) == (pytest.approx(0.09), 0)
    assert measure_roughness(np.array([1.0, 1.0, 10**0.11, 1.0, 1.0])) == (pytest.approx(0.11), 1)


@pytest.mark.parametrize(
    "smooth", [BOWL, HOLE, 0.02 + 1e4 * (X**2 + Y**2) ** 3, 0.1 + 100 * (X**2 + Y**2)]
)
def test_chaos_differs_from_a_bowl_of_many_decades(smooth):
    decades, share = measure_roughness(smooth)
    assert decades < 0.02
    assert share < 0.05
    chaotic = smooth * 10 ** (0.3 * waves())  # a factor of two up and down
    chaotic_decades, chaotic_share = measure_roughness(chaotic)
    assert chaotic_decades > 0.15
    assert chaotic_share > 0.5


def test_nan_and_small_grids_are_not_counted():
    loss = BOWL.copy()
    loss[12, 12] = nan
    loss[0, 0] = 1.0  # a corner is the centre of no window, and part of one
    decades, share = measure_roughness(loss)
    assert 0 < decades < 0.01
    assert share == pytest.approx(1 / (21**2 - 25))
    assert np.isnan(measure_roughness(np.full((5, 5), nan))).all()
    assert np.isnan(measure_roughness(BOWL[:4])).all()
    assert np.isnan(measure_roughness(np.ones(4))).all()
    assert measure_roughness(np.zeros(5)) == (0, 0)


def test_contours_show_log10_loss_on_one_scale(frame_with_landscape):
    fig = build(frame_with_landscape(BOTH), 2.0).figures["landscape"][0]
    panels = fig.axes[:4]
    assert [ax.get_title() for ax in panels[:2]] == ["20 layers", "56 layers"]
    levels = [tuple(ax.collections[0].levels) for ax in panels]
    assert len(set(levels)) == 1
    assert levels[0][0] == pytest.approx(-1)  # log10 of 0.1
    assert levels[0][-1] >= np.log10(1.35)
    x, y, height = figure.compute_heights(
        landscape_of_run({"run_id": "a", "family": "plain", "depth": 20, "seed": 0}, bowl).loc[5:]
    )
    assert height[2, 2] == pytest.approx(-1)
    assert (x[0, -1], y[-1, 0]) == (1, 1)


def test_line_draws_loss_and_error_of_every_network(frame_with_landscape):
    fig = build(
        frame_with_landscape({"plain": {20: [1.0, 1.0]}, "residual": {20: [1.0]}}), 2.0
    ).figures["landscape-line"][0]
    plain_loss, plain_error, residual_loss, _ = fig.axes
    assert (len(plain_loss.lines), len(residual_loss.lines)) == (2, 1)
    assert plain_loss.lines[0].get_ydata() == pytest.approx(0.1 + AT**2)
    assert plain_error.lines[0].get_ydata() == pytest.approx(10)
    assert plain_loss.get_ylim() == residual_loss.get_ylim()


def test_incomplete_grid_is_named_and_not_drawn(frame_with_landscape):
    frame = frame_with_landscape(BOTH)
    table = frame.probes["landscape"]
    is_missing = (
        (table["run_id"] == "plain-d56-s0") & (table["shape"] == "square") & (table["x"] == 1)
    )
    explanation = build(replace(frame, probes={"landscape": table[~is_missing]}), 2.0)
    assert (
        "the square of plain-d56-s0, because only 20 of its 25 points were measured"
        in explanation.details
    )
    assert not explanation.figures["landscape"][0].axes[1].collections
    assert len(explanation.table) == 4  # its line is complete


def test_finer_specification_is_shown_once_complete(frame_with_landscape):
    coarse = frame_with_landscape(BOTH, points=5).probes["landscape"]
    fine = frame_with_landscape(BOTH, points=7).probes["landscape"]
    frame = frame_with_landscape(BOTH)
    explanation = build(replace(frame, probes={"landscape": pd.concat([coarse, fine])}), 2.0)
    assert "2 specifications of the square were measured; shown: 7 points" in explanation.details
    unfinished = fine[(fine["shape"] == "line") | (fine["x"] == 1)]
    explanation = build(replace(frame, probes={"landscape": pd.concat([coarse, unfinished])}), 2.0)
    assert "of the square were measured; shown: 5 points" in explanation.details
    explanation = build(
        replace(frame, probes={"landscape": unfinished[unfinished["shape"] == "square"]}), 2.0
    )
    assert explanation.figures == {}
    assert explanation.table.empty


def test_caption_counts_points_beyond_the_scale(frame_with_landscape):
    def wild(x, y):
        corners = {(1, 1): nan, (-1, -1): 1e6}
        return corners.get((x, y), bowl(x, y))

    frame = frame_with_landscape({"residual": {20: [1.0, 1.0, 1.0]}}, wild, points=9)
    caption = build(frame, 2.0).figures["landscape"][1]
    assert (
        "1 of 81 points above it, drawn at its end; 1 of 81 points not finite, drawn white"
        in caption
    )
    assert "Of several seeds, the first is drawn: residual-d20-s0." in caption
    assert build(frame, 2.0).table["not_finite"].tolist() == [1, 1, 1]


def test_surface_without_finite_points_is_white(frame_with_landscape):
    def unknown(x, y):
        return nan

    explanation = build(frame_with_landscape({"plain": {20: [1.0]}}, unknown), 2.0)
    assert "25 of 25 points not finite, drawn white" in explanation.figures["landscape"][1]
    assert np.isnan(explanation.table["square_off_smooth_share"].iloc[0])
