"""The picture of a figure that the page embeds: lighter than the file for slides and papers."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

MAX_WIDTH = 1440  # pixels: sharp on a dense screen at the width of the page's column
MAX_CHARACTERS = 5_000_000  # of all pictures of a page
COLOURS = 96  # lines and text on white need few


@dataclass
class PictureBudget:
    """How many characters the pictures of a page may still take."""

    remaining: int = MAX_CHARACTERS

    def embed(self, path: Path) -> str:
        """Return the picture as the address of an image, or empty text if it does not fit."""
        if self.remaining <= 0:
            return ""
        address = embed_picture(path)
        self.remaining -= len(address)
        return address


def embed_picture(path: Path) -> str:
    """Return the picture in a PNG file, smaller, as the address of an image.

    The picture has a palette without dithering, which keeps lines and text sharp.
    """
    with Image.open(path) as file:
        picture = _paste_on_white(file)
    if picture.width > MAX_WIDTH:
        height = round(picture.height * MAX_WIDTH / picture.width)
        picture = picture.resize((MAX_WIDTH, height), Image.Resampling.LANCZOS)
    contents = io.BytesIO()
    palette = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    palette.save(contents, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(contents.getvalue()).decode()}"


def _paste_on_white(image: Image.Image) -> Image.Image:
    """Return an image in RGB; what is transparent becomes white."""
    opaque = Image.new("RGB", image.size, "white")
    layer = image.convert("RGBA")
    opaque.paste(layer, mask=layer)
    return opaque
