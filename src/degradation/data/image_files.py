"""Decoding of one image file, which may be corrupt or malicious."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from degradation.data.errors import DataError
from degradation.data.safe_open import escape_name, open_regular

# accepted whatever the suffix; without EPS, for which Pillow would run Ghostscript
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")


def read_rgb(path: Path) -> Image.Image:
    """Read an image of any of FORMATS and convert it to RGB.

    Raises:
        DataError: the file has another format, is truncated, or could exhaust the memory.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns about a suspiciously large image, and raises only for twice that size
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
                return image.convert("RGB")
    except Exception as error:  # Pillow's exceptions vary by format: a bad PNG is a SyntaxError
        raise DataError(
            f"{escape_name(path)}: is not a readable image ({_explain(error)});"
            " replace or remove it"
        ) from None


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return f"not one of {', '.join(FORMATS)}"
    return escape_name(error) or type(error).__name__
