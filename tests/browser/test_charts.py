"""The interactive charts in a real browser: controls, values shown, and what clicks do."""

import pandas as pd
import pytest

from analysis.frame import Frame
from analysis.page.charts import chart_data
from tests.browser.errors import ERRORS
from tests.support.pages import write_chart_page

pytestmark = pytest.mark.slow

DEPTH, CURVES = "#depth-chart", "#curves-chart"
COLUMNS = {  # the label of a quantity: its column in runs.csv
    "clean training error": "train/clean_error",
    "augmented training error": "train/augmented_error",
    "running training error": "train/running_error",
    "test error": "test/error",
    "clean training loss": "train/clean_loss",
}


def read_table(page, chart):
    """Unfold the values of a chart, and return its rows as dicts by column."""
    details = page.locator(f"{chart} details.chart-values")
    if details.get_attribute("open") is None:
        details.locator("summary").click()
    rows = details.locator("table").evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]


def choose(page, chart, control, value):
    """Set a select, or check the radio button or checkbox that has this value."""
    element = page.locator(f"{chart} select[data-control={control}]")
    if element.count():
        element.select_option(value)
    else:
        page.check(f"{chart} input[data-control={control}][value='{value}']")


def find_point(page, depth, value, top):
    """Return the position on screen of a point of the chart of the depths.

    It follows from two labels of each axis, as a reader would find it. `top`: another label of the
    vertical axis besides 0.
    """
    ticks = page.locator(f"{DEPTH} svg").evaluate(
        """svg => [...svg.querySelectorAll("[data-mark$='tick label'] text")].map(text => {
            const box = text.getBoundingClientRect();
            return [text.closest("g[data-mark]").dataset.mark[0], text.textContent,
                    box.x + box.width / 2, box.y + box.height / 2];
        })"""
    )
    xs = {int(text): x for axis, text, x, _ in ticks if axis == "x"}
    ys = {float(text): y for axis, text, _, y in ticks if axis == "y"}
    return xs[depth], ys[0] + (ys[top] - ys[0]) * value / top


def read_tip(page):
    """Return the lines of the tip that is shown in the chart of the depths."""
    lines = page.locator(f"{DEPTH} [aria-label=tip] tspan").all_text_contents()
    return [line.strip("\u200b") for line in lines]


def test_every_run_shown_is_that_of_runs_csv(open_report, report):
    page = open_report(report.page)
    choose(page, DEPTH, "mode", "runs")
    for label, column in COLUMNS.items():
        choose(page, DEPTH, "quantity", label)
        rows = read_table(page, DEPTH)
        expected = pd.read_csv(report.folder / "runs.csv").set_index("run_id")
        assert {row["run"] for row in rows} == set(expected.index)
        for row in rows:
            run = expected.loc[row["run"]]
            assert float(row["value"]) == pytest.approx(run[column], abs=0.006), (label, row)
            assert (row["family"], int(row["depth"]), int(row["seed"]), row["state"]) == (
                run["family"],
                run["depth"],
                run["seed"],
                run["state"],
            )


def test_means_shown_are_those_of_summary_csv(open_report, report):
    page = open_report(report.page)
    rows = read_table(page, DEPTH)
    expected = pd.read_csv(report.folder / "summary.csv").set_index(["family", "depth"])
    assert len(rows) == len(expected) == 6
    for row in rows:
        summary = expected.loc[(row["family"], int(row["depth"]))]
        shown = [float(row[column]) for column in ("mean", "95 % from", "to")]
        keys = [f"training_error_{key}" for key in ("mean", "low", "high")]
        assert shown == pytest.approx(summary[keys].tolist(), abs=0.006)
        assert int(row["runs"]) == 3


def test_curves_end_at_the_values_of_runs_csv(open_report, report):
    page = open_report(report.page)
    choose(page, CURVES, "mode", "runs")
    choose(page, CURVES, "quantity", "test error")
    last = read_table(page, CURVES)[-1]
    assert last.pop("iteration") == "400"
    assert len(last) == 18
    for run in pd.read_csv(report.folder / "runs.csv").to_dict("records"):
        name = f"{run['family']} {run['depth']}, seed {run['seed']}"
        assert float(last[name]) == pytest.approx(run["test/error"], abs=0.006)


