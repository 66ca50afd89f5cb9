"""The HTML of the interactive charts: a page includes these parts where it wants them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from analysis.page.charts.chart_colors import build_color_css

FOLDER = Path(__file__).parent
LIBRARIES = ("vendor/d3.min.js", "vendor/plot.umd.min.js")
# These share one scope, in which each uses the functions of those before it.
SCRIPTS = (
    "chart_text.js",
    "label_layout.js",
    "depth_marks.js",
    "depth_chart.js",
    "curve_labels.js",
    "curve_series.js",
    "curve_scale.js",
    "curves_chart.js",
    "chart_state.js",
    "chart_descriptions.js",
    "charts.js",
)


@dataclass(frozen=True)
class ChartParts:
    """The parts of a page that make up its charts.

    Attributes:
        style: a <style> element, for the head.
        depth_chart: error against depth: <figure id="depth-chart">.
        curves_chart: error against iteration: <figure id="curves-chart">.
        scripts: the numbers and the code, for the end of the body.
    """

    style: Markup
    depth_chart: Markup
    curves_chart: Markup
    scripts: Markup


def render_chart_parts(
    charts: dict[str, Any], depth_picture: Markup, curves_picture: Markup
) -> ChartParts:
    """Return the parts; everything that comes from records is escaped.

    Args:
        charts: the numbers (`chart_data.collect_chart_data`).
        depth_picture: the static picture of error against depth, which is shown where scripts do
            not run, such as an <img>.
        curves_picture: the same of error against iteration.
    """
    environment = Environment(
        loader=PackageLoader("analysis.page.charts", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    depth_chart = environment.get_template("depth_chart.html.j2")
    curves_chart = environment.get_template("curves_chart.html.j2")
    colors = build_color_css(charts["depths"])
    return ChartParts(
        style=Markup(f"<style>\n{colors}\n{_read_file('charts.css')}</style>"),
        depth_chart=Markup(depth_chart.render(charts=charts, picture=depth_picture)),
        curves_chart=Markup(curves_chart.render(charts=charts, picture=curves_picture)),
        scripts=build_chart_scripts(charts),
    )


def build_chart_scripts(charts: dict[str, Any]) -> Markup:
    """Return the elements for the end of the body: the numbers, the libraries and the scripts.

    Labels come from records: nothing in the numbers can end their <script> element.
    """
    numbers = htmlsafe_json_dumps(charts, dumps=json.dumps, allow_nan=False, separators=(",", ":"))
    libraries = "".join(f"<script>{_read_file(name)}</script>\n" for name in LIBRARIES)
    own = "\n".join(_read_file(name) for name in SCRIPTS)
    return Markup(
        f'<script type="application/json" id="chart-data">{numbers}</script>\n'
        f'{libraries}<script>(() => {{\n"use strict";\n{own}}})();</script>'
    )


def _read_file(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
