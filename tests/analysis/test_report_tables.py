"""Every table of a report is read back by pandas with the types and values that it had."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from analysis.csv_files import escape_formula
from analysis.figures import style
from analysis.frame import Frame
from analysis.report import build
from analysis.terminal_summary import format_summary
from tests.support.frames import imagenet_runs, join_frames, paper_frame
from tests.support.probe_tables import (
    DELETED_ALONE,
    LEVEL,
    bowl,
    gradient_flow_table,
    identity_table,
    landscape_of_run,
    lesions_of_run,
    paths_of_run,
    responses_table,
    shattering_table,
)

DEPTHS = (8, 14, 20)
ERRORS = {family: {depth: [1.0, 2.0, 4.0] for depth in DEPTHS} for family in ("plain", "residual")}
SHATTERED = {"plain": {8: 0.1, 14: -0.02, 20: -0.03}, "residual": {8: 0.9, 14: 0.8, 20: 0.7}}
RESPONSES = {family: {8: 1.0, 14: 0.9, 20: 0.8} for family in ERRORS}
# The columns of text; all others hold numbers.
TEXT_COLUMNS = {
    "run_id",
    "data",
    "family",
    "shortcut",
    "condition",
    "state",
    "reason",
    "code",
    "device",
    "pattern",
    "time_point",
    "form",
    "lesion",
    "untrained",
}
# Ranges, and published numbers as they were printed.
TEXT_PREFIXES = ("iterations to ", "H15_", "P1_", "P2_")


def probed_frame(build_frame):
    """Return a frame with the tables of all probes."""
    frame = build_frame(ERRORS, attempts=1)
    runs = frame.runs.to_dict("records")
    residual = [run for run in runs if run["family"] == "residual"]
    norms = {family: {depth: {0: LEVEL} for depth in DEPTHS} for family in ERRORS}
    norms["constructed"] = {20: {0: [0.0, 1.0, 1.0]}}  # its first block has no gradient
    lesions = [lesions_of_run(run, DELETED_ALONE[run["family"]], 0.5) for run in runs]
    probes = {
        "gradient_flow": gradient_flow_table(norms),
        "shattering": shattering_table(SHATTERED),
        "identity": identity_table(depths=DEPTHS),
        "paths": pd.concat([paths_of_run(run) for run in residual], ignore_index=True),
        "responses": responses_table(RESPONSES),
        "lesions": pd.concat(lesions),
        "landscape": pd.concat([landscape_of_run(run, bowl) for run in runs[:2]]),
    }
    return replace(frame, probes=probes)


def cifar10_frame(build_frame):
    """Return runs of the paper's protocol; the complexity of one network is unknown."""
    residual = {56: [6.9, 7.0], 110: [6.5, 6.6], 26: [8.0, 9.0]}
    frame = paper_frame(build_frame, residual, {20: [9.0, 9.1]})
    frame.runs.loc[frame.runs["depth"] == 26, ["parameters", "multiply_adds"]] = np.nan
    return frame


def save_one_pixel(_figure, stem):
    path = stem.with_suffix(".png")
    Image.new("RGB", (1, 1)).save(path)
    return [path]


@pytest.fixture(scope="module")
def reports(build_frame, tmp_path_factory):
    """Reports that together have every kind of table."""
    rates = [build_frame(ERRORS, **{"config.optim.lr": rate}) for rate in (0.05, 0.1)]
    probed = probed_frame(build_frame)
    frames = (
        probed,
        join_frames(rates, "01"),
        cifar10_frame(build_frame),
        Frame(imagenet_runs(build_frame), probed.curves),
    )
    margins = {"digits": 2.0, "cifar10": 0.5}
    with pytest.MonkeyPatch.context() as patched:
        # The tables are what is tested, and drawing all figures takes a minute.
        patched.setattr(style, "save", save_one_pixel)
        return [
            build(frame, tmp_path_factory.mktemp("tables"), "mine", "", margins) for frame in frames
        ]


