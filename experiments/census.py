"""Print parameters, multiply-adds and activations of a sweep's networks; overrides as for train.py.

They are counted from the architecture, for the forward pass of one image: nothing is downloaded or
trained.

python experiments/census.py experiment=paper
python experiments/census.py data=cifar10 model=residual model.depth=56 --layers
python experiments/census.py experiment=imagenet_bottleneck model.bottleneck_stride=3x3,1x1
"""

import argparse
from dataclasses import asdict, dataclass

import pandas as pd

from degradation.cli import Parser, add_overrides, run_script
from degradation.config import Config, ConfigError, Model, family
from degradation.config.options import effective_options
from degradation.sweep.expand import expand_configs

MODEL_COLUMNS = ("layout", "order", "block", "shortcut", "depth", "width", "bottleneck_stride")


@dataclass(frozen=True)
class CountedNetwork:
    """A network, with the shape of the images that its operations are counted for."""

    model: Model
    channels: int
    side: int  # pixels
    classes: int


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument("--layers", action="store_true", help="list every layer of each network")
    parser.add_argument("--csv", action="store_true", help="print CSV")
    parser.add_argument(
        "--picture",
        nargs=3,
        type=int,
        metavar=("CHANNELS", "SIDE", "CLASSES"),
        help="shape of the images; default: the data set's",
    )
    arguments = parser.parse_intermixed_args()
    if arguments.picture and min(arguments.picture) < 1:
        raise ConfigError(
            f"--picture: {arguments.picture} is not allowed; allowed: whole numbers, 1 or more"
        )
    return arguments


def list_networks(configs: list[Config], image_shape: list[int] | None) -> list[CountedNetwork]:
    """Return the distinct networks.

    `image_shape`: channels, side and classes, or None for those of the data.
    """
    from degradation.data.datasets import find_image_shape

    networks: dict[str, CountedNetwork] = {}
    for config in configs:
        channels, side, classes = image_shape or find_image_shape(config.data)
        network = CountedNetwork(config.model, channels, side, classes)
        networks[repr(network)] = network
    return list(networks.values())


def build_row(network: CountedNetwork) -> dict[str, object]:
    """Return a network's row of the table, with only the options that affect the network."""
    from degradation.models.complexity import measure_complexity

    model = network.model
    row: dict[str, object] = {"family": family(model)}
    for column in MODEL_COLUMNS:
        if column != "bottleneck_stride" or model.block == "bottleneck":
            row[column] = getattr(model, column)
    if model.network != "resnet":
        row["network"] = model.network
    for name, value in effective_options(model).items():
        row[f"options.{name}"] = value
    row["picture"] = f"{network.channels}x{network.side}x{network.side}"
    row["classes"] = network.classes
    complexity = measure_complexity(model, network.channels, network.side, network.classes)
    return row | asdict(complexity)


def build_layer_rows(network: CountedNetwork) -> list[dict[str, object]]:
    from degradation.models.complexity import list_layers

    rows = []
    for layer in list_layers(network.model, network.channels, network.side, network.classes):
        shape = "x".join(str(size) for size in layer.shape)
        rows.append(asdict(layer) | {"shape": shape})
    return rows


def print_table(rows: list[dict[str, object]], csv: bool) -> None:
    table = pd.DataFrame(rows).fillna("")
    if csv:
        print(table.to_csv(index=False), end="")
        return
    numbers = table.select_dtypes("number")
    print(table.to_string(index=False, formatters=dict.fromkeys(numbers, "{:,}".format)))


def main() -> None:
    arguments = parse_arguments()
    # data sets whose image shape is known are not read, so they need no root here
    configs = expand_configs(["data.root=unread", *arguments.overrides])
    networks = list_networks(configs, arguments.picture)
    print_table([build_row(network) for network in networks], arguments.csv)
    if not arguments.layers:
        return
    for network in networks:
        print(f"\n{family(network.model)}-{network.model.depth}")
        print_table(build_layer_rows(network), arguments.csv)


if __name__ == "__main__":
    run_script(main)
