"""Parameters, multiply-adds and activations of every network of a grid: the same words as train.py takes.

python experiments/census.py experiment=paper
python experiments/census.py data=cifar10 model=residual model.depth=56 --layers
python experiments/census.py model=imagenet_residual model.block=bottleneck model.depth=50 --picture 3 224 1000
"""

import argparse
import sys
from dataclasses import asdict

import pandas as pd
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from degradation import grid
from degradation.config import Model, family

TOLD = ("layout", "order", "block", "shortcut", "depth", "width", "bottleneck_stride")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit")
    parser.add_argument("--layers", action="store_true", help="every layer of each network too")
    parser.add_argument("--csv", action="store_true", help="as CSV")
    parser.add_argument(
        "--picture", nargs=3, type=int, metavar=("CHANNELS", "SIDE", "CLASSES"), help="instead of the data set's"
    )
    return parser.parse_args()


def show(table: pd.DataFrame, csv: bool) -> None:
    if csv:
        print(table.to_csv(index=False), end="")
    else:
        print(table.to_string(index=False, formatters=dict.fromkeys(table.select_dtypes("number"), "{:,}".format)))


def main() -> int:
    from degradation.data.datasets import DataError
    from degradation.data.feeds import shape
    from degradation.models.census import census, layers

    given = arguments()
    try:
        runs = grid.expand(given.overrides)
        picture = tuple(given.picture) if given.picture else shape(runs[0].config.data)
    except (HydraException, OmegaConfBaseException, DataError) as problem:
        print(problem, file=sys.stderr)
        return 1
    models: dict[str, Model] = {repr(run.config.model): run.config.model for run in runs}
    rows = []
    for model in models.values():
        told = {key: getattr(model, key) for key in TOLD if key != "bottleneck_stride" or model.block == "bottleneck"}
        rows.append({"family": family(model), **told, **asdict(census(model, *picture))})
    channels, side, classes = picture
    print(f"pictures of {channels}x{side}x{side}, {classes} classes; for one picture, forward", file=sys.stderr)
    show(pd.DataFrame(rows).fillna(""), given.csv)
    if given.layers:
        for model in models.values():
            print(f"\n{family(model)}-{model.depth}")
            found = [asdict(layer) | {"shape": "x".join(map(str, layer.shape))} for layer in layers(model, *picture)]
            show(pd.DataFrame(found), given.csv)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