def test_a_family_is_switched_off_and_on(open_report, report):
    page = open_report(report.page)
    panels = page.locator(f"{CURVES} .chart-panels strong")
    assert panels.all_text_contents() == ["Plain networks", "Residual networks"]
    page.uncheck(f"{CURVES} input[value=plain]")
    assert panels.all_text_contents() == ["Residual networks"]
    assert list(read_table(page, CURVES)[0]) == [
        "iteration",
        "residual 20",
        "residual 32",
        "residual 56",
    ]
    page.uncheck(f"{CURVES} input[value=residual]")
    assert "No family" in page.locator(f"{CURVES} .chart-drawing").text_content()
    page.check(f"{CURVES} input[value=plain]")
    assert panels.all_text_contents() == ["Plain networks"]


def test_a_depth_of_the_legend_is_isolated_in_both(open_report, report):
    page = open_report(report.page)
    page.check(f"{CURVES} input[data-control=depth][value='56']")
    assert {row["depth"] for row in read_table(page, DEPTH)} == {"56"}
    assert list(read_table(page, CURVES)[0]) == ["iteration", "plain 56", "residual 56"]
    page.check(f"{CURVES} input[data-control=depth][value='20']")
    assert {row["depth"] for row in read_table(page, DEPTH)} == {"20", "56"}
    status = page.locator(f"{CURVES} [role=status]").text_content()
    assert "20 and 56 layers isolated" in status
    page.click(f"{CURVES} button[data-control=show-all]")
    assert len(read_table(page, DEPTH)) == 6
    assert not page.locator(f"{CURVES} button[data-control=show-all]").is_visible()


def test_a_click_into_the_depths_isolates_one(open_report, report):
    page = open_report(report.page)
    x, y = find_point(page, 32, 8.67, 60)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    assert page.locator(f"{CURVES} input[data-control=depth]:checked").input_value() == "32"
    assert {row["depth"] for row in read_table(page, DEPTH)} == {"32"}
    x, y = find_point(page, 32, 8.67, 60)  # the page may have moved
    page.mouse.move(x, y + 1)
    page.mouse.click(x, y + 1)
    assert page.locator(f"{CURVES} input[data-control=depth]:checked").count() == 0


def test_a_tip_says_run_seed_and_value(open_report, report):
    page = open_report(report.page)
    choose(page, DEPTH, "mode", "runs")
    page.mouse.move(*find_point(page, 32, 11.0, 60))
    assert read_tip(page) == ["plain, 32 layers, seed 1", "11.00 %", "run plain-d32-s1"]
    choose(page, DEPTH, "mode", "mean")
    page.mouse.move(*find_point(page, 32, 8.67, 60))
    lines = read_tip(page)
    assert lines[:2] == ["plain, 32 layers", "mean 8.67 %"]
    assert "seed 1: 11.00 %" in lines


def test_one_seed_is_shown_as_its_run(open_report, report):
    page = open_report(report.page)
    choose(page, CURVES, "seed", "2")
    assert page.locator(f"{CURVES} input[data-control=mode][value=runs]").is_checked()
    assert all(name.endswith("seed 2") for name in list(read_table(page, CURVES)[0])[1:])
    choose(page, CURVES, "mode", "mean")  # a mean is that of all seeds
    assert page.locator(f"{CURVES} select[data-control=seed]").input_value() == "all"


@pytest.mark.parametrize("mode", ["mean", "runs"])
def test_zero_is_drawn_on_a_logarithmic_axis(open_report, report, mode):
    page = open_report(report.page)
    choose(page, CURVES, "scale", "log")
    choose(page, CURVES, "mode", mode)
    paths = page.locator(f"{CURVES} svg path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d') ?? '')"
    )
    assert paths
    assert not [path for path in paths if "NaN" in path or "Infinity" in path]
    caption = page.locator(f"{CURVES} figcaption").text_content()
    assert "0 is drawn at the lower edge" in caption
    assert "the learning rate drops" in caption


