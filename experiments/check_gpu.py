"""Check that captured training steps equal eager ones on this machine's GPU, in about a minute.

Plain and residual networks of 20 and 110 layers are trained for 20 iterations on noise, in each
precision that the GPU has: with steps that are captured in a CUDA graph and replayed, with eager
steps, and from a checkpoint. Where anything differs, runs of that kind use eager steps. Overrides
are as for train.py:

python experiments/check_gpu.py
python experiments/check_gpu.py precision.deterministic=false

The exit status is 0 if everything is equal, and 1 otherwise.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

from degradation.cli import Parser, add_overrides, run_script
from degradation.config import Config, ConfigError, compose_config

if TYPE_CHECKING:
    import torch

    from degradation.graph_check.check import Check
    from degradation.graph_check.result import GraphComparison

FAMILIES = ("plain", "residual")
DEPTHS = (20, 110)
PRECISIONS = ("fp32", "tf32", "bf16")
CHECKED_KEYS = ("model", "model.shortcut", "model.depth", "precision", "precision.dtype")
MEGABYTE = 2**20
COLUMNS = (
    ("network", 13),
    ("precision", 9),
    ("steps", 9),
    ("resumed", 9),
    ("evaluated", 9),
    ("MiB eager", 9),
    ("captured", 9),
    ("images/s eager", 14),
    ("captured", 9),
    ("speed-up", 8),
)


def list_configs(overrides: list[str], device: "torch.device") -> Iterator[Config]:
    """Yield the networks in each precision of the device. Raises ConfigError."""
    from degradation.training.device import check_precision

    for override in overrides:
        if override.partition("=")[0] in CHECKED_KEYS:
            raise ConfigError(f"{override}: is not allowed, since all of these are checked")
    bases = [
        compose_config("data=cifar10", "device=cuda", f"model={family}", *overrides)
        for family in FAMILIES
    ]
    for dtype, base, depth in product(PRECISIONS, bases, DEPTHS):
        precision = replace(base.precision, dtype=dtype)
        try:
            check_precision(device, precision)
        except ConfigError:
            continue
        yield replace(base, precision=precision, model=replace(base.model, depth=depth))


def build_checks(overrides: list[str], device: "torch.device") -> list["Check"]:
    from degradation.data.datasets import find_image_shape
    from degradation.graph_check.check import build_check

    return [
        build_check(config, *find_image_shape(config.data))
        for config in list_configs(overrides, device)
    ]


def require_gpu() -> "torch.device":
    """Return the GPU. Raises ConfigError if PyTorch finds none."""
    import torch

    from degradation.training.device import count_gpus

    count, _, reason = count_gpus()
    if count:
        return torch.device("cuda")
    why = "" if reason is None else f" ({reason})"
    raise ConfigError(
        f"device: PyTorch finds no CUDA GPU{why}, so there is nothing to check; on a machine with"
        " one, install its driver and a build of torch for CUDA (CONTRIBUTING.md, Set up)"
    )


def format_row(comparison: "GraphComparison") -> str:
    """Return a line of the table."""
    eager, captured = comparison.eager_rate, comparison.captured_rate
    cells = (
        comparison.network,
        comparison.precision,
        describe_equality(comparison, comparison.is_training_equal),
        describe_equality(comparison, comparison.is_resume_equal),
        describe_equality(comparison, comparison.is_evaluation_equal),
        format_whole(comparison.eager_memory, MEGABYTE),
        format_whole(comparison.captured_memory, MEGABYTE),
        format_whole(eager),
        format_whole(captured),
        f"{captured / eager:.2f}" if captured and eager else "-",
    )
    return format_cells(cells)


def describe_equality(comparison: "GraphComparison", is_equal: bool) -> str:
    """Return a word for one part of a comparison, or a dash if nothing could be compared."""
    if comparison.problem is not None:
        return "-"
    if not is_equal:
        return "DIFFERENT"
    return "equal" if comparison.tolerance == 0 else "close"


def format_whole(value: float | None, unit: int = 1) -> str:
    """Return a number of units without decimals, or a dash if it is unknown."""
    return "-" if value is None else f"{value / unit:,.0f}"


def format_cells(cells: tuple[str, ...]) -> str:
    widths = [width for _, width in COLUMNS]
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def print_conclusion(comparisons: list["GraphComparison"]) -> int:
    """Print what follows for runs, and return the exit status."""
    failed = [comparison for comparison in comparisons if not comparison.is_equal]
    unknown = [comparison for comparison in failed if comparison.is_transient]
    faulty = [comparison for comparison in failed if not comparison.is_transient]
    for comparison in failed:
        print(f"{comparison.network} {comparison.precision}: {comparison.describe_fault()}")
    tolerances = [comparison.tolerance for comparison in comparisons]
    if max(tolerances) > 0:
        largest = max(comparison.difference for comparison in comparisons)
        print(
            f"close: two eager trainings differ too; weights differ by {largest:.2g} of what"
            f" training moves them, allowed {max(tolerances):.2g}"
        )
    if faulty:
        print(
            f"{len(faulty)} of {len(comparisons)} checks failed: runs of these networks, of any"
            " depth, use eager steps in that precision; their numbers are right, they take longer"
        )
    if unknown:
        print(
            f"{len(unknown)} of {len(comparisons)} checks could not be made now: runs of these"
            " networks make them again before they start"
        )
    if failed:
        return 1
    print(f"all {len(comparisons)} checks passed: runs use captured steps")
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    return parser.parse_intermixed_args()


def main() -> int:
    overrides = parse_arguments().overrides
    device = require_gpu()

    from degradation.graph_check.automatic import store_results
    from degradation.graph_check.stored_results import describe_gpu
    from degradation.graph_check.subprocesses import compare_each

    print(", ".join(f"{name} {value}" for name, value in describe_gpu(device).items() if value))
    checks = build_checks(overrides, device)
    print(format_cells(tuple(name for name, _ in COLUMNS)))
    comparisons = []
    for comparison in compare_each(checks, device):
        print(format_row(comparison), flush=True)
        comparisons.append(comparison)
    store_results(zip(checks, comparisons, strict=True), device)
    return print_conclusion(comparisons)


if __name__ == "__main__":
    run_script(main)
