"""Probes on disk to tidy tables, and to the report's sections."""

import pandas as pd
import pytest

from analysis.frame import load
from analysis.probes import read_probe_tables
from analysis.report import build
from degradation.records.schema import PROBES_FILE
from degradation.run import train
from degradation.run_probes import run_landscape, run_probes
from degradation.sweep.jobs import describe_planned_run, locate_run

pytestmark = pytest.mark.slow
GRID = [
    (model, depth, seed) for model in ("plain", "residual") for depth in (8, 14) for seed in (0, 1)
]
PARTS = [
    "convergence", "gradient-flow", "shattering", "identity", "paths", "responses", "lesions", "landscape",
]  # fmt: skip


@pytest.fixture(scope="module")
def explained(compose_config, tiny_overrides, tmp_path_factory):
    """The runs of a small grid, trained and explained; landscapes of seed 0."""
    root = tmp_path_factory.mktemp("explained")
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


def test_a_table_has_a_row_a_block_with_who_and_when(explained):
    root, expected = explained
    table = load(root, expected).probes["gradient_flow"]
    rows = {
        ("plain", 8): 4,
        ("plain", 14): 7,
        ("residual", 8): 4,
        ("residual", 14): 7,
    }  # blocks, and the last output
    for (family, depth), blocks in rows.items():
        part = table[(table["family"] == family) & (table["depth"] == depth)]
        assert len(part) == blocks * 2 * len(part["iteration"].unique())
        assert set(part["seed"]) == {0, 1}
    assert dict(table[["iteration", "moment"]].drop_duplicates().to_numpy()) == {
        0: "initialisation", 1: "iteration 1", 6: "iteration 6", 12: "end",
    }  # fmt: skip


def test_a_table_says_of_how_many_pictures_and_on_which_device(explained):
    root, expected = explained
    probes = load(root, expected).probes
    assert set(probes["gradient_flow"]["pictures"]) == {128}
    assert set(probes["lesions"]["pictures"]) == {297}
    assert {device for table in probes.values() for device in table["device"]} == {"cpu"}


def test_a_landscape_is_a_table_of_points(explained):
    root, expected = explained
    table = load(root, expected).probes["landscape"]
    assert table.groupby("run_id").size().tolist() == [5 + 9] * 4
    assert set(table["seed"]) == {0}
    assert set(table["pictures"]) == {"all"}


def test_a_frame_of_some_runs_has_their_probes_alone(explained):
    root, expected = explained
    frame = load(root, expected)
    part = frame.select(frame.runs.index[frame.runs["family"] == "plain"])
    assert set(part.probes["gradient_flow"]["family"]) == {"plain"}
    assert "identity" not in part.probes  # plain nets have none


def test_runs_that_are_not_done_have_no_probes_yet(explained):
    root, expected = explained
    runs = load(root, expected).runs.assign(state="partial")
    assert read_probe_tables(root, runs, []) == {}


def test_the_report_explains_in_order_and_says_what_each_part_measures(explained, tmp_path):
    root, expected = explained
    report = build(load(root, expected), tmp_path, "mine", "python x.py", {"digits": 2.0})
    why = [section for section in report.sections if section.title.startswith("Why: ")]
    assert [next(iter(section.tables)) for section in why] == PARTS
    assert all(len(section.introduction) > 200 for section in why)
    assert all(
        section.figures and all(len(caption) > 80 for _, caption in section.figures.values())
        for section in why
    )
    page = report.page.read_text()
    for section in why:
        assert section.title.replace("'", "&#39;") in page
    assert all((tmp_path / f"{part}.csv").exists() for part in PARTS)
    assert "Why: " in report.format_verdicts()


def test_without_probes_there_is_no_such_part(explained, tmp_path):
    root, expected = explained
    frame = load(root, expected)
    bare = pd.DataFrame(frame.runs)
    report = build(
        type(frame)(bare, frame.curves), tmp_path, "mine", "python x.py", {"digits": 2.0}
    )
    assert not [section for section in report.sections if section.title.startswith("Why")]


def test_a_changed_row_hides_itself_and_no_other(explained):
    """The first row: that of gradient flow at initialisation."""
    root, expected = explained
    frame = load(root, expected)
    run = frame.runs["run_id"].iloc[0]
    file = root / run / PROBES_FILE
    content = file.read_bytes()
    file.write_bytes(content[:50] + b"x" + content[51:])
    try:
        changed = load(root, expected).probes
    finally:
        file.write_bytes(content)
    lost = {name: len(frame.probes[name]) - len(changed[name]) for name in frame.probes}
    assert lost == dict.fromkeys(frame.probes, 0) | {"gradient_flow": 4}