def test_families_far_apart_have_a_logarithmic_axis(open_report, report, build_frame, tmp_path):
    page = open_report(report.page)
    assert page.locator(f"{CURVES} input[value=log]").is_checked()
    near = build_frame({"plain": {20: [4.0, 5.0]}, "residual": {20: [1.0, 2.0]}})
    page = open_report(write_chart_page(tmp_path, near))
    assert page.locator(f"{CURVES} input[value=linear]").is_checked()


def test_lines_that_end_together_share_a_label(open_report, report):
    page = open_report(report.page)
    labels = page.locator(f"{CURVES} svg").last.locator("text")
    assert "20 to 56" not in labels.all_text_contents()
    choose(page, CURVES, "scale", "linear")
    assert "20 to 56" in labels.all_text_contents()


def test_bands_are_those_of_isolated_depths(open_report, report):
    page = open_report(report.page)
    caption = page.locator(f"{CURVES} figcaption")
    assert page.locator(f"{CURVES} [data-mark=area]").count() == 0
    assert "bands" not in caption.text_content()
    page.check(f"{CURVES} input[data-control=depth][value='56']")
    assert page.locator(f"{CURVES} [data-mark=area]").count() == 2
    assert "bands: their 95 % intervals" in caption.text_content()


def test_learning_rate_drops_are_vertical_lines(open_report, report):
    page = open_report(report.page)
    lines = (
        page.locator(f"{CURVES} svg")
        .first.locator("[data-mark=rule] line")
        .evaluate_all(
            "lines => lines.map(line => [line.x1, line.x2, line.y1, line.y2]"
            ".map(length => length.baseVal.value))"
        )
    )
    vertical = [line for line in lines if line[0] == line[1] and line[2] != line[3]]
    assert len(vertical) == 2  # the milestones of make_run_row: 200 and 300


def test_the_keyboard_reaches_every_control(open_report, report):
    page = open_report(report.page)
    choose(page, CURVES, "scale", "linear")
    page.focus(f"{CURVES} input[data-control=scale][value=linear]")
    page.keyboard.press("ArrowRight")
    assert page.locator(f"{CURVES} input[data-control=scale][value=log]").is_checked()
    assert "logarithmic axis" in page.locator(f"{CURVES} [role=status]").text_content()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert not page.locator(f"{CURVES} input[value=plain]").is_checked()
    page.focus(f"{DEPTH} details summary")
    page.keyboard.press("Enter")
    page.locator(f"{DEPTH} table").wait_for(state="visible")


def test_a_chart_says_its_numbers_in_a_sentence(open_report, report):
    page = open_report(report.page)
    chart = page.locator(f"{DEPTH} svg[role=img]")
    assert chart.get_attribute("aria-label") == (
        "Clean training error after the last iteration against depth. "
        "Plain networks: 1.60 % at 20 layers, 8.67 % at 32 layers, 63.67 % at 56 layers; "
        "residual networks: 0.80 % at 20 layers, 0.60 % at 32 layers, 0.30 % at 56 layers."
    )
    label = page.locator(f"{CURVES} svg[role=img]").first.get_attribute("aria-label")
    assert "At the end, plain networks: 1.60 % at 20 layers" in label


def test_a_condition_is_chosen_for_both_charts(open_report, swept_frame, tmp_path):
    path = write_chart_page(tmp_path, swept_frame)
    page = open_report(path)
    for rate, choice in ((0.1, "learning rate 0.1"), (0.2, "learning rate 0.2")):
        choose(page, CURVES, "condition", choice)
        runs = swept_frame.runs[swept_frame.runs["config.optim.lr"] == rate]
        expected = runs.groupby(["family", "depth"])["training_error"].mean()
        rows = read_table(page, DEPTH)
        assert len(rows) == 6
        for row in rows:
            mean = expected[row["family"], int(row["depth"])]
            assert float(row["mean"]) == pytest.approx(mean, abs=0.006)


