"""Panels of probes: each draws the numbers of one family into the axes that are passed."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from analysis import plot
from degradation.errors import UserError
from tests.support import probe_tables

RUNS = [probe_tables.network("residual", 8, seed) for seed in range(2)]
PLAIN = [probe_tables.network("plain", 8, seed) for seed in range(2)]


def lesions_table():
    tables = []
    for run in (*RUNS, *PLAIN):
        alone = probe_tables.DELETED_ALONE[run["family"]]
        tables.append(probe_tables.lesions_of_run(run, alone, 0.0))
    return pd.concat(tables, ignore_index=True)


def landscape_table():
    tables = [probe_tables.landscape_of_run(run, probe_tables.bowl) for run in RUNS]
    return pd.concat(tables, ignore_index=True)


def paths_table():
    return pd.concat([probe_tables.paths_of_run(run) for run in RUNS], ignore_index=True)


NORMS = {"residual": {8: {0: [4.0, 2.0]}}, "plain": {8: {0: [8.0, 2.0]}}}
PANELS = [
    (plot.gradient_flow, probe_tables.gradient_flow_table(NORMS), {}, [4.0, 2.0]),
    (plot.shattering, probe_tables.shattering_table({"residual": {8: 0.5}}), {}, None),
    (plot.responses, probe_tables.responses_table({"residual": {8: 0.5}}), {}, [0.45, 0.55]),
    (plot.gradient_identity, probe_tables.identity_table(), {"depth": 8}, None),
    (plot.paths, paths_table(), {}, [4.0, 3.0, 2.0, 1.0]),
    (plot.effective_lengths, paths_table(), {}, [1 / 3]),
    (plot.lesions, lesions_table(), {}, [2.0, 5.0, 50.0]),
    (plot.lesions, lesions_table(), {"kind": "swap"}, [2.0, 10.0, 20.0]),
    (plot.single_deletions, lesions_table(), {}, [4.0, 60.0, 6.0]),
    (plot.landscape_line, landscape_table(), {}, [1.1, 0.35, 0.1, 0.35, 1.1]),
]


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


@pytest.mark.parametrize(("panel", "table", "options", "heights"), PANELS)
def test_panel_draws_one_family(ax, panel, table, options, heights):
    assert panel(table, ax, family="residual", **options) is ax
    line = ax.get_lines()[0]
    assert len(line.get_ydata()) > 0
    if heights is not None:
        np.testing.assert_allclose(line.get_ydata(), heights)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert "residual" in ax.get_title()
    with pytest.raises(UserError, match=r"^family: 'constructed' is not in the table; allowed: "):
        panel(table, ax, family="constructed", **options)


def test_contours_share_the_scale_of_the_table(ax):
    assert plot.landscape_contours(landscape_table(), ax) is ax
    assert len(ax.collections) == 2  # filled contours and their lines
    assert ax.get_title() == "residual, 8 layers"


def test_measurements_on_other_numbers_of_images_are_not_averaged():
    table = probe_tables.gradient_flow_table({"residual": {8: {0: [4.0, 2.0]}}})
    joined = pd.concat([table.assign(pictures=128), table.assign(pictures=256)])
    with pytest.raises(
        UserError, match=r"^pictures: the runs were measured with 128, 256, .*128\]$"
    ):
        plot.gradient_flow(joined)
    plot.gradient_flow(joined[joined["pictures"] == 128])
    points = landscape_table()
    other = points.assign(points=points["points"] + 2)
    for draw in (plot.landscape_line, plot.landscape_contours):
        with pytest.raises(UserError, match=r"^points: the runs were measured with "):
            draw(pd.concat([points, other]))
