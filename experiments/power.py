"""How probable each verdict on the claims of `quick` is under assumed truths: the table in docs/verdicts.md.

python experiments/power.py
python experiments/power.py --repetitions 1000 --only "exponentially slow"
python experiments/power.py --records runs

Means and spreads come from the tables in experiments/ledger/quick. `--records` first writes its times.csv again, from
the records of quick's runs under that folder. Every case has a seed of its own, so the table can be made again.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from analysis.columns import FINISHED_STATES
from analysis.frame import load
from analysis.mechanisms.time_to_threshold import measure_times
from analysis.power import Design, all_cases, simulate
from analysis.power.cases import TIMES
from degradation.cli import Parser, run_script
from degradation.config import ConfigError
from degradation.sweep import jobs

LEDGER = Path(__file__).parent / "ledger/quick"
PAGE = Path(__file__).parents[1] / "docs/verdicts.md"
BEGIN, END = "<!-- power: begin -->", "<!-- power: end -->"
DESIGNS = ("quick", "convergence_digits")  # of the claim about exponential growth
COLUMNS = ("reproduced", "contradicted", "inconclusive", "not tested")


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=400, help="of each case (default: 400)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="the folder of quick's tables")
    parser.add_argument(
        "--records",
        type=Path,
        help="write times.csv of the ledger from the records in this folder first",
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that holds the table")
    parser.add_argument(
        "--only", help="print the cases whose claim has this in its name, and write nothing"
    )
    requested = parser.parse_args()
    for name in ("repetitions", "jobs"):
        if getattr(requested, name) < 1:
            parser.error(f"--{name}: {getattr(requested, name)} is not allowed; allowed: 1 or more")
    return requested


def design_of(experiment: str) -> Design:
    """Of the plain nets of an experiment."""
    configs = [run.config for run in jobs.expand_runs([f"experiment={experiment}"])]
    plain = [config for config in configs if config.model.shortcut == "none"]
    schedule = plain[0].schedule
    return Design(
        depths=tuple(sorted({config.model.depth for config in plain})),
        seeds=len({config.seed for config in plain}),
        every=schedule.evaluate_every,
        last=schedule.iterations,
        drops=tuple(schedule.milestones),
    )


def margin_of(experiment: str) -> float:
    return jobs.expand_runs([f"experiment={experiment}"])[0].config.data.margin


def write_times(records: Path, ledger: Path) -> None:
    """The table that the published ones lack: when each run reached each share of chance error."""
    runs = jobs.expand_runs([f"experiment={DESIGNS[0]}", f"record_root={records}"])
    frame = load(records, [jobs.describe_planned_run(run) for run in runs])
    unfinished = frame.runs[~frame.runs["state"].isin([*FINISHED_STATES])]
    if len(unfinished):
        raise ConfigError(
            f"--records: {len(unfinished)} runs of {DESIGNS[0]} in {records} are not finished"
        )
    measure_times(frame.runs, frame.curves).to_csv(ledger / TIMES, index=False)


def row_of(
    index: int, ledger: Path, margin: float, designs: dict[str, Design], repetitions: int
) -> dict[str, object]:
    """A process makes all cases and simulates one: a case holds functions, which no pickle carries."""
    case = all_cases(ledger, margin, designs)[index]
    shares = simulate(case, repetitions)
    percent = {name: f"{100 * shares[name]:.1f}" for name in COLUMNS}
    return {"claim": case.claim, "truth": case.truth, **percent}


def replace_table(page: Path, table: str) -> None:
    text = page.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ConfigError(f"--page: {page} needs the lines {BEGIN} and {END} once each")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def markdown(table: pd.DataFrame) -> str:
    lines = ["| " + " | ".join(table.columns) + " |", "|---|---|" + "---:|" * len(COLUMNS)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines)


def main() -> None:
    requested = arguments()
    if requested.records:
        write_times(requested.records, requested.ledger)
    designs = {name: design_of(name) for name in DESIGNS}
    margin = margin_of(DESIGNS[0])
    cases = all_cases(requested.ledger, margin, designs)
    chosen = [
        index
        for index, case in enumerate(cases)
        if not requested.only or requested.only in case.claim
    ]
    job = partial(
        row_of,
        ledger=requested.ledger,
        margin=margin,
        designs=designs,
        repetitions=requested.repetitions,
    )
    with ProcessPoolExecutor(requested.jobs, mp_context=get_context("spawn")) as pool:
        table = pd.DataFrame(pool.map(job, chosen))
    shown = markdown(table)
    print(shown)
    if not requested.only:
        replace_table(
            requested.page, f"{requested.repetitions} repetitions of each case, in %:\n\n{shown}"
        )


if __name__ == "__main__":
    run_script(main)
