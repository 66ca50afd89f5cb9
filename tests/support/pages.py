"""What tests read in the HTML page of a report."""

import json
import re

from markupsafe import Markup

from analysis.page.charts.chart_data import collect_chart_data
from analysis.page.charts.chart_parts import build_chart_scripts, render_chart_parts

# JSON in a page has no `<`, or it could end its element.
CHART_DATA = re.compile(r'<script type="application/json" id="chart-data">([^<]*)</script>')


def read_chart_data(page):
    """Return the numbers of the charts. The page must have them once."""
    (numbers,) = CHART_DATA.findall(page)
    return json.loads(numbers)


def remove_chart_scripts(page):
    """Return the page without the scripts that the project puts there."""
    scripts = build_chart_scripts(read_chart_data(page))
    assert page.count(scripts) == 1
    return page.replace(scripts, "")


def write_chart_page(folder, frame):
    """Write a page of the charts alone, which takes no time for figures, and return its path."""
    parts = render_chart_parts(collect_chart_data(frame), Markup(""), Markup(""))
    path = folder / "charts.html"
    body = f"{parts.depth_chart}{parts.curves_chart}{parts.scripts}"
    path.write_text(f"<!doctype html><meta charset=utf-8>{parts.style}<body>{body}")
    return path
