"""Simulate the probability of each verdict on the claims of `quick`, for docs/verdicts.md.

python experiments/power.py
python experiments/power.py --repetitions 1000 --only "exponential slowing"
python experiments/power.py --records runs

Means and standard deviations come from the tables in experiments/ledger/quick. With `--records`,
its times.csv is first rewritten from the records of quick's runs in that folder. Every case has its
own seed, so the same command gives the same table.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from analysis.claim import Verdict
from analysis.finished_runs import is_finished
from analysis.frame import load
from analysis.mechanisms.time_to_threshold import measure_times
from analysis.power import Design, all_cases, simulate
from analysis.power.cases import TIMES
from degradation.cli import Parser, run_script
from degradation.config import ConfigError
from degradation.sweep.planned_runs import describe_planned_runs
from degradation.sweep.runs import expand_runs

LEDGER = Path(__file__).parent / "ledger/quick"
PAGE = Path(__file__).parents[1] / "docs/verdicts.md"
BEGIN_TABLE, END_TABLE = "<!-- power: begin -->", "<!-- power: end -->"
QUICK = "quick"
# those in which the claim about exponential growth is simulated
DESIGNS = (QUICK, "convergence_digits")


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repetitions", type=int, default=400, help="repetitions of each case (default: 400)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="folder of quick's tables")
    parser.add_argument(
        "--records",
        type=Path,
        help="first rewrite the ledger's times.csv from the records in this folder",
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="page that holds the table")
    parser.add_argument(
        "--only", help="simulate only claims whose name contains this, and do not write the page"
    )
    arguments = parser.parse_args()
    for name in ("repetitions", "jobs"):
        value = getattr(arguments, name)
        if value < 1:
            parser.error(f"--{name}: {value} is not allowed; allowed: 1 or more")
    return arguments


def read_design(experiment: str) -> Design:
    """Return depths, seeds and evaluations of the plain networks of an experiment."""
    configs = [run.config for run in expand_runs([f"experiment={experiment}"])]
    plain = [config for config in configs if config.model.shortcut == "none"]
    schedule = plain[0].schedule
    return Design(
        depths=tuple(sorted({config.model.depth for config in plain})),
        seeds=len({config.seed for config in plain}),
        evaluate_every=schedule.evaluate_every,
        iterations=schedule.iterations,
        drops=tuple(schedule.milestones),
    )


def read_margin(experiment: str) -> float:
    """Return the margin of an experiment's data, in points."""
    return expand_runs([f"experiment={experiment}"])[0].config.data.margin


def write_times(records: Path, ledger: Path) -> None:
    """Write the table of the times at which `quick`'s runs reached each fraction of chance error.

    Raises:
        ConfigError: some of the runs are unfinished.
    """
    runs = expand_runs([f"experiment={QUICK}", f"record_root={records}"])
    frame = load(records, describe_planned_runs(runs))
    unfinished = frame.runs[~is_finished(frame.runs)]
    if len(unfinished):
        raise ConfigError(
            f"--records: unfinished runs of {QUICK} in {records}: {len(unfinished)};"
            " train them first"
        )
    measure_times(frame.runs, frame.curves).to_csv(ledger / TIMES, index=False)


def simulate_row(
    index: int, ledger: Path, margin: float, designs: dict[str, Design], repetitions: int
) -> dict[str, object]:
    """Simulate one case and return its row of the table, in percent.

    A case holds functions, which cannot be pickled, so each process builds all cases and simulates
    one.
    """
    case = all_cases(ledger, margin, designs)[index]
    shares = simulate(case, repetitions)
    percent = {str(verdict): f"{100 * shares[verdict]:.1f}" for verdict in Verdict}
    return {"claim": case.claim, "truth": case.truth, **percent}


def replace_table(page: Path, table: str) -> None:
    """Replace the text between the two marks of the page.

    Raises:
        ConfigError: a mark is missing or repeated.
    """
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN_TABLE) != 1 or text.count(END_TABLE) != 1:
        raise ConfigError(f"--page: {page} needs the lines {BEGIN_TABLE} and {END_TABLE} once each")
    before, rest = text.split(BEGIN_TABLE)
    _, after = rest.split(END_TABLE)
    page.write_text(f"{before}{BEGIN_TABLE}\n{table}\n{END_TABLE}{after}", encoding="utf-8")


def format_markdown(table: pd.DataFrame) -> str:
    """Format the table; the columns of percentages are aligned to the right."""
    lines = [
        "| " + " | ".join(table.columns) + " |",
        "|---|---|" + "---:|" * len(Verdict),
    ]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def main() -> None:
    arguments = parse_arguments()
    if arguments.records:
        write_times(arguments.records, arguments.ledger)
    designs = {name: read_design(name) for name in DESIGNS}
    margin = read_margin(QUICK)
    cases = all_cases(arguments.ledger, margin, designs)
    selected = [
        index
        for index, case in enumerate(cases)
        if not arguments.only or arguments.only in case.claim
    ]
    job = partial(
        simulate_row,
        ledger=arguments.ledger,
        margin=margin,
        designs=designs,
        repetitions=arguments.repetitions,
    )
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        table = format_markdown(pd.DataFrame(pool.map(job, selected)))
    print(table)
    if not arguments.only:
        heading = f"{arguments.repetitions} repetitions of each case, in %:"
        replace_table(arguments.page, f"{heading}\n\n{table}")


if __name__ == "__main__":
    run_script(main)
