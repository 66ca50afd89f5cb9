"""Render a report as one HTML page that contains its figures and loads nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from PIL.Image import Image

from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.conditions import find_varying_keys
from analysis.figures.title_and_footer import describe_seeds
from analysis.finished_runs import select_finished
from analysis.frame import Frame
from analysis.headline import HeadlineText
from analysis.page.charts.chart_data import collect_chart_data
from analysis.page.charts.chart_parts import render_chart_parts
from analysis.page.figure_images import PagePictures
from analysis.page.formulas import typeset
from analysis.page.glossary import Glossary
from analysis.page.networks_in_words import describe_networks
from analysis.page.number_formats import format_interval, format_number
from analysis.page.outline import PART_ANCHORS, Outline
from analysis.page.overview import (
    describe_states,
    list_concerns,
    list_facts,
)
from analysis.page.paper_result import describe_paper_result
from analysis.page.phone_pictures import CHARTED
from analysis.page.references import HE_2015, list_references
from analysis.page.repetition import hide_folders, list_needs
from analysis.page.run_table import RUN_METRICS, build_run_table
from analysis.page.section_views import SectionView, view_section, write_picture
from analysis.plain_text import capitalise_first, end_sentence, keep_numbers
from analysis.report_summary import write_title
from analysis.run_row import format_versions
from analysis.sections import Section
from degradation.metrics import CLEAN_LOSS, METRICS, TEST_ERROR

TEMPLATE = "report.html.j2"


@dataclass(frozen=True)
class PageContent:
    """What a page is made from.

    Attributes:
        folder: the report's folder, where the figures have been written.
        sections: the sections in order.
        runs: the table of all runs, with the columns of runs.csv.
        frame: the frame that the report is about.
        headline: what was found, in sentences.
        name: the report's name.
        command: the command that reproduces the report.
        code_notes: what is shown below the verdicts about the code that trained the runs.
        notes: what is said there about the margin and about runs that are published results.
        phone_pictures: the narrow pictures of the figures that lead the page, by file stem.
    """

    folder: Path
    sections: Sequence[Section]
    runs: pd.DataFrame
    frame: Frame
    headline: HeadlineText
    name: str
    command: str
    code_notes: Sequence[str]
    notes: Sequence[str]
    phone_pictures: Mapping[str, Image]


def render_page(content: PageContent) -> str:
    """Return the page; everything that comes from records or the user is escaped."""
    pictures = PagePictures(content.folder, content.phone_pictures)
    outline = build_outline(content.sections, pictures, _describe_seeds(content.frame))
    glossary = Glossary()
    return load_template(glossary).render(
        glossary=glossary,
        outline=outline,
        style=Markup(files("analysis.page").joinpath("style.css").read_text(encoding="utf-8")),
        **_describe_first_screen(content, outline),
        **_build_charts(content.frame, outline),
        **_describe_results(content.frame, outline),
        **_describe_origin(content, outline),
    )


def build_outline(sections: Sequence[Section], pictures: PagePictures, seeds: str) -> Outline:
    """Return the sections as the page shows them, by kind, each with an anchor of its own.

    `seeds`: how many a network has, such as `3 seeds`.
    """
    views: dict[str, list[SectionView]] = {"comparison": [], "condition": [], "mechanism": []}
    anchors = set(PART_ANCHORS)
    for section in sections:
        anchor = section.anchor
        while anchor in anchors:
            anchor += "-more"
        anchors.add(anchor)
        views[section.kind].append(view_section(section, anchor, pictures, seeds))
    return Outline(views["comparison"], views["condition"], views["mechanism"])


def _describe_seeds(frame: Frame) -> str:
    """Return how many seeds a network has that has finished: `3 seeds`."""
    finished = select_finished(frame.runs)
    if finished.empty:
        return "0 seeds"
    return describe_seeds(finished, find_varying_keys(frame.runs))


def load_template(glossary: Glossary) -> Template:
    """Return the page's template, with the filters that it uses."""
    environment = Environment(
        loader=PackageLoader("analysis.page"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["number"] = format_number
    environment.filters["interval"] = format_interval
    environment.filters["capitalise_first"] = capitalise_first
    environment.filters["keep_numbers"] = keep_numbers
    environment.filters["sentence"] = end_sentence
    environment.filters["explain"] = glossary.explain
    environment.filters["typeset"] = typeset
    environment.filters["picture"] = write_picture
    return environment.get_template(TEMPLATE)


def _describe_first_screen(content: PageContent, outline: Outline) -> dict[str, Any]:
    """Return what the template needs for the title, the headline and what is below them."""
    return {
        "title": write_title(content.name),
        "headline": content.headline.first,
        "further_findings": content.headline.others,
        "hero_figure": next((stem for view in outline.comparisons for stem in view.figures), ""),
        "facts": list_facts(content.frame),
        "networks": describe_networks(content.frame.runs),
        "paper": HE_2015,
        "concerns": list_concerns(content.frame),
        "code_notes": content.code_notes,
        "notes": content.notes,
        "excluded": content.frame.excluded,
    }


def _build_charts(frame: Frame, outline: Outline) -> dict[str, Any]:
    """Return the interactive charts, and the static figures that they replace."""
    figures = [outline.find_charted(stem) for stem in CHARTED]
    depth_picture, curves_picture = map(write_picture, figures)
    data = collect_chart_data(frame)
    return {
        "charts": render_chart_parts(data, depth_picture, curves_picture),
        "charted": CHARTED,
        "charted_figures": [figure for figure in figures if figure],
    }


def _describe_results(frame: Frame, outline: Outline) -> dict[str, Any]:
    """Return what the tables of results and the comparison with the paper need."""
    return {
        "error_kind": frame.error_kind,
        "metrics": [METRICS[metric] for metric in RUN_METRICS],
        "test_error": METRICS[TEST_ERROR],
        "clean_loss": METRICS[CLEAN_LOSS],
        "untrained_within": UNTRAINED_WITHIN_POINTS,
        "paper_result": describe_paper_result(frame.runs if outline.is_single else frame.runs[:0]),
    }


def _describe_origin(content: PageContent, outline: Outline) -> dict[str, Any]:
    """Return where the results are from: the runs, how to repeat them, and the literature."""
    trained = content.frame.runs.dropna(subset=["device"])
    return {
        "states": describe_states(content.frame.runs),
        "run_table": build_run_table(content.runs, with_condition=not outline.is_single),
        "command": hide_folders(content.command),
        "needs": list_needs(content.frame.runs, content.command),
        "commits": sorted(trained["commit"].dropna().unique()),
        "versions": sorted({format_versions(versions) for versions in trained["versions"]}),
        "references": list_references(content.sections),
    }
