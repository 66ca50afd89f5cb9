"""report.json: what it holds, and that a damaged one is refused in a few words."""

import json
import math

import pytest

from analysis.claim import Claim, Finding, Verdict
from analysis.report_json import SUMMARY_FILE, UnreadableSummary, read_summary, write_summary
from analysis.report_summary import summarise_report
from analysis.sections import Section, summarise
from analysis.seeds_needed import SeedsNeeded

CLAIM = Claim("degradation", "it rises", Verdict.REPRODUCED, "+50", plain_words="It rises.")
FINDING = Finding("size", "does it differ?", Verdict.CONTRADICTED, "+1", answer="alike")


@pytest.fixture
def summary(build_frame):
    frame = build_frame({"plain": {56: [50.0, 52.0], 20: [1.0, 2.0]}, "residual": {20: [0.5, 0.7]}})
    condition = Section("", 2.0, [CLAIM], {}, summary=summarise(frame.runs))
    comparison = Section("Learning rate", 2.0, [FINDING], {}, kind="comparison")
    return summarise_report(frame, [comparison, condition], "mine", "It rises.", "make x")


def test_summary_is_read_as_it_was_written(summary, tmp_path):
    write_summary(tmp_path, summary)
    assert read_summary(tmp_path) == summary


def test_summary_holds_runs_verdicts_and_curves(summary):
    assert (summary.runs, summary.seeds, summary.depths) == ({"done": 6}, [0, 1], [20, 56])
    finding, claim = summary.verdicts
    assert (finding.kind, finding.outcome, finding.section_kind) == (
        "finding",
        "alike",
        "comparison",
    )
    assert (claim.kind, claim.verdict, claim.plain_words) == ("claim", "reproduced", "It rises.")
    plain, residual = summary.depth_curves
    assert (plain.depths, plain.training_error) == ([20, 56], [1.5, 51.0])
    assert residual.training_error == pytest.approx([0.6])


def test_open_claim_says_what_may_settle_it(build_frame, tmp_path):
    frame = build_frame({"plain": {20: [1.0, 2.0]}})
    claims = [
        Claim("a", "", Verdict.INCONCLUSIVE, "", seeds_needed=SeedsNeeded(12)),
        Claim("b", "", Verdict.INCONCLUSIVE, "", seeds_needed=SeedsNeeded(None)),
        CLAIM,
    ]
    section = Section("", 2.0, claims, {}, summary=summarise(frame.runs))
    write_summary(tmp_path, summarise_report(frame, [section], "mine", "", ""))
    known, too_many, settled = read_summary(tmp_path).verdicts
    assert (known.seeds_needed, too_many.seeds_needed, settled.seeds_needed) == (12, None, None)
    assert known.remedy.startswith("about 12 seeds per network (80 % probability")
    assert too_many.remedy.startswith("more than 1,000 seeds")
    assert settled.remedy == ""


def test_summary_from_before_a_field_was_added_is_read(summary, tmp_path):
    path = write_summary(tmp_path, summary)
    content = json.loads(path.read_text())
    for verdict in content["verdicts"]:
        del verdict["remedy"], verdict["seeds_needed"]
    path.write_text(json.dumps(content))
    assert read_summary(tmp_path) == summary


def test_network_without_a_finished_run_has_no_error(build_frame):
    frame = build_frame({"plain": {20: [1.0]}})
    frame.runs["state"] = "missing"
    section = Section("", 2.0, [], {}, summary=summarise(frame.runs))
    summary = summarise_report(frame, [section], "mine", "", "")
    assert summary.depth_curves[0].training_error == [None]
    assert summary.trained_until is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": 99}, "does not have the format 1"),
        ({"headline": None}, "headline has the wrong type"),
        ({"runs": {"done": "many"}}, "runs has the wrong type"),
        ({"verdicts": [{"claim": "x"}]}, "verdicts: section is missing"),
        ({"depth_curves": {}}, "depth_curves has the wrong type"),
        ({"seeds": [True]}, "seeds has the wrong type"),
    ],
)
def test_wrong_values_are_refused(summary, tmp_path, change, reason):
    path = write_summary(tmp_path, summary)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UnreadableSummary, match=reason):
        read_summary(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b'{"format": 1}', "name is missing"),
    ],
)
def test_damaged_file_is_refused(tmp_path, content, reason):
    (tmp_path / SUMMARY_FILE).write_bytes(content)
    with pytest.raises(UnreadableSummary, match=reason):
        read_summary(tmp_path)


def test_missing_file_and_link_are_refused(tmp_path):
    with pytest.raises(UnreadableSummary, match="missing"):
        read_summary(tmp_path)
    (tmp_path / SUMMARY_FILE).symlink_to("/dev/zero")
    with pytest.raises(UnreadableSummary, match="cannot be read"):
        read_summary(tmp_path)


def test_numbers_of_other_programs_are_read(summary, tmp_path):
    """JSON has no separate type for whole numbers, and Python reads NaN."""
    path = write_summary(tmp_path, summary)
    content = json.loads(path.read_text())
    content["depth_curves"][0]["training_error"] = [1, math.nan]
    path.write_text(json.dumps(content))
    errors = read_summary(tmp_path).depth_curves[0].training_error
    assert errors[0] == 1
    assert math.isnan(errors[1])
