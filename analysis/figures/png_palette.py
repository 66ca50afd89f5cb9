"""Smaller PNG files: 256 colours instead of all, which no eye can tell apart in a figure."""

import io

import numpy as np
from PIL import Image

COLORS = 256
# Colours of the palette differ by at least this much in red, green or blue (of 255), since Pillow
# confuses closer ones: the white background must stay white.
MIN_DIFFERENCE = 8
COMPRESSION = 8  # of at most 9, which takes twice as long for 5 % less
MAX_CANDIDATES = 3000  # rarer colours are blends at the edges of lines, which are like others


def shrink_png(contents: bytes, dpi: int) -> bytes:
    """Return an image file as a PNG of its most common colours that differ by MIN_DIFFERENCE.

    The others become about the nearest of them. The file may have any format that Pillow reads.

    A figure of 300 dpi is then as small as one of 160 dpi with all colours.
    """
    image = Image.open(io.BytesIO(contents)).convert("RGB")
    palette = Image.new("P", (1, 1))
    palette.putpalette(_choose_colors(image).ravel().tolist())
    buffer = io.BytesIO()
    reduced = image.quantize(palette=palette, dither=Image.Dither.NONE)
    reduced.save(buffer, "PNG", compress_level=COMPRESSION, dpi=(dpi, dpi))
    return buffer.getvalue()


def _choose_colors(image: Image.Image) -> np.ndarray:
    """Return the most common distinct colours: one row each of red, green and blue."""
    counted = image.getcolors(image.width * image.height) or []
    ordered = [color for _, color in sorted(counted, key=lambda entry: (-entry[0], entry[1]))]
    candidates = np.array(ordered[:MAX_CANDIDATES])
    chosen: list[np.ndarray] = []
    while len(candidates) and len(chosen) < COLORS:
        chosen.append(candidates[0])
        differences = np.abs(candidates - candidates[0]).max(axis=1)
        candidates = candidates[differences >= MIN_DIFFERENCE]
    return np.array(chosen)
