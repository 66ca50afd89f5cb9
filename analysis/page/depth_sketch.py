"""A small chart of training error against depth, drawn as SVG from a report's summary."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from analysis.figures.style import FAMILY_STYLES
from analysis.plain_text import format_amount
from analysis.report_summary import DepthCurve
from analysis.text_chart import choose_top

WIDTH, HEIGHT = 240, 132
LEFT, RIGHT, TOP, BOTTOM = 38, 232, 12, 108  # the frame of the data
MAX_CURVES = 24  # the curves of more conditions cannot be distinguished
DASHES = {"--": "5 3", "-.": "6 2 1 2", ":": "1 2"}

Point = tuple[float, float]  # depth in layers, error in percent


@dataclass(frozen=True)
class Line:
    """The known points of a curve."""

    family: str
    points: list[Point]


def draw_sketch(curves: Sequence[DepthCurve]) -> Markup:
    """Return the chart as an SVG element, or empty text if no network has an error."""
    lines = [_select_known(curve) for curve in curves[:MAX_CURVES]]
    lines = [line for line in lines if line.points]
    if not lines:
        return Markup("")
    depths = [depth for line in lines for depth, _ in line.points]
    top = choose_top(max(error for line in lines for _, error in line.points))
    drawn = "".join(_draw_line(line, min(depths), max(depths), top) for line in lines)
    axis = f'<path class="axis" d="M{LEFT},{TOP}V{BOTTOM}H{RIGHT}"/>'
    label = escape(describe_curves(lines))
    return Markup(
        f'<svg class="sketch" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{axis}{_label_axes(min(depths), max(depths), top)}{drawn}</svg>"
    )


def describe_curves(lines: Sequence[Line]) -> str:
    """Return the chart in words: the errors of the shallowest and the deepest networks."""
    texts = []
    for line in lines:
        (shallowest, first), (deepest, last) = line.points[0], line.points[-1]
        text = f"{line.family} {format_amount(first)} % at {shallowest:g} layers"
        if deepest != shallowest:
            text += f", {format_amount(last)} % at {deepest:g}"
        texts.append(text)
    return f"Training error against depth: {'; '.join(texts)}"


def _select_known(curve: DepthCurve) -> Line:
    points = [
        (float(depth), float(error))
        for depth, error in zip(curve.depths, curve.training_error, strict=False)
        if error is not None and math.isfinite(error)
    ]
    return Line(curve.family, sorted(points))


def _draw_line(line: Line, shallowest: float, deepest: float, top: int) -> str:
    """Return a line through the points, with a mark at each of them."""
    style = FAMILY_STYLES.get(line.family, {"linestyle": "-"})
    color = f"var(--family-{line.family})" if line.family in FAMILY_STYLES else "var(--ink)"
    width = deepest - shallowest
    positions = []
    for depth, error in line.points:
        x = LEFT + 8 + (RIGHT - LEFT - 16) * ((depth - shallowest) / width if width else 0.5)
        y = BOTTOM - (BOTTOM - TOP) * min(max(error, 0.0), top) / top
        positions.append((x, y))
    path = "L".join(f"{x:.1f},{y:.1f}" for x, y in positions)
    dashes = DASHES.get(style["linestyle"], "none")
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>' for x, y in positions)
    return (
        f'<g style="stroke:{color};fill:{color}">'
        f'<path d="M{path}" fill="none" stroke-width="2" stroke-dasharray="{dashes}"/>{marks}</g>'
    )


def _label_axes(shallowest: float, deepest: float, top: int) -> str:
    """Return the ends of both axes as text: depths in layers, errors in percent."""
    texts = [(LEFT - 5, TOP + 4, "end", f"{top} %"), (LEFT - 5, BOTTOM + 3, "end", "0")]
    if deepest > shallowest:
        texts.append((LEFT + 8, BOTTOM + 15, "middle", f"{shallowest:g}"))
        texts.append((RIGHT - 8, BOTTOM + 15, "middle", f"{deepest:g}"))
    middle = "layers" if deepest > shallowest else f"{shallowest:g} layers"
    texts.append(((LEFT + RIGHT) // 2, BOTTOM + 15, "middle", middle))
    return "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>'
        for x, y, anchor, text in texts
    )
