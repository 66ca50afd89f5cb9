"""A small picture of error against depth, made of characters, for a terminal or a log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, chop_cells

COLUMNS, ROWS = 56, 9  # of the plot, without its axes
MARGIN = " " * 8  # before the legend
TOPS = (1, 2, 5, 10, 20, 40, 60, 80, 100)  # ends of the vertical axis, in percent

Series = Mapping[str, Mapping[int, float]]  # name: {depth: percent}


@dataclass(frozen=True)
class Glyphs:
    """The characters of a chart."""

    marks: str  # one for each series, in order
    several: str  # where several series have the same place
    line: str
    tick: str
    corner: str
    vertical: str
    horizontal: str


UNICODE = Glyphs("●○▲△■□◆◇", "◉", "·", "┤", "└", "│", "─")
ASCII = Glyphs("ox+#@%&$", "*", ".", "+", "+", "|", "-")
MAX_SERIES = len(UNICODE.marks)


def choose_glyphs(encoding: str | None) -> Glyphs:
    """Return the characters that an encoding has."""
    try:
        "".join(vars(UNICODE).values()).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def draw_chart(series: Series, title: str, glyphs: Glyphs = UNICODE) -> list[str]:
    """Return the lines of the picture, which are about 70 characters wide.

    Args:
        series: the values of at most MAX_SERIES series, in percent. Fewer than two depths in all
            give no picture.
        title: the first line.
        glyphs: what it is made of.
    """
    series = {name: points for name, points in series.items() if points}
    depths = sorted({depth for points in series.values() for depth in points})
    if len(depths) < 2:
        return []
    largest = max(value for points in series.values() for value in points.values())
    top = choose_top(largest)
    places, is_to_scale = _place_depths(depths)
    grid = [[" "] * COLUMNS for _ in range(ROWS)]
    marks: dict[tuple[int, int], str] = {}
    for points, mark in zip(series.values(), glyphs.marks, strict=False):
        cells = [(places[depth], _find_row(points[depth], top)) for depth in sorted(points)]
        _draw_line(grid, cells, glyphs.line)
        for cell in set(cells):
            marks[cell] = glyphs.several if cell in marks else mark
    for (column, row), mark in marks.items():
        grid[row][column] = mark
    is_shared = glyphs.several in marks.values()
    # Where more than two marks hide one another, the legend says what cannot be seen.
    names = _add_values(series) if is_shared and len(series) > 2 else list(series)
    return [
        f"  {title}",
        *_frame(grid, top, glyphs),
        *_label_depths(places, is_to_scale, glyphs),
        *_describe_marks(names, glyphs, is_shared),
    ]


def _add_values(series: Series) -> list[str]:
    """Return the names, each with the values at its shallowest and its deepest network."""
    names = []
    for name, points in series.items():
        first, last = points[min(points)], points[max(points)]
        values = f"{first:.1f}" if len(points) == 1 else f"{first:.1f} to {last:.1f}"
        names.append(f"{values}  {name}")
    return names


def choose_top(largest: float) -> int:
    """Return the end of an axis of percent: a round number that the largest value fits below."""
    return next((end for end in TOPS if end >= largest), TOPS[-1])


def _place_depths(depths: Sequence[int]) -> tuple[dict[int, int], bool]:
    """Return the column of each depth, and whether the columns are to scale.

    They are evenly spaced if the labels would touch otherwise.
    """
    first, last = depths[0], depths[-1]
    scale = (COLUMNS - 4) / (last - first)
    places = {depth: 1 + round((depth - first) * scale) for depth in depths}
    columns = list(places.values())
    gaps = [after - before for before, after in pairwise(columns)]
    if min(gaps) > len(str(last)):
        return places, True
    step = (COLUMNS - 4) / (len(depths) - 1)
    return {depth: 1 + round(position * step) for position, depth in enumerate(depths)}, False


def _find_row(value: float, top: float) -> int:
    """Return the row of a value, counted from the top."""
    share = min(max(value / top, 0.0), 1.0)
    return round((1 - share) * (ROWS - 1))


def _draw_line(grid: list[list[str]], cells: Sequence[tuple[int, int]], character: str) -> None:
    """Draw straight lines between the cells of one series."""
    for (column, row), (next_column, next_row) in pairwise(cells):
        for between in range(column, next_column + 1):
            share = (between - column) / max(next_column - column, 1)
            grid[round(row + share * (next_row - row))][between] = character


def _frame(grid: list[list[str]], top: float, glyphs: Glyphs) -> list[str]:
    """Return the rows with the vertical axis: labels at its ends and in the middle."""
    labels = {0: f"{top:g}", (ROWS - 1) // 2: f"{top / 2:g}", ROWS - 1: "0"}
    lines = []
    for number, row in enumerate(grid):
        axis = glyphs.tick if number in labels else glyphs.vertical
        lines.append(f"  {labels.get(number, ''):>4} {axis}{''.join(row)}".rstrip())
    return lines


def _label_depths(places: Mapping[int, int], is_to_scale: bool, glyphs: Glyphs) -> list[str]:
    """Return the horizontal axis and its labels; a label that would touch another is omitted."""
    labels = ""
    for depth, column in places.items():
        text = str(depth)
        start = max(0, column - len(text) // 2)
        if not labels or start > len(labels):
            labels = f"{labels:<{start}}{text}"
    margin = " " * 7
    note = [] if is_to_scale else [f"{MARGIN}(evenly spaced, not to scale)"]
    axis = f"{margin}{glyphs.corner}{glyphs.horizontal * COLUMNS}"
    return [axis, f"{margin} {labels} layers", *note]


def _describe_marks(names: Sequence[str], glyphs: Glyphs, is_shared: bool) -> list[str]:
    """Return the legend, in one line if it fits below the plot; long names have several lines."""
    parts = [f"{mark} {name}" for mark, name in zip(glyphs.marks, names, strict=False)]
    if is_shared:
        parts.append(f"{glyphs.several} {'both' if len(names) == 2 else 'several'}")
    one_line = "  ".join(parts)
    if cell_len(one_line) <= COLUMNS:
        return [f"{MARGIN}{one_line}"]
    lines = []
    for part in parts:
        first, *others = chop_cells(part, COLUMNS)
        lines += [f"{MARGIN}{first}", *(f"{MARGIN}  {other}" for other in others)]
    return lines
