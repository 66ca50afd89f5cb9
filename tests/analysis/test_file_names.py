"""Files of several conditions are named for what distinguishes them."""

import pytest

from analysis.file_names import list_suffixes


@pytest.mark.parametrize(
    ("labels", "suffixes"),
    [
        (["width 8"], [""]),
        (
            ["learning rate 0.01", "learning rate 0.1"],
            ["-learning-rate-0_01", "-learning-rate-0_1"],
        ),
        (["block a/b:SE", "block ../a b:se"], ["-block-a-b-se-1", "-block-a-b-se-2"]),
        (["ä", "."], ["-1", "-2"]),
        (["x" * 60 + "1", "x" * 60 + "2"], [f"-{'x' * 50}-1", f"-{'x' * 50}-2"]),
    ],
)
def test_condition_names_its_files(labels, suffixes):
    assert list_suffixes(labels) == suffixes
