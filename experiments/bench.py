"""Time the suite: against the plain PyTorch recipe, its evaluations, and its whole experiments.

python experiments/bench.py                                   # step, several and evaluation
python experiments/bench.py --part step model.depth=56 device=cuda
python experiments/bench.py --part overhead experiment=quick

step        one network's training: the suite against the reference loop (benchmarks/)
several     the same for several runs at once, against one after another
evaluation  an evaluation, and the share of all evaluations in a run's time
alternatives
            other ways to compute the suite's step on a CPU, against the step as it is
overhead    a whole experiment against the bare training loop, and without probes; the experiment is
            trained three times

Without an experiment, step and several train ResNet-20 on random images of the shape of CIFAR-10,
evaluation and alternatives have plain-20 and residual-20 of experiment=quick, and overhead has
experiment=quick.
Each part estimates its duration first, times its loops in turns, prints a table and adds its rows
to PART.csv; rows that are measured again replace the earlier ones.
"""

import argparse
import math
from pathlib import Path
from typing import Any

from benchmarks.document import DOCUMENT, LEDGER, PARTS, write_document
from degradation.cli import Parser, add_overrides, run_script
from degradation.config.errors import ConfigError

# run only by their names: one is long, and the other is of use to developers
NAMED_PARTS = ("alternatives", "overhead")
DEFAULTS = {
    "step": ["data=cifar10"],
    "several": ["data=cifar10"],
    "evaluation": ["experiment=quick", "model.depth=20"],
    "alternatives": ["experiment=quick", "model.depth=20"],
    "overhead": ["experiment=quick"],
}


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument(
        "--part", choices=PARTS, help=f"default: all except {' and '.join(NAMED_PARTS)}"
    )
    parser.add_argument("--rounds", type=int, default=6, help="how often each loop is timed")
    parser.add_argument(
        "--seconds", type=float, default=3.0, help="length of each timed round, about"
    )
    parser.add_argument(
        "--runs", type=int, help="several: runs at once; default: one per core, or 2 on a GPU"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/bench"), help="folder of the tables"
    )
    parser.add_argument(
        "--ledger",
        action="store_true",
        help=f"write the tables to {LEDGER} and into {DOCUMENT}, instead of --out",
    )
    parser.add_argument(
        "--render", action="store_true", help=f"only write the tables of {LEDGER} into {DOCUMENT}"
    )
    arguments = parser.parse_intermixed_args()
    if arguments.rounds < 1:
        raise ConfigError(f"--rounds: {arguments.rounds} is not allowed; allowed: 1 or more")
    if not 0 < arguments.seconds < math.inf:
        raise ConfigError(f"--seconds: {arguments.seconds} is not allowed; allowed: more than 0")
    if arguments.runs is not None and arguments.runs < 2:
        raise ConfigError(f"--runs: {arguments.runs} is not allowed; allowed: 2 or more")
    return arguments


def measure(part: str, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run one part and return the rows of its table. Raises UserError."""
    from benchmarks.alternatives import ALTERNATIVES_PART, check_is_cpu
    from benchmarks.evaluation import EVALUATION_PART
    from benchmarks.networks import check_reference, compose_networks
    from benchmarks.overhead import measure_overhead
    from benchmarks.part import Timing, run_part
    from benchmarks.speed import build_several_part, build_step_part

    overrides, defaults = arguments.overrides, DEFAULTS[part]
    if part == "overhead":
        has_experiment = any(override.startswith("experiment=") for override in overrides)
        return [measure_overhead(overrides if has_experiment else [*defaults, *overrides])]
    networks = compose_networks(overrides, defaults)
    timing = Timing(arguments.rounds, arguments.seconds)
    single = [[config] for configs in networks for config in configs]
    if part == "evaluation":
        return run_part(EVALUATION_PART, single, timing)
    if part == "alternatives":
        check_is_cpu(single[0][0])
        return run_part(ALTERNATIVES_PART, single, timing)
    for configs in networks:
        check_reference(configs[0])
    chosen = build_step_part() if part == "step" else build_several_part(arguments.runs)
    return run_part(chosen, networks, timing)


def main() -> None:
    from benchmarks.tables import format_rows, write_rows

    arguments = parse_arguments()
    if arguments.render:
        write_document()
        return
    parts = [part for part in PARTS if part not in NAMED_PARTS]
    if arguments.part:
        parts = [arguments.part]
    else:
        print(f"parts: {', '.join(parts)}; run by name only: {', '.join(NAMED_PARTS)}")
    folder = LEDGER if arguments.ledger else arguments.out
    for part in parts:
        rows = measure(part, arguments)
        path = folder / f"{part}.csv"
        write_rows(path, rows)
        print(format_rows(rows))
        print(f"{rows[0]['device']}; torch {rows[0]['torch']}; table: {path}", flush=True)
    if arguments.ledger:
        write_document()


if __name__ == "__main__":
    run_script(main)
