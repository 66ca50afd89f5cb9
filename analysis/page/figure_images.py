"""The picture of a figure that the page embeds: lighter than the file for slides and papers."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

MAX_WIDTH = 1440  # pixels: sharp on a dense screen at the width of the page's column
MAX_CHARACTERS = 5_000_000  # of all pictures of a page
QUALITY = 85  # of WebP, from 0 to 100: text is sharp and colours are those of the figure


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

    A palette would be as small, but it changes the colours of small text and of the background.
    """
    with Image.open(path) as file:
        picture = _paste_on_white(file)
    if picture.width > MAX_WIDTH:
        height = round(picture.height * MAX_WIDTH / picture.width)
        picture = picture.resize((MAX_WIDTH, height), Image.Resampling.LANCZOS)
    contents = io.BytesIO()
    picture.save(contents, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(contents.getvalue()).decode()}"


def _paste_on_white(image: Image.Image) -> Image.Image:
    """Return an image in RGB; what is transparent becomes white."""
    opaque = Image.new("RGB", image.size, "white")
    layer = image.convert("RGBA")
    opaque.paste(layer, mask=layer)
    return opaque
