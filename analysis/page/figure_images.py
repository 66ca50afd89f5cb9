"""The picture of a figure that the page embeds: lighter than the file for slides and papers."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

MAX_WIDTH = 1440  # pixels: sharp on a dense screen at the width of the page's column
PHONE_DPI = 200  # of a narrow picture: twice as many pixels as a phone's screen has CSS pixels
MAX_CHARACTERS = 5_000_000  # of all pictures of a page
QUALITY = 85  # of WebP, from 0 to 100: text is sharp and colours are those of the figure


@dataclass
class PagePictures:
    """The pictures of a report's figures. A page embeds only as many as it has room for.

    Attributes:
        folder: the report's folder, where the figures have been written.
        phone_pictures: the narrow pictures of some figures, by file stem.
        remaining: how many characters the pictures may still take.
    """

    folder: Path
    phone_pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    remaining: int = MAX_CHARACTERS

    def embed(self, stem: str) -> str:
        """Return the picture as the address of an image, or empty text if it does not fit."""
        if self.remaining <= 0:
            return ""
        return self._spend(embed_picture(self.folder / f"{stem}.png"))

    def embed_narrow(self, stem: str) -> str:
        """Return the same for the narrow picture, or empty text if it does not exist."""
        if stem not in self.phone_pictures or self.remaining <= 0:
            return ""
        return self._spend(write_address(self.phone_pictures[stem]))

    def _spend(self, address: str) -> str:
        self.remaining -= len(address)
        return address


def embed_picture(path: Path) -> str:
    """Return the picture in a PNG file, smaller, as the address of an image."""
    with Image.open(path) as file:
        picture = _paste_on_white(file)
    if picture.width > MAX_WIDTH:
        height = round(picture.height * MAX_WIDTH / picture.width)
        picture = picture.resize((MAX_WIDTH, height), Image.Resampling.BOX)
    return write_address(picture)


def write_address(picture: Image.Image) -> str:
    """Return a picture as the address of an image, which contains it.

    A palette would be as small, but it changes the colours of small text and of the background.
    """
    contents = io.BytesIO()
    picture.save(contents, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(contents.getvalue()).decode()}"


def _paste_on_white(image: Image.Image) -> Image.Image:
    """Return an image in RGB; what is transparent becomes white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    opaque = Image.new("RGB", image.size, "white")
    layer = image.convert("RGBA")
    opaque.paste(layer, mask=layer)
    return opaque