def test_runs_that_repeat_a_seed_are_drawn_one_by_one(open_report, build_frame, tmp_path):
    frame = build_frame(ERRORS)
    frame.runs["seed"] = 0
    page = open_report(write_chart_page(tmp_path, frame))
    assert {row["mean"] for row in read_table(page, DEPTH)} == {"-"}
    for chart, mark in ((DEPTH, "dot"), (CURVES, "line")):
        caption = page.locator(f"{chart} figcaption").text_content()
        assert f"nothing is averaged: a {mark} per run" in caption
        assert "Means" not in caption
    assert page.locator(f"{CURVES} [data-mark=line] path").count() == 18
    names = page.locator(f"{DEPTH} svg text").all_text_contents()
    assert {"plain", "residual"} <= set(names)
    choose(page, DEPTH, "mode", "runs")
    assert page.locator(f"{DEPTH} [data-mark=dot] > *").count() == 18
    assert {row["value"] for row in read_table(page, DEPTH)} >= {"51.00", "0.60"}


def test_label_gives_the_range_of_runs_that_repeat_a_seed(open_report, build_frame, tmp_path):
    frame = build_frame({"plain": {20: [1.5, 2.5, 2.0]}, "residual": {20: [0.5, 0.6, 0.7]}})
    frame.runs["seed"] = 0
    page = open_report(write_chart_page(tmp_path, frame))
    label = page.locator(f"{DEPTH} svg[role=img]").get_attribute("aria-label")
    assert label.endswith(
        "Plain networks: 1.50 to 2.50 % at 20 layers; residual networks: 0.50 to 0.70 % at 20"
        " layers."
    )


def test_one_run_per_network_is_called_no_mean(open_report, build_frame, tmp_path):
    frame = build_frame({"plain": {20: [1.5], 56: [50.0]}, "residual": {20: [0.5], 56: [0.4]}})
    page = open_report(write_chart_page(tmp_path, frame))
    assert page.locator("[data-control=mode]").count() == 0
    assert {row["value"] for row in read_table(page, DEPTH)} == {"1.50", "50.00", "0.50", "0.40"}
    page.locator("[data-control=scale]:not(:checked)").check()
    text = page.locator("body").inner_text() + page.locator("[role=status]").last.text_content()
    assert "One run per network." in text
    assert "one run per network" in text
    assert "mean" not in text.lower()


def test_only_networks_with_means_are_counted_as_means(open_report, build_frame, tmp_path):
    frame = build_frame(ERRORS)
    frame.runs.loc[frame.runs["family"] == "plain", "seed"] = 0
    frame.runs.loc[len(frame.runs) - 1, "state"] = "failed"
    page = open_report(write_chart_page(tmp_path, frame))
    caption = page.locator(f"{DEPTH} figcaption").text_content()
    assert "Means over 2 to 3 runs" in caption
    assert "Where runs repeat a seed nothing is averaged: a dot per run." in caption
    names = page.locator(f"{DEPTH} svg text").all_text_contents()
    assert {"plain", "residual"} <= set(names)


@pytest.mark.parametrize(("step", "is_explained"), [(100 / 180, True), (float("nan"), False)])
def test_bars_of_equal_runs_are_explained(open_report, build_frame, tmp_path, step, is_explained):
    frame = build_frame({"plain": {20: [0.0, 0.0], 56: [1.0, 3.0]}})
    frame.runs["error_step"] = step
    page = open_report(write_chart_page(tmp_path, frame))
    caption = page.locator(f"{DEPTH} figcaption").text_content()
    assert ("Runs with equal errors have a bar too" in caption) == is_explained


def read_bars(page):
    """Return the ends of the bars, in the scale of two labels of the vertical axis."""
    _, bottom = find_point(page, 20, 0, 20)
    _, at_20 = find_point(page, 20, 20, 20)
    ends = page.locator(f"{DEPTH} [data-mark=rule] line").evaluate_all(
        "lines => lines.map(line => line.getBoundingClientRect())"
        ".filter(box => box.width < 1 && box.height > 1).map(box => [box.bottom, box.top])"
    )
    return [[20 * (y - bottom) / (at_20 - bottom) for y in end] for end in ends]


