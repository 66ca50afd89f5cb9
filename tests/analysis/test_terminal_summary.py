"""What a report prints at its end, in a terminal and in a log."""

import io
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.cells import cell_len

from analysis.claim import Claim, Verdict
from analysis.condition_claims import judge_condition
from analysis.gap import Gap
from analysis.headline import write_headline
from analysis.report import Report
from analysis.sections import Section, summarise
from analysis.seeds_needed import SeedsNeeded
from analysis.terminal_series import collect_series
from analysis.terminal_summary import format_summary, print_summary

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]},
}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def build_section(frame, claims=(), title=""):
    run_ids = tuple(frame.runs["run_id"])
    summary = summarise(frame.runs)
    return Section(title, 2.0, [*claims], {}, run_ids=run_ids, summary=summary)


def build_conditions(build_frame, titles):
    """Return a section for each title, with runs of its own, and the runs of all."""
    frames = [build_frame(ERRORS) for _ in titles]
    for number, frame in enumerate(frames):
        frame.runs["run_id"] = f"{number}:" + frame.runs["run_id"]
    sections = [
        build_section(*pair) for pair in zip(frames, [()] * len(titles), titles, strict=True)
    ]
    return sections, pd.concat([frame.runs for frame in frames])


@pytest.fixture
def report(build_frame):
    frame = build_frame(ERRORS)
    claims = judge_condition(frame, 2.0)
    section = build_section(frame, claims)
    return Report(
        Path("reports/mine"),
        [section],
        frame.runs,
        frame,
        (),
        (),
        write_headline(frame, [section]).first,
    )


def test_summary_ends_with_all_four_parts(report):
    lines = format_summary(report).splitlines()
    assert lines[0] == "mine: 12 runs (12 done)"
    assert " ".join(lines[2:4]).startswith("Plain networks get worse on their own training set")
    rows = [line.split("  ") for line in lines if line.startswith("  ")]
    names = [row[1] for row in rows if "reproduced" in [cell.strip() for cell in row]]
    assert names == ["degradation", "no degradation", "the fix"]
    assert "  training error, %, mean over seeds" in lines
    assert lines[-1] == "Report: reports/mine/report.html"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal(report, width):
    words = " ".join(["word"] * 60) + " 12.34 % and 0.5 %"
    claim = Claim("a claim with quite a long name of its own", "", Verdict.REPRODUCED, words)
    section = replace(report.sections[0], claims=[*report.sections[0].claims, claim])
    text = format_summary(replace(report, sections=[section]), width)
    assert max(map(len, text.splitlines())) <= max(width, 72)
    assert not any(line.strip().startswith("%") for line in text.splitlines())


def test_open_claim_says_how_many_seeds_it_needs(report):
    claim = Claim("open", "", Verdict.INCONCLUSIVE, "line", seeds_needed=SeedsNeeded(12))
    section = replace(report.sections[0], claims=[claim])
    text = " ".join(format_summary(replace(report, sections=[section])).split())
    assert (
        "open inconclusive line. About 12 seeds per network would settle it with 80 % probability,"
        " if means and spread over seeds are as measured."
    ) in text


