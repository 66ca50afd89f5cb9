"""Images that are not square, or not of one size, are named together."""

from pathlib import Path

import pytest

from degradation.config import ConfigError
from degradation.data.folders import MAX_LISTED
from degradation.data.image_folder import _check_sizes

ROOT = Path("images")


def check(sizes):
    paths = [ROOT / f"train/cat/{number}.png" for number in range(len(sizes))]
    _check_sizes(ROOT, paths, sizes)


def test_squares_of_one_size_are_accepted():
    check([(4, 4)] * 3)


def test_every_odd_image_is_named_with_its_size():
    with pytest.raises(ConfigError) as error:
        check([(5, 5), (4, 4), (4, 6), (4, 4)])
    message = str(error.value)
    assert "2 of 4 in images are not 4x4 pixels" in message
    assert "train/cat/0.png (5x5), train/cat/2.png (4x6);" in message
    assert message.endswith("such as data.size=32")


def test_many_odd_images_are_counted():
    with pytest.raises(ConfigError, match=r"13 of 13 in images are not square: ") as error:
        check([(3, 4)] * (MAX_LISTED + 3))
    assert str(error.value).count("(3x4)") == MAX_LISTED
    assert "and 3 more; allowed: " in str(error.value)
