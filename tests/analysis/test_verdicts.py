"""Verdicts on a table of runs equal those of the report, whatever selection is judged."""

import pytest

from analysis.key_columns import drop_prefix
from analysis.query import load_where
from analysis.sections import build_sections
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
    for width in (4, 8, 16):
        write_families(tmp_path, width)
    runs = load_runs(tmp_path)
    table = verdicts(runs[(runs["model.width"] < 16) & (runs["seed"] > 0)])

    frame = load_where(tmp_path, "`model.width` < 16 and seed > 0")
    sections = build_sections(frame, {"digits": default_margin("digits")})
    claims = [claim for section in sections for claim in section.claims]
    titles = [section.title for section in sections for _ in section.claims]
    assert table["section"].tolist() == titles
    assert set(titles) == {"Width", "Width 4", "Width 8"}
    assert table["claim"].tolist() == [claim.name for claim in claims]
    assert table["verdict"].tolist() == [claim.outcome for claim in claims]
    assert table["decisive_line"].tolist() == [claim.decisive_line for claim in claims]
    assert table["evidence"].tolist() == [claim.evidence for claim in claims]
    assert table["notes"].tolist() == [claim.notes for claim in claims]


def test_single_condition_has_no_section(build_frame):
    frame = build_frame({"plain": {20: [5.0, 5.1], 32: [15.0, 15.2]}})
    table = verdicts(drop_prefix(frame.runs))
    assert set(table["section"]) == {""}
    assert table.set_index("claim")["verdict"].to_dict() == {
        "degradation": "reproduced",
        "no degradation": "not tested",
        "the fix": "not tested",
    }


@pytest.mark.parametrize(("margin", "verdict"), [(9.0, "reproduced"), (11.0, "contradicted")])
def test_margin_can_be_chosen(build_frame, margin, verdict):
    frame = build_frame({"plain": {20: [5.0, 5.1], 32: [15.0, 15.1]}})
    table = verdicts(drop_prefix(frame.runs), margin=margin)
    assert table.set_index("claim").loc["degradation", "verdict"] == verdict
    assert f"{margin:g} points" in table.set_index("claim").loc["degradation", "statement"]
