"""Every table that a report writes is read back by pandas with the types and values that it had."""

from dataclasses import replace
from math import comb

import numpy as np
import pandas as pd
import pytest

from analysis.csv_files import escape_formula
from analysis.figures import style
from analysis.frame import Frame
from analysis.report import build
from tests.analysis.mechanisms import (
    test_gradient_flow,
    test_gradient_identity,
    test_landscape,
    test_lesions,
    test_responses,
    test_shattering,
)
from tests.analysis.test_published_claims import imagenet_runs, paper_frame

ERRORS = {
    family: {depth: [1.0, 2.0, 4.0] for depth in (8, 14, 20)} for family in ("plain", "residual")
}
SHATTERED = {"plain": {8: 0.1, 14: -0.02, 20: -0.03}, "residual": {8: 0.9, 14: 0.8, 20: 0.7}}
# the columns of text; all others hold numbers
TEXT = {
    "run_id", "data", "family", "shortcut", "condition", "state", "reason", "device", "pattern", "moment", "form",
    "lesion", "untrained",
}  # fmt: skip
TEXT_BEGINS = ("iterations to ", "H15_", "P1_", "P2_")  # ranges and what was printed


def paths_of(run):
    norms = [4.0, 3.0, 2.0, 1.0]
    table = pd.DataFrame({"length": range(4), "sum_gradient": norms, "path_gradient": norms})
    table["paths"] = [float(comb(3, length)) for length in range(4)]
    who = {key: run[key] for key in ("run_id", "family", "depth", "seed")}
    moments = (("initialisation", 0), ("end", 400))
    return pd.concat([table.assign(moment=moment, iteration=at, **who) for moment, at in moments])


def unpainted(_figure, stem):
    path = stem.with_suffix(".png")
    path.write_bytes(b"")
    return [path]


@pytest.fixture(scope="module")
def reports(frame_of, tmp_path_factory):
    """Reports that together have each table: of all probes, of two learning rates, of the paper's two data sets."""
    frame = frame_of(ERRORS, attempts=1)
    runs = frame.runs.to_dict("records")
    residual = [run for run in runs if run["family"] == "residual"]
    alone = test_lesions.ALONE
    norms = {
        family: {depth: {0: test_gradient_flow.LEVEL} for depth in (8, 14, 20)} for family in ERRORS
    }
    norms |= {"constructed": {20: {0: [0.0, 1.0, 1.0]}}}  # without a gradient
    probes = {
        "gradient_flow": test_gradient_flow.table_of(norms),
        "shattering": test_shattering.table_of(SHATTERED),
        "identity": test_gradient_identity.table_of(depths=(8, 14, 20)),
        "paths": pd.concat([paths_of(run) for run in residual], ignore_index=True),
        "responses": test_responses.table_of({family: {8: 1.0, 14: 0.9, 20: 0.8} for family in ERRORS}),
        "lesions": pd.concat([test_lesions.rows_of(run, alone[run["family"]], 0.5) for run in runs]),
        "landscape": pd.concat([test_landscape.rows_of(run, test_landscape.bowl) for run in runs[:2]]),
    }  # fmt: skip
    rates = [frame_of(ERRORS, **{"config.optim.lr": rate}) for rate in (0.05, 0.1)]
    for number, one in enumerate(rates):
        for table in (one.runs, one.curves):
            table["run_id"] = f"{number}:" + table["run_id"]
    both = [
        pd.concat([getattr(one, name) for one in rates], ignore_index=True)
        for name in ("runs", "curves")
    ]
    cifar10 = paper_frame(
        frame_of, {56: [6.9, 7.0], 110: [6.5, 6.6], 26: [8.0, 9.0]}, {20: [9.0, 9.1]}
    )
    imagenet = Frame(imagenet_runs(frame_of), frame.curves)
    cifar10.runs.loc[cifar10.runs["depth"] == 26, ["parameters", "multiply_adds"]] = np.nan
    frames = (replace(frame, probes=probes), Frame(*both), cifar10, imagenet)
    margins = {"digits": 2.0, "cifar10": 0.5}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            style, "save", unpainted
        )  # the tables are what is tested, and painting takes a minute
        return [
            build(one, tmp_path_factory.mktemp("tables"), "mine", "", margins) for one in frames
        ]


