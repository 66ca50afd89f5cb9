"""Parameters, multiply-adds and activations of every network of a grid: the same words as train.py takes.

Counted for one picture, forward, from the architecture: nothing is downloaded and nothing trained.

python experiments/census.py experiment=paper
python experiments/census.py data=cifar10 model=residual model.depth=56 --layers
python experiments/census.py experiment=imagenet_bottleneck model.bottleneck_stride=3x3,1x1
"""

import argparse
from dataclasses import asdict

import pandas as pd

from degradation.cli import Parser, run_script
from degradation.config import Model, family
from degradation.sweep.expand import expand_configs

Picture = tuple[int, ...]  # channels, side in pixels, classes
TOLD = ("layout", "order", "block", "shortcut", "depth", "width", "bottleneck_stride")


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit"
    )
    parser.add_argument("--layers", action="store_true", help="every layer of each network too")
    parser.add_argument("--csv", action="store_true", help="as CSV")
    parser.add_argument(
        "--picture",
        nargs=3,
        type=int,
        metavar=("CHANNELS", "SIDE", "CLASSES"),
        help="instead of the data set's",
    )
    given = parser.parse_intermixed_args()
    if given.picture and min(given.picture) < 1:
        parser.error(
            f"--picture: {given.picture} is not allowed; allowed: whole numbers, 1 or more"
        )
    return given


def show(table: pd.DataFrame, csv: bool) -> None:
    if csv:
        print(table.to_csv(index=False), end="")
    else:
        print(
            table.to_string(
                index=False, formatters=dict.fromkeys(table.select_dtypes("number"), "{:,}".format)
            )
        )


def main() -> None:
    from degradation.data.datasets import find_image_shape
    from degradation.models.complexity import list_layers, measure_complexity

    given = arguments()
    # nothing is read of the data sets that have one published form: a root is needed by none of them
    configs = expand_configs(["data.root=unread", *given.overrides])
    nets: dict[str, tuple[Model, Picture]] = {}
    for config in configs:
        picture = tuple(given.picture) if given.picture else find_image_shape(config.data)
        nets[repr((config.model, picture))] = config.model, picture
    rows = []
    for model, picture in nets.values():
        told = {
            key: getattr(model, key)
            for key in TOLD
            if key != "bottleneck_stride" or model.block == "bottleneck"
        }
        channels, side, classes = picture
        size = {"picture": f"{channels}x{side}x{side}", "classes": classes}
        rows.append(
            {"family": family(model), **told, **size, **asdict(measure_complexity(model, *picture))}
        )
    show(pd.DataFrame(rows).fillna(""), given.csv)
    if given.layers:
        for model, picture in nets.values():
            print(f"\n{family(model)}-{model.depth}")
            found = [
                asdict(layer) | {"shape": "x".join(map(str, layer.shape))}
                for layer in list_layers(model, *picture)
            ]
            show(pd.DataFrame(found), given.csv)


if __name__ == "__main__":
    run_script(main)
