"""Download, verify or check the data of a sweep, before it runs; overrides as for train.py.

Run it where there is a network, such as on a login node, with the `data.root` that the runs use.

python experiments/data.py experiment=paper
python experiments/data.py data=fashion_mnist data.root=/scratch/datasets

The exit status is 1 unless all data can be used.
"""

import argparse
import os
import sys
from collections.abc import Iterator

from degradation.cli import Parser, add_overrides, format_error, run_script
from degradation.config import ConfigError, Data
from degradation.counting import format_count
from degradation.errors import UserError
from degradation.registry import DATASETS
from degradation.sweep.expand import expand_configs

OWN_IMAGES = "image_folder"
CANNOT_DOWNLOAD = "this command cannot download these images"


def list_data(overrides: list[str]) -> list[Data]:
    """Return the distinct data sets of a sweep. Raises ConfigError."""
    data_sets: dict[tuple[str | int | None, ...], Data] = {}
    for config in expand_configs(overrides):
        data = config.data
        data_sets.setdefault((data.name, data.root, data.size, data.resize), data)
    return list(data_sets.values())


def check_data(data: Data) -> Iterator[str]:
    """Download or check a data set; yield one line per file or folder.

    Raises:
        ConfigError: data.root cannot be used.
        DataError: a file cannot be downloaded or read, or is not the published one; or some images
            cannot be used.
    """
    from degradation.data.downloads import find_file_set
    from degradation.data.folders import check_root, find_splits, list_images
    from degradation.data.image_check import check_images

    facts = DATASETS.facts(data.name)
    files = find_file_set(data)
    if files is not None:
        for path, content in files.fetch().items():
            yield f"{os.path.abspath(path)}: verified ({len(content) / 1e6:.1f} MB)"
    elif "splits" in facts:
        try:
            root, splits = check_root(data), find_splits(data)
            train, test, _ = list_images(root, splits)
        except ConfigError as error:
            advice = "put your images there" if data.name == OWN_IMAGES else CANNOT_DOWNLOAD
            raise ConfigError(f"{error}; {advice}") from None
        check_images(data)
        for split, listing in zip(splits, (train, test), strict=True):
            yield f"{os.path.abspath(root / split)}: {format_count(len(listing), 'image')}"
    elif facts.get("needs_root", True):
        yield f"{data.root}: is not checked; the reader of this data set does that in each run"
    else:
        yield "nothing is needed; the images come with the installed packages"


def main() -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    status = 0
    for data in list_data(parser.parse_intermixed_args().overrides):
        try:
            for line in check_data(data):
                print(f"{data.name}: {line}", flush=True)
        except (UserError, OSError) as error:
            print(f"{data.name}: {format_error(error)}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    run_script(main)
