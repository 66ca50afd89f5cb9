"""All cases: each claim of `quick` under assumed truths.

Numbers are drawn independently and normally, three seeds per network, with the means and standard deviations of the
published tables.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.power import published
from analysis.power.probes import probe_cases
from analysis.power.simulation import Case
from analysis.power.times import Design, form_cases, slowing_cases
from analysis.power.training import training_cases

TIMES = "times.csv"  # one row per run and share of chance error, as analysis.mechanisms.time_to_threshold.measure_times makes them


def all_cases(ledger: Path, margin: float, designs: Mapping[str, Design]) -> list[Case]:
    """`ledger`: the folder of quick's tables. `margin`: points. `designs`: by experiment, the first is quick's own."""
    times = pd.read_csv(ledger / TIMES)
    return [
        *training_cases(published.training_errors(ledger), margin),
        *form_cases(times, designs),
        *slowing_cases(times, next(iter(designs.values()))),
        *probe_cases(ledger, margin),
    ]
