"""A report of records with planted text: nothing is executed, and failures are shown."""

import os
import re

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.claims import judge
from analysis.figures import style
from analysis.report import build
from analysis.terminal_summary import format_summary
from degradation.records.metadata import FAMILIES
from tests.support.pages import remove_chart_scripts

HTML = "<script>alert('x')</script>\"</pre>{{7*7}}"


@pytest.fixture(scope="module")
def planted(build_frame, tmp_path_factory):
    """A report of a frame with planted text, in a folder with a planted list of files."""
    frame = build_frame(
        {"plain": {20: [1.5, 1.7], 56: [51.0, 53.0]}, "residual": {20: [0.9, 0.7]}}, ended_at=None
    )
    texts = {
        "run_id": f"=1+1{HTML}",
        "reason": f"@SUM(A1){HTML}\udcff",
        "device": f"cpu: {HTML}$\\frac{{",
        "commit": HTML,
    }
    for column, text in texts.items():
        frame.runs.loc[0, column] = text
    frame.runs.loc[:1, ["state", "ended_at"]] = [["failed", 1234], ["diverged", 7]]
    frame.runs.at[0, "versions"] = {HTML: HTML}
    folder = tmp_path_factory.mktemp("planted") / "report"
    folder.mkdir()
    for path in (folder / "precious.txt", folder.parent / "outside.csv"):
        path.write_text("precious")
    (folder / "report-files.txt").write_text("../outside.csv\nprecious.txt\n..\n/etc/x.csv\n")
    frame = type(frame)(frame.runs, frame.curves, (HTML,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "SUFFIXES", (".png", ".svg"))  # PDF files take longest to write
        return build(frame, folder, f"{HTML}\udcfe$\\frac{{", HTML, {"digits": 2.0})


def test_everything_on_the_page_is_escaped(planted):
    page = remove_chart_scripts(planted.page.read_text())
    assert "<script" not in page
    assert page.count("</pre>") == 1
    escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&#34;&lt;/pre&gt;{{7*7}}"
    shown = (
        "<title>%s",
        '<pre tabindex="0">%s',
        "Commit: %s",
        "cpu: %s",
        "@SUM(A1)%s",
        "=1+1%s",
        "<li>%s</li>",
    )
    assert [text for text in shown if text.replace("%s", escaped) not in page] == []
    assert f"{escaped} {escaped}" in page  # a version
    assert r"\udcfe" in page  # what has no encoding is shown as an escape


def test_the_terminal_names_what_is_excluded(planted):
    assert f"Excluded: {HTML}" in format_summary(planted).splitlines()


def test_the_page_says_when_runs_failed_or_diverged(planted):
    page = planted.page.read_text()
    assert "<td>failed at iteration 1,234: @SUM" in page
    assert "<td>diverged at iteration 7</td>" in page


def test_no_cell_of_a_table_is_a_formula(planted):
    text = (planted.folder / "runs.csv").read_text()
    assert "'=1+1" in text
    assert "'@SUM" in text
    assert r"\udcff" in text
    assert not re.search(r'(^|,)"?[=@]', text, re.MULTILINE)


def test_no_figure_shows_text_of_a_record(planted):
    """Text of a record could be interpreted as TeX."""
    figures = [figure for section in planted.sections for figure, _ in section.figures.values()]
    texts = [text.get_text() for figure in figures for text in figure.findobj(Text)]
    assert any("plain" in text for text in texts)
    assert not any("frac{" in text or "script" in text for text in texts)


def test_a_planted_list_of_files_removes_no_other_file(planted):
    for path in (planted.folder / "precious.txt", planted.folder.parent / "outside.csv"):
        assert path.read_text() == "precious"


def test_the_verdicts_say_when_runs_diverged(build_frame):
    frame = build_frame({"plain": {20: [1.0, 2.0], 56: [5.0, 90.0]}}, ended_at=None)
    frame.runs.loc[3, ["state", "ended_at"]] = ["diverged", 9]
    notes = judge(frame.runs, 2.0)[0].notes
    assert (
        "1 of 2 runs of plain-56 diverged (at iteration 9); a diverged run counts as chance error"
        in notes
    )


def test_every_family_has_a_style():
    assert set(FAMILIES) == set(style.FAMILY_STYLES)


def test_figures_are_written_atomically(tmp_path, monkeypatch):
    """If the disk is full, the previous files stay and nothing is half-written."""
    figure = Figure(figsize=(1, 1))
    style.save(figure, tmp_path / "a")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(before) == ["a.pdf", "a.png", "a.svg"]

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    figure.text(0, 0, "another")
    with pytest.raises(OSError, match="No space left"):
        style.save(figure, tmp_path / "a")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
