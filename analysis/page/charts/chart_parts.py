"""The HTML of the interactive charts: a page includes these parts where it wants them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from analysis.condition_labels import capitalise_first
from analysis.page.charts.chart_colors import build_color_css

FOLDER = Path(__file__).parent
LIBRARIES = ("d3.min.js", "plot.umd.min.js")  # in vendor
SCRIPTS = (  # each uses only functions of those before it
    "chart_text.js",
    "label_layout.js",
    "depth_chart.js",
    "curves_chart.js",
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
    environment.filters["capitalise_first"] = capitalise_first
    values = {"charts": charts, "file": _read_own_file, "libraries": LIBRARIES, "own": SCRIPTS}
    values["colors"] = Markup(build_color_css(charts["depths"]))
    pictures = {"depth_chart": depth_picture, "curves_chart": curves_picture}

    def render(name: str) -> Markup:
        template = environment.get_template(f"{name}.html.j2")
        return Markup(template.render(values | {"picture": pictures.get(name)}))

    return ChartParts(
        style=render("chart_style"),
        depth_chart=render("depth_chart"),
        curves_chart=render("curves_chart"),
        scripts=render("chart_scripts"),
    )


def _read_own_file(name: str) -> Markup:
    """Return a script or style sheet of this folder, which is trusted as it is."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))