def test_terminal_gets_colours_and_a_link(report, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    print_summary(report, terminal)
    text = terminal.getvalue()
    assert f";{report.page.absolute().as_uri()}\x1b\\{report.page}\x1b]8;;" in text
    assert "\x1b[32mreproduced" in text


def test_log_gets_plain_text(report):
    log = io.StringIO()
    print_summary(report, log)
    assert "\x1b" not in log.getvalue()


def test_terminal_without_unicode_gets_ascii(report):
    text = format_summary(report, encoding="ascii")
    assert text.encode("ascii")
    assert "o plain  x residual" in text


def test_excluded_records_are_counted_beyond_a_few(report):
    frame = replace(report.frame, excluded=tuple(f"record {number}" for number in range(9)))
    lines = format_summary(replace(report, frame=frame)).splitlines()
    assert "Excluded: record 0" in lines
    assert lines[-2] == "Excluded: 4 more, which the report names"


def test_markup_in_records_is_printed_as_it_is(report):
    frame = replace(report.frame, excluded=("[red]x[/red] :smile:",))
    assert "Excluded: [red]x[/red] :smile:" in format_summary(replace(report, frame=frame))


def test_mechanisms_of_several_conditions_are_counted(report):
    mechanism = Claim("short paths", "", Verdict.REPRODUCED, "line", is_negligible=True)
    sections = [
        replace(report.sections[0], title="width 8"),
        replace(report.sections[0], title="width 16"),
        Section("Why: paths (width 8)", None, [mechanism], {}, kind="mechanism"),
    ]
    text = format_summary(replace(report, sections=sections))
    assert "Why: the report has 1 claim about mechanisms (1 negligible)." in text


def test_series_are_those_of_the_tables(build_frame):
    series, notes = collect_series([build_section(build_frame(ERRORS))], build_frame(ERRORS).runs)
    assert series == {
        "plain": {20: pytest.approx(1.6), 56: pytest.approx(154 / 3)},
        "residual": {20: pytest.approx(0.8), 56: pytest.approx(1.6 / 3)},
    }
    assert notes == []


def test_repeated_seeds_are_not_drawn(build_frame):
    frame = build_frame({"plain": ERRORS["plain"]})
    frame.runs["seed"] = 0
    assert collect_series([build_section(frame)], frame.runs) == ({}, [])


@pytest.mark.parametrize(
    ("conditions", "notes"),
    [
        (2, []),
        (3, ["Only plain networks are drawn, not residual."]),
        (
            10,
            ["Only plain networks are drawn, not residual.", "2 more conditions are not drawn."],
        ),
    ],
)
def test_what_is_not_drawn_is_said(build_frame, conditions, notes):
    titles = [f"width {number}" for number in range(conditions)]
    series, lines = collect_series(*build_conditions(build_frame, titles))
    assert lines == notes
    assert len(series) == min(conditions * (1 if notes else 2), 8)
    assert "plain, width 0" in series


@pytest.mark.parametrize("label", ["z" * 120, "some words " * 12, "\u6f22\u5b57" * 40])
def test_long_conditions_do_not_widen_the_picture(report, build_frame, label):
    sections, runs = build_conditions(build_frame, [label, f"{label}2"])
    frame = replace(report.frame, runs=runs)
    lines = format_summary(replace(report, sections=sections, frame=frame)).splitlines()
    start = lines.index("  training error, %, mean over seeds")
    assert max(map(cell_len, lines[start:])) <= 72
    letters = "".join("".join(lines).split())
    assert letters.count("".join(label.split())) >= 4


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_other_encodings_get_escape_sequences(report, encoding):
    notes = ("width \u6f22 \udc80",)
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_summary(replace(report, code_notes=notes), stream)
    stream.flush()
    assert "Warning: width \\u6f22 \\udc80" in stream.buffer.getvalue().decode(encoding)


def test_picture_of_single_runs_is_called_no_mean(build_frame):
    frame = build_frame({"plain": {20: [1.0], 56: [50.0]}, "residual": {20: [1.0], 56: [0.5]}})
    report = Report(Path("r"), [build_section(frame)], frame.runs, frame, (), (), "")
    text = format_summary(report)
    assert "  training error, %, one run per network" in text.splitlines()
    assert "mean" not in text


def test_family_without_runs_is_lacking_once(report):
    """Six conditions without residual networks have one line about them, not twelve."""
    gap = Gap("needs 1 depth of residual networks, has 0", is_family_absent=True)
    lacking = Claim.not_tested("the fix", "", [gap])
    found = Claim("degradation", "", Verdict.REPRODUCED, "line")
    sections = [Section(f"width {width}", 2.0, [found, lacking], {}) for width in (8, 16, 32)]
    text = format_summary(replace(report, sections=sections))
    assert text.count("residual networks, has 0") == 1
    assert (
        "Not tested in any condition: the fix (needs 1 depth of residual networks, has 0)." in text
    )
    assert text.count("the fix") == 1
