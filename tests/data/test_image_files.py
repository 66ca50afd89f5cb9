"""One image file: its pixels are right in 8-bit RGB, or one line says why they cannot be."""

import pickle

import numpy as np
import pytest
from PIL import Image

from degradation.data.image_files import ImageError, read_rgb

GREY = np.arange(0, 256, 4, dtype=np.uint8).reshape(8, 8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], 2)


def with_alpha(pixels, alpha):
    image = Image.fromarray(pixels)
    image.putalpha(alpha)
    return image


# file name, image, the pixels that are right
FAITHFUL = {
    "grey": ("a.png", Image.fromarray(GREY), GREY),
    "colour": ("a.png", Image.fromarray(COLOUR), COLOUR),
    "black and white": ("a.png", Image.fromarray(GREY > 127), (GREY > 127) * 255),
    "palette": ("a.png", Image.fromarray(GREY).convert("P"), GREY),
    "palette in a GIF": ("a.gif", Image.fromarray(GREY).convert("P"), GREY),
    "opaque alpha": ("a.png", with_alpha(COLOUR, 255), COLOUR),
    "opaque grey alpha": ("a.png", with_alpha(GREY, 255), GREY),
    "CMYK": ("a.tif", Image.fromarray(COLOUR).convert("CMYK"), COLOUR),
    "BMP": ("a.bmp", Image.fromarray(COLOUR), COLOUR),
    "another suffix": ("a.PNG", Image.fromarray(COLOUR), COLOUR),
}
UNFAITHFUL = {
    "16-bit grey": ("a.png", Image.fromarray(GREY.astype(np.uint16) * 257), "mode I;16"),
    "16-bit grey TIFF": ("a.tif", Image.fromarray(GREY.astype(np.uint16)), "mode I;16"),
    "16-bit PGM": ("a.pgm", Image.fromarray(GREY.astype(np.uint16)), "mode I,"),
    "32-bit": ("a.tif", Image.fromarray(GREY.astype(np.int32)), "mode I,"),
    "floating point": ("a.tif", Image.fromarray(GREY.astype(np.float32)), "mode F"),
    "transparent": ("a.png", with_alpha(COLOUR, 254), "has transparent pixels"),
    "transparent WebP": ("a.webp", with_alpha(COLOUR, 9), "has transparent pixels"),
    "transparent grey": ("a.png", with_alpha(GREY, 0), "has transparent pixels"),
}


@pytest.mark.parametrize("kind", FAITHFUL)
def test_pixels_of_8_bit_modes_are_right(tmp_path, kind):
    name, image, expected = FAITHFUL[kind]
    image.save(tmp_path / name)
    pixels = np.asarray(read_rgb(tmp_path / name))
    if expected.ndim == 2:
        expected = np.repeat(expected[:, :, None], 3, 2)
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize("kind", UNFAITHFUL)
def test_pixels_that_rgb_cannot_represent_are_refused(tmp_path, kind):
    name, image, problem = UNFAITHFUL[kind]
    image.save(tmp_path / name)
    with pytest.raises(ImageError, match=rf"/{name}: .*{problem}.*; \w"):
        read_rgb(tmp_path / name)


@pytest.mark.parametrize(("name", "mode"), [("a.png", "P"), ("a.gif", "P"), ("a.png", "L")])
def test_transparent_palettes_and_greys_are_refused(tmp_path, name, mode):
    Image.fromarray(GREY).convert(mode).save(tmp_path / name, transparency=int(GREY[2, 2]))
    with pytest.raises(ImageError, match="has transparent pixels"):
        read_rgb(tmp_path / name)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp", ".tif"])
def test_images_of_several_frames_are_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(GREY).save(path, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    with pytest.raises(
        ImageError, match=r"has 2 frames or pages, not one; save each as a separate image"
    ):
        read_rgb(path)


def test_cameras_previews_are_no_frames(tmp_path):
    image = Image.fromarray(COLOUR)
    image.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[image])
    assert read_rgb(tmp_path / "a.jpg").size == (8, 8)


def test_the_png_in_imagenet_is_read_without_its_alpha(tmp_path):
    with_alpha(COLOUR, 9).save(tmp_path / "n02105855_2933.JPEG", "PNG")
    assert np.array_equal(np.asarray(read_rgb(tmp_path / "n02105855_2933.JPEG")), COLOUR)


def test_image_error_survives_a_process_boundary(tmp_path):
    error = ImageError(tmp_path / "a.png", "is empty")
    assert (
        str(pickle.loads(pickle.dumps(error)))
        == str(error)
        == (f"{tmp_path}/a.png: is empty; replace or remove it")
    )
