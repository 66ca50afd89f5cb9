"""Decoding of one image file, which may be corrupt or malicious, to 8-bit RGB."""

import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from degradation.data.errors import DataError
from degradation.data.paths import escape_name
from degradation.durable_io import open_file

# Incremented when images that could be read are refused, or other pixels are read from a file:
# caches and markers of an earlier version are then ignored.
READER_VERSION = 2
# accepted whatever the suffix; without EPS, for which Pillow would run Ghostscript
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
# The modes that Pillow converts to RGB without loss. It would clip the values of the others, such
# as I;16 (16-bit grey), I and F.
EIGHT_BIT_MODES = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LA", "La", "PA", "RGBA", "RGBa"}
# A camera's JPEG with a preview or a second exposure: the first image is the picture.
MULTIPLE_PICTURES = "MPO"
# ImageNet's only image with an alpha channel; it is ignored, as in torchvision.
ALPHA_IGNORED = "n02105855_2933.JPEG"

# Pillow warns about a suspiciously large image, and raises only for twice that size. `_check_size`
# always raises; a local filter could not replace this one, since images are read in threads.
warnings.simplefilter("ignore", Image.DecompressionBombWarning)


class ImageError(DataError):
    """An image file that cannot be used.

    Args:
        path: the file
        problem: what is wrong with it, which follows the file's name in a message
        remedy: what to do
    """

    def __init__(self, path: Path, problem: str, remedy: str = "replace or remove it") -> None:
        # all arguments, since a worker process sends the exception by pickling them
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{escape_name(self.path)}: {self.problem}; {self.remedy}"


def read_rgb(path: Path) -> Image.Image:
    """Read an image of any of FORMATS and convert it to RGB.

    Raises:
        ImageError: the file has another format, is truncated, could exhaust the memory, or has
            pixels that 8-bit RGB cannot represent: more than 8 bits of grey, transparent ones, or
            those of several frames.
    """
    try:
        with (
            open_file(path, follows_links=True) as file,
            Image.open(file, formats=FORMATS) as image,
        ):
            _check_size(image)
            _check_pixels(image, path)
            return image.convert("RGB")
    except ImageError:
        raise
    except Exception as error:  # Pillow's exceptions vary by format: a bad PNG is a SyntaxError
        raise ImageError(path, f"is not a readable image ({_explain(error)})") from None


def _check_size(image: Image.Image) -> None:
    """Raise DecompressionBombError if decoding the image could exhaust the memory."""
    pixels = image.width * image.height
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit:
        raise Image.DecompressionBombError(
            f"Image size ({pixels} pixels) exceeds limit of {limit} pixels"
        )


def _check_pixels(image: Image.Image, path: Path) -> None:
    """Raise ImageError if a conversion to RGB would lose what the image shows."""
    if image.mode not in EIGHT_BIT_MODES:
        raise ImageError(
            path,
            f"has Pillow's mode {image.mode}, which RGB with 8 bits per channel cannot represent",
            "convert it to 8-bit grey or RGB",
        )
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != MULTIPLE_PICTURES:
        raise ImageError(
            path, f"has {frames} frames or pages, not one", "save each as a separate image"
        )
    if path.name != ALPHA_IGNORED and _has_transparent_pixels(image):
        raise ImageError(
            path, "has transparent pixels, whose colour is undefined", "give it a background"
        )


def _has_transparent_pixels(image: Image.Image) -> bool:
    """Return whether a pixel is not opaque; an alpha channel alone does no harm."""
    if not image.has_transparency_data:
        return False
    alpha = image.convert("RGBA").getchannel("A")
    return alpha.histogram()[-1] < alpha.width * alpha.height


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return f"not one of {', '.join(FORMATS)}"
    return escape_name(error) or type(error).__name__
