"""Estimate the cost of a sweep before it starts; overrides as for train.py.

python experiments/plan.py experiment=paper
python experiments/plan.py experiment=paper --device cuda --devices 8
python experiments/plan.py experiment=imagenet data.root=ROOT --device cuda --rate 4000
python experiments/plan.py experiment=paper --spread 0.3 --effect 1

Prints runs, iterations, multiply-adds, hours and disk space. Hours are estimated from the runs in
`record_root` that were trained on such a device or, without any, from an assumed rate, which is
printed. With --spread and --effect, it also prints how many seeds the main claims need.
"""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from hydra.utils import instantiate
from omegaconf import DictConfig

from degradation.cli import Parser, add_overrides, run_script
from degradation.config import Config, ConfigError, quote
from degradation.counting import format_count
from degradation.progress import notify
from degradation.sweep.expand import compose_launcher
from degradation.sweep.report_pages import list_pages
from degradation.sweep.runs import expand_runs, find_record_root, note_missing_root
from degradation.sweep.settings import describe_settings
from hydra_plugins.sweep_launcher import Capacity, SweepLauncher

GIGA, MEGA = 1e9, 1e6
SMALLEST_IN_GB = 0.1  # smaller sizes are printed in MB


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument(
        "--device",
        help="cpu, cuda, mps, or the beginning of a device's name in the records;"
        " default: this machine's",
    )
    parser.add_argument(
        "--devices", type=int, help="runs at once; default: as many as the launcher runs"
    )
    parser.add_argument(
        "--rate",
        type=float,
        help="10^9 multiply-adds per second of one run, forward and backward",
    )
    parser.add_argument(
        "--spread",
        type=float,
        help="assumed standard deviation of the training error between seeds, in points",
    )
    parser.add_argument(
        "--effect",
        type=float,
        help="assumed difference in points between the networks that a claim compares",
    )
    arguments = parser.parse_intermixed_args()
    for name in ("devices", "rate", "spread"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(f"--{name}: {value} is not allowed; allowed: more than 0")
    if (arguments.spread is None) != (arguments.effect is None):
        given, missing = ("effect", "spread") if arguments.spread is None else ("spread", "effect")
        raise ConfigError(f"--{given}: needs --{missing} as well")
    if arguments.effect is not None and not math.isfinite(arguments.effect):
        raise ConfigError(
            f"--effect: {arguments.effect} is not allowed; allowed: any finite number"
        )
    return arguments


def find_capacity(settings: DictConfig, configs: Sequence[Config]) -> Capacity:
    """Return how many of these runs a launcher trains at once. Raises CompactHydraException."""
    if settings._target_.startswith("hydra._internal."):
        return Capacity(1, "Hydra's own launcher")
    launcher: SweepLauncher = instantiate(settings)
    return launcher.find_capacity(configs)


def guess_device(settings: DictConfig, config: Config) -> str:
    """Return the kind of device that the runs are trained on. Raises ConfigError.

    A cluster's devices are not those of this machine.
    """
    from degradation.training.device import choose_device

    gpus = settings.get("gpus_per_node") or settings.get("num_gpus") or 0
    is_on_cluster = "gpus_per_node" in settings or "num_gpus" in settings
    if is_on_cluster and config.device != "auto":
        return config.device
    return "cuda" if gpus > 0 else choose_device(config.device).type


def warn_about_other_device(device: str | None, config: Config) -> None:
    """Say that the runs are not trained on the device for which the hours are estimated."""
    if device is None or config.device in ("auto", device.partition(":")[0]):
        return
    notify(
        f"--device: the hours are those of {quote(device)}, but these runs have"
        f" device={config.device}, which an override would have to change"
    )


def find_assumed_rate(rate: float | None, device: str, root: Path, is_measured: bool) -> float:
    """Return the multiply-adds per second to assume if none were measured. Raises ConfigError."""
    from degradation.sweep.cost import ASSUMED_SPEEDS

    if rate is not None:
        return rate * GIGA
    kind = device.partition(":")[0]
    if kind in ASSUMED_SPEEDS or is_measured:
        return ASSUMED_SPEEDS.get(kind, 0.0)
    allowed = ", ".join(ASSUMED_SPEEDS)
    raise ConfigError(
        f"--device: no run in {root} was trained on {quote(device)};"
        f" allowed: {allowed}, or any device with --rate"
    )


def print_networks(costs: pd.DataFrame, keys: Sequence[str]) -> None:
    """Print one line per family, depth and value of the keys in which their networks differ."""
    networks = costs.groupby(["family", "depth", *keys], sort=False).agg(
        runs=("is_done", "size"),
        done=("is_done", "sum"),
        left=("remaining_iterations", "sum"),
        multiply_adds=("multiply_adds", "first"),
        hours=("hours", "sum"),
        unknown=("is_unknown", "any"),
    )
    networks.loc[networks.pop("unknown"), "hours"] = math.nan
    formatters = {
        "left": "{:,}".format,
        "multiply_adds": "{:,}".format,
        "hours": "{:,.2f}".format,
    }
    table = networks.reset_index()
    print(table.to_string(index=False, formatters=formatters, na_rep="unknown"))


def print_totals(costs: pd.DataFrame, name: str, rate: str, capacity: Capacity) -> None:
    """Print what the whole sweep costs. `name`: that of its report."""
    from degradation.sweep.cost import makespan

    counts = costs["state"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    print(f"{name}: {format_count(len(costs), 'run')} ({states})")
    remaining, total = costs["remaining_iterations"].sum(), costs["iterations"].sum()
    print(
        f"left: {remaining:,} of {total:,} iterations,"
        f" {costs['work'].sum():.3g} multiply-adds (an iteration costs three forward passes)"
    )
    print(f"rate: {rate}")
    devices = capacity.jobs or 1
    if capacity.jobs is None:
        print(f"at once: {devices} ({capacity.description}; --devices sets the number)")
    else:
        print(f"at once: {devices} ({capacity.description})")
    unknown = int(costs["is_unknown"].sum())
    if unknown:
        print(
            f"hours: unknown for {format_count(unknown, 'run')} of networks without convolutions"
            " and linear layers, whose multiply-adds are not counted"
        )
    hours_together = makespan(costs["hours"].dropna(), devices)
    print(
        f"hours: {costs['hours'].sum():,.2f} one run after another;"
        f" {hours_together:,.2f} with {devices} at once"
    )
    records = format_size(costs["record_bytes"].sum())
    checkpoints = format_size(min(devices, len(costs)) * costs["checkpoint_bytes"].max())
    print(f"disk: {records}, and {checkpoints} while runs are trained")


def format_size(size: float) -> str:
    """Return a number of bytes in GB, or in MB if it is less than 0.1 GB."""
    if size < SMALLEST_IN_GB * GIGA:
        return f"{size / MEGA:,.1f} MB"
    return f"{size / GIGA:,.2f} GB"


def check_effect(effect: float | None, configs: Sequence[Config]) -> None:
    """Raise ConfigError if the assumed difference is the margin: there, no number decides."""
    if effect in {config.data.margin for config in configs}:
        raise ConfigError(
            f"--effect: {effect:g} is the margin, at which no number of seeds decides;"
            " allowed: any other number"
        )


def print_seeds(
    costs: pd.DataFrame, configs: Sequence[Config], spread: float, effect: float
) -> None:
    """Print how many seeds the main claims need, for each margin of these runs.

    Args:
        costs: one row per run, with its family and depth.
        configs: their configurations, in the same order.
        spread, effect: what is assumed, in points.
    """
    from analysis.seed_plan import plan_seeds

    margins = pd.Series([config.data.margin for config in configs], index=costs.index)
    for margin, networks in costs.groupby(margins):
        depths = {str(family): set(group["depth"]) for family, group in networks.groupby("family")}
        print("\n".join(plan_seeds(depths, float(margin), spread, effect)))


def main() -> None:
    from degradation.sweep.cost import estimate_costs, list_network_keys, read_rates

    arguments = parse_arguments()
    runs = expand_runs(arguments.overrides)
    check_effect(arguments.effect, [run.config for run in runs])
    config, root = runs[0].config, find_record_root(runs)
    note_missing_root(arguments.overrides, root)
    launcher = compose_launcher(arguments.overrides)
    device = arguments.device or guess_device(launcher, config)
    rates = [] if arguments.rate else read_rates(root, device, config)
    assumed_rate = find_assumed_rate(arguments.rate, device, root, bool(rates))
    costs = pd.DataFrame(vars(cost) for cost in estimate_costs(runs, rates, assumed_rate))
    costs["is_done"] = costs["remaining_iterations"] == 0
    costs["hours"] = costs["seconds"] / 3600
    costs["is_unknown"] = costs["hours"].isna()
    if rates:
        rate = (
            f"measured in {format_count(len(rates), 'run')} in {root} on {device}"
            f" ({config.threads} threads, {config.precision.dtype})"
        )
    else:
        source = "as requested" if arguments.rate else "assumed, not measured; set it with --rate"
        rate = f"{assumed_rate:.3g} multiply-adds per second, {source}"
    if arguments.devices:
        capacity = Capacity(arguments.devices, "as requested")
    else:
        pairs = zip(runs, costs["is_done"], strict=True)
        capacity = find_capacity(launcher, [run.config for run, is_done in pairs if not is_done])
    keys = list_network_keys([run.config for run in runs])
    print_networks(costs.assign(**keys), list(keys))
    print(f"trains: {describe_settings([run.config for run in runs])}")
    warn_about_other_device(arguments.device, config)
    names = [page.parent.name for page in list_pages(arguments.overrides, runs)]
    print_totals(costs, ", ".join(names), rate, capacity)
    if arguments.spread is not None:
        print_seeds(costs, [run.config for run in runs], arguments.spread, arguments.effect)


if __name__ == "__main__":
    run_script(main)
