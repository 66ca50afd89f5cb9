"""What a report prints at its end, in a terminal and in a log."""

import io
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.claim import Claim, Verdict
from analysis.condition_claims import judge_condition
from analysis.headline import write_headline
from analysis.report import Report
from analysis.sections import Section
from analysis.terminal_summary import format_summary, print_summary

ERRORS = {
    "plain": {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]},
    "residual": {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]},
}


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


@pytest.fixture
def report(build_frame):
    frame = build_frame(ERRORS)
    claims = judge_condition(frame, 2.0)
    section = Section("", 2.0, claims, {}, run_ids=tuple(frame.runs["run_id"]))
    return Report(
        Path("reports/mine"), [section], frame.runs, frame, (), (), write_headline(frame, [section])
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
