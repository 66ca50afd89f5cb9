"""How wide a text is when it is drawn, and how to break it into lines."""

from collections.abc import Iterator

from matplotlib.cbook import is_math_text
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path


def measure_text(text: str, font: FontProperties) -> float:
    """Return the width of a line of text, in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, is_math_text(text))
    return float(width)


def wrap(text: str, font: FontProperties, width: float) -> Iterator[str]:
    """Yield the text in lines no wider than `width` (points); a longer word has its own line."""
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}".strip()
        if line and measure_text(longer, font) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line