def written(report):
    """File name: what was to be written there."""
    tables = {stem: table for section in report.sections for stem, table in section.tables.items()}
    assert sorted(path.stem for path in report.folder.glob("*.csv")) == sorted(
        [*tables, "summary", "runs"]
    )
    summaries = [
        one.summary.assign(condition=one.title)
        for one in report.sections
        if one.summary is not None
    ]
    return tables | {"runs": report.runs, "summary": pd.concat(summaries)}


def is_text(column):
    return column in TEXT or column.startswith(TEXT_BEGINS)


@pytest.mark.slow
def test_each_kind_of_table_is_there(reports):
    stems = {stem for report in reports for stem in written(report)}
    assert stems >= {
        "gradient-flow", "shattering", "identity", "paths", "responses", "lesions", "landscape", "convergence",
        "learning-rate", "published", "published-imagenet", "summary", "runs",
    }  # fmt: skip


@pytest.mark.slow
def test_numbers_are_read_back_as_numbers(reports):
    for report in reports:
        for stem, table in written(report).items():
            read = pd.read_csv(report.folder / f"{stem}.csv")
            assert list(read) == [str(column) for column in table]
            for column in filter(lambda one: not is_text(one), read):
                assert pd.api.types.is_numeric_dtype(read[column]), f"{stem}: {column}"
                expected = pd.to_numeric(table[column]).to_numpy(float)
                assert np.allclose(
                    read[column].to_numpy(float), expected, rtol=1e-5, equal_nan=True
                ), f"{stem}: {column}"


@pytest.mark.slow
def test_a_negative_number_is_no_formula(reports):
    read = pd.read_csv(reports[0].folder / "shattering.csv").set_index(
        ["family", "depth", "moment"]
    )
    assert read.loc[("plain", 14, "initialisation"), "correlation"] == pytest.approx(-0.02)
    assert (read.loc[("plain", 20, "initialisation"), ["correlation", "low"]] < 0).all()
    assert "'" not in (reports[0].folder / "shattering.csv").read_text()


@pytest.mark.slow
def test_a_count_has_all_its_digits_where_others_are_not_known(reports):
    read = pd.read_csv(reports[2].folder / "published.csv").set_index("depth")
    assert read.loc[110, "G_parameters"] == 1_727_962
    assert read["parameters"].isna().tolist().count(True) == 1
    assert read["parameters"].dropna().eq(269_434).all()


@pytest.mark.parametrize(
    "text",
    [
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
    ],
)
def test_what_no_spreadsheet_runs_stays_as_it_is(text):
    assert escape_formula(text) == text


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "-A1", "--1", "-1,5", "-1 2", "@SUM(A1)", "-", "+", "=", "-1_0", "-inf", "\t=1",
             "\r=1", "-1\n=1"]
)  # fmt: skip
def test_what_a_spreadsheet_may_run_is_made_a_text(text):
    assert escape_formula(text) == f"'{text}"


def test_the_page_shows_numbers_to_be_read(reports):
    """Errors to two digits, counts in full, other numbers to four significant digits, a gap where nothing is known."""
    page = reports[0].page.read_text()
    assert '<td class="n">-0.02</td>' in page
    assert '<td class="n">85.50</td>' in page  # of a lesion
    assert '<td class="n">1e-15</td>' in page
    assert '<td class="n">nan</td>' not in page


def test_a_check_is_listed_apart_from_the_claims(reports):
    lines = reports[0].format_verdicts().splitlines()
    (line,) = [line for line in lines if line.startswith("  check: the identity")]
    assert line.split()[3] == "holds"
    assert not [line for line in lines if line.startswith("  the identity")]
    page = reports[0].page.read_text()
    assert "<p>Check: the identity <strong>holds</strong>: largest relative difference" in page
    assert "<strong>check: the identity</strong>" not in page  # no row of the verdicts