@pytest.mark.parametrize(
    ("errors", "ends", "words"),
    [
        ({20: [1.0, 60.0], 56: [30.0, 99.0]}, [[0, 100], [0, 100]], "Bars end at 0 and 100 %"),
        ({20: [10.0, 12.0], 56: [30.0, 31.0]}, [[0, 23.7], [24.15, 36.85]], "Bars end at 0 %"),
        ({20: [10.0, 10.1], 56: [30.0, 31.0]}, [[9.41, 10.69], [24.15, 36.85]], ""),
    ],
)
def test_bars_end_where_errors_do(open_report, build_frame, tmp_path, errors, ends, words):
    page = open_report(write_chart_page(tmp_path, build_frame({"plain": errors})))
    for drawn, expected in zip(read_bars(page), ends, strict=True):
        assert drawn == pytest.approx(expected, abs=1.0)
    caption = page.locator(f"{DEPTH} figcaption").text_content()
    assert words in caption
    assert ("Bars end" in caption) == bool(words)


def test_long_bars_are_said_to_be_cut_off(open_report, build_frame, tmp_path):
    frame = build_frame({"plain": {20: [1.0, 3.0], 56: [2.0, 4.0]}})
    page = open_report(write_chart_page(tmp_path, frame))
    caption = page.locator(f"{DEPTH} figcaption").text_content()
    assert "Long bars are cut off at the top" in caption
    assert "Bars end at 0 %" in caption


@pytest.mark.parametrize(
    ("shallow", "deep", "words"),
    [
        ([1.0, 60.0], [65.5, 65.6], "Bands end at 0 and 100 %"),
        ([1.0, 60.0], [40.0, 40.1], "Long bands are cut off at the top."),
        ([10.0, 10.1], [65.5, 65.6], ""),
    ],
)
def test_cut_bands_are_said_to_be_cut(open_report, build_frame, tmp_path, shallow, deep, words):
    frame = build_frame({"plain": {20: shallow, 56: deep}})
    page = open_report(write_chart_page(tmp_path, frame))
    caption = page.locator(f"{CURVES} figcaption").text_content()
    assert words in caption
    assert ("Bands end" in caption or "cut off" in caption) == bool(words)


def test_no_bar_strikes_the_name_of_guessing_through(open_report, build_frame, tmp_path):
    frame = build_frame({"plain": {20: [1.0, 99.0], 56: [30.0, 99.0]}})
    page = open_report(write_chart_page(tmp_path, frame))
    marks = page.locator(f"{DEPTH} svg > g").evaluate_all(
        "groups => groups.map(group => [group.dataset.mark, group.textContent])"
    )
    (name,) = [index for index, (_, text) in enumerate(marks) if text.startswith("chance")]
    assert all(mark != "rule" for mark, _ in marks[name:])


def test_families_have_the_dashes_and_marks_of_figures(open_report, build_frame, tmp_path):
    errors = {"plain-preactivation": ERRORS["plain"], "preactivation": ERRORS["residual"]}
    page = open_report(write_chart_page(tmp_path, build_frame(errors)))
    dashes = page.locator(f"{DEPTH} [data-mark=line]").evaluate_all(
        "groups => groups.map(group => group.getAttribute('stroke-dasharray'))"
    )
    assert [dash in (None, "none") for dash in dashes] == [False, True]
    paths = page.locator(f"{DEPTH} [data-mark=dot] path").evaluate_all(
        "paths => paths.map(path => path.getAttribute('d'))"
    )
    assert len(set(paths)) == 2


def test_a_page_without_runs_says_their_range(open_report, build_frame, tmp_path, monkeypatch):
    monkeypatch.setattr(chart_data, "MAX_RUN_NUMBERS", 0)
    page = open_report(write_chart_page(tmp_path, build_frame(ERRORS)))
    assert page.locator(f"{DEPTH} input[value=runs]").is_disabled()
    assert "too many runs" in page.locator(f"{DEPTH} figcaption").text_content()
    page.mouse.move(*find_point(page, 32, 8.67, 60))
    assert "3 runs, 7.00 to 11.00" in read_tip(page)


def test_a_page_without_finished_runs_says_so(open_report, build_frame, tmp_path):
    frame = build_frame(ERRORS, state="missing")
    path = write_chart_page(tmp_path, Frame(frame.runs, frame.curves.iloc[:0]))
    for chart in (DEPTH, CURVES):
        assert open_report(path).locator(f"{chart} figcaption").text_content() == (
            "No run has finished yet."
        )
