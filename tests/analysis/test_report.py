"""A report is one self-contained, escaped page with its figures and tables in files."""

import re

import pandas as pd
import pytest

from analysis.figures import style
from analysis.report import RUNS_CSV_COLUMNS, build
from analysis.sections import summarise
from analysis.statistics import student_interval
from tests.support.frames import join_frames
from tests.support.pages import remove_chart_scripts

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]},
}


@pytest.fixture(scope="module")
def report(build_frame, tmp_path_factory):
    frame = build_frame(ERRORS)
    frame.runs.loc[0, "reason"] = "<script>alert('x')</script>"
    folder = tmp_path_factory.mktemp("report") / "r"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "SUFFIXES", (".png", ".svg"))  # PDF files take longest to write
        return build(frame, folder, "mine <b>", "python x.py 'a<b'", {"digits": 2.0})


def test_page_is_self_contained_and_escaped(report):
    page = remove_chart_scripts(report.page.read_text())
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "mine &lt;b&gt;" in page
    assert not re.findall(r'src(?:set)?="(?!data:)', page)
    assert set(re.findall(r'href="(?!#|data:)([^"]*)', page)) == {"runs.csv"}
    assert page.count("data:image/webp;base64,") == 2 * 2  # each figure, and a narrow one
    assert "reproduced" in page


def test_summary_csv_has_states_and_intervals(report):
    table = pd.read_csv(report.folder / "summary.csv")
    assert len(table) == 4
    row = table[(table["family"] == "plain") & (table["depth"] == 56)].iloc[0]
    interval = student_interval(ERRORS["plain"][56])
    assert row["training_error_mean"] == pytest.approx(interval.mean, rel=1e-5)
    assert row["training_error_low"] == pytest.approx(interval.low, rel=1e-5)
    assert (row["done"], row["missing"], row["diverged"]) == (3, 0, 0)


def test_runs_csv_has_every_run(report):
    assert len(pd.read_csv(report.folder / "runs.csv")) == 12


def test_figures_are_written_as_png_and_svg(report):
    for stem in ("error-against-depth", "error-against-iteration"):
        assert (report.folder / f"{stem}.png").stat().st_size > 10_000
        assert (report.folder / f"{stem}.svg").read_text().startswith("<?xml")


def test_only_tables_are_those_of_the_whole_report(report, tmp_path):
    only = build(report.frame, tmp_path, "one", "", {"digits": 2.0}, only_tables=True)
    assert {path.suffix for path in only.folder.iterdir()} == {".csv", ".json", ".txt"}
    for table in only.folder.glob("*.csv"):
        assert table.read_bytes() == (report.folder / table.name).read_bytes()
    assert only.headline == report.headline


@pytest.mark.slow
def test_each_condition_has_a_section(build_frame, tmp_path):
    """A figure that an earlier report of one condition left behind is removed."""
    frame = build_frame(ERRORS, **{"config.optim.lr": 0.01})
    build(frame, tmp_path, "one", "", {"digits": 2.0})
    assert (tmp_path / "error-against-depth.png").exists()
    frame.runs.loc[frame.runs["seed"] == 2, "config.optim.lr"] = 0.1
    report = build(frame, tmp_path, "two", "", {"digits": 2.0})
    assert [section.title for section in report.sections] == [
        "Learning rate",
        "Learning rate 0.01",
        "Learning rate 0.1",
    ]
    assert sorted(path.name for path in tmp_path.glob("error-against-depth*.png")) == [
        "error-against-depth-learning-rate-0_01.png",
        "error-against-depth-learning-rate-0_1.png",
    ]
    first, second = (
        report.figure_paths()[f"error-against-depth-learning-rate-{rate}"].read_bytes()
        for rate in ("0_01", "0_1")
    )
    assert first != second
    assert set(pd.read_csv(tmp_path / "runs.csv")["condition"]) == {
        "Learning rate 0.01",
        "Learning rate 0.1",
    }


def test_summary_of_unfinished_runs_has_no_numbers(build_frame):
    frame = build_frame({"plain": {20: [1.0]}})
    frame.runs["state"] = "missing"
    summary = summarise(frame.runs)
    assert summary.loc[0, "missing"] == 1
    assert pd.isna(summary.loc[0, "training_error_mean"])


@pytest.mark.slow
def test_every_key_that_varies_is_a_column(build_frame, tmp_path):
    """Those that follow from another key too; a network without an option has no value."""
    frames = [
        build_frame(ERRORS, **{"config.optim.name": name, "config.optim.lr": lr, "config.seed": 0})
        for name, lr in (("sgd", 0.1), ("adam", 0.001))
    ]
    report = build(join_frames(frames, "01"), tmp_path, "two", "", {"digits": 2.0})
    runs, summary = (pd.read_csv(tmp_path / name) for name in ("runs.csv", "summary.csv"))
    assert list(runs)[-2:] == ["optim.name", "optim.lr"]
    for table in (runs, summary):
        assert set(zip(table["optim.name"], table["optim.lr"], strict=True)) == {
            ("sgd", 0.1),
            ("adam", 0.001),
        }
    assert "With the optimiser vary: learning rate" in report.page.read_text()
    page = re.sub(r"<[^>]*>", "", report.page.read_text())  # terms of the glossary are wrapped
    assert "does the training error of plain networks increase" in page
    assert "at every value" in page


def test_without_a_varying_key_the_tables_have_no_such_column(report):
    assert list(pd.read_csv(report.folder / "runs.csv")) == RUNS_CSV_COLUMNS