def list_tables(report):
    """Return the table that each CSV file was written from, by file stem."""
    tables = {}
    summaries = []
    for section in report.sections:
        tables |= section.tables
        if section.summary is not None:
            summaries.append(section.summary.assign(condition=section.title))
    tables |= {"runs": report.runs, "summary": pd.concat(summaries)}
    assert {path.stem for path in report.folder.glob("*.csv")} == set(tables)
    return tables


def is_text(column):
    return column in TEXT_COLUMNS or column.startswith(TEXT_PREFIXES)


@pytest.mark.slow
def test_every_kind_of_table_is_written(reports):
    stems = {stem for report in reports for stem in list_tables(report)}
    assert stems >= {
        "gradient-flow",
        "shattering",
        "identity",
        "paths",
        "responses",
        "lesions",
        "landscape",
        "convergence",
        "learning-rate",
        "published",
        "published-imagenet",
        "summary",
        "runs",
    }


@pytest.mark.slow
def test_numbers_are_read_back_as_numbers(reports):
    for report in reports:
        for stem, table in list_tables(report).items():
            from_file = pd.read_csv(report.folder / f"{stem}.csv")
            assert list(from_file) == [str(column) for column in table]
            for column in from_file:
                if is_text(column):
                    continue
                name = f"{stem}: {column}"
                assert pd.api.types.is_numeric_dtype(from_file[column]), name
                values = from_file[column].to_numpy(float)
                expected = pd.to_numeric(table[column]).to_numpy(float)
                assert np.allclose(values, expected, rtol=1e-5, equal_nan=True), name


@pytest.mark.slow
def test_negative_number_is_not_a_formula(reports):
    path = reports[0].folder / "shattering.csv"
    from_file = pd.read_csv(path).set_index(["family", "depth", "time_point"])
    start = from_file.xs("initialisation", level="time_point")
    assert start.loc[("plain", 14), "correlation"] == pytest.approx(-0.02)
    assert (start.loc[("plain", 20), ["correlation", "low"]] < 0).all()
    assert "'" not in path.read_text()


@pytest.mark.slow
def test_counts_have_all_digits_beside_unknown_ones(reports):
    from_file = pd.read_csv(reports[2].folder / "published.csv").set_index("depth")
    assert from_file.loc[110, "G_parameters"] == 1_727_962
    assert from_file["parameters"].isna().tolist().count(True) == 1
    assert from_file["parameters"].dropna().eq(269_434).all()


NOT_FORMULAS = [
    "-0.022",
    "+5",
    "-1",
    "-.5",
    "1e-3",
    "-1.5e+10",
    "-3.",
    "word",
    "a-b",
    "",
    "0.1 - 0.2",
    -0.5,
    3,
    None,
]
FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "-A1",
    "--1",
    "-1,5",
    "-1 2",
    "@SUM(A1)",
    "-",
    "+",
    "=",
    "-1_0",
    "-inf",
    "\t=1",
    "\r=1",
    "-1\n=1",
]


@pytest.mark.parametrize("value", NOT_FORMULAS)
def test_values_that_no_spreadsheet_runs_are_unchanged(value):
    assert escape_formula(value) == value


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_a_spreadsheet_may_run_is_escaped(text):
    assert escape_formula(text) == f"'{text}"


@pytest.mark.slow
def test_page_rounds_numbers(reports):
    """Errors have two decimals, other numbers four significant digits."""
    page = reports[0].page.read_text()
    assert '<td class="n">-0.02</td>' in page
    assert '<td class="n">85.50</td>' in page  # the error of a lesion
    assert '<td class="n">1e-15</td>' in page
    assert '<td class="n">nan</td>' not in page


@pytest.mark.slow
def test_checks_are_listed_apart_from_claims(reports):
    lines = format_summary(reports[0]).splitlines()
    (line,) = [line for line in lines if line.startswith("  check: the identity")]
    assert line.split()[3] == "holds"
    assert not [line for line in lines if line.startswith("  the identity")]
    page = reports[0].page.read_text()
    (card,) = re.findall(r'<article class="card (\S+)">\s*<h4>Check: the identity', page)
    assert card == "answered"  # it is no claim that could be reproduced
