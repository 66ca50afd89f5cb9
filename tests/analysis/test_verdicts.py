"""Verdicts on a table of runs equal those of the report, whatever selection is judged."""

import pandas as pd
import pytest

from analysis.key_columns import drop_prefix
from analysis.query import load_where
from analysis.report import build
from analysis.tables import load_runs
from analysis.verdicts import verdicts
from degradation.config import default_margin
from degradation.records.schema import State
from tests.support.records import CONFIG, write_record

ERRORS = {("plain", 20): 5.0, ("plain", 32): 15.0, ("residual", 20): 4.0, ("residual", 32): 3.0}


def write_families(root, width):
    for (family, depth), error in ERRORS.items():
        for seed in range(3):
            shortcut = "none" if family == "plain" else "A"
            model = {**CONFIG["model"], "depth": depth, "shortcut": shortcut, "width": width}
            write_record(
                root,
                f"{family}-d{depth}-s{seed}-w{width}",
                State.DONE,
                errors=(50.0, error + 0.1 * seed + width / 10),
                family=family,
                model=model,
                seed=seed,
            )


@pytest.mark.slow
def test_verdicts_after_filtering_equal_the_report_s(tmp_path):
    write_families(tmp_path, 4)
    write_families(tmp_path, 8)
    runs = load_runs(tmp_path)
    selected = runs[(runs["model.width"] == 8) & (runs["seed"] > 0)]
    table = verdicts(selected)

    frame = load_where(tmp_path, "`model.width` == 8 and seed > 0")
    report = build(frame, tmp_path / "report", "r", "", {"digits": default_margin("digits")})
    claims = [claim for section in report.sections for claim in section.claims]
    assert len(claims) == 3
    assert table["claim"].tolist() == [claim.name for claim in claims]
    assert table["verdict"].tolist() == ["reproduced"] * 3
    assert table["decisive_line"].tolist() == [claim.decisive_line for claim in claims]
    assert table["evidence"].tolist() == [claim.evidence for claim in claims]
    assert table["notes"].tolist() == [claim.notes for claim in claims]


def test_each_condition_is_judged_by_itself(build_frame):
    degrading = build_frame(
        {"plain": {20: [5.0, 5.1], 32: [15.0, 15.2]}}, **{"config.model.width": 4}
    )
    level = build_frame({"plain": {20: [5.0, 5.1], 32: [5.1, 5.0]}}, **{"config.model.width": 8})

    runs = drop_prefix(pd.concat([degrading.runs, level.runs]))
    table = verdicts(runs)
    degradation = table[table["claim"] == "degradation"].set_index("condition")["verdict"]
    assert degradation.to_dict() == {"width 4": "reproduced", "width 8": "contradicted"}


@pytest.mark.parametrize(("margin", "verdict"), [(9.0, "reproduced"), (11.0, "contradicted")])
def test_margin_can_be_chosen(build_frame, margin, verdict):
    frame = build_frame({"plain": {20: [5.0, 5.1], 32: [15.0, 15.1]}})
    table = verdicts(drop_prefix(frame.runs), margin=margin)
    assert table.set_index("claim").loc["degradation", "verdict"] == verdict
    assert f"{margin:g} points" in table.set_index("claim").loc["degradation", "statement"]
