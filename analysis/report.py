"""Write the report of an experiment: figures, tables, its summary and one self-contained page."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from analysis.code_notes import (
    describe_outdated_runs,
    describe_published_runs,
    describe_unverified_runs,
)
from analysis.columns import CODE_STATE, ENDED_AT, TRAINING_ERROR_AT_START
from analysis.conditions import find_varying_keys
from analysis.csv_files import write_csv
from analysis.figures import style
from analysis.frame import Frame
from analysis.headline import HeadlineText, write_headline
from analysis.key_columns import PREFIX
from analysis.labelled_figures import TAKEAWAY, label_figures, write_labels
from analysis.margin_notes import describe_chosen_margins
from analysis.page.phone_pictures import draw_phone_pictures
from analysis.page.render import PageContent, render_page
from analysis.report_json import SUMMARY_FILE, write_summary
from analysis.report_summary import summarise_report
from analysis.sections import Section, build_sections
from degradation.durable_io import read_file, write_atomically
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    RUNNING_ERROR,
    TEST_ERROR,
)

# The first columns of runs.csv: those of `analysis.columns`, and the condition. The keys that vary
# follow.
RUNS_CSV_COLUMNS = [
    "run_id",
    "data",
    "family",
    "shortcut",
    "depth",
    "seed",
    "condition",
    "state",
    "reason",
    CODE_STATE,
    ITERATION,
    ENDED_AT,
    RUNNING_ERROR,
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    TEST_ERROR,
    TRAINING_ERROR_AT_START,
    "untrained",
    "parameters",
    "multiply_adds",
    "activations",
    "device",
    "threads",
    "seconds",
]
# Lists the figures and tables of a report, so that the next report can remove stale files.
FILE_LIST = "report-files.txt"
LISTED_SUFFIXES = (*style.SUFFIXES, ".csv")


@dataclass(frozen=True)
class Report:
    """A report that has been written.

    Attributes:
        folder: where its files are.
        sections: its sections with their verdicts, in order.
        runs: the table in runs.csv: one row per run.
        frame: the runs as they were read, with their curves.
        code_notes: one line for each reason why runs are outdated or cannot be compared with the
            present code.
        notes: one line for what calls for no warning: a margin that was chosen, or published
            results of earlier code.
        headline: what was found, in a sentence or two.
        further_findings: the sentences that do not fit into the headline, or empty text.
    """

    folder: Path
    sections: list[Section]
    runs: pd.DataFrame
    frame: Frame
    code_notes: tuple[str, ...]
    notes: tuple[str, ...]
    headline: str
    further_findings: str = ""

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    @property
    def excluded(self) -> tuple[str, ...]:
        """One line per record, file or group of rows that could not be used."""
        return self.frame.excluded

    def figure_paths(self) -> dict[str, Path]:
        """Return the PNG file of each figure, by file stem."""
        stems = [stem for section in self.sections for stem in section.figures]
        return {stem: self.folder / f"{stem}.png" for stem in stems}


def build(
    frame: Frame,
    folder: Path,
    name: str,
    command: str,
    margins: dict[str, float],
    titles: str = TAKEAWAY,
    *,
    only_tables: bool = False,
) -> Report:
    """Write the report of a frame under `folder` and return it.

    Args:
        frame: the runs.
        folder: where the files go; what an earlier report wrote there is removed.
        name: the report's name.
        command: the command that reproduces the report.
        margins: the margin of the claims for each data set, in points of training error.
        titles: those of the figures (`write_labels`).
        only_tables: write the tables and the summary for programs, without the figures and the
            page, which take most of the time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Until the new summary is written, the index calls the report incomplete.
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    _remove_stale_files(folder)
    with style.own_settings():
        sections = build_sections(frame, margins)
        runs = _select_columns(frame.runs, sections)
        headline = write_headline(frame, sections)
        report = Report(
            folder,
            sections,
            runs,
            frame,
            (*describe_outdated_runs(frame.runs), *describe_unverified_runs(frame.runs)),
            (*describe_chosen_margins(margins), *describe_published_runs(frame.runs)),
            headline.first,
            headline.others,
        )
        report.page.unlink(missing_ok=True)
        written = _write_tables(folder, sections, runs)
        if not only_tables:
            labels = write_labels(sections, frame, titles)
            phone_pictures = draw_phone_pictures(sections, labels)
            label_figures(sections, labels)
            written += _write_figures(folder, sections)
            _write_page(report, headline, name, command, phone_pictures)
    names = "".join(f"{path.name}\n" for path in written)
    write_atomically(folder / FILE_LIST, names.encode())
    write_summary(folder, summarise_report(frame, sections, name, headline.first, command))
    return report


def _write_page(
    report: Report,
    headline: HeadlineText,
    name: str,
    command: str,
    phone_pictures: dict[str, Image.Image],
) -> None:
    """Write report.html."""
    content = PageContent(
        report.folder,
        report.sections,
        report.runs,
        report.frame,
        headline,
        name,
        command,
        report.code_notes,
        report.notes,
        phone_pictures,
    )
    page = render_page(content)
    write_atomically(report.page, page.encode(errors="backslashreplace"))


def _remove_stale_files(folder: Path) -> None:
    """Remove what the last report in this folder wrote, and nothing else."""
    try:
        names = read_file(folder / FILE_LIST).decode().split()
    except (OSError, UnicodeDecodeError):  # there is no list, or it is not a report's file list
        return
    for name in names:
        # The list may have been edited: only a plain name of a known type is trusted.
        if Path(name).name == name and name.endswith(LISTED_SUFFIXES):
            (folder / name).unlink(missing_ok=True)


def _write_figures(folder: Path, sections: list[Section]) -> list[Path]:
    """Write all figures and return their paths."""
    written: list[Path] = []
    for section in sections:
        for stem, (figure, _caption) in section.figures.items():
            written += style.save(figure, folder / stem)
    return written


def _write_tables(folder: Path, sections: list[Section], runs: pd.DataFrame) -> list[Path]:
    """Write all tables and return their paths."""
    written: list[Path] = []
    summaries = []
    for section in sections:
        for stem, table in section.tables.items():
            written.append(write_csv(folder / f"{stem}.csv", table))
        if section.summary is not None:
            summaries.append(section.summary.assign(condition=section.title))
    written.append(write_csv(folder / "summary.csv", pd.concat(summaries)))
    written.append(write_csv(folder / "runs.csv", runs))
    return written


def _select_columns(runs: pd.DataFrame, sections: list[Section]) -> pd.DataFrame:
    """Return the table in runs.csv, with each key that varies under its own name."""
    keys = {key: key.removeprefix(PREFIX) for key in find_varying_keys(runs)}
    labelled = runs.rename(columns=keys).assign(condition=_label_runs(runs["run_id"], sections))
    return labelled.reindex(columns=[*RUNS_CSV_COLUMNS, *keys.values()])


def _label_runs(run_ids: pd.Series, sections: list[Section]) -> list[str]:
    """Return the condition of each run, or empty text for a run that belongs to several."""
    labels: dict[str, str] = {}
    for section in sections:
        for run_id in section.run_ids:
            labels[run_id] = "" if run_id in labels else section.title
    return [labels[run_id] for run_id in run_ids]
