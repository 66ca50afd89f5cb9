"""Probes of trained networks become tidy tables, and sections of a report."""

import pytest

from analysis.frame import Frame, load
from analysis.probes import read_probe_tables
from analysis.report import build
from analysis.terminal_summary import format_summary
from degradation.records.schema import PROBES_FILE
from degradation.run import train
from degradation.run_probes import run_landscape, run_probes
from degradation.sweep.planned_runs import describe_planned_run
from degradation.sweep.runs import locate_run

pytestmark = pytest.mark.slow
GRID = [
    (model, depth, seed) for model in ("plain", "residual") for depth in (8, 14) for seed in (0, 1)
]
MECHANISMS = [
    "convergence",
    "gradient-flow",
    "shattering",
    "identity",
    "paths",
    "responses",
    "lesions",
    "landscape",
]


@pytest.fixture(scope="module")
def probed(compose_config, tiny_overrides, tmp_path_factory):
    """The record root and the runs of a small grid with all probes; landscapes of seed 0 only."""
    root = tmp_path_factory.mktemp("probed")
    small = ["landscape.line=5", "landscape.square=3", "landscape.parts=1"]
    keys = [*tiny_overrides, *small, f"record_root={root}", "schedule.evaluate_every=1"]
    runs = []
    for model, depth, seed in GRID:
        config = compose_config(*keys, f"model={model}", f"model.depth={depth}", f"seed={seed}")
        train(config)
        run_probes(config)
        if seed == 0:
            run_landscape(config)
        runs.append(locate_run(config))
    return root, [describe_planned_run(run) for run in runs]


def test_table_has_one_row_per_block_and_time_point(probed):
    root, expected = probed
    table = load(root, expected).probes["gradient_flow"]
    # One row per block, and one for the output of the last block.
    rows = {("plain", 8): 4, ("plain", 14): 7, ("residual", 8): 4, ("residual", 14): 7}
    for (family, depth), count in rows.items():
        group = table[(table["family"] == family) & (table["depth"] == depth)]
        assert len(group) == count * 2 * group["iteration"].nunique()
        assert set(group["seed"]) == {0, 1}
    time_points = dict(table[["iteration", "time_point"]].drop_duplicates().to_numpy())
    assert time_points == {0: "initialisation", 1: "iteration 1", 6: "iteration 6", 12: "end"}


def test_tables_say_how_many_images_and_which_device(probed):
    root, expected = probed
    probes = load(root, expected).probes
    assert set(probes["gradient_flow"]["pictures"]) == {128}
    assert set(probes["lesions"]["pictures"]) == {297}
    assert {device for table in probes.values() for device in table["device"]} == {"cpu"}


def test_landscape_is_a_table_of_points(probed):
    root, expected = probed
    table = load(root, expected).probes["landscape"]
    assert table.groupby("run_id").size().tolist() == [5 + 9] * 4
    assert set(table["seed"]) == {0}
    assert set(table["pictures"]) == {"all"}


def test_selected_runs_have_their_own_probes_only(probed):
    root, expected = probed
    frame = load(root, expected)
    plain = frame.select(frame.runs.index[frame.runs["family"] == "plain"])
    assert set(plain.probes["gradient_flow"]["family"]) == {"plain"}
    assert "identity" not in plain.probes  # which needs shortcuts


def test_probes_of_unfinished_runs_are_excluded(probed):
    root, expected = probed
    runs = load(root, expected).runs.assign(state="partial")
    assert read_probe_tables(root, runs, []) == {}


def test_report_explains_the_mechanisms_in_order(probed, tmp_path):
    root, expected = probed
    report = build(load(root, expected), tmp_path, "mine", "python x.py", {"digits": 2.0})
    lead, *sections = [section for section in report.sections if section.title.startswith("Why: ")]
    assert lead.introduction
    assert not lead.claims
    assert [next(iter(section.tables)) for section in sections] == MECHANISMS
    page = report.page.read_text()
    for section in sections:
        assert len(section.introduction) > 150
        assert len(section.details) > 200
        assert section.figures
        assert all(len(caption) > 80 for _, caption in section.figures.values())
        assert section.title.replace("'", "&#39;") in page
    assert all((tmp_path / f"{mechanism}.csv").exists() for mechanism in MECHANISMS)
    assert "\nWhy\n" in format_summary(report)


def test_without_probes_no_mechanism_is_explained(probed, tmp_path):
    root, expected = probed
    frame = load(root, expected)
    without_probes = Frame(frame.runs, frame.curves)
    report = build(without_probes, tmp_path, "mine", "python x.py", {"digits": 2.0})
    assert not [section for section in report.sections if section.title.startswith("Why")]


def test_corrupt_row_excludes_itself_only(probed):
    """The first row is that of gradient flow at initialisation."""
    root, expected = probed
    frame = load(root, expected)
    path = root / frame.runs["run_id"].iloc[0] / PROBES_FILE
    content = path.read_bytes()
    path.write_bytes(content[:50] + b"x" + content[51:])
    try:
        corrupt = load(root, expected).probes
    finally:
        path.write_bytes(content)
    lost = {name: len(frame.probes[name]) - len(corrupt[name]) for name in frame.probes}
    assert lost == dict.fromkeys(frame.probes, 0) | {"gradient_flow": 4}
