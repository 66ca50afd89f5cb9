"""What a grid costs before it is started: runs, iterations, multiply-adds, hours, disk space. The words of train.py.

python experiments/plan.py experiment=paper
python experiments/plan.py experiment=paper --device cuda --devices 8
python experiments/plan.py experiment=imagenet data.root=ROOT --device cuda --rate 4000

Hours come from the rates that records in `record_root` hold for a like device, else from an assumption that is told.
"""

import argparse

import pandas as pd
from omegaconf import OmegaConf

from degradation.cli import Parser, run_script
from degradation.config import CONF, Config
from degradation.sweep import jobs
from hydra_plugins.pool_launcher import list_slots, list_visible_gpus


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "overrides",
        nargs="*",
        help="as for train.py: experiment=NAME, key=value, key=value1,value2",
    )
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit"
    )
    parser.add_argument(
        "--device",
        help="cpu, cuda, mps, or the beginning of a name in the records; else this machine's",
    )
    parser.add_argument(
        "--devices", type=int, help="runs at once; else as many as this machine would train"
    )
    parser.add_argument(
        "--rate", type=float, help="10^9 multiply-adds a second of one run, forward and backward"
    )
    given = parser.parse_intermixed_args()
    for name in ("devices", "rate"):
        value = getattr(given, name)
        if value is not None and not 0 < value < float("inf"):
            parser.error(f"--{name}: {value} is not allowed; allowed: more than 0")
    return given


def devices_here(config: Config) -> int:
    """How many runs the pool would train at once on this machine."""
    launcher = OmegaConf.load(CONF / "hydra/launcher/pool.yaml")
    return len(
        list_slots(
            config.device,
            launcher.slots,
            launcher.slots_per_gpu,
            config.threads,
            list_visible_gpus(),
        )
    )


def main() -> None:
    from degradation.sweep.cost import ASSUMED_SPEEDS, makespan, measured, plan
    from degradation.training.device import choose_device

    given = arguments()
    runs = jobs.expand_runs(given.overrides)
    config, root = runs[0].config, jobs.find_record_root(runs)
    device = given.device or choose_device(config.device).type
    rates = [] if given.rate else measured(root, device, config)
    kind = device.partition(":")[0]
    if not rates and not given.rate and kind not in ASSUMED_SPEEDS:
        Parser().error(
            f"--device: no record in {root} is of {device!r}; allowed: {', '.join(ASSUMED_SPEEDS)}, or give --rate"
        )
    assumed = given.rate * 1e9 if given.rate else ASSUMED_SPEEDS.get(kind, 0.0)
    planned = plan(runs, rates, assumed)
    count = given.devices or devices_here(config)
    table = pd.DataFrame(vars(one) for one in planned)
    table["done"] = table["left"] == 0
    shown = table.groupby(["family", "depth"], sort=False).agg(
        runs=("done", "size"), done=("done", "sum"), left=("left", "sum"),
        multiply_adds=("multiply_adds", "first"), seconds=("seconds", "sum"),
    )  # fmt: skip
    shown["hours"] = shown.pop("seconds") / 3600
    print(shown.reset_index().to_string(index=False, formatters={
        "left": "{:,}".format, "multiply_adds": "{:,}".format, "hours": "{:,.2f}".format,
    }))  # fmt: skip
    states = ", ".join(
        f"{number} {state}" for state, number in table["state"].value_counts().items()
    )
    print(f"{runs[0].config.name}: {len(planned)} runs ({states})")
    left, every, work = (table[name].sum() for name in ("left", "iterations", "work"))
    print(
        f"left: {left:,} of {every:,} iterations, {work:.3g} multiply-adds (an update costs three forward passes)"
    )
    how = "as given" if given.rate else "assumed, not measured: --rate gives another"
    like = f"as of {len(rates)} runs in {root} on {device} ({config.threads} threads, {config.precision.dtype})"
    print(f"rate: {like if rates else f'{assumed:.3g} multiply-adds a second, {how}'}")
    together = makespan(table["seconds"], count)
    print(
        f"hours: {table['seconds'].sum() / 3600:,.2f} of one device; {together / 3600:,.2f} on {count} at once"
    )
    kept, besides = table["bytes"].sum() / 1e9, count * table["checkpoint"].max() / 1e9
    print(f"disk: {kept:,.2f} GB, and {besides:,.2f} GB while runs are trained")


if __name__ == "__main__":
    run_script(main)
