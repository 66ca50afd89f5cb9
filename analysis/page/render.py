"""Render a report as one HTML page that contains its figures and loads nothing else."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.condition_labels import capitalise_first
from analysis.figures import error_vs_depth, learning_curves
from analysis.frame import Frame
from analysis.page.charts.chart_data import collect_chart_data
from analysis.page.charts.chart_parts import render_chart_parts
from analysis.page.figure_images import PictureBudget
from analysis.page.formulas import typeset
from analysis.page.glossary import Glossary
from analysis.page.number_formats import format_interval, format_number
from analysis.page.outline import PART_ANCHORS, Outline
from analysis.page.overview import (
    FAMILIES_IN_WORDS,
    describe_states,
    list_concerns,
    list_facts,
)
from analysis.page.paper_result import describe_paper_result
from analysis.page.references import HE_2015, list_references
from analysis.page.run_table import RUN_METRICS, build_run_table
from analysis.page.section_views import FigureView, SectionView, view_section
from analysis.report_summary import write_title
from analysis.run_row import format_versions
from analysis.sections import Section
from degradation.metrics import CLEAN_LOSS, METRICS, TEST_ERROR

TEMPLATE = "report.html.j2"
# The figures that the page replaces by interactive charts.
CHARTED = (error_vs_depth.FILE_STEM, learning_curves.FILE_STEM)


def render_page(
    folder: Path,
    sections: Sequence[Section],
    runs: pd.DataFrame,
    frame: Frame,
    headline: str,
    name: str,
    command: str,
    code_notes: Sequence[str],
    published_notes: Sequence[str],
) -> str:
    """Return the page; everything that comes from records or the user is escaped.

    Args:
        folder: the report's folder, where the figures have been written.
        sections: the sections in order.
        runs: the table of all runs, with the columns of runs.csv.
        frame: the frame that the report is about.
        headline: what was found, in a sentence or two.
        name: the report's name.
        command: the command that reproduces the report.
        code_notes: what is shown below the verdicts about the code that trained the runs.
        published_notes: what is said there about runs that are published results.
    """
    outline = build_outline(sections, folder)
    glossary = Glossary()
    trained = frame.runs.dropna(subset=["device"])
    return load_template(glossary).render(
        title=write_title(name),
        headline=headline,
        facts=list_facts(frame),
        families=FAMILIES_IN_WORDS,
        states=describe_states(frame.runs),
        paper_result=describe_paper_result(frame.runs if outline.is_single else frame.runs.head(0)),
        references=list_references(sections),
        paper=HE_2015,
        concerns=list_concerns(frame),
        code_notes=code_notes,
        published_notes=published_notes,
        excluded=frame.excluded,
        outline=outline,
        hero_figure=next((stem for view in outline.comparisons for stem in view.figures), ""),
        charts=render_chart_parts(
            collect_chart_data(frame),
            depth_picture=_write_picture(outline.find_charted(error_vs_depth.FILE_STEM)),
            curves_picture=_write_picture(outline.find_charted(learning_curves.FILE_STEM)),
        ),
        charted=CHARTED,
        charted_figures=[figure for figure in map(outline.find_charted, CHARTED) if figure],
        error_kind=frame.error_kind,
        command=command,
        commits=sorted(trained["commit"].dropna().unique()),
        versions=sorted({format_versions(versions) for versions in trained["versions"]}),
        run_table=build_run_table(runs, with_condition=not outline.is_single),
        metrics=[METRICS[metric] for metric in RUN_METRICS],
        test_error=METRICS[TEST_ERROR],
        clean_loss=METRICS[CLEAN_LOSS],
        untrained_within=UNTRAINED_WITHIN_POINTS,
        glossary=glossary,
        style=Markup(files("analysis.page").joinpath("style.css").read_text(encoding="utf-8")),
    )


def build_outline(sections: Sequence[Section], folder: Path) -> Outline:
    """Return the sections as the page shows them, by kind, each with an anchor of its own."""
    views: dict[str, list[SectionView]] = {"comparison": [], "condition": [], "mechanism": []}
    anchors = set(PART_ANCHORS)
    budget = PictureBudget()
    for section in sections:
        anchor = section.anchor
        while anchor in anchors:
            anchor += "-more"
        anchors.add(anchor)
        views[section.kind].append(view_section(section, folder, anchor, budget))
    return Outline(views["comparison"], views["condition"], views["mechanism"])


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
    environment.filters["explain"] = glossary.explain
    environment.filters["typeset"] = typeset
    return environment.get_template(TEMPLATE)


def _write_picture(figure: FigureView | None) -> Markup:
    """Return the static picture that a chart replaces, as HTML."""
    if figure is None or not figure.source:
        return Markup("")
    image = '<img alt="{}" width="{}" src="{}">'
    return Markup(image).format(figure.alternative, figure.width, figure.source)
